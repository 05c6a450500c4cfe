"""The residual rung without a dictionary: whole values at a few sites, pooled over each prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.activations.site_values import SiteValues
from faultlens.auditing.activations.task_tokens import by_length
from faultlens.errors import UserError
from faultlens.features.pooling import Pooling, pool
from faultlens.features.reading import Reader
from faultlens.features.token_choice import LeftOut, counted
from faultlens.models.sites import MASSIVE, Site


@dataclass(frozen=True, eq=False)
class WholeValues:
    """What a model holds at some sites in a task's prompts, pooled.

    Attributes:
        residual: the sites side by side, float32 `[prompts, Σ d]`.
        left_out: by site's name, which tokens were left out and how often, by reason.
    """

    residual: np.ndarray
    left_out: Mapping[str, Mapping[str, Mapping[str, int]]]


def pooled_values(values: SiteValues, reader: Reader, pooling: str) -> WholeValues:
    """Pool the values of each prompt's own tokens, those that count.

    `max` becomes `mean`, as on the residual rung beside dictionaries: the largest value of a
    coordinate without an origin means nothing.

    Args:
        values: at the sites.
        reader: says which tokens count.
        pooling: as of features.

    Raises:
        UserError: a prompt of which no token counts at a site.
    """
    how = Pooling.parse(pooling)
    how = Pooling("mean") if how.kind == "max" else how
    rows, n = values.tokens.rows, values.tokens.n_start
    pooled: dict[Site, list[np.ndarray]] = {s: [np.empty(0)] * len(rows) for s in values.sites}
    left_out: dict[Site, list[LeftOut]] = {site: [] for site in values.sites}
    for batch in by_length(rows):
        read = values.of(batch)
        for site in values.sites:
            for place, prompt in enumerate(batch):
                ids = np.array(rows[prompt][n:])
                x = read[site][place, n : len(rows[prompt])].float().cpu().numpy()
                special, massive = reader.left_out(site, np.linalg.norm(x, axis=-1), ids)
                out = special | massive
                if out.all():
                    raise UserError(_nothing_counts(prompt + 1, site, bool(massive.any())))
                none = np.zeros(int(out.sum()), dtype=int)
                left_out[site].append(LeftOut(none, ids[out], massive[out]))
                ends = np.array([0, int((~out).sum())])
                pooled[site][prompt] = pool(csr_matrix(x[~out]), ends, how).toarray()
    return WholeValues(
        np.hstack([np.vstack(of_site) for of_site in pooled.values()]).astype(np.float32),
        {s.name: found for s in left_out if (found := counted(values.model, left_out[s]))},
    )


def _nothing_counts(number: int, site: Site, massive: bool) -> str:
    if not massive:
        return f"prompt {number} holds special tokens alone: expected text; leave it out"
    return (
        f"prompt {number} has no token to pool at {site.name}: each has more than {MASSIVE:g} "
        "times the median norm there, or is special; leave the prompt out, or keep massive "
        "activations (--massive keep)"
    )

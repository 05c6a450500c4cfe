"""What the ladder's inner rungs are made of, read off the model that ran the task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack

from faultlens.audit.task_tokens import BATCH, TaskTokens
from faultlens.features.encode import encode
from faultlens.features.lens import Lens
from faultlens.features.pooling import Pooling, pool
from faultlens.features.random_dictionary import firing_rates, random_dictionary
from faultlens.models.sites import Site
from faultlens.progress import SILENT, Progress


def residual_and_random(
    lens: Lens, tokens: TaskTokens, pooling: str, seed: int, progress: Progress = SILENT
) -> tuple[np.ndarray, csr_matrix]:
    """The residual rung's and the random dictionaries' inputs, one row a prompt, BOS left out.

    The residual is pooled as the features are, except that `max` becomes `mean`: the largest value
    of a coordinate without an origin means nothing.

    Args:
        lens: the model and its dictionaries; those of several sites are put side by side.
        tokens: the task in tokens.
        pooling: of the features.
        seed: of the random directions.
        progress: told of the random features done.

    Returns:
        residuals `[prompts, Σ d_in]` and random activations `[prompts, Σ d_sae]`.
    """
    how = Pooling.parse(pooling)
    of_residual = Pooling("mean") if how.kind == "max" else how
    lengths = np.array([len(row) - 1 for row in tokens.rows])  # BOS is left out
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = _token_values(lens, tokens)
    residuals = [
        np.asarray(pool(csr_matrix(x.numpy()), offsets, of_residual).todense())
        for x in values.values()
    ]
    tick = progress.start("Random dictionary", sum(d.d_sae for d in lens.dictionaries))
    random = []
    for place, dictionary in enumerate(lens.dictionaries):
        x = values[dictionary.site].to(dictionary.W_enc.device)
        rates = firing_rates(encode(dictionary, x))
        seen = dictionary.prepare(x).cpu().numpy()
        drawn = random_dictionary(seen, rates, seed=seed + place, tick=tick)
        random.append(pool(drawn, offsets, how))
    return np.hstack(residuals), csr_matrix(hstack(random, format="csr"))


@torch.no_grad()
def _token_values(lens: Lens, tokens: TaskTokens) -> dict[Site, torch.Tensor]:
    """Every site's values at all tokens after BOS, `[tokens, d]`, prompt by prompt."""
    sites = list({dictionary.site for dictionary in lens.dictionaries})
    found: dict[Site, list[torch.Tensor]] = {site: [] for site in sites}
    for start in range(0, len(tokens.rows), BATCH):
        rows: Sequence[list[int]] = tokens.rows[start : start + BATCH]
        read = lens.model.read(lens.model.pad(rows), sites)
        for site in sites:
            found[site] += [x[1 : len(row)] for x, row in zip(read[site], rows, strict=True)]
    return {site: torch.cat(parts).float().cpu() for site, parts in found.items()}

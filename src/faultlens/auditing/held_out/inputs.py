"""What the ladder's inner rungs are made of, read off the model that ran the task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import BATCH
from faultlens.features.lens import Lens
from faultlens.features.pooling import Pooling, pool
from faultlens.features.random_dictionary import firing_rates, random_dictionary
from faultlens.models.sites import Site
from faultlens.progress import SILENT, Progress


def residual_and_random(
    lens: Lens,
    activations: TaskActivations,
    pooling: str,
    seed: int,
    progress: Progress = SILENT,
) -> tuple[np.ndarray, csr_matrix]:
    """The residual rung's and the random dictionaries' inputs, one row a prompt, BOS left out.

    The residual is pooled as the features are, except that `max` becomes `mean`: the largest value
    of a coordinate without an origin means nothing.

    Args:
        lens: the model and its dictionaries; those of several sites are put side by side.
        activations: the task as they see it.
        pooling: of the features.
        seed: of the random directions.
        progress: told of the random features done.

    Returns:
        residuals `[prompts, Σ d_in]` and random activations `[prompts, Σ d_sae]`.
    """
    how = Pooling.parse(pooling)
    of_residual = Pooling("mean") if how.kind == "max" else how
    at: dict[Site, torch.Tensor] = {}
    residuals, random = [], []
    tick = progress.start("Random dictionary", sum(d.d_sae for d in lens.dictionaries))
    for place, dictionary in enumerate(lens.dictionaries):
        rows = activations.prompt_rows(dictionary)
        offsets = np.concatenate([[0], np.cumsum([len(of_prompt) for of_prompt in rows])])
        if dictionary.site not in at:
            x = at[dictionary.site] = _values(activations, dictionary.site, rows)
            pooled = pool(csr_matrix(x.numpy()), offsets, of_residual)
            residuals.append(np.asarray(pooled.todense()))
        x = at[dictionary.site].to(dictionary.W_enc.device)
        rates = firing_rates(csr_matrix(activations.codes(dictionary).matrix[np.concatenate(rows)]))
        seen = dictionary.prepare(x).cpu().numpy()
        drawn = random_dictionary(seen, rates, seed=seed + place, tick=tick)
        random.append(pool(drawn, offsets, how))
    return np.hstack(residuals), csr_matrix(hstack(random, format="csr"))


def _values(activations: TaskActivations, site: Site, rows: Sequence[np.ndarray]) -> torch.Tensor:
    """A site's values at some tokens, `[tokens, d]`: by prompt, as rows of the codes."""
    scored, parts = activations.tokens.scored, []
    starts = np.cumsum([0] + [len(row) for row in scored])
    for start in range(0, len(rows), BATCH):
        batch = range(start, min(start + BATCH, len(rows)))
        read = activations.values.of(batch)[site]
        parts += [
            x[torch.from_numpy(rows[i] - starts[i]).to(x.device)]
            for x, i in zip(read, batch, strict=True)
        ]
    return torch.cat(parts).float().cpu()

"""A dictionary that learnt nothing: random directions that fire as often as real features do.

What its activations predict, any wide sparse code of the residual predicts; only what real features
add beyond it is owed to their having been learnt.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix, vstack

from faultlens.config import SEED
from faultlens.progress import Tick

TILE = 256  # features whose dense values are held at once: 5 MB at 5,000 tokens
ROUNDING = 3e-6  # of a feature's largest value: values that are nearer to each other are equal


def firing_rates(tokens: csr_matrix) -> np.ndarray:
    """Share of tokens on which each feature fires, `[d_sae]`, of activations `[tokens, d_sae]`."""
    counts = np.bincount(tokens.indices[tokens.data > 0], minlength=tokens.shape[1])
    rates: np.ndarray = counts / tokens.shape[0]
    return rates


def random_dictionary(
    x: np.ndarray, rates: np.ndarray, *, seed: int = SEED, tick: Tick | None = None
) -> csr_matrix:
    """Activations of as many random features as there are rates, to be pooled as the real ones.

    `a_j = max(w_j · x − t_j, 0)`, w_j Gaussian and scaled to length 1, t_j the value above which
    `w_j · x` lies on a share `rates[j]` of the tokens (so that adding one vector to all tokens
    changes nothing). No outcome is looked at. Tokens that hold
    one residual (a common beginning of prompts) fire together or not at all; where the share would
    part them, t_j is moved to the nearest share that does not, the lower of two. A feature that
    should never fire never does. w_j depends on the seed and j alone.

    Args:
        x: the residuals of all tokens, BOS left out, `[tokens, d_in]`.
        rates: the firing rate of one real feature each, 0 to 1, `[features]`.
        seed: of the directions.
        tick: told of the features that are done.

    Returns:
        float32 CSR `[tokens, features]`, column indices sorted, no explicit zeros.

    Raises:
        ValueError: no tokens, a value of x that is not finite, or a rate outside 0 to 1.
    """
    if not len(x) or not np.isfinite(x).all():
        raise ValueError("residuals must be finite, of at least one token")
    if not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError("firing rates must lie between 0 and 1")
    # t_j takes up any shift; without the mean, rounding is small beside what differs.
    values = (x - x.mean(axis=0, dtype=np.float64)).astype(np.float32)
    wanted = np.rint(np.asarray(rates) * len(values)).astype(int)
    tiles = []
    for directions, start in _directions(values.shape[1], len(wanted), seed):
        tiles.append(_tile(values, directions, wanted[start : start + TILE]))
        if tick is not None:
            tick(tiles[-1].shape[0])
    if not tiles:
        return csr_matrix(np.empty((len(values), 0), dtype=np.float32))
    found = csr_matrix(vstack(tiles, format="csr").T)
    found.sort_indices()
    return found


def _directions(d_in: int, features: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
    """Unit vectors `[up to TILE, d_in]` tile by tile, and the first feature of the tile."""
    for start in range(0, features, TILE):
        rng = np.random.default_rng([seed, start])
        drawn = rng.standard_normal((TILE, d_in), dtype=np.float32)[: features - start]
        yield drawn / np.linalg.norm(drawn, axis=1, keepdims=True), start


def _tile(x: np.ndarray, directions: np.ndarray, wanted: np.ndarray) -> csr_matrix:
    """Activations `[tile, tokens]` of features of which the j-th shall fire on `wanted[j]`."""
    fires = np.flatnonzero(wanted)  # the others are silent
    products = directions[fires] @ x.T
    descending = np.sort(products, axis=1)[:, ::-1]
    limits = np.array(
        [_threshold(row, count) for row, count in zip(descending, wanted[fires], strict=True)],
        dtype=np.float32,
    )
    row, token = np.nonzero(products > limits[:, None])
    counts = np.zeros(len(wanted) + 1, dtype=int)
    counts[fires + 1] = np.bincount(row, minlength=len(fires))
    above = products[row, token] - limits[row]
    return csr_matrix((above, token, np.cumsum(counts)), shape=(len(wanted), len(x)))


def _threshold(descending: np.ndarray, wanted: int) -> float:
    """The threshold above which `wanted` of the values lie, or the nearest number that can be.

    It is the largest value that shall not fire; where all shall, a hair below the least.
    """
    n = len(descending)
    tolerance = ROUNDING * float(max(abs(descending[0]), abs(descending[-1])))
    if wanted == n or descending[wanted - 1] - descending[wanted] > tolerance:
        count = wanted
    else:
        cuts = np.flatnonzero(descending[:-1] - descending[1:] > tolerance) + 1
        cuts = np.concatenate([[0], cuts, [n]])
        count = int(cuts[np.argmin(np.abs(cuts - wanted))])
    return float(descending[count]) if count < n else float(descending[-1]) - max(tolerance, 1e-30)

"""Equivalence classes: features that the data cannot tell apart are one finding, not many."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix
from scipy.spatial.distance import squareform

LEAST_JACCARD = 0.95
LEAST_CORRELATION = 0.9


def rarer_jaccard(firing: csr_matrix) -> np.ndarray:
    """Jaccard index, for each pair of features, of the rarer of firing and silent; `[f, f]`.

    For a feature that fires on more than half of the prompts its silent prompts carry the
    information. A pair of which one is mostly firing and the other mostly silent has index 0, as
    have two features of which neither is ever in its rarer state.
    """
    n = firing.shape[0]
    dense = np.asarray(firing.todense(), dtype=np.float64)
    dense = (dense > 0).astype(np.float64)
    dense_side = dense.sum(axis=0) > n / 2
    rarer = np.where(dense_side, 1 - dense, dense)
    both = rarer.T @ rarer
    sizes = rarer.sum(axis=0)
    either = sizes[:, None] + sizes[None, :] - both
    index = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return np.where(dense_side[:, None] == dense_side[None, :], index, 0.0)


def equivalence_classes(values: csr_matrix, effects: np.ndarray) -> list[np.ndarray]:
    """Group features by complete linkage, so that every pair within a class is alike.

    Two features are alike when the Jaccard index of the rarer of firing / silent is at least 0.95,
    their effects have one sign, and their activations correlate at least 0.9. Features that never
    leave their commoner state (which fire everywhere, say) are compared by the last two alone.

    Args:
        values: pooled activations, CSR `[n, features]`.
        effects: a signed effect of each feature, `[features]`.

    Returns:
        index arrays, one a class, each ascending; classes in order of their first member.
    """
    count = values.shape[1]
    if count < 2:
        return [np.arange(count)] if count else []
    jaccard = rarer_jaccard(values)
    fires = np.asarray((values > 0).sum(axis=0)).ravel()
    uniform = (fires == 0) | (fires == values.shape[0])
    jaccard = np.where(uniform[:, None] & uniform[None, :], 1.0, jaccard)
    dense = values.toarray().astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(np.corrcoef(dense, rowvar=False), nan=0.0)
    same_sign = np.sign(effects)[:, None] == np.sign(effects)[None, :]
    alike = (jaccard >= LEAST_JACCARD) & same_sign & (correlation >= LEAST_CORRELATION)
    distance = np.where(alike, 1 - jaccard, 2.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="complete")
    labels = fcluster(tree, t=1 - LEAST_JACCARD + 1e-9, criterion="distance")
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted(classes, key=lambda members: int(members[0]))

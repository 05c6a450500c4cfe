"""Equivalence classes: features that the data cannot tell apart are one finding, not many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, hstack
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

LEAST_JACCARD = 0.95
LEAST_CORRELATION = 0.9
CELLS = 8_000_000  # pairs of features, or prompts × pairs, held at once: 64 MB


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
    if not count:
        return []
    first, other, jaccard = alike_pairs(csc_matrix(values), np.sign(effects))
    graph = coo_matrix((np.ones(len(first)), (first, other)), shape=(count, count))
    component = connected_components(graph, directed=False)[1]
    by_component = np.argsort(component, kind="stable")
    of_pairs = np.argsort(component[first], kind="stable")
    members = np.split(by_component, np.cumsum(np.bincount(component))[:-1])
    pairs = np.split(
        of_pairs, np.cumsum(np.bincount(component[first], minlength=len(members)))[:-1]
    )
    classes = [
        group
        for inside, of in zip(members, pairs, strict=True)
        for group in _linked(inside, first[of], other[of], jaccard[of])
    ]
    return sorted(classes, key=lambda group: int(group[0]))


def alike_pairs(
    columns: csc_matrix, signs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of features that are alike, each once.

    Args:
        columns: pooled activations, `[n, features]`.
        signs: of the features' effects, `[features]`.

    Returns:
        the first features of the pairs, the others, which come later, and their Jaccard indices;
        `[pairs]` each.
    """
    rarer, mostly = rarer_states(columns)
    uniform = np.diff(rarer.indptr) == 0
    firsts, others, indices = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0)]
    for block in _blocks(columns.shape[1], columns.shape[1]):
        jaccard = _jaccard(rarer, mostly, block)
        jaccard[np.ix_(uniform[block], uniform)] = 1.0
        row, other = np.nonzero(jaccard >= LEAST_JACCARD)
        first = row + block.start
        kept = (first < other) & (signs[first] == signs[other])
        row, first, other = row[kept], first[kept], other[kept]
        alike = _correlations(columns, first, other) >= LEAST_CORRELATION
        firsts.append(first[alike])
        others.append(other[alike])
        indices.append(jaccard[row[alike], other[alike]])
    return np.concatenate(firsts), np.concatenate(others), np.concatenate(indices)


def rarer_jaccard(values: csr_matrix) -> np.ndarray:
    """Jaccard index, for each pair of features, of the rarer of firing and silent; `[f, f]`.

    For a feature that fires on more than half of the prompts its silent prompts carry the
    information. A pair of which one is mostly firing and the other mostly silent has index 0, as
    have two features of which neither is ever in its rarer state.
    """
    rarer, mostly = rarer_states(csc_matrix(values))
    return _jaccard(rarer, mostly, slice(0, values.shape[1]))


def rarer_states(columns: csc_matrix) -> tuple[csc_matrix, np.ndarray]:
    """Where each feature is in the rarer of its states, 0/1 `[n, features]`, and which mostly fire.

    At half and half the rarer state is firing.
    """
    n = columns.shape[0]
    fires = csc_matrix((columns > 0).astype(np.float64))
    mostly: np.ndarray = np.diff(fires.indptr) > n / 2
    parts = [np.flatnonzero(~mostly), np.flatnonzero(mostly)]
    silent = [
        csc_matrix(1.0 - fires[:, parts[1][block]].toarray()) for block in _blocks(len(parts[1]), n)
    ]
    together = csc_matrix(hstack([fires[:, parts[0]], *silent], format="csc"))
    rarer = csc_matrix(together[:, np.argsort(np.concatenate(parts))])
    return rarer, mostly


def _jaccard(rarer: csc_matrix, mostly: np.ndarray, block: slice) -> np.ndarray:
    """Of a block of features with all: `[features of the block, features]`."""
    sizes = np.diff(rarer.indptr).astype(float)
    both = csr_matrix(rarer[:, block].T @ rarer).toarray()
    either = sizes[block, None] + sizes[None, :] - both
    index = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return np.where(mostly[block, None] == mostly[None, :], index, 0.0)


def _correlations(columns: csc_matrix, first: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's r of some pairs, `[pairs]`; 0 where a feature is constant."""
    found = [np.empty(0)]
    for block in _blocks(len(first), columns.shape[0]):
        left, right = (columns[:, of[block]].toarray().astype(np.float64) for of in (first, other))
        left -= left.mean(axis=0)
        right -= right.mean(axis=0)
        scale = np.sqrt((left**2).sum(axis=0) * (right**2).sum(axis=0))
        product = (left * right).sum(axis=0)
        found.append(np.divide(product, scale, out=np.zeros_like(product), where=scale > 0))
    return np.concatenate(found)


def _linked(
    members: np.ndarray, first: np.ndarray, other: np.ndarray, jaccard: np.ndarray
) -> list[np.ndarray]:
    """Classes of features by complete linkage, of which the alike pairs are given."""
    if len(members) < 3:
        return [members]
    distance = np.full((len(members), len(members)), 2.0)
    np.fill_diagonal(distance, 0.0)
    one, two = np.searchsorted(members, first), np.searchsorted(members, other)
    distance[one, two] = distance[two, one] = 1 - jaccard
    tree = linkage(squareform(distance, checks=False), method="complete")
    labels = fcluster(tree, t=1 - LEAST_JACCARD + 1e-9, criterion="distance")
    return [members[labels == label] for label in np.unique(labels)]


def _blocks(count: int, cells: int) -> Iterator[slice]:
    """Slices of `count` things of so many cells each."""
    step = max(1, CELLS // max(1, cells))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))

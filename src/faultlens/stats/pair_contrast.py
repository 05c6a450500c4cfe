"""Meaning against surface: are texts of different form more alike when they mean the same?

The cells of a meanings × meanings matrix share texts and are dependent, so that no test may treat
them as observations. What may be exchanged, if meaning plays no part, is which text of a form
carries which meaning: meanings are permuted within each form, each form by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True, eq=False)
class PairContrast:
    """Mean similarity within and between meanings, and their difference under permutation."""

    within: float
    between: float
    null: np.ndarray  # of within − between, `[permutations]`

    @property
    def difference(self) -> float:
        return self.within - self.between


def pair_contrast(
    similarity: np.ndarray,
    meanings: np.ndarray,
    forms: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> PairContrast:
    """Within − between over all pairs of texts whose forms differ and are comparable.

    Two forms are comparable if some meaning has both. A pair counts as within if the two texts have
    one meaning, as between otherwise; pairs of one form are left out, for they share their surface.

    Args:
        similarity: symmetric, `[n, n]`.
        meanings: of each text, whole numbers `[n]`; a form has each at most once.
        forms: of each text, whole numbers `[n]`.
        permutations: of the meanings within each form.
        rng: of the permutations.

    Raises:
        ValueError: no meaning has two forms, or no pair is left to be between meanings.
    """
    rows = {form: np.flatnonzero(forms == form) for form in np.unique(forms).tolist()}
    order = {
        form: np.argsort(rng.random((permutations, len(of_form))), axis=1)
        for form, of_form in rows.items()
    }
    total, cells, matches = 0.0, 0, 0
    observed, drawn = 0.0, np.zeros(permutations)
    for first, second in comparable_forms(meanings, forms):
        a, b = rows[first], rows[second]
        block = similarity[np.ix_(a, b)].astype(np.float64)
        same_a, same_b = np.nonzero(meanings[a][:, None] == meanings[b][None])
        total += block.sum()
        cells += block.size
        matches += len(same_a)
        observed += block[same_a, same_b].sum()
        drawn += block[order[first][:, same_a], order[second][:, same_b]].sum(axis=1)
    if not matches or cells == matches:
        raise ValueError("a contrast needs pairs within meanings and pairs between them")

    def difference(within_sum: np.ndarray) -> np.ndarray:
        return within_sum / matches - (total - within_sum) / (cells - matches)

    return PairContrast(
        within=float(observed / matches),
        between=float((total - observed) / (cells - matches)),
        null=difference(drawn),
    )


def comparable_forms(meanings: np.ndarray, forms: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of forms that some meaning has both of."""
    held = {form: set(meanings[forms == form].tolist()) for form in np.unique(forms).tolist()}
    for first, second in combinations(held, 2):
        if held[first] & held[second]:
            yield first, second


def jaccard_matrix(members: np.ndarray) -> np.ndarray:
    """Jaccard index of every two rows of `members [n, items]`, boolean; `[n, n]`.

    `|A ∩ B| / |A ∪ B|`; 0 for two empty sets.

    >>> jaccard_matrix(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    held = members.astype(np.float32)
    shared = held @ held.T
    sizes = held.sum(axis=1)
    union = sizes[:, None] + sizes[None] - shared
    result: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result

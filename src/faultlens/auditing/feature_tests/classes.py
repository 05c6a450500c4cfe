"""Step 4: equivalence classes of the features that tests find, the most certain first."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.feature_tests.correlates import Correlates
from faultlens.stats.equivalence import equivalence_classes


def feature_classes(
    found: Correlates, alpha: float, p_suppressed: np.ndarray | None = None
) -> list[np.ndarray]:
    """The classes that an audit speaks of, as index arrays into the family.

    First those that a deciding test finds, then those that are found within strata only, then those
    that only describing tests flag; where there is none, the strongest feature by itself. Within a
    class the strongest member is the first.

    Args:
        found: the family.
        alpha: the level.
        p_suppressed: of each feature within strata, adjusted for sharing alpha; None: no strata.
    """
    suppressed = np.zeros(len(found.column), dtype=bool)
    if p_suppressed is not None:
        suppressed = (p_suppressed <= alpha) & (found.decisive > alpha)
    classes = significant_classes(found, alpha)
    classes += _classes(found, suppressed)
    classes += artefact_classes(found, alpha, ~suppressed)
    if not classes:
        classes = [found.rank(np.arange(len(found.column)))[:1]]
    return classes


def significant_classes(found: Correlates, alpha: float) -> list[np.ndarray]:
    """Equivalence classes of the features that a deciding test finds, within each site.

    Each class is ranked by its strongest member; classes likewise. Index arrays into the family.
    """
    return _classes(found, found.decisive <= alpha)


def artefact_classes(
    found: Correlates, alpha: float, among: np.ndarray | None = None
) -> list[np.ndarray]:
    """Classes of the features that only an approximate test or the study's rule flags.

    No deciding test finds them, although their support would have allowed it: the least attainable
    p is at most α / m. Only features in `among`, boolean, are asked; None: all. Ranked as
    `significant_classes` ranks.
    """
    flagged = np.logical_or.reduce(list(found.flagged(alpha).values()))
    able = found.least_p <= alpha / max(len(found.column), 1)
    by_neither = np.minimum(found.p_min_p, found.p_max_t) > alpha
    chosen = flagged & able & by_neither
    return _classes(found, chosen if among is None else chosen & among)


def _classes(found: Correlates, chosen: np.ndarray) -> list[np.ndarray]:
    classes = []
    for index in range(len(found.sites)):
        members = np.flatnonzero((found.site == index) & chosen)
        effects = found.auroc[members] - 0.5
        for group in equivalence_classes(csr_matrix(found.values[:, members]), effects):
            classes.append(found.rank(members[group]))
    leaders = np.array([group[0] for group in classes], dtype=int)
    place = {int(leader): i for i, leader in enumerate(found.rank(leaders))} if classes else {}
    return sorted(classes, key=lambda group: place[int(group[0])])

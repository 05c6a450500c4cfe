"""Step 3: which features go with failure, over all sites as one family, and their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack

from faultlens.audit.factors import pooled_levels
from faultlens.audit.result import Proxy
from faultlens.features.table import FeatureTable
from faultlens.stats.effects import auroc, cohens_d, midranks
from faultlens.stats.equivalence import equivalence_classes
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.label_null import random_groups
from faultlens.stats.multiplicity import benjamini_hochberg, holm
from faultlens.stats.stepdown import max_t, min_p

PROXY_JACCARD = 0.95


@dataclass(frozen=True, eq=False)
class Correlates:
    """The family: every feature that fires on enough prompts, of all sites, and its tests.

    All arrays are `[features]`, in the order of `site` and `column`.
    """

    sites: tuple[str, ...]
    site: np.ndarray  # index into `sites`
    column: np.ndarray  # the feature's index in its dictionary
    values: csr_matrix  # pooled activations, [prompts, features]
    fail_active: np.ndarray
    success_active: np.ndarray
    cohens_d: np.ndarray
    auroc: np.ndarray
    p_fisher: np.ndarray
    p_holm: np.ndarray
    p_bh: np.ndarray
    p_min_p: np.ndarray
    p_max_t: np.ndarray

    @property
    def decisive(self) -> np.ndarray:
        """Twice the smaller of the two deciding tests' adjusted p-values, at most 1.

        Either test may decide, so the family-wise error of deciding by whichever is smaller would
        be nearly twice its level (.09 at .05, measured under a true null) without the factor.
        """
        result: np.ndarray = np.minimum(2 * np.minimum(self.p_min_p, self.p_max_t), 1.0)
        return result

    def rank(self, members: np.ndarray) -> np.ndarray:
        """`members`, the strongest first: by the deciding tests, Fisher's p, then |d|."""
        d = np.nan_to_num(np.abs(self.cohens_d[members]), posinf=1e9)
        keys = (-d, self.p_fisher[members], self.decisive[members])
        result: np.ndarray = members[np.lexsort(keys)]
        return result


def correlate(
    tables: Mapping[str, FeatureTable],
    failed: np.ndarray,
    *,
    min_support: int,
    permutations: int,
    seed: int,
) -> Correlates:
    """Test every feature of every table against the outcome.

    Args:
        tables: one a dictionary, rows = prompts.
        failed: boolean `[prompts]`, with both outcomes present at least twice.
        min_support: least number of prompts a feature must fire on (blind to the outcome).
        permutations: of the outcome, behind min-P and max-T.
        seed: of the permutations.
    """
    n, failures = len(failed), int(failed.sum())
    blocks, site, column = [], [], []
    for index, table in enumerate(tables.values()):
        support = np.asarray((table.matrix > 0).sum(axis=0)).ravel()
        kept = np.flatnonzero(support >= min_support)
        blocks.append(table.matrix[:, kept])
        site.append(np.full(len(kept), index))
        column.append(kept)
    values = csr_matrix(hstack(blocks, format="csr"))
    firing = csr_matrix((values > 0).astype(np.float32))
    active = np.asarray(firing.sum(axis=0)).ravel().astype(int)
    fail_active = np.asarray(firing[np.flatnonzero(failed)].sum(axis=0)).ravel().astype(int)
    groups = random_groups(n, failures, permutations, np.random.default_rng(seed))
    p_fisher = fisher_exact(fail_active, active, failures, n)
    return Correlates(
        sites=tuple(tables),
        site=np.concatenate(site),
        column=np.concatenate(column),
        values=values,
        fail_active=fail_active,
        success_active=active - fail_active,
        cohens_d=cohens_d(values, failed),
        auroc=auroc(midranks(values.toarray()), failed),
        p_fisher=p_fisher,
        p_holm=holm(p_fisher),
        p_bh=benjamini_hochberg(p_fisher),
        p_min_p=min_p(firing, groups, failed),
        p_max_t=max_t(values, groups, failed),
    )


def significant_classes(found: Correlates, alpha: float) -> list[np.ndarray]:
    """Equivalence classes of the features that a deciding test finds, within each site.

    Each class is ranked by its strongest member; classes likewise. Index arrays into the family.
    """
    classes = []
    for index in range(len(found.sites)):
        members = np.flatnonzero((found.site == index) & (found.decisive <= alpha))
        effects = found.auroc[members] - 0.5
        for group in equivalence_classes(csr_matrix(found.values[:, members]), effects):
            classes.append(found.rank(members[group]))
    leaders = np.array([group[0] for group in classes], dtype=int)
    place = {int(leader): i for i, leader in enumerate(found.rank(leaders))} if classes else {}
    return sorted(classes, key=lambda group: place[int(group[0])])


def nearest_level(firing: np.ndarray, factors: Mapping[str, Sequence[str]]) -> Proxy | None:
    """The level of a factor, or union of its levels, whose prompts a feature fires on.

    Of each factor the levels are taken in order of the share of their prompts on which the feature
    fires, and every beginning of that order is a candidate. Where the feature fires on more than
    half of the prompts, its silence is compared with the levels left out, as in classes.

    Args:
        firing: boolean `[prompts]`.
        factors: for each factor the level of every prompt.

    Returns:
        the union with the largest Jaccard index, the smallest first, if that is at least 0.95.
    """
    best: Proxy | None = None
    for factor, raw in factors.items():
        levels = np.array(pooled_levels(raw), dtype=object)
        names = list(dict.fromkeys(levels))
        share = {name: firing[levels == name].mean() for name in names}
        names.sort(key=lambda name: -share[name])
        for count in range(1, len(names)):
            union = np.isin(levels, names[:count])
            jaccard = _jaccard(firing, union)
            if firing.mean() > 0.5:
                jaccard = min(jaccard, _jaccard(~firing, ~union))
            if jaccard >= PROXY_JACCARD and (best is None or jaccard > best.jaccard):
                best = Proxy(factor, _union_name(names, count), jaccard)
    return best


def _union_name(levels: Sequence[str], count: int) -> str:
    """The first `count` levels in words; by what is left out where that is shorter."""
    if 2 * count <= len(levels):
        return " or ".join(levels[:count])
    return (
        "neither " + " nor ".join(levels[count:])
        if len(levels) - count > 1
        else (f"anything but {levels[-1]}")
    )


def _jaccard(first: np.ndarray, second: np.ndarray) -> float:
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 0.0

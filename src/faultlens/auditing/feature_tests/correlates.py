"""Step 3: which features go with failure, over the features of all sites as one family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, hstack
from scipy.stats import false_discovery_control, norm

from faultlens.auditing.result import StudyRule
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.runs.memory import free_memory
from faultlens.stats.block_sets import outcome_sets
from faultlens.stats.effects import cohens_d_of_moments
from faultlens.stats.fisher import fisher_exact, least_attainable
from faultlens.stats.moments import moments
from faultlens.stats.multiplicity import holm
from faultlens.stats.permutation_z import PermutationZ
from faultlens.stats.stepdown import max_t, min_p
from faultlens.stats.two_sample import mann_whitney, welch

STUDY_ALPHA = 0.05  # of the published study's rule
LARGE, MEDIUM = 0.8, 0.5  # of |d|
BYTES = 500_000_000  # held whatever the size of a family: blocks of draws and of their sums
FIRING_BYTES = 110  # held for each stored activation at most: sorted copies of its column
LEAST_OUTCOMES = 5  # failures, and successes, below which nothing is tested


@dataclass(frozen=True, eq=False)
class Correlates:
    """The family: every feature that fires on enough prompts, of all sites, and its tests.

    All arrays are `[features]`, in the order of `site` and `column`.
    """

    sites: tuple[str, ...]
    site: np.ndarray  # index into `sites`
    column: np.ndarray  # the feature's index in its dictionary
    values: csr_matrix  # pooled activations, [prompts, features]
    failures: int
    fail_active: np.ndarray
    success_active: np.ndarray
    mean_failure: np.ndarray
    mean_success: np.ndarray
    cohens_d: np.ndarray
    auroc: np.ndarray
    p_fisher: np.ndarray
    p_holm: np.ndarray
    p_bh: np.ndarray
    p_min_p: np.ndarray
    p_max_t: np.ndarray
    p_welch: np.ndarray
    p_mann_whitney: np.ndarray
    z: np.ndarray  # |permutation z| of the pooled activation, unadjusted
    p_study: np.ndarray  # the study's rule, Holm over all features of the dictionary
    study: dict[str, StudyRule]  # by site
    share: float = 1.0  # of alpha that these tests have; the rest is for what shows within strata

    @cached_property
    def firing(self) -> csr_matrix:
        """Whether each feature fires on each prompt, 1 or 0, `[prompts, features]`."""
        return _firing(self.values)

    @property
    def rate_difference(self) -> np.ndarray:
        """Share of the failures, minus share of the successes, on which each feature fires."""
        successes = self.values.shape[0] - self.failures
        result: np.ndarray = self.fail_active / self.failures - self.success_active / successes
        return result

    @cached_property
    def least_p(self) -> np.ndarray:
        """The least unadjusted p that each feature admits, by firing or by strength.

        By firing, Fisher's least with its support. By strength, where a feature fires on as many
        prompts as fail and its values there differ: one arrangement of the outcome among all.
        """
        n, support = self.values.shape[0], self.fail_active + self.success_active
        least = least_attainable(support, self.failures, n)
        columns = csc_matrix(self.values)
        columns.eliminate_zeros()
        differ = np.array([np.ptp(v) > 0 if len(v) else False for v in _by_column(columns)])
        able = differ & (support >= self.failures)
        result: np.ndarray = np.where(able, np.minimum(least, 1 / comb(n, self.failures)), least)
        return result

    @cached_property
    def adjusted(self) -> dict[str, np.ndarray]:
        """The adjusted p-values by test: the two that decide, and those that describe."""
        return {
            "min_p": self.p_min_p,
            "max_t": self.p_max_t,
            "holm": self.p_holm,
            "bh": self.p_bh,
            "welch": holm(self.p_welch),
            "mann_whitney": holm(self.p_mann_whitney),
        }

    def flagged(self, alpha: float) -> dict[str, np.ndarray]:
        """Which features the tests flag that describe and do not decide, boolean, by test.

        The study's rule has its own level, 0.05.
        """
        return {
            "the study's rule": self.p_study <= STUDY_ALPHA,
            "Welch + Holm": self.adjusted["welch"] <= alpha,
            "Mann–Whitney + Holm": self.adjusted["mann_whitney"] <= alpha,
        }

    @cached_property
    def decisive(self) -> np.ndarray:
        """Twice the smaller of the two deciding tests' adjusted p-values, at most 1.

        Either test may decide, so the family-wise error of deciding by whichever is smaller would
        be nearly twice its level (.09 at .05, measured under a true null) without the factor. All
        is divided by the `share` of alpha that these tests have.
        """
        smaller = np.minimum(self.p_min_p, self.p_max_t)
        result: np.ndarray = np.minimum(2 * smaller / self.share, 1.0)
        return result

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Every test of every feature, a column each, under the names of `features.parquet`."""
        return {
            "site": np.array(self.sites, dtype=object)[self.site],
            "feature": self.column,
            "fail_active": self.fail_active,
            "success_active": self.success_active,
            "mean_failure": self.mean_failure,
            "mean_success": self.mean_success,
            "rate_difference": self.rate_difference,
            "cohens_d": self.cohens_d,
            "auroc": self.auroc,
            "p_fisher": self.p_fisher,
            "p_holm": self.p_holm,
            "p_bh": self.p_bh,
            "p_min_p": self.p_min_p,
            "p_max_t": self.p_max_t,
            "p_deciding": self.decisive,
            "p_welch": self.p_welch,
            "p_mann_whitney": self.p_mann_whitney,
            "p_study_holm": self.p_study,
            "rank": self.places,
        }

    @cached_property
    def places(self) -> np.ndarray:
        """Each feature's place in the ranking of all, the strongest 0, significant or not."""
        places = np.empty(len(self.column), dtype=int)
        places[self.rank(np.arange(len(places)))] = np.arange(len(places))
        return places

    def rank(self, members: np.ndarray) -> np.ndarray:
        """`members`, the strongest first: by the deciding tests, the unadjusted p, then |d|.

        Permutations leave all strong features at one p, the least. Between these the smaller of
        Fisher's p and the normal p of the permutation z decides: Fisher's alone is 1 for a feature
        that fires everywhere, however its strength goes with failure.
        """
        d = np.nan_to_num(np.abs(self.cohens_d[members]), posinf=1e9)
        of_strength = np.log(2) + norm.logsf(self.z[members])  # the p itself may be 0 in float64
        unadjusted = np.minimum(np.log(self.p_fisher[members]), of_strength)
        keys = (-d, unadjusted, self.decisive[members])
        result: np.ndarray = members[np.lexsort(keys)]
        return result


def _firing(values: csr_matrix) -> csr_matrix:
    return csr_matrix((values > 0).astype(np.float32))


def _by_column(columns: csc_matrix) -> list[np.ndarray]:
    return np.split(columns.data, columns.indptr[1:-1])


def correlate(
    tables: Mapping[str, FeatureTable],
    failed: np.ndarray,
    *,
    min_support: int,
    permutations: int,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> Correlates:
    """Test every feature of every table against the outcome.

    Args:
        tables: one a dictionary, rows = prompts.
        failed: boolean `[prompts]`, with both outcomes present at least twice.
        min_support: least number of prompts a feature must fire on (blind to the outcome).
        permutations: of the outcome, behind min-P and max-T.
        seed: of the permutations.
        blocks: the block of every prompt that belongs together, by which the outcome is permuted;
            None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.

    Raises:
        UserError: more memory is needed than is free.
    """
    n, failures = len(failed), int(failed.sum())
    _check_memory(tables, permutations)
    matrices, site, column, p_study = [], [], [], []
    study = {}
    for index, (name, table) in enumerate(tables.items()):
        support = np.asarray((table.matrix > 0).sum(axis=0)).ravel()
        kept = np.flatnonzero(support >= min_support)
        study[name], p_holm = study_rule(table, failed)
        matrices.append(table.matrix[:, kept])
        site.append(np.full(len(kept), index))
        column.append(kept)
        p_study.append(p_holm[kept])
    values = csr_matrix(hstack(matrices, format="csr"))
    firing = _firing(values)
    active = np.asarray(firing.sum(axis=0)).ravel().astype(int)
    fail_active = np.asarray(firing[np.flatnonzero(failed)].sum(axis=0)).ravel().astype(int)
    rng = np.random.default_rng(seed)
    sets = outcome_sets(failed, permutations, rng, blocks=blocks, parts=parts)
    p_fisher = fisher_exact(fail_active, active, failures, n)
    first, rest = moments(values, failed), moments(values, ~failed)
    ranks = mann_whitney(values, failed)
    return Correlates(
        sites=tuple(tables),
        site=np.concatenate(site),
        column=np.concatenate(column),
        values=values,
        failures=failures,
        fail_active=fail_active,
        success_active=active - fail_active,
        mean_failure=first.mean,
        mean_success=rest.mean,
        cohens_d=cohens_d_of_moments(first, rest),
        auroc=ranks.u / (failures * (n - failures)),
        p_fisher=p_fisher,
        p_holm=holm(p_fisher),
        p_bh=false_discovery_control(p_fisher),
        p_min_p=min_p(firing, sets, failed),
        p_max_t=max_t(values, sets, failed),
        p_welch=welch(first, rest).p,
        p_mann_whitney=ranks.p,
        z=PermutationZ(values, failed).observed(failed),
        p_study=np.concatenate(p_study),
        study=study,
    )


def _check_memory(tables: Mapping[str, FeatureTable], permutations: int) -> None:
    """Raises UserError, with the size needed, where testing these tables would not fit."""
    prompts = max(table.n_texts for table in tables.values())
    features = sum(table.d_sae for table in tables.values())
    firings = sum(table.matrix.nnz for table in tables.values())
    needed = BYTES + FIRING_BYTES * firings + 2 * prompts * permutations
    free = free_memory()
    if free is not None and needed > free:
        raise UserError(
            f"testing {features:,} features on {prompts:,} prompts, with {firings:,} activations "
            f"and {permutations:,} permutations, needs about {needed / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free: bring fewer features or prompts, or lower "
            "--permutations"
        )


def study_rule(table: FeatureTable, failed: np.ndarray) -> tuple[StudyRule, np.ndarray]:
    """The published study's rule over all features of a dictionary, and its adjusted p-values.

    Welch's t with df = min(n) − 1, Holm over all d_sae, at its level of 0.05.

    Returns:
        the counts, and p after Holm, `[d_sae]`.
    """
    first, rest = moments(table.matrix, failed), moments(table.matrix, ~failed)
    p_holm = holm(welch(first, rest, rule="study").p)
    d = np.abs(cohens_d_of_moments(first, rest))
    flagged = p_holm <= STUDY_ALPHA
    top = int(np.argmax(np.where(flagged, d, -1.0))) if flagged.any() else None
    return StudyRule(
        tested=table.d_sae,
        significant=int(flagged.sum()),
        large=int((d > LARGE).sum()),
        medium=int((d > MEDIUM).sum()),
        significant_large=int((flagged & (d > LARGE)).sum()),
        significant_medium=int((flagged & (d > MEDIUM)).sum()),
        top=None if top is None else table.feature(top),
        top_cohens_d=None if top is None or not np.isfinite(d[top]) else float(d[top]),
    ), p_holm

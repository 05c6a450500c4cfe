"""Other rules of scoring: planted causes of failure keep their effect, planted artefacts do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.auditing.feature_tests import other_scoring
from faultlens.auditing.feature_tests.correlates import Correlates, correlate
from faultlens.auditing.feature_tests.other_scoring import under_rules
from faultlens.auditing.result import OtherScoring
from faultlens.auditing.verdicts.evidence import Evidence
from faultlens.auditing.verdicts.scoring_artefact import scoring_artefact
from faultlens.features.table import FeatureTable
from faultlens.stats.stepdown import min_p

N = 150


def family(values: np.ndarray, failed: np.ndarray) -> Correlates:
    rows = pd.DataFrame({"text": [f"prompt {i}" for i in range(len(values))]})
    table = FeatureTable("8-res-x", csr_matrix(values.astype(np.float32)), rows, {}, 8)
    return correlate({"8-res-x": table}, failed, min_support=5, permutations=99, seed=1)


def read(values: np.ndarray, failed: np.ndarray, other: np.ndarray) -> OtherScoring:
    found = family(values[:, None], failed)
    return under_rules(found, failed, {"named-later": other}, 99, 1)[0].readings([0])[0]


def called(values: np.ndarray, failed: np.ndarray, other: np.ndarray) -> bool:
    found = family(values[:, None], failed)
    evidence = Evidence(
        active=(0, 0), p_deciding=0.01, least_p=0.0, tested=1, alpha=0.05,
        rate_difference=float(found.rate_difference[0]), cohens_d=float(found.cohens_d[0]),
        by_firing=bool((values == 0).any()), other_scoring=[read(values, failed, other)],
    )  # fmt: skip
    return bool(scoring_artefact(evidence))


def planted(seed: int, artefact: bool, dense: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, failures, and failures by a rule that forgives most of them.

    A cause brings failures about, which the other rule forgives at random. An artefact brings about
    answers that only the audit's own rule takes for wrong; real failures are another matter.
    """
    rng = np.random.default_rng([seed, artefact, dense])
    on = rng.random(N) < 0.25
    values = on * rng.lognormal(0.5, 0.8, N)
    if dense:
        values = np.maximum(5 + 1.5 * on + rng.normal(size=N), 0.1)
    if artefact:
        real = rng.random(N) < 0.15
        return values, real | (rng.random(N) < np.where(on, 0.75, 0.03)), real
    failed = rng.random(N) < np.where(on, 0.75, 0.1)
    return values, failed, failed & (rng.random(N) < 0.2)


@pytest.mark.parametrize("dense", [False, True])
def test_an_artefact_is_called_one_and_a_cause_is_not(dense: bool) -> None:
    """Of 150 sets of each: .99 and .74 of artefacts by firing and by strength, .01 and .03 of
    causes. Before, with "not significant under the other rule" for a sign, .5 of causes.
    """
    artefacts = sum(called(*planted(seed, True, dense)) for seed in range(20))
    causes = sum(called(*planted(seed, False, dense)) for seed in range(20))
    assert artefacts >= (11 if dense else 18)
    assert causes <= 1


def test_the_failures_on_which_the_rules_disagree_are_counted_beside_the_others() -> None:
    values, failed, other = planted(3, True, dense=False)
    found = read(values, failed, other)
    fires, disputed, agreed = values > 0, failed & ~other, failed & other
    assert found.disputed is not None
    assert (found.disputed.failures, found.disputed.active) == (
        disputed.sum(),
        (fires & disputed).sum(),
    )
    assert (found.disputed.agreed, found.disputed.agreed_active) == (
        agreed.sum(),
        (fires & agreed).sum(),
    )
    counts = [[(fires & k).sum(), (~fires & k).sum()] for k in (disputed, agreed)]
    assert found.disputed.p_firing == pytest.approx(stats.fisher_exact(counts).pvalue)
    strength = stats.mannwhitneyu(values[disputed], values[agreed], method="asymptotic").pvalue
    assert found.disputed.p_strength == pytest.approx(strength)
    share = fires[agreed].mean() - fires[~failed].mean()
    assert found.disputed.agreed_rate_difference == pytest.approx(share)
    assert found.rate_interval.low < found.rate_difference < found.rate_interval.high
    assert found.d_interval.low < found.cohens_d < found.d_interval.high


def test_a_rule_by_which_too_few_fail_has_no_effects_but_its_disagreement() -> None:
    values, failed, _ = planted(4, False, dense=False)
    few = failed & (np.cumsum(failed) <= 4)
    found = read(values, failed, few)
    assert (found.failures, found.p_deciding, found.rate_interval, found.d_interval) == (
        4, None, None, None,
    )  # fmt: skip
    assert found.disputed is not None and found.disputed.agreed == 4
    none = read(values, failed, np.zeros(N, dtype=bool)).disputed
    assert (none.agreed_rate_difference, none.p_firing, none.p_strength) == (None, 1.0, 1.0)
    assert read(values, failed, failed | (np.arange(N) % 9 == 0)).disputed is None


def test_rules_that_agree_share_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    values, failed, other = planted(0, artefact=True, dense=False)
    found = family(values[:, None], failed)
    alone = under_rules(found, failed, {"alone": other}, 99, 1)[0]
    asked: list[np.ndarray] = []

    def counted(firing: csr_matrix, sets: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        asked.append(outcome)
        return min_p(firing, sets, outcome)

    monkeypatch.setattr(other_scoring, "min_p", counted)
    rules = {"one": other, "same": other.copy(), "own": failed.copy(), "rare": np.arange(N) < 2}
    one, same, own, rare = under_rules(found, failed, rules, 99, 1)
    assert len(asked) == 1, "of the outcome that is neither known nor too rare"
    for read in (one, same):
        np.testing.assert_array_equal(read.p_deciding, alone.p_deciding)
    np.testing.assert_array_equal(own.p_deciding, found.decisive)
    assert alone.p_deciding[0] != own.p_deciding[0]
    assert rare.p_deciding is None
    assert [of.rule for of in (one, same, own, rare)] == list(rules)

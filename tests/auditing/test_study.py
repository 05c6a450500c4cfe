"""The audit on planted truth: what copies failure is found, and noise is not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import binom

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.observed import Observed
from faultlens.auditing.result import PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import audit_observed
from faultlens.features.table import FeatureTable

N, FAILURES = 200, 40
OBJECTS = ["the keys" if i < 50 else "a book" if i < 120 else "a pen" for i in range(N)]
FAILED = np.array([i < FAILURES for i in range(N)])  # 40 of the 50 prompts with the keys


def outcomes(failed: np.ndarray) -> list[PromptOutcome]:
    return [
        PromptOutcome(
            f"prompt number {i}", "Ann", " Bob" if bad else " Ann", not bad,
            "names the foil" if bad else "success", None,
        )
        for i, bad in enumerate(failed)
    ]  # fmt: skip


def table(columns: dict[int, np.ndarray], seed: int = 0) -> FeatureTable:
    rng = np.random.default_rng(seed)
    dense = rng.gamma(2.0, 1.0, (N, 150)) * (rng.random((N, 150)) < 0.15)
    for column, values in columns.items():
        dense[:, column] = values
    rows = pd.DataFrame({"text": [f"prompt {i}" for i in range(N)]})
    return FeatureTable("2-res-x", csr_matrix(dense.astype(np.float32)), rows, {}, 2)


def audit(features: FeatureTable, failed: np.ndarray = FAILED, permutations: int = 999) -> Audit:
    return concluded({features.name: features}, failed, permutations)


def concluded(tables: dict[str, FeatureTable], failed: np.ndarray, permutations: int) -> Audit:
    observed = Observed("planted", outcomes(failed), "exact-word", {"object": OBJECTS}, tables)
    return audit_observed(observed, AuditConfig.of(permutations=permutations, baselines=False))


def noisy(mask: np.ndarray, seed: int, dense: bool = False) -> np.ndarray:
    """Fires where `mask` says; or everywhere, and stronger there."""
    rng = np.random.default_rng(seed)
    base = 3 + rng.random(len(mask))
    return np.where(mask, base + 4, base) if dense else np.where(mask, base, 0.0)


def classes(result: Audit) -> dict[str, str]:
    """Verdict by feature, of all classes."""
    return {f: reading.verdict.label for _, reading in result.classes for f in reading.features}


def significant(result: Audit) -> dict[str, str]:
    return {f: reading.verdict.label for _, reading in result.significant for f in reading.features}


def test_a_feature_that_marks_failure_within_an_object_is_a_correlate() -> None:
    found = significant(audit(table({7: noisy(FAILED, 1)})))
    assert found == {"2-res-x/7": "CORRELATE"}


def test_noise_gives_no_verdict_but_not_significant() -> None:
    result = audit(table({}))
    assert set(classes(result).values()) <= {
        "NOT SIGNIFICANT",
        "UNDERPOWERED",
        "ARTEFACT (of a test)",
    }
    assert result.significant == []
    assert result.sites["2-res-x"].significant["min_p"] == 0


def test_a_feature_that_copies_the_object_is_a_proxy_whose_effect_is_not_tested() -> None:
    keys = np.array(OBJECTS) == "the keys"
    result = audit(table({3: noisy(keys, 2)}))
    ((_, reading),) = result.significant
    assert reading.verdict.label == "PROXY of object = the keys"
    assert "effect not tested" in reading.verdict.sentence
    assert reading.proxy is not None
    assert reading.proxy.jaccard == 1.0
    assert (reading.fail_active, reading.success_active) == (40, 10)


def test_a_feature_that_fires_on_two_objects_is_a_proxy_of_their_union() -> None:
    either = np.isin(OBJECTS, ["the keys", "a pen"])
    failed = FAILED | (np.arange(N) >= 160)
    ((_, reading),) = audit(table({3: noisy(either, 2)}), failed).significant
    assert reading.verdict.label == "PROXY of object = anything but a book"


def test_the_leading_class_goes_with_failure_even_where_a_stronger_class_goes_with_success() -> (
    None
):
    result = audit(table({7: noisy(FAILED & (np.arange(N) % 4 > 0), 1), 9: noisy(~FAILED, 3)}))
    _, strongest = result.classes[0]
    assert strongest.features == ["2-res-x/9"]
    assert result.leading is not None
    assert result.leading.features == ["2-res-x/7"]
    assert result.claims[0].claim == "2-res-x/7 goes with failure"


def test_the_first_class_shown_is_the_one_that_ranked_first() -> None:
    """Two sites with the same counts: the larger d ranks first, whatever the order of sites."""
    keys = np.array(OBJECTS) == "the keys"
    weak = table({3: np.where(keys, 3.0, 0.0) + np.where(keys & (np.arange(N) % 2 == 0), 2.0, 0.0)})
    strong = FeatureTable("3-res-x", table({5: np.where(keys, 4.0, 0.0)}).matrix, weak.rows, {}, 3)
    result = concluded({"2-res-x": weak, "3-res-x": strong}, FAILED, permutations=199)
    (_, first), *_ = result.classes
    assert first.rank == 0
    assert first.features == ["3-res-x/5"]
    assert result.claims[0].claim.startswith("3-res-x/5")


def test_copies_are_one_class_and_opposites_are_not() -> None:
    keys = np.array(OBJECTS) == "the keys"
    copy = noisy(keys, 2)
    up, down = noisy(FAILED, 4, dense=True), noisy(~FAILED, 5, dense=True)
    result = audit(table({3: copy, 4: copy * 1.5, 8: up, 9: down}))
    members = sorted(sorted(reading.features) for _, reading in result.significant)
    assert members == [["2-res-x/3", "2-res-x/4"], ["2-res-x/8"], ["2-res-x/9"]]


def test_a_dense_feature_that_only_differs_in_strength_is_found_by_max_t() -> None:
    result = audit(table({8: noisy(FAILED, 4, dense=True)}))
    ((_, reading),) = result.significant
    assert reading.features == ["2-res-x/8"]
    assert reading.p_fisher == 1.0
    assert reading.p_max_t <= 0.01
    assert reading.p_min_p > 0.05


@pytest.mark.parametrize("failures", [0, 4, N - 4, N])
def test_too_few_of_an_outcome_is_underpowered_and_says_so(failures: int) -> None:
    result = audit(table({}), np.arange(N) < failures)
    assert result.verdict is not None
    assert str(result.verdict).startswith(
        f"UNDERPOWERED: {failures} failures and {N - failures} su"
    )
    assert result.sites == {}


def test_a_feature_below_the_support_is_not_tested() -> None:
    rare = np.zeros(N)
    rare[:4] = 5.0
    result = audit(table({7: rare}))
    assert all("2-res-x/7" not in reading.features for _, reading in result.classes)
    assert result.sites["2-res-x"].tested <= 149


def test_any_class_found_in_random_outcomes_is_as_rare_as_it_should_be() -> None:
    """Negative control over 60 outcome vectors: family-wise error of each deciding test."""
    rng = np.random.default_rng(11)
    features = table({3: noisy(np.array(OBJECTS) == "the keys", 2)})
    found = {"min_p": 0, "max_t": 0, "either, doubled": 0}
    for _ in range(60):
        result = audit(features, rng.permutation(FAILED), permutations=299)
        for test in ("min_p", "max_t"):
            found[test] += result.sites["2-res-x"].significant[test] > 0
        found["either, doubled"] += any(c.p_deciding <= 0.05 for _, c in result.classes)
    assert max(found.values()) <= binom.ppf(0.99, 60, 0.05)


def test_a_result_survives_json() -> None:
    result = audit(table({7: noisy(FAILED, 1)}))
    again = Audit.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
    assert again == result
    assert "2-res-x/7" in result._repr_html_()


def test_what_was_not_tested_is_in_the_ledger() -> None:
    claims = audit(table({7: noisy(FAILED, 1)})).claims
    assert {claim.outcome for claim in claims} == {"passed", "not done"}
    assert any(claim.control == "intervention" for claim in claims)

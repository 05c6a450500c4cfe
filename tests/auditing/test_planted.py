"""Truth planted among noise, on the published prompts and outcomes: each gets its verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import binom, ttest_ind

from faultlens.auditing import study
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.factors.findings import FactorFindings, find_factors
from faultlens.auditing.result import ClassReading
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import audit_answers
from faultlens.corpus.answers import Answers
from faultlens.features.table import FeatureTable
from faultlens.numbers import interval, number, signed

SITE = "8-res-x"
FACTORS = ("object", "template_id", "place")
NOISE = 120
OPTIONS = {"permutations": 999, "baselines": False}
CONFIG = AuditConfig.of(**OPTIONS)


@pytest.fixture(autouse=True, scope="module")
def factors_found_once() -> Iterator[None]:
    """The audits here differ in their features: what factors say of the same outcomes is kept."""
    found: dict[str, FactorFindings] = {}

    def once(*given: Any, **settings: Any) -> FactorFindings:
        with np.printoptions(threshold=sys.maxsize):
            key = repr((given, settings))
        if key not in found:
            found[key] = find_factors(*given, **settings)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "find_factors", once)
        yield


@pytest.fixture(scope="module")
def answers(reference_data: Path) -> Answers:
    """The reference study's 300 prompts with their factors, continuations and outcomes."""
    folder = reference_data / "ioi_audit"
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    generated = pd.read_csv(folder / "predictions.csv", keep_default_na=False)["generated"]
    return Answers.from_records(
        [
            {
                "prompt": task["prompt"],
                "target": task["expected"],
                "foil": task["subject"],
                "generated": text,
                "factors": {name: task[name] for name in FACTORS},
            }
            for task, text in zip(tasks, generated, strict=True)
        ],
        "published",
    )


@pytest.fixture(scope="module")
def keys(answers: Answers) -> np.ndarray:
    return np.array(answers.task.factors["object"]) == "the keys"


@pytest.fixture(scope="module")
def failed(answers: Answers) -> np.ndarray:
    right = [
        text.split()[0].strip(".,!?;:") == prompt.target if text.split() else False
        for text, prompt in zip(answers.generated, answers.task.prompts, strict=True)
    ]
    assert right.count(False) == 61
    return ~np.array(right)


def fires(where: np.ndarray, seed: int = 0) -> np.ndarray:
    """An activation that is 0 elsewhere."""
    return np.where(where, 2 + np.random.default_rng(seed).gamma(2.0, 1.0, len(where)), 0.0)


def flipped(where: np.ndarray, hit: float, false: float, seed: int) -> np.ndarray:
    """Where a feature fires that follows `where` with two kinds of error."""
    return np.random.default_rng(seed).random(len(where)) < np.where(where, hit, false)


def table(n: int, columns: dict[int, np.ndarray], seed: int = 0) -> FeatureTable:
    """Independent noise, with some columns planted."""
    rng = np.random.default_rng(seed)
    dense = rng.gamma(2.0, 1.0, (n, NOISE)) * (rng.random((n, NOISE)) < rng.uniform(0, 0.3, NOISE))
    for column, values in columns.items():
        dense[:, column] = values
    rows = pd.DataFrame({"text": [f"prompt {i}" for i in range(n)]})
    return FeatureTable(SITE, csr_matrix(dense.astype(np.float32)), rows, {}, 8)


def audited(answers: Answers, columns: dict[int, np.ndarray], **config: object) -> Audit:
    features = table(len(answers), columns)
    return audit_answers(answers, {SITE: features}, config=AuditConfig.of(**{**OPTIONS, **config}))


def of(audit: Audit, column: int) -> ClassReading:
    """The class that a planted column is in."""
    (found,) = [c for _, c in audit.classes if f"{SITE}/{column}" in c.features]
    return found


def outcome(audit: Audit, control: str) -> str:
    (claim,) = [claim for claim in audit.claims if claim.control.startswith(control)]
    return claim.outcome


def test_a_block_that_copies_the_keys_is_one_proxy_whose_effect_is_not_tested(
    answers: Answers, keys: np.ndarray
) -> None:
    """Six copies: of other scales, with noise, two of them silent on one prompt of the keys."""
    base, block = fires(keys), {}
    for column in range(6):
        noise = np.random.default_rng(column).normal(0, 0.2, len(keys))
        block[column] = np.where(keys, (1 + column) * (base + noise), 0.0)
    block[4][np.flatnonzero(keys)[0]] = 0.0
    block[5][np.flatnonzero(keys)[1]] = 0.0
    audit = audited(answers, block)
    ((_, reading),) = audit.significant
    assert sorted(reading.features) == [f"{SITE}/{column}" for column in range(6)]
    assert reading.size == 6
    assert reading.verdict.label == "PROXY of object = the keys"
    assert (reading.proxy.factor, reading.proxy.level) == ("object", "the keys")
    assert reading.proxy.jaccard == 1.0, "of the strongest member"
    assert (reading.fail_active, reading.success_active) == (42, 3)
    assert reading.verdict.sentence == (
        "fires on 42 failures and 3 successes (adjusted p = 0.0025); it fires with object = the "
        "keys (Jaccard 1); effect not tested"
    )
    assert reading.intervention is None
    assert outcome(audit, "no copy of a level") == "failed"
    assert outcome(audit, "intervention") == "not done"


def test_a_feature_that_decides_failure_within_objects_adds_beyond_them(
    answers: Answers, failed: np.ndarray
) -> None:
    audit = audited(answers, {7: fires(flipped(failed, 0.9, 0.03, seed=0))})
    ((_, reading),) = audit.significant
    assert reading.features == [f"{SITE}/7"]
    assert (reading.verdict.label, reading.proxy) == ("CORRELATE", None)
    assert reading.p_conditional <= 0.05
    assert reading.verdict.sentence.startswith(f"fires on {reading.fail_active} failures and ")
    assert "; adds beyond object × template_id (adjusted p = 0.002, +" in reading.verdict.sentence
    assert reading.verdict.sentence.endswith("informative strata); effect not tested")
    within = reading.confounds
    assert within.effect.low > 0.2
    assert within.mantel_haenszel.p_value < 1e-6
    assert within.firth.low > 1
    assert (
        f"; {within.failures_in_them} failures in {within.informative} inf"
        in reading.verdict.sentence
    )
    assert outcome(audit, "conditional on object × template_id") == "passed"


def test_a_feature_that_only_follows_the_keys_is_not_said_to_add(
    answers: Answers, keys: np.ndarray
) -> None:
    """Negative control, 12 draws: it misses and adds prompts, whatever their outcome."""
    added = 0
    for seed in range(12):
        audit = audited(answers, {7: fires(flipped(keys, 0.85, 0.02, seed))}, permutations=299)
        reading = of(audit, 7)
        assert reading.p_deciding <= 0.05
        assert reading.verdict.label in ("CORRELATE", "PROXY of object = the keys")
        claims = "; adds beyond" in reading.verdict.sentence
        assert claims is (reading.p_conditional <= 0.05)
        assert claims is not (
            "is not shown to add beyond object × temp" in reading.verdict.sentence
        )
        added += claims
    assert added <= binom.ppf(0.99, 12, 0.05)


def test_a_feature_constant_within_every_stratum_of_two_factors_is_untestable(
    answers: Answers, keys: np.ndarray
) -> None:
    """It fires on cells of object × template, and copies neither."""
    template = np.array(answers.task.factors["template_id"])
    thing = np.array(answers.task.factors["object"])
    cells = keys & (template != "0") | (thing == "a book") & (template == "3")
    audit = audited(answers, {7: np.where(cells, 3.0, 0.0)})
    ((_, reading),) = audit.significant
    assert (reading.verdict.label, reading.proxy) == ("UNTESTABLE", None)
    assert audit.strata.factors == ["object", "template_id"]
    assert reading.confounds.informative == 0
    assert reading.confounds.effect is None
    assert reading.p_conditional == 1.0
    assert (
        "constant, or with one outcome only, within every stratum of object × template_id: "
        "whether it says more than they do cannot be known here; effect not tested"
    ) in reading.verdict.sentence
    (claim,) = [c for c in audit.claims if c.control.startswith("conditional on object")]
    assert (claim.outcome, claim.detail) == ("not done", "no stratum is informative")


def test_a_factor_that_the_user_names_is_held_too(answers: Answers, failed: np.ndarray) -> None:
    audit = audited(answers, {7: fires(flipped(failed, 0.95, 0.01, seed=1))}, strata=("place",))
    assert audit.strata.factors == ["object", "template_id", "place"]
    assert "beyond object × template_id × place (" in of(audit, 7).verdict.sentence


def test_dense_features_that_differ_in_sign_are_not_one_class(
    answers: Answers, failed: np.ndarray
) -> None:
    rng = np.random.default_rng(3)
    base = 5 + rng.random(len(failed))
    down = 9 - rng.random(len(failed))
    columns = {7: base + 3 * failed, 8: 2 * (base + 3 * failed), 9: down - 3 * failed}
    audit = audited(answers, columns)
    groups = sorted(sorted(c.features) for _, c in audit.significant)
    assert groups == [[f"{SITE}/7", f"{SITE}/8"], [f"{SITE}/9"]]
    for column, auroc in ((7, 1.0), (9, 0.0)):
        reading = of(audit, column)
        assert (reading.fail_active, reading.success_active) == (61, 239)
        assert reading.p_fisher == 1.0
        assert reading.auroc == pytest.approx(auroc)
    assert audit.leading.features[0] in (f"{SITE}/7", f"{SITE}/8")


def test_features_that_correlate_but_differ_in_sign_are_not_one_class(
    answers: Answers, failed: np.ndarray
) -> None:
    """What they share is most of both, and has nothing to do with failure."""
    shared = np.random.default_rng(4).normal(0, 1, len(failed))
    for group in (failed, ~failed):
        shared[group] -= shared[group].mean()
    up, down = 9 + shared / shared.std() + 0.55 * failed, 9 + shared / shared.std() - 0.55 * failed
    assert np.corrcoef(up, down)[0, 1] > 0.9
    audit = audited(answers, {7: up, 8: down, 9: 2 * up}, min_support=150)
    groups = sorted(sorted(c.features) for _, c in audit.significant)
    assert groups == [[f"{SITE}/7", f"{SITE}/9"], [f"{SITE}/8"]]


def large(seed: int, n: int = 4000) -> tuple[Answers, np.ndarray]:
    """Prompts of four objects; nine in ten of those with the keys fail, one in ten others."""
    rng = np.random.default_rng(seed)
    thing = rng.choice(["the keys", "a book", "a pen", "a card"], n)
    verb = rng.choice(["gave", "sold"], n)
    bad = rng.random(n) < np.where(thing == "the keys", 0.9, 0.1)
    rows = [
        {
            "prompt": f"{a} {b} {i}", "target": "Ann", "generated": " him" if wrong else " Ann",
            "factors": {"object": a, "verb": b},
        }
        for i, (a, b, wrong) in enumerate(zip(thing, verb, bad, strict=True))
    ]  # fmt: skip
    return Answers.from_records(rows), thing == "the keys"


def test_a_feature_of_which_nothing_is_left_within_the_factors_is_a_proxy() -> None:
    """Second clause: no copy (Jaccard below .95), but within objects its effect is nil."""
    many, keys = large(seed=0)
    audit = audited(many, {7: fires(flipped(keys, 0.9, 0.1, seed=5))}, permutations=199)
    reading = of(audit, 7)
    assert 0.5 < reading.proxy.jaccard < 0.95
    assert reading.verdict.label == "PROXY of object = the keys"
    effect, odds = reading.confounds.effect, reading.confounds.mantel_haenszel
    assert -0.2 <= effect.low < effect.high <= 0.2
    assert 0.5 <= odds.low < odds.high <= 2
    assert reading.confounds.failures_in_them >= 10
    assert (
        f"; within object less than 0.2 SD is left of it: {signed(effect.value)} SD "
        f"{interval(effect.low, effect.high)}, odds ratio {number(odds.odds_ratio)} "
        f"{interval(odds.low, odds.high)}, over {reading.confounds.failures_in_them} failures; "
        f"it is strongest with object = the keys (Jaccard {number(reading.proxy.jaccard)}); "
        "effect not tested"
    ) in reading.verdict.sentence
    assert outcome(audit, "no copy of a level") == "passed"
    assert outcome(audit, "conditional on object (") == "failed"


def test_a_feature_that_says_more_within_the_factors_is_none() -> None:
    """Positive control of the one above: the same, but it misses successes twice as often."""
    many, keys = large(seed=0)
    bad = np.array([text == " him" for text in many.generated])
    follows = np.where(bad, flipped(keys, 0.95, 0.06, 5), flipped(keys, 0.5, 0.01, 6))
    reading = of(audited(many, {7: fires(follows > 0)}, permutations=199), 7)
    assert reading.verdict.label == "CORRELATE"
    assert "; adds beyond object (" in reading.verdict.sentence
    assert reading.confounds.effect.low > 0.2


def test_a_feature_that_fires_everywhere_and_is_stronger_with_the_keys_is_their_proxy(
    answers: Answers, keys: np.ndarray
) -> None:
    """Firing says nothing of it, so that no level is near; its strength is the keys'."""
    noise = np.random.default_rng(0).normal(0, 0.15, len(keys))
    audit = audited(
        answers, {7: np.where(keys, 7.0, 3.0) + noise, 9: 20 - 2 * (3 + 4 * keys + noise)}
    )
    for column, level in ((7, "the keys"), (9, "anything but the keys")):
        reading = of(audit, column)
        assert reading.p_fisher == 1.0
        assert reading.verdict.label == f"PROXY of object = {level}"
        assert reading.proxy.jaccard == 0.0
        assert (
            "within object × template_id less than 0.2 SD is left of it" in reading.verdict.sentence
        )


def scored(answers: Answers, where: np.ndarray) -> Answers:
    """The same continuations, but "Ann's" instead of "Ann" on some prompts."""
    texts = [
        f" {prompt.target}'s friend" if here else text
        for prompt, text, here in zip(answers.task.prompts, answers.generated, where, strict=True)
    ]
    return Answers(answers.task, tuple(texts))


def test_what_only_marks_the_scoring_rules_failures_is_an_artefact_of_scoring(
    answers: Answers, failed: np.ndarray
) -> None:
    """30 right answers with an 's: failures by the exact word, successes by the first token."""
    possessive = ~failed & (np.cumsum(~failed) <= 30)
    given = scored(answers, possessive)
    columns = {7: fires(possessive), 8: fires(flipped(failed, 0.9, 0.01, seed=2))}
    audit = audited(given, columns)
    assert audit.scoring["exact-word"].failures == 91
    assert audit.scoring["first-token"].failures == 56
    artefact = of(audit, 7)
    assert artefact.verdict.label == "ARTEFACT (of scoring)"
    assert "under the rule first-token (56 failures) " in artefact.verdict.sentence
    assert {o.rule for o in artefact.other_scoring} == {"first-token", "named-later", "contains"}
    assert of(audit, 8).verdict.label == "CORRELATE", "it marks failure by any rule"
    by_another = audit_answers(
        given, {SITE: table(300, columns)}, config=replace(CONFIG, rule="first-token")
    )
    assert all(f"{SITE}/7" not in c.features for _, c in by_another.significant if c.auroc > 0.5)


def test_an_effect_that_halves_under_another_rule_is_an_artefact_of_scoring(
    answers: Answers, failed: np.ndarray
) -> None:
    """Significant under both rules, but most of the effect is the possessives."""
    possessive = ~failed & (np.cumsum(~failed) <= 60)
    both = possessive | failed & (np.cumsum(failed) <= 25)
    reading = of(audited(scored(answers, possessive), {7: fires(both)}), 7)
    assert reading.verdict.label == "ARTEFACT (of scoring)"
    (other,) = [o for o in reading.other_scoring if o.rule == "first-token"]
    assert other.rate_difference <= 0.5 * (85 / 121)
    assert other.p_deciding is not None


def test_a_rule_under_which_hardly_anything_fails_decides_nothing(
    answers: Answers, failed: np.ndarray
) -> None:
    """All but three failures are possessives: the other rules leave three, too few to test."""
    most = failed & (np.cumsum(failed) > 3)
    reading = of(audited(scored(answers, most), {7: fires(failed)}), 7)
    assert reading.verdict.label == "CORRELATE"
    assert {(o.failures, o.p_deciding) for o in reading.other_scoring} == {(3, None)}


def test_a_test_that_trusts_zero_spread_makes_artefacts(
    answers: Answers, failed: np.ndarray
) -> None:
    """Fires on 28 successes and no failure, always alike: Welch's test sees no spread among the
    failures and is sure; by counting, 0 of 61 against 28 of 239 is p = .004, one of 120 tests."""
    where = ~failed & (np.cumsum(~failed) % 8 == 4)
    values = np.where(where, 3.0, 0.0)
    assert values[failed].max() == 0
    assert ttest_ind(values[failed], values[~failed], equal_var=False).pvalue < 1e-6
    audit = audited(answers, {7: values})
    reading = of(audit, 7)
    assert reading.verdict.label == "ARTEFACT (of a test)"
    assert reading.flagged_by == ["the study's rule", "Welch + Holm"]
    assert reading.p_deciding > 0.05
    assert "flagged by the study's rule and Welch + Holm, but by neither deciding test" in (
        reading.verdict.sentence
    )
    assert (reading.confounds, reading.other_scoring) == (None, None)
    assert audit.significant == []
    assert audit.sites[SITE].study_rule.significant >= 1


def test_where_no_support_suffices_the_strongest_is_underpowered(answers: Answers) -> None:
    """400 features on five prompts each: at best p = 3e-4, above .05 / 400."""
    rng = np.random.default_rng(0)
    dense = np.zeros((300, 400), dtype=np.float32)
    for column in range(400):
        dense[rng.choice(300, 5, replace=False), column] = 2.0
    features = FeatureTable(SITE, csr_matrix(dense), pd.DataFrame({"text": ["x"] * 300}), {}, 8)
    audit = audit_answers(answers, {SITE: features}, config=CONFIG)
    ((_, reading),) = audit.classes
    assert reading.verdict.label == "UNDERPOWERED"
    assert "the least p its support admits is 0.0003, above 0.05 / 400" in reading.verdict.sentence
    assert [claim.outcome for claim in audit.claims[:2]] == ["failed", "not done"]


def test_every_verdict_together_in_the_order_of_certainty(
    answers: Answers, keys: np.ndarray, failed: np.ndarray
) -> None:
    """One audit over two sites: noise around them changes no verdict, and ranks run over both."""
    template = np.array(answers.task.factors["template_id"])
    planted: dict[int, Callable[[], np.ndarray]] = {
        3: lambda: fires(keys),
        5: lambda: fires(flipped(failed, 0.9, 0.03, seed=1)),
        11: lambda: np.where(keys & (template != "0"), 3.0, 0.0),
        13: lambda: np.where(~failed & (np.cumsum(~failed) % 8 == 4), 3.0, 0.0),
    }
    columns = {column: make() for column, make in planted.items()}
    here = table(300, {k: columns[k] for k in (3, 13)}, seed=1)
    there = replace(table(300, {k: columns[k] for k in (5, 11)}, seed=2), name="9-res-x", layer=9)
    audit = audit_answers(answers, {SITE: here, "9-res-x": there}, config=CONFIG)
    found = {reading.features[0]: reading.verdict.label for _, reading in audit.classes}
    expected = {
        f"{SITE}/3": "PROXY of object = the keys",
        "9-res-x/5": "CORRELATE",
        "9-res-x/11": "UNTESTABLE",
        f"{SITE}/13": "ARTEFACT (of a test)",
    }
    assert expected.items() <= found.items()
    assert set(found) - set(expected) == {
        feature for feature, verdict in found.items() if verdict == "ARTEFACT (of a test)"
    } - {f"{SITE}/13"}
    assert [reading.rank for _, reading in audit.classes] == list(range(len(found)))
    deciding = [reading.p_deciding for _, reading in audit.classes]
    assert deciding == sorted(deciding)
    tested = {site: audit.sites[site].tested for site in audit.sites}
    assert len(audit.features["p_deciding"]) == sum(tested.values()), "one family"
    assert json.dumps(audit.to_dict(), allow_nan=False)

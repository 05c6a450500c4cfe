"""Any small table of outcomes gives an audit or a sentence, and the audit's numbers agree."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import faultlens as fl
from faultlens.corpus.answers import Answers
from faultlens.features.table import FeatureTable
from faultlens.report.terminal.summary import summary

TEXTS = ("When Ann met Bob, Bob gave the keys to", "When Bob met Ann, Bob gave a pen to", "Ünï 🙂",
         "</script> [red]")  # fmt: skip
TOLD = ("", " ", " Ann", " Ann's", " Bob", " the keys of", "she", "“é”", "...", "\u2028", "annals")
LEVELS = {
    "two": st.sampled_from("ab"),
    "few": st.sampled_from(["", "ü", "a b", "(rarer levels)", "nan", "1_0", "[/]"]),
    "number": st.integers(-3, 30),
    "share": st.floats(allow_nan=False, allow_infinity=False, width=16),
    "truth": st.booleans(),
    "one": st.just("one"),
    "any": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
}
ORDERLESS = (  # read off the outcomes and factors alone
    "n", "failures", "rule", "verdict", "outcome_kinds", "scoring_sensitivity", "factors",
    "scoring", "factors_left_out", "strata", "warnings",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """A generated table, and how it is audited."""

    records: list[dict[str, Any]]
    dense: np.ndarray | None
    settings: dict[str, Any]

    def audit(self, order: np.ndarray | None = None) -> fl.Audit:
        order = np.arange(len(self.records)) if order is None else order
        answers = Answers.from_records([self.records[i] for i in order])
        tables = None
        if self.dense is not None:
            rows = pd.DataFrame({"text": [""] * len(order)})
            matrix = csr_matrix(self.dense[order].astype(np.float32))
            tables = {"1-x": FeatureTable("1-x", matrix, rows, {}, 1)}
        return fl.audit(tables, answers, permutations=99, **self.settings)


@st.composite
def cases(draw: st.DrawFn, baselines: bool, least: int = 1) -> Case:
    n = draw(st.integers(least, 40))
    some = np.random.default_rng(draw(st.integers(0, 2**16)))
    kinds = draw(st.lists(st.sampled_from(sorted(LEVELS)), max_size=3, unique=True))
    told = draw(st.sampled_from(["text", "success", "both"]))
    share = draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0] if least == 1 else [0.4, 0.6]))
    failed = some.random(n) < share
    pools = {kind: draw(st.lists(LEVELS[kind], min_size=1, max_size=12)) for kind in kinds}
    repeated = draw(st.booleans())
    records = []
    for i in range(n):
        text = TEXTS[some.integers(len(TEXTS))]
        levels = {k: pools[k][some.integers(len(pools[k]))] for k in kinds}
        record: dict[str, Any] = {
            "prompt": text if repeated else f"{text} {i}", "target": "Ann", "factors": levels
        }  # fmt: skip
        if i % 3:
            record["foil"] = "Bob"
        if told != "success":
            record["generated"] = TOLD[some.integers(len(TOLD))] if failed[i] else " Ann"
        if told != "text":
            record["success"] = not failed[i]
        records.append(record)
    dense = None
    if draw(st.booleans()) or least > 1:
        fires = some.random((n, draw(st.integers(1, 8)))) < draw(st.sampled_from([0, 0.2, 0.8, 1]))
        scale = draw(st.sampled_from([1e-20, 1.0, 1e25]))
        dense = fires * some.integers(1, 4, fires.shape) * scale
        if draw(st.booleans()):
            dense[:, 0] = failed
    named = {"strata": tuple(kinds[:1])} if draw(st.booleans()) else {}
    settings: dict[str, Any] = {"baselines": baselines, "min_support": draw(st.integers(1, 6))}
    return Case(records, dense, {**settings, **named, "folds": "study"})


def p_values(data: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every p-value there is in a result's JSON, with its key."""
    if isinstance(data, dict):
        for name, inner in data.items():
            yield from p_values(inner, name)
    elif isinstance(data, list):
        for inner in data:
            yield from p_values(inner, key)
    elif key.startswith("p_") and data is not None:
        yield key, data


def agrees(case: Case, result: fl.Audit) -> None:
    """What holds for every audit."""
    n, failed = len(case.records), [not outcome.success for outcome in result.outcomes]
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert fl.Audit.from_dict(data) == result
    assert (result.n, result.failures) == (n, sum(failed))
    assert sum(result.outcome_kinds.values()) == n
    assert result.outcome_kinds.get("success", 0) == n - result.failures
    assert result.scoring_sensitivity[result.rule] == pytest.approx(1 - result.failures / n)
    for levels in result.factors.values():
        assert len(levels) >= 2
        assert sum(level.failures for level in levels.values()) == result.failures
        assert sum(level.n for level in levels.values()) == n
        assert all(level.low <= level.rate <= level.high for level in levels.values())
    for reading in result.scoring.values():
        for counts in reading.levels.values():
            assert sum(counts.values()) == reading.failures
    names = case.records[0]["factors"]
    if names:
        assert not result.factors_derived
        assert {*result.factors, *result.factors_left_out} == set(names)
    for name, p in p_values(data):
        assert 0 <= p <= 1, name
        described = name in ("p_welch", "p_mann_whitney", "p_mcnemar")  # 0 where all lies apart
        assert p > 0 or described, name
    assert (result.verdict is None) == (5 <= result.failures <= n - 5)
    for site in result.sites.values():
        assert case.dense is not None
        fires = case.dense > 0
        assert site.tested == (fires.sum(axis=0) >= result.min_support).sum()
        for reading in site.classes:
            column = fires[:, int(reading.features[0].split("/")[1])]
            assert reading.fail_active == (column & failed).sum()
            assert reading.success_active == (column & ~np.array(failed)).sum()
            assert reading.verdict.label and reading.verdict.sentence
    for rung in (result.baselines or {}).values():
        assert (rung.auroc is None) == (rung.reason is not None)
    assert summary(None, result)
    assert result._repr_html_()


def audited(case: Case, order: np.ndarray | None = None) -> fl.Audit | None:
    """The audit, or None where there is a sentence in its place."""
    try:
        return case.audit(order)
    except fl.UserError as error:
        said = str(error)
    wrong = ("to hold constant", "fires on any prompt")
    assert any(words in said for words in wrong), "what may be wrong with a case"
    assert "\n" not in said
    return None


CALM = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)  # drawing is quick, but two cores are shared by many


@settings(CALM, max_examples=120)
@given(cases(baselines=False))
def test_any_table_gives_an_audit_whose_numbers_agree(case: Case) -> None:
    result = audited(case)
    if result is not None:
        agrees(case, result)


@settings(CALM, max_examples=6)
@given(cases(baselines=True, least=24))
def test_so_it_does_with_the_ladder(case: Case) -> None:
    result = audited(case)
    if result is not None:
        agrees(case, result)
        assert (result.baselines is None) == (result.verdict is not None)


@settings(CALM, max_examples=40)
@given(cases(baselines=False, least=12), st.randoms(use_true_random=False))
def test_the_order_of_the_prompts_changes_no_count(case: Case, random: Any) -> None:
    order = np.array(random.sample(range(len(case.records)), len(case.records)))
    # What is permuted by group depends on what is drawn; the numbers of prompts alone do not.
    alone = dataclasses.replace(case, settings={**case.settings, "groups": ("none",)})
    first, again = audited(alone), audited(alone, order)
    assert (first is None) == (again is None)
    if first is None or again is None:
        return
    if not first.factors_derived:  # a derived factor is named by the words that come first
        for name in ORDERLESS:
            assert getattr(again, name) == getattr(first, name), name
    assert [o.kind for o in again.outcomes] == [first.outcomes[i].kind for i in order]
    assert again.sites.keys() == first.sites.keys()
    for name, site in first.sites.items():
        assert again.sites[name].tested == site.tested
        assert site.study_rule is not None and again.sites[name].study_rule is not None
        assert again.sites[name].study_rule.significant == site.study_rule.significant
    if first.features is not None and again.features is not None:
        for column in ("feature", "fail_active", "success_active", "p_fisher", "p_holm", "auroc"):
            np.testing.assert_allclose(
                again.features[column], first.features[column], rtol=1e-9, err_msg=column
            )

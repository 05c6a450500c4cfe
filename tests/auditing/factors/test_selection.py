"""Forward selection and pairs: the published audit, planted truth, and noise."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, fisher_exact, hypergeom
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from faultlens.auditing.factors.levels import factor_table, prepared
from faultlens.auditing.factors.selection import Selection, pair_table, select_levels
from faultlens.errors import UserError

PUBLISHED = ("object", "place", "template_id", "subject", "indirect_object")


def published(folder: Path) -> tuple[dict[str, list[str]], np.ndarray]:
    lines = (folder / "ioi_audit" / "tasks.jsonl").read_text().splitlines()
    tasks = [json.loads(line) for line in lines]
    failed = pd.read_csv(folder / "ioi_audit" / "predictions.csv")["success"].to_numpy() == 0
    return {name: [str(task[name]) for task in tasks] for name in PUBLISHED}, failed


def taken(selection: Selection) -> list[tuple[str, str]]:
    return [(step.factor, step.level) for step in selection.selected]


def p_over(tables: list[tuple[int, int, int, int]]) -> float:
    """Exact conditional p; a table is failures at the level, its size, failures, prompts."""
    probability, observed = {0: 1.0}, 0
    for here, size, failures, n in tables:
        observed += here
        probability = {
            total: sum(
                p * hypergeom.pmf(total - before, n, failures, size)
                for before, p in probability.items()
            )
            for total in range(max(probability) + size + 1)
        }
    limit = probability[observed] * (1 + 1e-7)
    return sum(p for p in probability.values() if p <= limit)


def test_the_published_selection(reference_data: Path) -> None:
    factors, failed = published(reference_data)
    found = select_levels(factors, failed, alpha=0.05)
    keys, template = found.selected
    assert (keys.factor, keys.level) == ("object", "the keys")
    assert (keys.failures, keys.n, keys.rest_failures, keys.rest_n) == (42, 45, 19, 255)
    assert keys.p_value == pytest.approx(8.79e-33, rel=1e-3)
    assert keys.p_stratified == pytest.approx(keys.p_value), "one stratum"
    assert (template.factor, template.level) == ("template_id", "3")
    counts = (template.failures, template.n, template.rest_failures, template.rest_n)
    assert counts == (13, 77, 6, 178)
    assert template.p_value == pytest.approx(4.0e-4, abs=5e-6)
    assert template.p_value == pytest.approx(fisher_exact([[13, 64], [6, 172]]).pvalue)
    assert template.p_holm == pytest.approx(template.p_value * 76), "all levels but the keys"
    # With the prompts of the keys, of which 9 of 9 fail in template 3:
    assert template.p_stratified == pytest.approx(p_over([(13, 77, 19, 255), (9, 9, 42, 45)]))
    assert template.p_stratified == pytest.approx(3.47e-4, abs=5e-7)
    assert found.kept == ["object", "template_id"]


def test_a_level_that_matters_in_the_taken_strata_alone_is_not_taken(reference_data: Path) -> None:
    """Of 13 prompts whose answer is David 7 fail, but 3 of 9 outside the keys and template 3."""
    factors, failed = published(reference_data)
    strata = [(3, 9, 6, 178), (2, 2, 13, 77), (0, 0, 33, 36), (2, 2, 9, 9)]
    assert p_over(strata) * 75 < 0.05
    third = select_levels(factors, failed, alpha=0.13).selected[2]
    assert (third.factor, third.level) == ("indirect_object", "David")
    assert (third.failures, third.n, third.rest_failures, third.rest_n) == (3, 9, 3, 169)
    assert third.p_value == pytest.approx(fisher_exact([[3, 6], [3, 166]]).pvalue)
    assert third.p_holm == pytest.approx(third.p_value * 75)
    assert third.p_holm == pytest.approx(0.126, abs=5e-4)
    assert third.p_stratified == pytest.approx(p_over(strata))


def test_what_only_looked_protective_is_dropped(reference_data: Path) -> None:
    factors, failed = published(reference_data)
    card, bag = select_levels(factors, failed, alpha=0.05).dropped
    table = factor_table(factors, failed)["object"]
    for dropped, level, p in ((card, "a card", 0.0506), (bag, "the bag", 0.0847)):
        assert (dropped.factor, dropped.level) == ("object", level)
        assert dropped.p_marginal_holm == pytest.approx(table[level].p_holm)
        assert dropped.p_marginal_holm <= 0.05
        assert dropped.p_value == pytest.approx(p, abs=5e-5)
        assert dropped.p_holm == 1.0
        assert dropped.after == ["object", "the keys"]


def test_the_published_pairs_say_no_more_than_their_levels(reference_data: Path) -> None:
    factors, failed = published(reference_data)
    found = pair_table(factors, failed, alpha=0.05)
    assert found.tested == 137
    assert len(found.pairs) == 5
    assert min(pair.p_holm for pair in found.pairs) == 1.0


def test_noise_is_taken_in_at_most_its_level() -> None:
    rng = np.random.default_rng(0)
    factors = {
        "object": [str(v) for v in rng.choice([*"abcdefgh"], 120)],
        "template": [str(v) for v in rng.choice([*"0123"], 120)],
        "order": [str(v) for v in rng.choice(["ABBA", "BABA"], 120)],
    }
    failed = np.arange(120) < 25
    draws = [rng.permutation(failed) for _ in range(200)]
    limit = binom.ppf(0.999, 200, 0.05)
    assert sum(bool(select_levels(factors, draw, alpha=0.05).selected) for draw in draws) <= limit
    assert (
        sum(pair_table(factors, draw, alpha=0.05).pairs[0].p_holm <= 0.05 for draw in draws)
        <= limit
    )
    unadjusted = [
        min(r.p_value for levels in factor_table(factors, draw).values() for r in levels.values())
        for draw in draws[:50]
    ]
    assert np.mean(np.array(unadjusted) <= 0.05) > 0.2, "without Holm noise would be taken in"


def test_two_planted_levels_are_taken_and_their_shadow_is_dropped() -> None:
    rng = np.random.default_rng(1)
    thing = rng.choice(["keys", "book", "pen"], 400, p=[0.2, 0.4, 0.4])
    verb = rng.choice(["gave", "sold"], 400)
    shadow = np.where(rng.random(400) < np.where(thing == "keys", 0.7, 0.1), "here", "there")
    failed = rng.random(400) < np.where(thing == "keys", 0.9, np.where(verb == "sold", 0.3, 0.05))
    factors = {"thing": [*thing], "verb": [*verb], "shadow": [*shadow]}
    found = select_levels(factors, failed, alpha=0.05)
    assert taken(found) == [("thing", "keys"), ("verb", "sold")]
    assert found.kept == ["thing", "verb"]
    named = {(dropped.factor, dropped.level): dropped for dropped in found.dropped}
    assert named[("shadow", "here")].p_value > 0.05
    assert ("shadow", "there") not in named, "the two levels of a binary factor are one split"
    assert not set(named) & set(taken(found))
    outside = (thing != "keys") & (verb == "sold")
    assert found.selected[1].n == outside.sum()
    assert found.selected[1].failures == failed[outside].sum()
    assert found.selected[1].rest_n == ((thing != "keys") & (verb != "sold")).sum()


def test_a_factor_with_two_taken_levels_is_kept_once() -> None:
    thing = np.array(["keys", "bag", "book", "pen"] * 30)
    verb = np.array(["gave"] * 60 + ["sold"] * 60)
    failed = (thing == "keys") | (thing == "bag") & (np.arange(120) % 12 != 1)
    found = select_levels({"verb": [*verb], "thing": [*thing]}, failed, alpha=0.05)
    assert taken(found) == [("thing", "keys"), ("thing", "bag")]
    assert found.kept == ["thing"]


def test_a_level_that_the_taken_ones_determine_has_no_p() -> None:
    failed = np.array([True] * 20 + [False] * 20)
    copied = ["a"] * 20 + ["b"] * 20
    found = select_levels(
        {"one": copied, "two": ["x" + level for level in copied]}, failed, alpha=0.05
    )
    assert taken(found) == [("one", "a")]
    (dropped,) = found.dropped
    assert (dropped.factor, dropped.level) == ("two", "xa")
    assert dropped.p_value is None and dropped.p_holm is None


def test_a_level_all_of_whose_prompts_are_at_taken_ones_has_no_p() -> None:
    """Within the taken level it could still be tested; outside there is nothing to count."""
    thing = ["keys"] * 30 + ["book"] * 40
    place = ["bar"] * 15 + ["inn"] * 15 + ["bar"] * 40
    failed = np.array([True] * 28 + [False] * 42)
    found = select_levels({"thing": thing, "place": place}, failed, alpha=0.05)
    assert taken(found) == [("thing", "keys")]
    (dropped,) = found.dropped
    assert (dropped.factor, dropped.level) == ("place", "inn")
    assert dropped.p_value is None and dropped.p_holm is None


def test_no_p_is_zero_however_many_prompts() -> None:
    failed = np.arange(3000) < 1500
    (step,) = select_levels({"x": ["a"] * 1500 + ["b"] * 1500}, failed, alpha=0.05).selected
    assert 0 < step.p_value < 1e-300
    assert 0 < step.p_stratified < 1e-300


def test_the_order_of_prompts_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    factors = {"a": [str(v) for v in rng.choice([*"xyz"], 90)], "b": [*rng.choice([*"uv"], 90)]}
    failed = rng.random(90) < np.where(np.array(factors["a"]) == "x", 0.7, 0.1)
    again = rng.permutation(90)
    moved = {name: [levels[i] for i in again] for name, levels in factors.items()}
    one, other = (
        select_levels(factors, failed, alpha=0.05),
        select_levels(moved, failed[again], alpha=0.05),
    )
    assert taken(one) == taken(other) == [("a", "x")]
    assert one.selected[0].p_value == pytest.approx(other.selected[0].p_value)


def test_a_pair_that_fails_only_together_is_found() -> None:
    rng = np.random.default_rng(3)
    thing, verb = rng.choice([*"abcd"], 400), rng.choice([*"wxyz"], 400)
    failed = rng.random(400) < np.where((thing == "a") & (verb == "x"), 0.9, 0.05)
    factors = {"thing": [*thing], "verb": [*verb], "noise": [*rng.choice([*"mn"], 400)]}
    found = pair_table(factors, failed, alpha=0.05)
    best = found.pairs[0]
    assert (best.factors, best.levels) == (["thing", "verb"], ["a", "x"])
    assert best.p_holm < 1e-4
    both = (thing == "a") & (verb == "x")
    assert (best.failures, best.n) == (failed[both].sum(), both.sum())
    assert best.rate == best.failures / best.n
    limits = proportion_confint(best.failures, best.n, method="beta")
    assert (best.low, best.high) == pytest.approx(limits)


def test_a_level_that_fails_whatever_it_goes_with_makes_no_pair() -> None:
    rng = np.random.default_rng(4)
    thing, verb = rng.choice([*"abcd"], 400), rng.choice([*"wxyz"], 400)
    failed = rng.random(400) < np.where(thing == "a", 0.9, 0.05)
    found = pair_table({"thing": [*thing], "verb": [*verb]}, failed, alpha=0.05)
    assert found.tested == 16
    assert all(pair.p_holm > 0.05 for pair in found.pairs)
    assert factor_table({"thing": [*thing]}, failed)["thing"]["a"].p_holm < 1e-20


def test_the_pairs_p_is_the_larger_of_two_fisher_tests() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.choice([*"ab"], 70, p=[0.3, 0.7]), rng.choice([*"xyz"], 70)
    failed = rng.random(70) < np.where(first == "a", 0.7, 0.3)
    found = pair_table({"first": [*first], "second": [*second]}, failed, alpha=1.0)
    assert found.tested == len(found.pairs) == 6

    def within(inside: np.ndarray, of: np.ndarray) -> float:
        rows = [of & inside, ~of & inside]
        return float(fisher_exact([[(r & failed).sum(), (r & ~failed).sum()] for r in rows]).pvalue)

    expected = []
    for pair in found.pairs:
        one, other = first == pair.levels[0], second == pair.levels[1]
        expected.append(max(within(one, other), within(other, one)))
    assert [pair.p_value for pair in found.pairs] == pytest.approx(expected)
    assert expected == sorted(expected)
    holm = multipletests(expected, method="holm")[1]
    assert [pair.p_holm for pair in found.pairs] == pytest.approx(list(holm))


def test_levels_that_lie_within_one_another_make_no_pair() -> None:
    town = ["Rome", "Oslo", "Paris", "Nice"] * 10
    country = ["Italy", "Norway", "France", "France"] * 10
    failed = np.arange(40) % 3 == 0
    assert pair_table({"town": town, "country": country}, failed, alpha=0.05).tested == 0


def test_levels_that_do_not_match_the_prompts_are_one_sentence() -> None:
    for read in (select_levels, pair_table):
        with pytest.raises(UserError) as caught:
            read({"x": ["a", "b", "c"]}, np.array([True, False]), alpha=0.05)
        assert str(caught.value) == (
            "factor 'x' has 3 levels for 2 prompts: expected one level a prompt"
        )


@given(
    columns=st.integers(0, 40).flatmap(
        lambda n: st.lists(
            st.one_of(
                st.lists(st.sampled_from("abc"), min_size=n, max_size=n),
                st.lists(st.integers(0, 99).map(str), min_size=n, max_size=n),
                st.just([str(i) for i in range(n)]),
                st.just(["one"] * n),
            ),
            max_size=4,
        )
    ),
    seed=st.integers(0, 99),
)
def test_any_factors_are_selected_from_without_a_nan(columns: list[list[str]], seed: int) -> None:
    factors = {f"factor {i}": levels for i, levels in enumerate(columns)}
    n = len(columns[0]) if columns else 0
    failed = np.random.default_rng(seed).random(n) < seed / 99
    for given_factors in (factors, prepared(factors)):
        found = select_levels(given_factors, failed, alpha=0.5)
        pairs = pair_table(given_factors, failed, alpha=0.5)
        numbers = json.dumps([asdict(found), asdict(pairs)], allow_nan=False)
        assert "NaN" not in numbers
        assert len(set(taken(found))) == len(found.selected)
        assert list(dict.fromkeys(factor for factor, _ in taken(found))) == found.kept
        for step in found.selected:
            assert step.failures + step.rest_failures <= failed.sum()
            assert 0 < step.p_value <= step.p_holm <= 0.5
            assert 0 < step.p_stratified <= 1
        assert len(pairs.pairs) <= pairs.tested

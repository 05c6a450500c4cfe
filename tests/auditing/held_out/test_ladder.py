"""The baseline ladder: the published study's numbers, planted signals, noise, and bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, hstack, vstack
from scipy.stats import binom
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from faultlens.auditing.config import LadderConfig
from faultlens.auditing.factors.levels import pooled_levels
from faultlens.auditing.held_out import ladder as module
from faultlens.auditing.held_out.ladder import RUNGS, Ladder, Rung, build_ladder
from faultlens.errors import UserError
from faultlens.progress import Tick
from faultlens.runs.stages import Stages
from faultlens.stats.cross_validation import (
    cross_validate,
    leave_one_level_out,
    repeated_folds,
)
from faultlens.stats.prediction import TunedLogistic, balanced_logistic
from faultlens.stats.rotation import Rotation

FACTORS = ("object", "template_id", "place", "subject", "indirect_object")


def climb(
    texts: Sequence[str], factors: Any, failed: Any, *, folds: Any = "repeated", repeats: int = 2,
    seed: int = 0, left_out: Any = "quick", **inputs: Any,
) -> tuple[dict[str, Rung], Ladder]:  # fmt: skip
    """The rungs and the ladder, of two repeats if nothing else is said."""
    config = LadderConfig(folds=folds, repeats=repeats, left_out=left_out)
    found = build_ladder(texts, factors, failed, config=config, seed=seed, **inputs)
    return found.baselines, found.ladder


def published(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """The reference study's prompts, factors and outcomes, as arguments of `build_ladder`."""
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    return {
        "texts": [task["prompt"] for task in tasks],
        "factors": {name: [str(task[name]) for task in tasks] for name in names},
        "failed": pd.read_csv(folder / "predictions.csv")["success"].to_numpy() == 0,
    }


def difference(ladder: Ladder, first: str, second: str) -> module.RungDifference:
    (found,) = [d for d in ladder.differences if (d.first, d.second) == (first, second)]
    return found


@pytest.mark.parametrize(
    ("names", "auroc"), [(FACTORS[:1], 0.897), (FACTORS[:2], 0.938), (FACTORS, 0.945)]
)
def test_the_studys_split_gives_the_studys_numbers(
    reference_data: Path, names: Sequence[str], auroc: float
) -> None:
    folder = reference_data / "ioi_audit"
    residual = np.load(folder / "residuals.npy") if len(names) == 2 else None
    rungs, ladder = climb(**published(folder, names), residual=residual, folds="study")
    assert rungs["factors"].auroc == pytest.approx(auroc, abs=0.0005)
    assert (rungs["factors"].low, rungs["factors"].high) == (None, None)
    assert (ladder.repeats, ladder.folds) == (1, 5)
    if residual is not None:
        assert rungs["residual"].auroc == pytest.approx(0.929, abs=0.0005)


def test_over_repeats_the_factors_predict_no_worse_than_the_residual(reference_data: Path) -> None:
    """METHODS: .927 for object and template; .914 for the residual, unscaled and untuned."""
    folder = reference_data / "ioi_audit"
    residual = np.load(folder / "residuals.npy")
    rungs, ladder = climb(**published(folder, FACTORS[:2]), residual=residual, repeats=10)
    assert (ladder.repeats, ladder.folds) == (10, 5)
    assert rungs["factors"].auroc == pytest.approx(0.927, abs=0.002)
    assert rungs["residual"].auroc == pytest.approx(0.920, abs=0.002)
    gap = difference(ladder, "residual", "factors")
    assert gap.low < 0 < gap.high and gap.high < 0.03
    assert gap.difference == pytest.approx(rungs["residual"].auroc - rungs["factors"].auroc)
    by_level = {(left.factor, left.rung): left for left in ladder.left_out}
    objects = by_level["object", "factors"]
    assert objects.one_class == ["a card", "the bag"] and objects.levels == 6
    assert objects.auroc < 0.7 < 0.85 < by_level["template_id", "factors"].auroc


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One penalty, k chosen of two: all that looks at labels, fewer times."""
    monkeypatch.setattr(module, "TunedLogistic", partial(TunedLogistic, cs=(1.0,)))
    monkeypatch.setattr(module, "KS", (5, 20))


def noise(seed: int, n: int = 120, failures: int = 30, width: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    levels = {"x": ["a", "b", "c"], "y": ["d", "e"]}
    factors = {name: [str(v) for v in rng.choice(names, n)] for name, names in levels.items()}
    failed = np.zeros(n, dtype=bool)
    failed[rng.choice(n, failures, replace=False)] = True

    def sparse() -> csr_matrix:
        return csr_matrix((rng.random((n, width)) < 0.05) * rng.lognormal(size=(n, width)))

    return {
        "texts": [f"{x} gave it {y} number {i % 7}" for i, (x, y) in enumerate(
            zip(factors["x"], factors["y"], strict=True))],
        "factors": factors,
        "failed": failed,
        "residual": rng.normal(size=(n, 150)),
        "random": sparse(),
        "features": sparse(),
        "seed": seed,
    }  # fmt: skip


def test_on_noise_every_rung_is_a_coin_and_says_so(quick: None) -> None:
    """Benchmarks hold the full version: 200 sets of 300 prompts and 24,576 features."""
    sets = 20
    climbed = [climb(**noise(seed)) for seed in range(sets)]
    covered = 0
    for name in RUNGS[1:]:
        rungs = [of_set[name] for of_set, _ in climbed]
        means = np.array([rung.auroc for rung in rungs])
        # One set's mean has a standard error of at most .065; this is four of them over twenty.
        assert abs(means.mean() - 0.5) < 0.058, name
        holds = sum(rung.low <= 0.5 <= rung.high for rung in rungs)
        assert holds >= binom.ppf(1e-3, sets, 0.92), name
        covered += holds
    assert covered >= binom.ppf(1e-3, sets * 6, 0.92)
    differences = [d for _, ladder in climbed for d in ladder.differences]
    assert len(differences) == sets * 10
    assert np.mean([d.low <= 0 <= d.high for d in differences]) > 0.85
    left = [one for _, ladder in climbed for one in ladder.left_out]
    assert len(left) == sets * 6
    assert abs(np.mean([one.auroc for one in left]) - 0.5) < 0.04
    assert np.mean([one.low <= 0.5 <= one.high for one in left]) > 0.8


def test_a_feature_that_decides_within_levels_lifts_its_rungs_above_the_others(
    quick: None,
) -> None:
    """Positive control for features; the same features beside a factor that says as much: none."""
    given = noise(1, n=200, failures=60)
    failed = given["failed"]
    rng = np.random.default_rng(2)
    knows = np.where(rng.random(200) < 0.9, failed, rng.random(200) < 0.3)
    given["features"] = csr_matrix(hstack([given["features"], csr_matrix(knows[:, None] * 2.0)]))
    rungs, ladder = climb(**given)
    assert rungs["sae_top_k"].low > 0.8
    assert rungs["residual"].high < 0.8
    for other in ("factors", "residual", "random_dictionary"):
        assert difference(ladder, "sae_top_k", other).low > 0.1
    told = {"x": given["factors"]["x"], "knows": [str(bool(k)) for k in knows]}
    _, beside = climb(**{**given, "factors": told})
    gap = difference(beside, "sae_top_k", "factors")
    assert gap.low < 0.02 and abs(gap.difference) < 0.05
    lost = next(one for one in beside.left_out if (one.factor, one.rung) == ("knows", "sae_all"))
    kept = next(one for one in beside.left_out if (one.factor, one.rung) == ("x", "sae_all"))
    assert lost.high < kept.auroc, "what copies a factor is lost with its levels"


def test_an_added_feature_far_from_chosen_changes_no_fold() -> None:
    """All folds are the same for every rung, and a rung depends on its own inputs alone."""
    given = noise(3)
    alone, _ = climb(**{**given, "features": None, "random": None}, folds="study")
    whole, _ = climb(**given, folds="study")
    for name in ("factors", "bag_of_tokens", "residual"):
        assert alone[name] == whole[name]


def test_a_factor_held_out_is_left_to_the_other_factors() -> None:
    given = noise(8)
    failed, factors = given["failed"], given["factors"]
    rng = np.random.default_rng(9)
    factors["z"] = [str(f ^ (rng.random() < 0.3)) for f in failed]
    factors["x"] = [f"{x}{z}" if rng.random() < 0.5 else x for x, z in zip(
        factors["x"], factors["z"], strict=True)]  # fmt: skip
    _, ladder = climb(given["texts"], factors, failed, folds="study")
    others = np.array([factors["y"], factors["z"]], dtype=object).T
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), balanced_logistic())
    expected = leave_one_level_out(pipeline, others, failed, pooled_levels(factors["x"]))
    (found,) = [left for left in ladder.left_out if left.factor == "x"]
    assert (found.rung, found.auroc, found.low) == ("factors", expected.auroc, expected.low)
    whole = np.array(list(factors.values()), dtype=object).T
    with_it = leave_one_level_out(pipeline, whole, failed, pooled_levels(factors["x"]))
    assert with_it.auroc != expected.auroc, "the data tell them apart"


def at_levels(ladder: Ladder, factor: str, first: str, second: str) -> Any:
    (found,) = [
        d
        for d in ladder.left_out_differences
        if (d.factor, d.first, d.second) == (factor, first, second)
    ]
    return found


def test_every_rung_is_compared_at_levels_that_it_was_not_trained_on(quick: None) -> None:
    """Positive control: a feature that decides; negative: factors, words, a random dictionary."""
    given = noise(12, n=160, failures=60)
    failed, rng = given["failed"], np.random.default_rng(13)
    knows = np.where(rng.random(160) < 0.9, failed, rng.random(160) < 0.3)
    given["features"] = csr_matrix(hstack([given["features"], csr_matrix(knows[:, None] * 2.0)]))
    _, plain = climb(**given, repeats=1)
    _, ladder = climb(**given, repeats=1, left_out="strict")
    assert (plain.left_out_scheme, ladder.left_out_scheme) == ("quick", "strict")
    assert [left.rung for left in ladder.left_out] == [*RUNGS[1:]] * 2
    of_plain = {(left.factor, left.rung): left for left in plain.left_out}
    assert {rung for _, rung in of_plain} == {"factors", "residual", "sae_all"}
    found = {(left.factor, left.rung): left for left in ladder.left_out}
    assert all(found[key] == left for key, left in of_plain.items()), "without groups the same"
    for factor in ("x", "y"):
        assert found[factor, "sae_top_k"].low > 0.7
        for other in ("factors", "bag_of_tokens", "residual", "random_dictionary"):
            assert found[factor, other].low < 0.5 < found[factor, other].high, other
        for other in ("factors", "residual", "random_dictionary"):
            gap = at_levels(ladder, factor, "sae_top_k", other)
            assert 0.05 < gap.low < gap.difference < gap.high
        noisy = at_levels(ladder, factor, "random_dictionary", "factors")
        assert noisy.low < 0 < noisy.high
        assert noisy.difference == pytest.approx(
            found[factor, "random_dictionary"].auroc - found[factor, "factors"].auroc
        )


def test_a_level_held_out_is_scored_as_scikit_learn_scores_it() -> None:
    """The words of the prompts, and the study's model: pipeline, split and AUROC by hand."""
    given = noise(14)
    failed, levels = given["failed"], np.array(given["factors"]["x"])
    _, ladder = climb(given["texts"], given["factors"], failed, folds="study", left_out="strict")
    texts, concordant, pairs = np.array(given["texts"]), 0.0, 0
    for train, test in LeaveOneGroupOut().split(texts, failed, levels):
        pipeline = make_pipeline(CountVectorizer(analyzer=module.words), balanced_logistic())
        score = pipeline.fit(texts[train], failed[train]).decision_function(texts[test])
        of_level = int(failed[test].sum()) * int((~failed[test]).sum())
        concordant += of_level * roc_auc_score(failed[test], score.round(9))
        pairs += of_level
    (found,) = [
        left for left in ladder.left_out if (left.factor, left.rung) == ("x", "bag_of_tokens")
    ]
    assert (found.auroc, found.pairs) == (pytest.approx(concordant / pairs), pairs)
    assert 0.3 < found.auroc < 0.7 and found.auroc != 0.5


def test_strict_levels_know_no_prompt_of_the_groups_held_out(quick: None) -> None:
    """Each group has an outcome and a feature of its own: other levels give it away."""
    rng = np.random.default_rng(15)
    groups = np.tile(np.arange(30), 4)
    failed = (rng.random(30) < 0.4)[groups]
    given = {
        "texts": [f"group{group}" for group in groups],
        "factors": {"x": [str(level) for level in np.repeat(np.arange(4), 30)]},
        "failed": failed,
        "features": csr_matrix(np.eye(30)[groups]),
        "blocks": groups,
        "repeats": 1,
    }
    for scheme, reached in (("quick", 1.0), ("strict", 0.5)):
        _, ladder = climb(**given, left_out=scheme)
        (found,) = [left.auroc for left in ladder.left_out if left.rung == "sae_all"]
        assert found == pytest.approx(reached, abs=0.05), scheme


def test_what_is_counted_once_gives_what_counting_in_each_fold_does() -> None:
    """Levels, words and features that the training prompts lack have the weight 0."""
    given, rng = noise(11), np.random.default_rng(11)
    failed = given["failed"]
    factors = {"own": [f"{i // 2}" for i in range(120)], **given["factors"]}
    fires = (rng.random((120, 400)) < 0.2) * (rng.random(400) < 0.5) * rng.random((120, 400))
    features = csr_matrix(fires * (1 + failed[:, None] * (np.arange(400) < 20)))
    texts = [f"{text} word{i // 2}" for i, text in enumerate(given["texts"])]
    rungs, _ = climb(texts, factors, failed, repeats=1, features=features)
    splits = repeated_folds(failed, 1, seed=0)
    levels = np.array(list(factors.values()), dtype=object).T
    in_folds: dict[str, tuple[Any, Any]] = {
        "factors": (OneHotEncoder(handle_unknown="ignore"), levels),
        "bag_of_tokens": (CountVectorizer(analyzer=module.words), np.array(texts, dtype=object)),
        "sae_all": (Rotation(), features),
    }
    for name, (first, inputs) in in_folds.items():
        found = cross_validate(make_pipeline(first, TunedLogistic()), inputs, failed, splits)
        assert rungs[name].auroc == pytest.approx(found.mean(), abs=1e-9), name
        assert 0.3 < found.mean() < 0.97


def test_what_cannot_be_had_says_why() -> None:
    given = noise(4)
    rungs, bare = climb(given["texts"], {}, given["failed"], folds="study")
    reasons = {name: rung.reason for name, rung in rungs.items()}
    assert reasons == {
        "base_rate": None,
        "factors": "no factors were given",
        "bag_of_tokens": None,
        "residual": "needs residuals: none were given",
        "random_dictionary": "needs token residuals: the outcomes came without a model",
        "sae_top_k": "needs features: none were given",
        "sae_all": "needs features: none were given",
    }
    assert rungs["base_rate"] == Rung(0.5, None, None, None)
    assert rungs["bag_of_tokens"].auroc is not None
    assert (bare.differences, bare.left_out) == ([], [])
    factors = {"x": given["factors"]["x"]}
    _, one = climb(given["texts"], factors, given["failed"], folds="study")
    assert [left.reason for left in one.left_out] == ["there is no other factor"]


@pytest.mark.parametrize(("failures", "invert"), [(4, False), (4, True), (0, False), (0, True)])
def test_too_few_of_an_outcome_stops_every_rung_but_the_first(failures: int, invert: bool) -> None:
    given = noise(5)
    failed = (np.arange(120) < failures) ^ invert
    rungs, _ = climb(**{**given, "failed": failed})
    count = f"{int(failed.sum())} failures among 120 prompts"
    reason = f"{count}: 5 folds need at least 5 failures and 5 successes"
    assert rungs["base_rate"].auroc == 0.5
    assert {rung.reason for name, rung in rungs.items() if name != "base_rate"} == {reason}
    assert {rung.auroc for name, rung in rungs.items() if name != "base_rate"} == {None}


def test_levels_held_out_say_why_there_is_no_number() -> None:
    failed = np.arange(60) < 20
    factors = {
        "one": ["same"] * 60,
        "own": [str(i) for i in range(60)],  # pooled: each is on fewer than five prompts
        "decides": ["bad" if f else "good" for f in failed],
        "half": ["even" if i % 2 else "odd" for i in range(60)],
    }
    _, ladder = climb(["a text"] * 60, factors, failed, folds="study")
    found = {left.factor: left for left in ladder.left_out}
    assert found["one"].reason == found["own"].reason == "there is one level only"
    assert found["decides"].reason == "no level holds both outcomes while the other levels do too"
    assert found["decides"].one_class == ["bad", "good"] and found["decides"].auroc is None
    assert found["half"].auroc == 1.0 and found["half"].reason is None


def test_progress_is_told_of_every_training() -> None:
    started: dict[str, int] = {}
    done: dict[str, int] = {}

    class Watch:
        def start(self, stage: str, total: int) -> Tick:
            started[stage], done[stage] = total, 0

            def tick(count: int) -> None:
                done[stage] += count

            return tick

    climb(**noise(6), folds="study", stages=Stages(progress=Watch()))
    assert started == done == {"Baseline ladder": 30, "Levels held out": 6}


def bad(**changes: Any) -> dict[str, Any]:
    return {**noise(7), **changes}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (bad(texts=["one"]), "1 prompts, but 120 outcomes: expected as many"),
        (bad(factors={"x": ["a"] * 7}), "7 levels of 'x', but 120 outcomes: expected as many"),
        (bad(residual=np.ones((3, 2))), "3 residuals, but 120 outcomes: expected as many"),
        (bad(features=csr_matrix((9, 2))), "9 features, but 120 outcomes: expected as many"),
        (bad(features=csr_matrix((120, 0))), "the features have no columns: leave them out"),
        (
            bad(residual=np.full((120, 2), np.nan)),
            "the residuals hold NaN or infinite values: expected numbers",
        ),
        (
            bad(random=csr_matrix(np.full((120, 2), np.inf))),
            "the random features hold NaN or infinite values: expected numbers",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        climb(**given)
    assert str(error.value) == message


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 40), failures=st.integers(0, 40), levels=st.integers(1, 40),
    width=st.integers(1, 50), density=st.sampled_from([0.0, 0.05, 1.0]),
    scheme=st.sampled_from(["study", "repeated"]), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_whatever_comes_there_is_a_number_or_a_reason(
    n: int, failures: int, levels: int, width: int, density: float, scheme: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    failed = rng.permutation(np.arange(n) < failures)
    features = csr_matrix((rng.random((n, width)) < density) * rng.integers(0, 3, (n, width)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TunedLogistic", partial(TunedLogistic, cs=(0.1, 10.0)))
        rungs, ladder = climb(
            ["" if i % 3 else "same words" for i in range(n)],
            {"f": [str(i) for i in rng.integers(0, levels, n)], "g": [str(i) for i in range(n)]},
            failed,
            residual=np.ones((n, 4)),
            features=features,
            folds=scheme,
        )
    for row in (*rungs.values(), *ladder.left_out):
        assert (row.auroc is None) == (row.reason is not None)
        if row.auroc is not None:
            assert 0 <= row.auroc <= 1
        if row.low is not None:
            assert 0 <= row.low <= row.auroc <= row.high <= 1
    whole = {name: asdict(rung) for name, rung in rungs.items()} | {"ladder": asdict(ladder)}
    assert not any(math.isnan(v) for v in numbers(whole))


def numbers(tree: Any) -> list[float]:
    """All floats in a nest of dictionaries and lists."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        return [value for branch in tree for value in numbers(branch)]
    return [tree] if isinstance(tree, float) else []


def test_prompts_that_stand_twice_are_not_trained_and_tested_on() -> None:
    """Outcomes know nothing of the features; a copy in another fold gives them away."""
    rng = np.random.default_rng(0)
    half = csr_matrix((rng.random((70, 150)) < 0.1) * rng.lognormal(size=(70, 150)))
    features = csr_matrix(vstack([half, half], format="csr"))
    failed = np.tile(rng.random(70) < 0.3, 2)
    texts = [f"{place} {i}" for place in ("here", "there") for i in range(70)]
    blocks = np.tile(np.arange(70), 2)
    alone, _ = climb(texts, {}, failed, features=features)
    whole, _ = climb(texts, {}, failed, features=features, blocks=blocks)
    assert alone["sae_all"].auroc > 0.9
    assert whole["sae_all"].low < 0.5 < whole["sae_all"].high
    assert whole["bag_of_tokens"].auroc < 0.65 < alone["bag_of_tokens"].auroc


def test_blocks_that_cannot_be_split_are_said() -> None:
    failed = np.arange(60) < 12
    rungs, _ = climb(["a"] * 60, {}, failed, blocks=np.arange(60) // 6)
    assert {rungs[name].reason for name in RUNGS if name != "base_rate"} == {
        "prompts that belong together cannot be split into 5 folds that each hold both outcomes"
    }

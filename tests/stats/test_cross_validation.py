"""Prediction on held-out prompts: the referee is scikit-learn's own loop; leaks must not be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import binom
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from faultlens.stats.cross_validation import (
    Splits,
    cross_validate,
    grouped_folds,
    leave_one_level_out,
    repeated_folds,
    study_folds,
    too_few,
)
from faultlens.stats.prediction import TunedLogistic, balanced_logistic, correlations


def noise(seed: int, n: int, failures: int, features: int) -> tuple[csr_matrix, np.ndarray]:
    """Features that fire on 2 % of the prompts, and outcomes that know nothing of them."""
    rng = np.random.default_rng(seed)
    failed = np.zeros(n, dtype=bool)
    failed[rng.choice(n, failures, replace=False)] = True
    fires = rng.random((n, features)) < 0.02
    return csr_matrix(fires * rng.lognormal(size=(n, features))), failed


def test_folds_and_scores_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    values, failed = rng.normal(size=(70, 4)) * [1, 5, 1, 9], rng.random(70) < 0.3
    values[failed] += 0.7
    pipeline = make_pipeline(StandardScaler(), balanced_logistic(0.1))
    found = cross_validate(pipeline, values, failed, repeated_folds(failed, 3, 4, seed=5))
    split = RepeatedStratifiedKFold(n_splits=4, n_repeats=3, random_state=5)
    expected = cross_val_score(pipeline, values, failed, cv=split, scoring="roc_auc")
    np.testing.assert_allclose(found, expected.reshape(3, 4))
    assert found.std() > 0.01


def test_folds_keep_blocks_whole_and_hold_both_outcomes() -> None:
    rng = np.random.default_rng(0)
    failed, blocks = rng.random(120) < 0.2, rng.integers(0, 30, 120)
    found = grouped_folds(failed, blocks, repeats=3, seed=5)
    assert (found.repeats, found.folds, len(found.pairs)) == (3, 5, 15)
    for train, test in found.pairs:
        assert not set(blocks[train]) & set(blocks[test])
        assert len(set(failed[test])) == 2
    again = grouped_folds(failed, blocks, repeats=3, seed=5)
    assert all((a[1] == b[1]).all() for a, b in zip(found.pairs, again.pairs, strict=True))
    assert any(
        set(a[1]) != set(b[1]) for a, b in zip(found.pairs[:5], found.pairs[5:10], strict=True)
    )


def test_blocks_that_hold_all_failures_cannot_be_split() -> None:
    failed = np.arange(60) < 12
    assert grouped_folds(failed, np.arange(60) // 6, repeats=1) is None, "two blocks fail"
    assert grouped_folds(failed, np.arange(60) // 20, repeats=1) is None, "three blocks"


def test_a_pipeline_forgets_what_it_was_fitted_on() -> None:
    values, failed = noise(2, 80, 20, 500)
    fresh, fitted = TunedLogistic(ks=(5,)), TunedLogistic(ks=(5,)).fit(values, failed)
    splits = repeated_folds(failed, repeats=1)
    assert (
        cross_validate(fresh, values, failed, splits)
        == cross_validate(fitted, values, failed, splits)
    ).all()


def test_choosing_features_on_all_labels_is_the_leak_that_nesting_closes() -> None:
    """Noise of the reference study's shape: 300 prompts, 61 failures, 24,576 features."""
    leaked, nested = [], []
    for seed in range(4):
        values, failed = noise(seed, 300, 61, 24_576)
        splits = repeated_folds(failed, repeats=1)
        best = np.argsort(-correlations(values, failed))[:20]
        model = TunedLogistic(ks=(20,), cs=(1.0,))
        chosen = csr_matrix(values[:, best])
        leaked.append(cross_validate(model, chosen, failed, splits).mean())
        nested.append(cross_validate(model, values, failed, splits).mean())
    assert min(leaked) >= 0.85
    assert abs(np.mean(nested) - 0.5) < 0.07  # three standard errors of four sets


def test_a_split_may_not_test_what_it_trains_on() -> None:
    failed = np.arange(10) < 5
    overlapping = Splits(1, 1, ((np.arange(8), np.arange(6, 10)),))
    with pytest.raises(ValueError, match="a split tests prompts that it trains on"):
        cross_validate(balanced_logistic(), np.ones((10, 1)), failed, overlapping)


def test_rows_that_do_not_match_are_an_error() -> None:
    failed = np.arange(20) < 8
    with pytest.raises(ValueError, match="19 rows of inputs, 20 outcomes"):
        cross_validate(balanced_logistic(), np.ones((19, 1)), failed, study_folds(failed))
    with pytest.raises(ValueError, match="20 inputs, 20 outcomes, 19 levels"):
        leave_one_level_out(balanced_logistic(), np.ones((20, 1)), failed, ["a"] * 19)


def test_too_few_of_an_outcome_is_said_in_a_sentence() -> None:
    failed = np.arange(20) < 4
    reason = "4 failures among 20 prompts: 5 folds need at least 5 failures and 5 successes"
    assert too_few(failed) == too_few(failed) == reason
    assert too_few(~failed) is not None
    assert too_few(np.arange(20) < 5) is None
    with pytest.raises(ValueError, match=reason):
        repeated_folds(failed, repeats=10)
    with pytest.raises(ValueError, match=reason):
        study_folds(failed)


def test_levels_held_out_are_pooled_within_and_never_across() -> None:
    """By plain loops: fit on the others, count pairs within the level."""
    rng = np.random.default_rng(3)
    n = 90
    levels = [str(level) for level in rng.choice(["a", "b", "c", "d"], n, p=[0.5, 0.3, 0.1, 0.1])]
    of_prompt = np.array(levels)
    failed = rng.random(n) < np.where(of_prompt == "a", 0.6, 0.2)
    failed[of_prompt == "d"] = True
    values = rng.integers(0, 4, (n, 3)) + failed[:, None] * [1, 0, 0] + 0.0
    concordant, pairs = 0.0, 0
    for level in ("a", "b", "c"):
        here = of_prompt == level
        model = balanced_logistic().fit(values[~here], failed[~here])
        score = model.decision_function(values)
        for i in np.flatnonzero(here & failed):
            for j in np.flatnonzero(here & ~failed):
                concordant += 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0
                pairs += 1
    found = leave_one_level_out(balanced_logistic(), values, failed, levels)
    assert found.auroc == pytest.approx(concordant / pairs)
    assert (found.pairs, found.levels, found.one_class) == (pairs, 3, ["d"])


def test_a_copy_of_the_factor_says_nothing_of_levels_it_has_not_seen() -> None:
    """The negative control; the positive one is a feature that decides within levels."""
    rng = np.random.default_rng(4)
    level = rng.integers(0, 4, 200)
    within = rng.random(200) < 0.5
    failed = rng.random(200) < np.array([0.9, 0.1, 0.1, 0.5])[level]
    copies = np.eye(4)[level]
    names = [f"level {i}" for i in level]
    copied = leave_one_level_out(balanced_logistic(), copies, failed, names)
    assert copied.auroc == 0.5, "every pair within a level is a tie"
    folds = cross_validate(balanced_logistic(), copies, failed, study_folds(failed))
    assert folds.mean() > 0.75
    failed ^= within & (rng.random(200) < 0.8)
    decided = leave_one_level_out(
        balanced_logistic(), np.stack([within * 1.0, within * failed], axis=1), failed, names
    )
    assert decided.auroc is not None and decided.auroc > 0.6


def test_the_interval_resamples_prompts() -> None:
    """Against drawing prompts one set at a time and counting the pairs of those drawn."""
    rng = np.random.default_rng(5)
    n = 70
    levels = [str(level) for level in rng.integers(0, 3, n)]
    failed = rng.random(n) < 0.35
    values = rng.normal(size=(n, 2)) + failed[:, None] * 0.6
    found = leave_one_level_out(balanced_logistic(), values, failed, levels)
    of_prompt, score = np.array(levels), np.zeros(n)
    for level in set(levels):
        here = of_prompt == level
        model = balanced_logistic().fit(values[~here], failed[~here])
        score[here] = model.decision_function(values[here])
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, n, n)
        f, s = rows[failed[rows]], rows[~failed[rows]]
        same = of_prompt[f][:, None] == of_prompt[s][None, :]
        drawn.append((score[f][:, None] > score[s][None, :])[same].mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    sizes = np.array([levels.count(level) for level in set(levels)])
    stretch = (1 + (sizes / (n - sizes)).sum()) ** 0.5
    assert 1.5 < stretch < 1.7
    assert found.low == pytest.approx(found.auroc - stretch * (found.auroc - low), abs=0.03)
    assert found.high == pytest.approx(found.auroc + stretch * (high - found.auroc), abs=0.03)


def test_the_interval_of_levels_held_out_covers_on_noise() -> None:
    rng = np.random.default_rng(6)
    covered = []
    for _ in range(80):
        failed = rng.permutation(np.arange(90) < 25)
        values, levels = rng.normal(size=(90, 4)), [str(v) for v in rng.integers(0, 4, 90)]
        found = leave_one_level_out(balanced_logistic(), values, failed, levels)
        covered.append(found.low <= 0.5 <= found.high)
    assert sum(covered) >= binom.ppf(1e-3, 80, 0.95)


def test_blocks_kept_apart_are_scikit_learns_scores_of_each_level_and_block() -> None:
    """As many blocks as parts or fewer: each part is one block, so that a plain loop is enough."""
    rng = np.random.default_rng(8)
    blocks, levels = np.repeat(np.arange(4), 24), np.tile(np.repeat(["a", "b", "c"], 8), 4)
    failed = rng.random(96) < 0.4
    values = rng.normal(size=(96, 3)) + failed[:, None] * [1.0, 0.4, 0.0] + blocks[:, None]
    found = leave_one_level_out(
        balanced_logistic(), values, failed, levels, blocks=blocks, apart=True
    )
    concordant, pairs = 0.0, 0
    for level in "abc":
        for block in range(4):
            test = (levels == level) & (blocks == block)
            train = (levels != level) & (blocks != block)
            model = balanced_logistic().fit(values[train], failed[train])
            of_cell = int(failed[test].sum()) * int((~failed[test]).sum())
            score = model.decision_function(values[test])
            concordant += of_cell * roc_auc_score(failed[test], score)
            pairs += of_cell
    assert (found.auroc, found.pairs) == (pytest.approx(concordant / pairs), pairs)
    assert (found.levels, found.one_class) == (3, [])
    assert found.stretch == pytest.approx((1 + 12 * 8 / 48) ** 0.5)
    nested = np.unique(levels, return_inverse=True)[1]
    whole = leave_one_level_out(balanced_logistic(), values, failed, levels, blocks=nested)
    assert whole == leave_one_level_out(
        balanced_logistic(), values, failed, levels, blocks=nested, apart=True
    ), "no block stands at two levels"


def test_what_only_knows_a_block_again_foretells_nothing_of_other_blocks() -> None:
    """Positive control: what decides in every block does, whether or not blocks are kept apart."""
    rng = np.random.default_rng(9)
    blocks = np.tile(np.arange(24), 4)
    levels = [str(level) for level in np.repeat(np.arange(4), 24)]
    failed = (rng.random(24) < 0.4)[blocks] ^ (rng.random(96) < 0.1)
    told = {
        "names": np.eye(24)[blocks],
        "decides": (failed ^ (rng.random(96) < 0.15))[:, None] * 1.0,
    }
    shared, apart = (
        {
            name: leave_one_level_out(
                balanced_logistic(), values, failed, levels, blocks=blocks, apart=kept
            )
            for name, values in told.items()
        }
        for kept in (False, True)
    )
    assert shared["names"].auroc > 0.85 and apart["names"].auroc == 0.5
    assert min(shared["decides"].low, apart["decides"].low) > 0.6
    value, low, high = apart["decides"].minus(apart["names"])
    assert value == apart["decides"].auroc - 0.5 and 0.1 < low < value < high <= 1.0
    assert shared["names"].minus(shared["names"]) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="scored on the same pairs"):
        shared["names"].minus(apart["names"])


def test_the_interval_of_a_difference_covers_on_noise() -> None:
    rng = np.random.default_rng(10)
    covered, alone = [], []
    for _ in range(40):
        failed = rng.permutation(np.arange(90) < 25)
        levels = [str(v) for v in rng.integers(0, 4, 90)]
        one, other = (
            leave_one_level_out(balanced_logistic(), rng.normal(size=(90, 4)), failed, levels)
            for _ in range(2)
        )
        _, low, high = one.minus(other)
        covered.append(low <= 0 <= high)
        alone.append((high - low) / (one.high - one.low))
    assert sum(covered) >= binom.ppf(1e-3, 40, 0.95)
    assert 1.0 < np.median(alone) < 1.8, "wider than one rung's: both vary"


@pytest.mark.parametrize(
    ("levels", "failed", "one_class"),
    [
        (["a"] * 12, [True] * 6 + [False] * 6, []),  # the only level
        (["a"] * 6 + ["b"] * 6, [True] * 3 + [False] * 9, ["b"]),  # b has nothing to teach about a
        (["a"] * 6 + ["b"] * 6, [True] * 6 + [False] * 6, ["a", "b"]),
        ([str(i) for i in range(12)], [True] * 6 + [False] * 6, [str(i) for i in range(12)]),
    ],
)
def test_without_pairs_there_is_no_number(
    levels: list[str], failed: list[bool], one_class: list[str]
) -> None:
    found = leave_one_level_out(balanced_logistic(), np.ones((12, 1)), np.array(failed), levels)
    assert (found.auroc, found.low, found.high, found.pairs, found.levels) == (
        None, None, None, 0, 0,
    )  # fmt: skip
    assert found.one_class == one_class


def test_one_mixed_level_is_scored_where_the_others_hold_both_outcomes() -> None:
    levels = ["a"] * 6 + ["b"] * 6 + ["c"] * 6
    failed = np.array([True] * 6 + [False] * 6 + [True, False] * 3)
    found = leave_one_level_out(balanced_logistic(), failed[:, None] * 1.0, failed, levels)
    assert (found.auroc, found.pairs, found.one_class) == (1.0, 9, ["a", "b"])

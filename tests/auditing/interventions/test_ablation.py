"""The two decisive effects of a class, each number against NumPy on a model that has a formula.

The prompts are made so that rival readings of the definitions give other numbers: failures and
successes have different means, some failures end in a role that no success has, features match a
class's change in size without firing where it does, and the class fires at fillers too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest
import torch
from activated import ablation_of, activated
from scipy.stats import binom
from word_by_word import FIRST_WORD, TARGET, WRONG, WordByWord, basis, word_by_word

from faultlens.auditing.activations.alignment import TokenAlignment
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.deciding_test import DecidingTest
from faultlens.auditing.interventions.edits import Clamp
from faultlens.auditing.interventions.placed_edit import place_edit
from faultlens.auditing.result import Effect, Intervention
from faultlens.stats.sequential import SequentialTest

FEATURES = 60
BAD, GOOD, FILLERS = range(8), range(8, 16), range(16, 24)  # words
ODD = 6  # the role of the last token of some failures; no success has it
ROLES = 7


def a_model() -> WordByWord:
    """Words of random strengths; a third of the features is silent on the bad words."""
    rng = np.random.default_rng(5)
    strengths = rng.uniform(1, 4, (24, FEATURES)) * (rng.random((24, FEATURES)) < 0.8)
    strengths[np.ix_(BAD, np.arange(FEATURES) % 3 == 2)] = 0
    strengths[BAD, 0] = rng.uniform(4, 6, 8)
    strengths[GOOD, 0] = [0, 0, 0, 0.9, 1.2, 0, 1.5, 0]
    strengths[FILLERS, 0] = [0, 0, 0, 0, 0, 0, 0, 2.0]
    strengths[BAD, 1] = rng.uniform(1, 3, 8)
    strengths[GOOD, 1] = strengths[FILLERS, 1] = 0
    axes = basis()
    lean = rng.uniform(-0.6, 0.6, FEATURES)[:, None]
    W_dec = np.cos(lean) * axes[:FEATURES] + np.sin(lean) * (axes[0] - axes[-1]) / 2**0.5
    W_dec *= rng.uniform(0.7, 4, (FEATURES, 1))
    W_dec[0] = axes[0]
    return word_by_word(strengths, rng.uniform(3, 4, 24), W_dec)


@dataclass(frozen=True, eq=False)
class Trial:
    """A task with its outcome, and the two effects as METHODS define them, token by token.

    Attributes:
        rows: the prompts' ids.
        roles: of every token; -1 at BOS.
        failed: which prompts fail.
    """

    by_hand: WordByWord
    rows: list[list[int]]
    roles: list[np.ndarray]
    failed: np.ndarray

    @cached_property
    def tested(self) -> Ablation:
        n = len(self.rows)
        dictionary = self.by_hand.dictionary
        tokens = TaskTokens(self.rows, np.full(n, TARGET), np.full(n, WRONG))
        alignment = TokenAlignment(self.roles, ROLES)
        activations = activated(self.by_hand.model, dictionary, tokens, alignment)
        return ablation_of(
            activations, dictionary, self.failed, lambda ids, prompt: ids[0] == TARGET
        )

    @cached_property
    def activations(self) -> list[np.ndarray]:
        return [self.by_hand.activations(row) for row in self.rows]

    def fires(self, features: Sequence[int], prompt: int) -> np.ndarray:
        """Whether any of them does, `[tokens]`."""
        return np.any(self.activations[prompt][:, features] > 0, axis=1)

    def failures_where(self, features: Sequence[int]) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.failed) if self.fires(features, i).any()]

    def means(self, prompts: Sequence[int]) -> np.ndarray:
        """By role; over all their tokens where none has the role, `[roles, features]`."""
        values = np.concatenate([self.activations[i][1:] for i in prompts])
        roles = np.concatenate([self.roles[i][1:] for i in prompts])
        of = [values[roles == r] if (roles == r).any() else values for r in range(ROLES)]
        return np.array([tokens.mean(axis=0) for tokens in of])

    def change(
        self,
        features: Sequence[int],
        edited: Sequence[tuple[int, int]],
        prompts: Sequence[int],
        means: np.ndarray,
    ) -> float:
        """Mean change of the margin when features take their means at the edited tokens."""
        return self.moved(edited, prompts, lambda i, at: self.push(features, i, at, means))

    def control(
        self,
        feature: int,
        features: Sequence[int],
        edited: Sequence[tuple[int, int]],
        prompts: Sequence[int],
        means: np.ndarray,
    ) -> float:
        """The same of a control feature, moved by as much over all edited tokens as the class."""
        of_class, own = (
            sum(np.linalg.norm(self.push(moved, i, at, means)) for i, at in edited)
            for moved in (features, [feature])
        )
        return self.moved(
            edited, prompts, lambda i, at: self.push([feature], i, at, means) * of_class / own
        )

    def push(self, features: Sequence[int], i: int, at: int, means: np.ndarray) -> np.ndarray:
        """What features taking their means add at a token, `[d]`."""
        step = means[self.roles[i][at]] - self.activations[i][at]
        added: np.ndarray = step[features] @ self.by_hand.W_dec[features]
        return added

    def moved(
        self,
        edited: Sequence[tuple[int, int]],
        prompts: Sequence[int],
        push: Callable[[int, int], np.ndarray],
    ) -> float:
        """Mean change of the margin under a push at the edited tokens; only the last is read."""
        changes = []
        for i in prompts:
            value, last = self.by_hand.values(self.rows[i])[-1], len(self.rows[i]) - 1
            after = value + push(i, last) * ((i, last) in edited)
            changes.append(self.by_hand.margin(after) - self.by_hand.margin(value))
        return float(np.mean(changes))


def chosen(features: Sequence[int]) -> FeatureSet:
    return FeatureSet("1-res-hand", tuple(features))


def in_words(words: Sequence[int]) -> list[int]:
    return [0, *(FIRST_WORD + word for word in words)]


def from_the_end(row: Sequence[int], odd: bool = False) -> np.ndarray:
    """The distance from the end as role; of some prompts the last token has one of its own."""
    roles = np.array([-1, *range(len(row) - 2, -1, -1)])
    roles[-1] = ODD if odd else 0
    return roles


@pytest.fixture(scope="module")
def by_hand() -> WordByWord:
    return a_model()


@pytest.fixture(scope="module")
def trial(by_hand: WordByWord) -> Trial:
    """27 failures and 25 successes: none is left out by a draw."""
    rng = np.random.default_rng(0)
    rows, roles = [], []
    for i in range(52):
        last = rng.choice(BAD if i < 24 else GOOD)
        rows.append(in_words([*rng.choice(FILLERS, rng.integers(1, 5)), last]))
        roles.append(from_the_end(rows[-1], odd=i < 8))
    order = rng.permutation(52)
    return Trial(by_hand, [rows[i] for i in order], [roles[i] for i in order], order < 27)


def test_the_referee_is_the_model(trial: Trial) -> None:
    codes, model = trial.tested.codes, trial.by_hand.model
    found = codes.values(np.arange(len(codes.roles)), list(range(FEATURES)))
    np.testing.assert_allclose(found, np.concatenate(trial.activations), atol=1e-4)
    for row in trial.rows[:12]:
        logits = model.logits(torch.tensor([row]))[0, -1].numpy()
        margin = trial.by_hand.margin(trial.by_hand.values(row)[-1])
        assert logits[TARGET] - np.delete(logits, TARGET).max() == pytest.approx(margin, abs=1e-4)


def agree(
    trial: Trial,
    found: Effect,
    features: list[int],
    edited: list[tuple[int, int]],
    prompts: list[int],
    means: np.ndarray,
) -> None:
    """An effect and its control features against the referee's changes."""
    change = trial.change(features, edited, prompts, means)
    assert found.prompts == len(prompts)
    assert found.change == pytest.approx(change, abs=1e-4)
    others = [f for f in range(FEATURES) if f not in features]
    assert (found.controls, found.control_features) == (199, len(others)), "all there are"
    by_control = [trial.control(f, features, edited, prompts, means) for f in others]
    at_least = [c >= change if found.claim == "necessity" else c <= change for c in by_control]
    of_features, of_values = found.families
    assert of_features.as_large == sum(at_least)
    assert of_features.change == pytest.approx(np.mean(by_control), abs=1e-4)
    assert found.controls_as_large == sum(at_least) + of_values.as_large
    assert found.p_value == pytest.approx((1 + found.controls_as_large) / 200)
    both = (len(others) * of_features.change + of_values.controls * of_values.change) / 199
    assert found.control_change == pytest.approx(both, abs=1e-4)
    assert found.adjusted == pytest.approx(change - both, abs=1e-4)


@pytest.mark.parametrize("features", [[0], [1], [0, 1]])
def test_necessity_sets_failures_to_the_successes_mean_beyond_other_directions(
    trial: Trial, features: list[int]
) -> None:
    prompts = trial.failures_where(features)
    edited = [(i, int(at)) for i in prompts for at in np.flatnonzero(trial.fires(features, i))]
    means = trial.means(np.flatnonzero(~trial.failed).tolist())
    found = trial.tested.run(chosen(features))
    assert isinstance(found, Intervention)
    agree(trial, found.necessity, features, edited, prompts, means)


@pytest.mark.parametrize("features", [[0], [1], [0, 1]])
def test_sufficiency_sets_successes_to_the_mean_of_failures_where_they_fire(
    trial: Trial, features: list[int]
) -> None:
    prompts = np.flatnonzero(~trial.failed).tolist()
    edited = [(i, len(trial.rows[i]) - 1) for i in prompts]
    assert trial.tested.firing_roles(chosen(features)).tolist() == [0]
    means = trial.means(trial.failures_where(features))
    test = trial.tested.sufficiency_test(chosen(features))
    assert isinstance(test, DecidingTest)
    found = trial.tested.effect(test)
    agree(trial, found, features, edited, prompts, means)
    normal = trial.means(prompts)
    other = trial.change(features, edited, prompts, normal)
    assert abs(other - found.change) > 0.02, "the successes' mean is another"
    all_failures = trial.means(np.flatnonzero(trial.failed).tolist())
    diluted = trial.change(features, edited, prompts, all_failures)
    if len(features) == 1:
        assert abs(diluted - found.change) > 0.005, "so is that of all failures"


def test_each_effect_is_given_the_controls_that_the_family_needs(trial: Trial) -> None:
    found = trial.tested.run(chosen([0]), test=SequentialTest(299))
    assert isinstance(found, Intervention)
    assert found.sufficiency is not None
    assert (found.necessity.controls, found.sufficiency.controls) == (299, 299)
    assert found.necessity.p_value == pytest.approx(1 / 300)


@pytest.mark.parametrize("feature", range(0, FEATURES, 7))
def test_a_test_that_stops_early_counts_the_same_controls_in_the_same_order(
    trial: Trial, feature: int
) -> None:
    """Where it did not stop, all numbers are the full test's; where it did, both p are above α."""
    prompts = np.array(trial.failures_where([feature]))
    early = SequentialTest.at_level(199, 0.05)
    necessity = trial.tested.necessity_test(chosen([feature]), prompts)
    full = trial.tested.effect(necessity)
    found = trial.tested.effect(necessity, test=early)
    assert (full.controls, full.controls_counted, full.stopped_early) == (199, 199, False)
    if not found.stopped_early:
        assert found == full
        return
    assert found.controls_counted is not None
    assert found.controls_counted <= found.controls < 199 == found.controls_planned
    assert found.p_value == pytest.approx(10 / found.controls_counted)
    assert min(found.p_value, full.p_value) > 0.05
    assert (found.change, found.turned) == (full.change, full.turned)


def test_some_of_these_tests_stop_and_some_do_not(trial: Trial) -> None:
    early = SequentialTest.at_level(199, 0.05)
    stopped = [
        trial.tested.effect(
            trial.tested.necessity_test(chosen([f]), np.array(trial.failures_where([f]))),
            test=early,
        )
        for f in (0, 7)
    ]
    assert [effect.stopped_early for effect in stopped] == [False, True]


@pytest.mark.parametrize("feature", [0, 7])
def test_a_test_that_has_begun_goes_on_to_the_same_numbers(trial: Trial, feature: int) -> None:
    """Its first controls are not run again, and the later ones are those of an unbroken test."""
    early, features = SequentialTest.at_level(199, 0.05), chosen([feature])
    for deciding in trial.tested.deciding(features):
        first = trial.tested.begin(deciding, early)
        assert len(first.controls) == 15
        begun = {deciding.claim: first}
        assert trial.tested.effect(deciding, None, early, begun) == trial.tested.effect(
            deciding, None, early
        )
        stopped = trial.tested.effect(deciding, None, early.needing(0.005), begun)
        as_large = first.controls.mean(axis=1) >= first.changed.mean()
        if deciding.claim == "necessity" and as_large.any():
            assert stopped.controls == 15
            assert stopped.controls_counted == 1 + int(np.argmax(as_large))
            assert stopped.p_value == 10 / (stopped.controls_counted + 9)


def test_a_test_that_has_begun_does_not_run_its_edit_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = SequentialTest.at_level(199, 0.05)
    deciding = trial.tested.deciding(chosen([0]))[0]
    begun = {deciding.claim: trial.tested.begin(deciding, early)}

    def refused(run: CachedRun, change: torch.Tensor) -> None:
        raise AssertionError("the edit is run again")

    monkeypatch.setattr(CachedRun, "measure", refused)
    assert trial.tested.effect(deciding, None, early, begun).prompts == len(deciding.prompts)
    with pytest.raises(AssertionError, match="run again"):
        trial.tested.effect(deciding, None, early)


def test_prompts_in_which_an_edit_moves_nothing_stay_what_they_were(trial: Trial) -> None:
    """And the others come out as if each were run alone."""
    runner, features = trial.tested.runner, chosen([0])
    prompts = np.array(trial.failures_where([0]))
    rows = trial.tested.codes.firing_rows([0], prompts)
    values = trial.tested.codes.values(rows, [0])
    cap = Clamp(-np.inf, float(np.median(values)))
    placed = place_edit(cap, trial.tested.context, features, rows)
    margin, _, changed, _ = runner.margins(placed, prompts)
    of = np.searchsorted(trial.tested.codes.starts, rows, side="right") - 1
    moved = np.isin(prompts, of[(values > np.median(values)).ravel()])
    assert 0 < moved.sum() < len(prompts)
    assert (changed[~moved] == margin[~moved]).all()
    alone = [runner.margins(placed, prompts[[i]])[2][0] for i in np.flatnonzero(moved)]
    np.testing.assert_allclose(changed[moved], alone, atol=1e-5)
    assert (np.abs(changed - margin)[moved] > 1e-3).all()


def test_a_large_class_is_tested_on_prompts_drawn_from_all(trial: Trial) -> None:
    few = replace(trial.tested, most=8)
    failures, successes = trial.failures_where([0]), np.flatnonzero(~trial.failed)
    normal = trial.means(successes.tolist())
    failing = trial.means(failures)
    found = few.run(chosen([0]))
    assert isinstance(found, Intervention)
    assert found.sufficiency is not None
    fires = [(i, int(at)) for i in failures for at in np.flatnonzero(trial.fires([0], i))]
    ends = [(i, len(trial.rows[i]) - 1) for i in successes]
    for effect, among, edited, means in (
        (found.necessity, np.array(failures), fires, normal),
        (found.sufficiency, successes, ends, failing),
    ):
        drawn = few.drawn(among).tolist()
        assert effect.prompts == 8
        assert effect.change == pytest.approx(trial.change([0], edited, drawn, means), abs=1e-4)
        first = trial.change([0], edited, among[:8], means)
        assert abs(effect.change - first) > 0.01, "the first eight would give another number"


def test_every_prompt_is_as_likely_to_be_drawn(trial: Trial) -> None:
    """Ten of forty: the first have no better chance than the last."""
    prompts, seeds = np.arange(100, 220, 3), 400
    counts = dict.fromkeys(prompts.tolist(), 0)
    for seed in range(seeds):
        drawn = replace(trial.tested, most=10, seed=seed).drawn(prompts).tolist()
        assert len(set(drawn)) == 10
        assert drawn == sorted(drawn)
        for prompt in drawn:
            counts[prompt] += 1
    low, high = binom.ppf([1e-5, 1 - 1e-5], seeds, 0.25)
    assert low <= min(counts.values()) <= max(counts.values()) <= high
    assert replace(trial.tested, most=40).drawn(prompts).tolist() == prompts.tolist()


ON, OFF = BAD[0], GOOD[0]  # a word on which feature 1 fires, and one on which it does not
SHARED = 3  # the role of every token that is further from the end


def patterned(by_hand: WordByWord, failures: list[str], successes: list[str]) -> Trial:
    """Prompts that say, from the last token back, where feature 1 fires."""
    rows = [
        in_words([ON if mark == "x" else OFF for mark in reversed(pattern)])
        for pattern in [*failures, *successes]
    ]
    roles = [np.minimum(from_the_end(row), SHARED) for row in rows]
    return Trial(by_hand, rows, roles, np.arange(len(rows)) < len(failures))


def test_the_class_is_brought_in_at_the_roles_of_half_of_the_failures_where_it_fires(
    by_hand: WordByWord,
) -> None:
    """Of ten such failures eight fire at role 1, five at 2, four at 0, three (twice each) at 3.

    Half of all twelve failures would leave role 2 out; to count tokens would let role 3 in, and to
    count successes too role 0.
    """
    failures = [
        ".x.xx.", ".x.xx.", "xx.xx.", "xx....", "xx....", ".xx...", ".xx...", ".xx...",
        "x.x...", "..x...", "......", "......",
    ]  # fmt: skip
    trial = patterned(by_hand, failures, ["x....."] * 6 + ["......"])
    by_role = [{min(at, SHARED) for at, mark in enumerate(f) if mark == "x"} for f in failures]
    counts = [sum(role in roles for roles in by_role) for role in range(4)]
    assert sum(map(bool, by_role)) == 10
    assert counts == [4, 8, 5, 3]
    assert trial.tested.firing_roles(chosen([1])).tolist() == [
        r for r in range(4) if counts[r] >= 5
    ]
    test = trial.tested.sufficiency_test(chosen([1]))
    assert isinstance(test, DecidingTest)
    enough = trial.tested.effect(test)
    assert enough.change == pytest.approx(0.0, abs=1e-5), "the last token, read alone, is unedited"
    last = [(i, 6) for i in range(12, 19)]
    means = trial.means(list(range(12)))
    assert abs(trial.change([1], last, range(12, 19), means)) > 0.05, "and would be seen"


def test_where_no_role_is_that_of_half_the_commonest_is_taken(by_hand: WordByWord) -> None:
    trial = patterned(by_hand, ["x...", ".x..", ".x..", "..x.", "...x"], ["....", "x..."])
    assert trial.tested.firing_roles(chosen([1])).tolist() == [1]

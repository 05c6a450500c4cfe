"""Reworded prompts: the effect again where a user asks the same in other words.

A feature may be tied to the words of the prompts on which it was found. The user gives the same
questions in other words; the failures among them on which the class fires are edited as the
necessity test edits failures, each with means over the reworded successes, and the change of the
margin is compared with that of the prompts which they reword.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.auditing.behaviour.answer_scores import answer_scores
from faultlens.auditing.behaviour.outcomes import LogitRule
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import LEAST_PROMPTS, Ablation
from faultlens.auditing.interventions.after_find.rewording import placed_again
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.interventions.reversed_test import with_roles
from faultlens.auditing.result import UnderRewordings
from faultlens.corpus.rewordings import reworded
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.stats.intervals import bootstrap_mean


@dataclass(frozen=True, eq=False)
class RewordedPrompts:
    """The rewordings of a task's prompts, run when they are first asked for.

    Attributes:
        lens: the model, and the dictionaries it is read through.
        task: of the rewordings.
        original: of each rewording, the index of the prompt that it rewords, `[rewordings]`.
        succeeds: whether generated ids answer the prompt of that index.
        seed: of the draw of prompts.
    """

    lens: Lens
    task: Task
    original: np.ndarray
    succeeds: Succeeds
    seed: int
    _ablations: dict[str, Ablation] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, lens: Lens, task: Task, succeeds: Succeeds, seed: int) -> RewordedPrompts | None:
        """Those of a task; None where it has none."""
        found = reworded(task)
        if found is None:
            return None
        again, original = found[0], np.array(found[1])
        if isinstance(succeeds, LogitRule):
            return cls(lens, again, original, succeeds, seed)
        answers = succeeds

        def of_original(ids: list[int], rewording: int) -> bool:
            return answers(ids, int(original[rewording]))

        return cls(lens, again, original, of_original, seed)

    @cached_property
    def tokens(self) -> TaskTokens:
        """Theirs."""
        return tokenize(self.task, self.lens.model)

    @cached_property
    def failed(self) -> np.ndarray:
        """Where no right answer's first token is the likeliest, boolean `[rewordings]`."""
        scores = answer_scores(self.lens.model, self.tokens)
        return np.array([score.margin <= 0 for score in scores])

    def ablation(self, site: str) -> Ablation:
        """Tests of one dictionary's features on them, set up once."""
        if site not in self._ablations:
            lens = replace(self.lens, dictionaries=(self.lens[site],))
            read = TaskActivations.read(lens, self.task, self.tokens)
            runs = CachedRuns(lens.model, self.tokens, read.values.sites, read.values)
            self._ablations[site] = Ablation(
                lens[site], read, runs, self.failed, self.succeeds, self.seed
            )
        return self._ablations[site]


def under_rewordings(
    again: RewordedPrompts, ablation: Ablation, features: FeatureSet, reverse: bool
) -> UnderRewordings:
    """The necessity test's edit once more, where the user asks the same in other words.

    Args:
        again: the rewordings.
        ablation: of the prompts that they reword.
        features: whose effect is shown.
        reverse: whether they are brought in on failures, not taken away from them.
    """
    tests = again.ablation(features.site)
    here, there = (of.codes.fires(features.indices) != reverse for of in (ablation, tests))
    asked = np.flatnonzero((ablation.failed & here)[again.original])
    failing = asked[tests.failed[asked]]
    able = failing[there[failing]]
    if reverse and tests.codes.fires(features.indices)[tests.successes].any():
        able = with_roles(tests, features, able)
    counts = (len(asked), len(failing), len(able))
    missing = _missing(counts, len(np.unique(again.original[able])), tests, features, reverse)
    if missing is not None:
        return UnderRewordings(*counts, 0, None, None, None, None, 0, 0, missing)
    prompts = tests.drawn(able)
    margin, change = _changes(tests, features, prompts, reverse)
    originals = np.unique(again.original[prompts])
    _, of_originals = _changes(ablation, features, originals, reverse)
    low, high = bootstrap_mean(
        change, np.random.default_rng(again.seed), blocks=again.original[prompts]
    )
    wrong = margin <= 0
    return UnderRewordings(
        *counts,
        prompts=len(prompts),
        change=float(change.mean()),
        low=low,
        high=high,
        on_originals=float(of_originals.mean()),
        turned=int((margin + change > 0)[wrong].sum()),
        could_turn=int(wrong.sum()),
    )


def _missing(
    counts: tuple[int, int, int],
    originals: int,
    tests: Ablation,
    features: FeatureSet,
    reverse: bool,
) -> str | None:
    """Why nothing can be measured, or not be generalised; None if something can."""
    asked, failing, able = counts
    successes = tests.successes
    if reverse:
        successes = successes[tests.codes.fires(features.indices)[successes]]
    if len(successes) < LEAST_PROMPTS:
        which = "succeed and have it" if reverse else "succeed"
        return f"{len(successes)} rewordings {which}: at least {LEAST_PROMPTS} are needed"
    if originals < LEAST_PROMPTS:
        which = "can have it brought in" if reverse else "have it"
        return (
            f"of {asked} rewordings of its failures {failing} fail, and {able} of these, of "
            f"{originals} prompts, {which}: of at least {LEAST_PROMPTS} prompts they are needed"
        )
    return None


def _changes(
    tests: Ablation, features: FeatureSet, prompts: np.ndarray, reverse: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The margin of some prompts, and its change, `[prompts]` each."""
    placed = placed_again(tests, features, prompts, reverse)
    margin, _, changed, _ = tests.runner.margins(placed, prompts)
    return margin, changed - margin

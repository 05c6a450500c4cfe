"""Feature sets tested by intervening: each set's effects, and what is asked of it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions import reversed_test
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.after_find.after_find import ask_further
from faultlens.auditing.interventions.after_find.off_task import TextsElsewhere, texts_elsewhere
from faultlens.auditing.interventions.after_find.reworded_prompts import RewordedPrompts
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.interventions.effects import with_holm
from faultlens.auditing.interventions.equivalence import (
    equivalence_test,
    margin_gap,
    negligible,
)
from faultlens.auditing.interventions.family import DecidingTests, Family, TrialOutcome
from faultlens.auditing.interventions.patching.counterfactuals import share_restored
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.random_decoder import with_random_decoder
from faultlens.auditing.result import AfterFind
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.sites import Site
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureSetTests:
    """Tests of feature sets on the prompts of one task.

    Attributes:
        activations: the task as the model and the dictionaries see it.
        margin: of every prompt, `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
        succeeds: whether generated ids answer the prompt of that index.
        kept: finished tests of an interrupted run.
        random_decoder: whether everything is tested with random decoder directions as well.
        generated: what the model said after the prompts; None: it is not known.
        blocks: which prompts belong together, whole numbers `[prompts]`; None: none do.
    """

    lens: Lens
    task: Task
    activations: TaskActivations
    margin: np.ndarray
    failed: np.ndarray
    succeeds: Succeeds
    seed: int
    progress: Progress
    kept: Checkpoint
    random_decoder: bool = False
    generated: Generated | None = None
    blocks: np.ndarray | None = None
    _ablations: dict[str, Ablation] = field(default_factory=dict, repr=False)

    def ablation(self, site: str) -> Ablation:
        """The tests of one dictionary's features, set up once."""
        if site not in self._ablations:
            self._ablations[site] = Ablation(
                self.lens[site], self.activations, self.runs, self.failed, self.succeeds, self.seed,
                generated=self.generated, blocks=self.blocks,
            )  # fmt: skip
        return self._ablations[site]

    @property
    def gap(self) -> float:
        """Between the successes' and the failures' median margin, in nats."""
        return margin_gap(self.margin, self.failed)

    @cached_property
    def runs(self) -> CachedRuns:
        """Runs of the task's prompts, shared by all tests."""
        entries = [Site(site.layer, "resid_pre") for site in self.lens.sites]
        patched = sorted({*self.lens.sites, *entries}, key=lambda site: site.depth)
        sites = self.activations.values.sites if self.lens.dictionaries else tuple(patched)
        values = self.activations.values if self.lens.dictionaries else None
        return CachedRuns(self.lens.model, self.activations.tokens, sites, values)

    def tested(self, family: Family, pairs: Sequence[PairRuns]) -> dict[FeatureSet, TrialOutcome]:
        """Every member's outcome, with the equivalence test where no effect is shown."""
        found = [self._test(member, family) for member in family.members]
        outcomes = family.with_holm(found, negligible(self.gap))
        if self.random_decoder:
            outcomes = self._with_random_decoder(family, outcomes)
        return {
            features: self._asked_further(
                features, self._with_null(features, outcome, pairs), family
            )
            for features, outcome in zip(family.members, outcomes, strict=True)
        }

    def _test(self, features: FeatureSet, family: Family) -> TrialOutcome:
        def run() -> TrialOutcome:
            ablation, test = self.ablation(features.site), family.test
            turned = features in family.reverse
            prompts = reversed_test.cost(ablation, features) if turned else ablation.cost(features)
            tick = self.progress.start(f"Testing {features.first}", test.planned * prompts)
            found = (
                reversed_test.run_reversed(ablation, features, tick, test)
                if turned
                else ablation.run(features, tick, test)
            )
            if isinstance(found, str):
                return TrialOutcome(None, found)
            return TrialOutcome(found, None)

        return self.kept.once(family.checkpoint_name(features), TrialOutcome, run)

    def _with_random_decoder(
        self, family: Family, outcomes: Sequence[TrialOutcome]
    ) -> list[TrialOutcome]:
        """The outcomes with the same tests on random decoder directions; Holm over all of those."""
        found = [self._on_random_decoder(member, family) for member in family.members]
        effects = [effect for tested in found for effect in tested.effects]
        corrected = iter(with_holm(effects, family.level, negligible(self.gap)))
        return [
            outcome
            if outcome.intervention is None
            else replace(
                outcome,
                intervention=replace(
                    outcome.intervention, random_decoder=[next(corrected) for _ in tested.effects]
                ),
            )
            for outcome, tested in zip(outcomes, found, strict=True)
        ]

    def _on_random_decoder(self, features: FeatureSet, family: Family) -> DecidingTests:
        def run() -> DecidingTests:
            real, test = self.ablation(features.site), family.test
            ablation = replace(real, dictionary=with_random_decoder(real.dictionary, self.seed))
            cost = test.planned * ablation.cost(features)
            tick = self.progress.start(f"Testing {features.first}, random decoder", cost)
            if features in family.reverse:
                return DecidingTests(reversed_test.deciding_tests(ablation, features, tick, test))
            return DecidingTests(ablation.effects(features, tick, test))

        name = f"{family.checkpoint_name(features)}-random-decoder"
        return self.kept.once(name, DecidingTests, run)

    def _with_null(
        self, features: FeatureSet, outcome: TrialOutcome, pairs: Sequence[PairRuns]
    ) -> TrialOutcome:
        done = outcome.intervention
        if done is None or done.shown:
            return outcome
        ablation = self.ablation(features.site)
        fires = ablation.codes.fires(features.indices)
        failures = np.flatnonzero(self.failed & (~fires if done.reversed else fires))
        rows = (
            reversed_test.edited_rows(ablation, features, failures)
            if done.reversed
            else ablation.codes.firing_rows(features.indices, failures)
        )
        edited = ablation.positions(rows)
        restored, on = share_restored(self.lens[features.site], pairs, edited)
        null = equivalence_test(done.necessity, self.gap, restored, on)
        return replace(outcome, intervention=replace(done, null=null))

    @cached_property
    def _reworded(self) -> RewordedPrompts | None:
        return RewordedPrompts.of(self.lens, self.task, self.succeeds, self.seed)

    @cached_property
    def _elsewhere(self) -> list[TextsElsewhere]:
        return texts_elsewhere(self.lens.model, self.task.name)

    def _asked_further(
        self, features: FeatureSet, outcome: TrialOutcome, family: Family
    ) -> TrialOutcome:
        """The outcome with all that is asked of features whose effect is shown."""
        done = outcome.intervention
        if done is None or not done.shown:
            return outcome

        def run() -> AfterFind:
            ablation = self.ablation(features.site)
            return ask_further(ablation, features, done, self.task, self._elsewhere, self._reworded)

        after = self.kept.once(f"{family.checkpoint_name(features)}-after", AfterFind, run)
        return replace(outcome, intervention=replace(done, after=after))

"""Feature sets tested by intervening: each set's effects, and what is asked of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

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
from faultlens.auditing.interventions.deciding_test import DecidingTest
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.interventions.effects import Measured, as_large, with_holm
from faultlens.auditing.interventions.equivalence import (
    equivalence_test,
    margin_gap,
    negligible,
)
from faultlens.auditing.interventions.family import (
    DecidingTests,
    Family,
    FirstControls,
    TrialOutcome,
)
from faultlens.auditing.interventions.patching.counterfactuals import share_restored
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.random_decoder import with_random_decoder
from faultlens.auditing.result import AfterFind, Intervention
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.sites import Site
from faultlens.progress import Progress, Tick, no_tick
from faultlens.runs.checkpoint import Checkpoint
from faultlens.runs.stages import Elsewhere, Stage, Stages
from faultlens.stats.sequential import SequentialTest


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
        verdicts_alone: leave out what no verdict depends on: flips and other doses.
        elsewhere: who makes the stages that need nothing of each other; None: this process.
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
    verdicts_alone: bool = False
    elsewhere: Elsewhere | None = None
    _ablations: dict[str, Ablation] = field(default_factory=dict, repr=False)

    def ablation(self, site: str) -> Ablation:
        """The tests of one dictionary's features, set up once."""
        if site not in self._ablations:
            self._ablations[site] = Ablation(
                self.lens[site], self.activations, self.runs, self.failed, self.succeeds, self.seed,
                generated=self.generated, blocks=self.blocks,
                deciding_alone=self.verdicts_alone,
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
        outcomes = family.with_holm(self._tests(family), negligible(self.gap))
        if self.random_decoder:
            outcomes = self._with_random_decoder(family, outcomes)
        members = zip(family.members, outcomes, strict=True)
        return self._asked_further({m: self._with_null(m, o, pairs) for m, o in members}, family)

    def made(
        self,
        title: str,
        kind: type[Any],
        method: Callable[..., Any],
        stages: Mapping[str, tuple[Any, ...]],
        sizes: Sequence[int] | None = None,
    ) -> list[Any]:
        """What a method gives, as stages that need nothing of each other.

        Args:
            title: of all of them.
            kind: the dataclass that the method gives.
            method: of these tests; takes a tick last, which it tells of its size.
            stages: by name, the other arguments.
            sizes: what each counts for; None: 1.
        """
        who = Stages(self.kept, self.elsewhere, self.progress)
        wanted = [
            Stage(name, kind, method, arguments, size, with_model=True)
            for (name, arguments), size in zip(
                stages.items(), sizes or [1] * len(stages), strict=True
            )
        ]
        return who.made(title, wanted, lambda one, tick: method(self, *one.arguments, tick))

    def _tests(self, family: Family) -> list[TrialOutcome]:
        """Each member's outcome; first controls of all tell which of them can still be shown.

        A member that is tested later knows what those before it gave.
        """
        first: dict[FeatureSet, FirstControls] = {}
        if family.stop_early and len(family.members) > 1:
            names = {
                f"first-{family.checkpoint_name(member)}": (member, family)
                for member in family.members
            }
            begun = self.made("First controls", FirstControls, FeatureSetTests.begin, names)
            first = dict(zip(family.members, begun, strict=True))
        least = {member: of_it.least_p for member, of_it in first.items()}
        outcomes = []
        for member in family.members:
            others = [p for other, of_it in least.items() if other != member for p in of_it]
            own = len(least.get(member, []))
            test = family.test_beside(others, own) if others and own else family.test
            outcome = self._test(member, family, test, first[member].begun if first else {})
            least[member] = [] if outcome.intervention is None else [
                effect.p_value for effect in outcome.intervention.effects
            ]  # fmt: skip
            outcomes.append(outcome)
        return outcomes

    def begin(self, features: FeatureSet, family: Family, tick: Tick = no_tick) -> FirstControls:
        """A member's deciding tests with their first controls, and what these leave open."""
        ablation, test = self.ablation(features.site), family.test
        begun = {
            one.claim: ablation.begin(one, test)
            for one in self._deciding(ablation, features, family)
        }
        tick(1)
        return FirstControls(
            [test.least_p(as_large(found, claim)) for claim, found in begun.items()], begun
        )

    def _deciding(
        self, ablation: Ablation, features: FeatureSet, family: Family
    ) -> list[DecidingTest]:
        if features in family.reverse:
            return reversed_test.deciding_tests(ablation, features)
        return ablation.deciding(features)

    def _test(
        self,
        features: FeatureSet,
        family: Family,
        test: SequentialTest,
        begun: Mapping[str, Measured],
    ) -> TrialOutcome:
        def run() -> TrialOutcome:
            ablation = self.ablation(features.site)
            turned = features in family.reverse
            prompts = reversed_test.cost(ablation, features) if turned else ablation.cost(features)
            tick = self.progress.start(f"Testing {features.first}", test.planned * prompts)
            found = (
                reversed_test.run_reversed(ablation, features, tick, test, begun)
                if turned
                else ablation.run(features, tick, test, begun)
            )
            if isinstance(found, str):
                return TrialOutcome(None, found)
            return TrialOutcome(found, None)

        return self.kept.once(family.checkpoint_name(features), TrialOutcome, run)

    def _with_random_decoder(
        self, family: Family, outcomes: Sequence[TrialOutcome]
    ) -> list[TrialOutcome]:
        """The outcomes with the same tests on random decoder directions; Holm over all of those."""
        test = family.test
        found: list[DecidingTests] = self.made(
            "Testing with random decoders", DecidingTests, FeatureSetTests.on_random_decoder,
            {
                f"{family.checkpoint_name(member)}-random-decoder": (member, family)
                for member in family.members
            },
            [test.planned * self.ablation(m.site).cost(m) for m in family.members],
        )  # fmt: skip
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

    def on_random_decoder(
        self, features: FeatureSet, family: Family, tick: Tick = no_tick
    ) -> DecidingTests:
        """A member's deciding tests on random decoder directions."""
        real = self.ablation(features.site)
        ablation = replace(real, dictionary=with_random_decoder(real.dictionary, self.seed))
        deciding = self._deciding(ablation, features, family)
        return DecidingTests([ablation.effect(one, tick, family.test) for one in deciding])

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
    def _texts_elsewhere(self) -> list[TextsElsewhere]:
        return texts_elsewhere(self.lens.model, self.task.name)

    def _asked_further(
        self, outcomes: Mapping[FeatureSet, TrialOutcome], family: Family
    ) -> dict[FeatureSet, TrialOutcome]:
        """The outcomes with all that is asked of features whose effect is shown."""
        shown = {
            features: done
            for features, outcome in outcomes.items()
            if (done := outcome.intervention) is not None and done.shown
        }
        found: list[AfterFind] = self.made(
            "Asking further", AfterFind, FeatureSetTests.ask,
            {f"{family.checkpoint_name(f)}-after": (f, done) for f, done in shown.items()},
        )  # fmt: skip
        after = dict(zip(shown, found, strict=True))
        return {
            features: replace(outcome, intervention=replace(shown[features], after=after[features]))
            if features in shown
            else outcome
            for features, outcome in outcomes.items()
        }

    def ask(self, features: FeatureSet, done: Intervention, tick: Tick = no_tick) -> AfterFind:
        """What is asked of features whose effect is shown."""
        found = ask_further(
            self.ablation(features.site), features, done, self.task, self._texts_elsewhere,
            self._reworded,
        )  # fmt: skip
        tick(1)
        return found

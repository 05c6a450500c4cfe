"""Causal tests: classes, features that attribution names, and features that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.behaviour.outcomes import Rule
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions import reversed_test
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.after_find.after_find import ask_further
from faultlens.auditing.interventions.after_find.off_task import texts_elsewhere
from faultlens.auditing.interventions.attribution.search import Search
from faultlens.auditing.interventions.attribution.site_attribution import (
    RankedSite,
    site_attribution,
)
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.candidate import Candidate
from faultlens.auditing.interventions.causal_findings import (
    NONE_ASKED,
    CausalFindings,
    chosen_classes,
    to_be_tested,
)
from faultlens.auditing.interventions.class_pairs import (
    PAIRS_SHARE,
    ClassPair,
    likeliest,
    pairs_of,
)
from faultlens.auditing.interventions.decoding import Succeeds, succeeds_by
from faultlens.auditing.interventions.effects import with_holm
from faultlens.auditing.interventions.equivalence import (
    equivalence_test,
    margin_gap,
    negligible,
)
from faultlens.auditing.interventions.family import DecidingTests, Family, TrialOutcome
from faultlens.auditing.interventions.patching.counterfactuals import (
    run_counterfactuals,
    share_restored,
)
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.random_decoder import with_random_decoder
from faultlens.auditing.result import (
    AfterFind,
    Counterfactuals,
    JointTest,
    PromptOutcome,
    RequestedTest,
    Selection,
)
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.sites import Site
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class CausalTests:
    """Tests feature sets by intervening in the model, and swaps levels of factors.

    Attributes:
        activations: the task as the model and the dictionaries see it.
        margin: of every prompt, `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
        succeeds: whether generated ids answer the prompt of that index.
        attributed: how many of the features that attribution names first, over all sites, are
            tested; 0: nothing is attributed.
        stop_early: whether controls stop once a test can no longer be significant.
        random_decoder: whether everything is tested with random decoder directions as well.
        generated: what the model said after the prompts; None: it is not known.
        kept: finished tests of an interrupted run.
        requested: feature sets that the user wants tested, whatever the feature tests say.
        blocks: which prompts belong together, whole numbers `[prompts]`; None: none do.
    """

    lens: Lens
    task: Task
    activations: TaskActivations
    margin: np.ndarray
    failed: np.ndarray
    succeeds: Succeeds
    alpha: float
    seed: int
    attributed: int
    stop_early: bool
    progress: Progress
    kept: Checkpoint
    requested: Sequence[FeatureSet] = ()
    random_decoder: bool = False
    generated: Generated | None = None
    blocks: np.ndarray | None = None
    _ablations: dict[str, Ablation] = field(default_factory=dict, repr=False)

    @classmethod
    def configured(
        cls,
        config: AuditConfig,
        lens: Lens,
        task: Task,
        activations: TaskActivations,
        outcomes: Sequence[PromptOutcome],
        *,
        rule: Rule,
        requested: Sequence[FeatureSet],
        progress: Progress,
        kept: Checkpoint,
        generated: Generated | None = None,
    ) -> CausalTests:
        """The tests of an audit, of prompts whose outcomes have their margins.

        Args:
            config: level, seed, and what is tested.
            outcomes: one a prompt.
            rule: by which generated ids answer a prompt.
            requested: feature sets that the user wants tested.
            generated: what the model said after the prompts; None: it is not known.
        """
        return cls(
            lens=lens,
            task=task,
            activations=activations,
            margin=np.array([outcome.margin for outcome in outcomes]),
            failed=np.array([not outcome.success for outcome in outcomes]),
            succeeds=succeeds_by(rule, task, lens.model),
            alpha=config.alpha,
            seed=config.seed,
            attributed=config.interventions.test_attributed,
            stop_early=config.interventions.stop_early,
            progress=progress,
            kept=kept,
            requested=requested,
            random_decoder=config.interventions.random_decoder,
            generated=generated,
        )

    def run(
        self, candidates: Sequence[Candidate], most: int, selection: Selection
    ) -> CausalFindings:
        """Attribute the margin, swap levels, and test everything that is to be tested.

        Args:
            candidates: the classes that go with the outcome, the most certain first.
            most: how many of them are tested.
            selection: the levels that forward selection took.
        """
        classes = [candidate.features for candidate in candidates]
        tested_classes = chosen_classes(candidates, most)
        chosen = [candidate.features for candidate in tested_classes]
        search = self._search(candidates, chosen)
        tested = [*chosen, *search.feature_sets]
        reverse = self._reverse(candidates)
        pairs_planned = pairs_of(
            [c for c in candidates if c.features in chosen or c.features in search.feature_sets]
        )
        share = 1 - PAIRS_SHARE if pairs_planned else 1.0
        found = Family.of("found", tested, self.alpha, self.stop_early, share, reverse)
        others = [features for features in self.requested if features not in found.members]
        requested = Family.of("requested", others, self.alpha, self.stop_early, reverse=reverse)
        swaps, pairs = run_counterfactuals(
            self.lens, self.task, self.runs, self.margin, self.failed, selection, found.members,
            requested=requested.members, succeeds=self.succeeds, alpha=self.alpha, seed=self.seed,
            blocks=self.blocks, progress=self.progress,
        )  # fmt: skip
        outcomes = {**self._tested(found, pairs), **self._tested(requested, pairs)}
        together = self._together(pairs_planned, {m: outcomes[m] for m in found.members}, pairs)
        done = {features: outcome.intervention for features, outcome in outcomes.items()}
        return CausalFindings(
            {
                features: intervention
                for features in classes
                if (intervention := done.get(features)) is not None
            },
            _untried(candidates, most, outcomes),
            swaps,
            search.with_outcomes(outcomes.__getitem__),
            [
                self._requested_test(n, outcomes[n], _why_not_alone(n, found, chosen, classes))
                for n in self.requested
            ],
            together,
        )

    def grouped(self, blocks: np.ndarray | None) -> CausalTests:
        """The same tests of prompts that belong together: see `blocks`."""
        return replace(self, blocks=blocks, _ablations={})

    def check_requested(self) -> list[str]:
        """What to know of the named features: a sentence on each that never fires in a set.

        Raises UserError for a set of which nothing fires on any prompt.
        """
        warnings = []
        for named in self.requested:
            codes, n = self.ablation(named.site).codes, len(self.task)
            if not codes.fires(named.indices).any():
                raise UserError(
                    f"test_features: {named} fires on none of the {n} "
                    f"prompts of {self.task.name}, so there is nothing to take away: expected "
                    "a feature that fires on some of them (`faultlens tokens` shows which do)"
                )
            warnings += [
                f"test_features: of {named}, {named.site}/{index} fires on none of the {n} "
                "prompts, so that the others alone are tested"
                for index in named.indices
                if not codes.fires([index]).any()
            ]
        return warnings

    def none_tested(self, verdict: str | None) -> list[RequestedTest]:
        """The features that the user named, where the audit ended before anything was tested."""
        why = TrialOutcome(None, verdict or "no feature fires on enough prompts to be tested")
        return [self._requested_test(named, why, None) for named in self.requested]

    def ablation(self, site: str) -> Ablation:
        """The tests of one dictionary's features, set up once."""
        if site not in self._ablations:
            self._ablations[site] = Ablation(
                self.lens[site], self.activations, self.runs, self.failed, self.succeeds, self.seed,
                generated=self.generated, blocks=self.blocks,
            )  # fmt: skip
        return self._ablations[site]

    def swaps_alone(self, selection: Selection) -> CausalFindings:
        """Swap levels, and patch the whole values of the lens's sites: all that needs no features.

        Args:
            selection: the levels that forward selection took.
        """

        def run() -> Counterfactuals:
            found, _ = run_counterfactuals(
                self.lens, self.task, self.runs, self.margin, self.failed, selection, (),
                succeeds=self.succeeds, alpha=self.alpha, seed=self.seed, blocks=self.blocks,
                progress=self.progress,
            )  # fmt: skip
            return found

        return CausalFindings(counterfactuals=self.kept.once("swaps", Counterfactuals, run))

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

    def _requested_test(
        self, named: FeatureSet, outcome: TrialOutcome, not_alone: str | None
    ) -> RequestedTest:
        """What testing the features that the user named gave, once all is tested."""
        fires = self.ablation(named.site).codes.fires(named.indices)
        return RequestedTest(
            named.names,
            int((fires & self.failed).sum()),
            int((fires & ~self.failed).sum()),
            outcome.intervention,
            outcome.reason or not_alone,
        )

    def _tested(self, family: Family, pairs: Sequence[PairRuns]) -> dict[FeatureSet, TrialOutcome]:
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
    def _elsewhere(self) -> dict[str, list[list[int]]]:
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
            return ask_further(ablation, features, done, self.task, self._elsewhere)

        after = self.kept.once(f"{family.checkpoint_name(features)}-after", AfterFind, run)
        return replace(outcome, intervention=replace(done, after=after))

    def _search(self, candidates: Sequence[Candidate], tested: Sequence[FeatureSet]) -> Search:
        """Attribution at every site, if attributed features are to be tested."""
        sites = [d.name for d in self.lens.dictionaries] if self.attributed else []
        ranked = {site: self._attribution(site, candidates) for site in sites}
        return Search.of(ranked, [c.features for c in candidates], self.attributed, tested)

    def _reverse(self, candidates: Sequence[Candidate]) -> set[FeatureSet]:
        """What is tested the other way round: classes, and named features, that go with success."""
        known = {candidate.features: candidate.with_failure for candidate in candidates}
        reverse = {features for features, with_failure in known.items() if not with_failure}
        for features in self.requested:
            fires = self.ablation(features.site).codes.fires(features.indices)
            if features not in known and reversed_test.goes_with_success(
                fires, self.failed, self.alpha
            ):
                reverse.add(features)
        return reverse

    def _together(
        self,
        planned: Sequence[ClassPair],
        alone: Mapping[FeatureSet, TrialOutcome],
        pairs: Sequence[PairRuns],
    ) -> list[JointTest]:
        """The likeliest pair of classes, where none is a cause by itself."""
        pair = likeliest(planned, alone)
        if pair is None:
            return []
        family = Family.of("together", [pair.features], self.alpha, self.stop_early, PAIRS_SHARE)
        outcomes = self._tested(family, pairs)
        return [pair.test(outcomes[pair.features], alone)]

    def _attribution(self, site: str, candidates: Sequence[Candidate]) -> RankedSite:
        classes = {
            index: candidate.rank
            for candidate in candidates
            if candidate.features.site == site
            for index in candidate.features.indices
        }

        def run() -> RankedSite:
            tick = self.progress.start(f"Attributing to {site}", len(self.task))
            return site_attribution(
                self.lens[site], self.activations, self.failed,
                seed=self.seed, classes=classes, progress=tick,
            )  # fmt: skip

        return self.kept.once(f"attribution-{site}", RankedSite, run)


def _why_not_alone(
    named: FeatureSet,
    found: Family,
    chosen: Sequence[FeatureSet],
    classes: Sequence[FeatureSet],
) -> str | None:
    """Why the features that the user named have no report of their own; None if they have one."""
    own = next((features for features in classes if features == named), None)
    if own is not None:
        why = "as the feature tests found it" if own in chosen else "as attribution names it"
        why = why if named in found.members else "because it was named"
        return f"it is the class of {own.first}, which was tested {why}"
    if named in found.members:
        return "attribution names it among the first: it was tested for that"
    return None


def _untried(
    candidates: Sequence[Candidate], most: int, outcomes: dict[FeatureSet, TrialOutcome]
) -> dict[str, str]:
    """Why those that were to be tested, and the leading class, were not."""
    why = {}
    for candidate in to_be_tested(candidates, most):
        outcome = outcomes.get(candidate.features)
        if outcome is None:
            why[candidate.features.first] = NONE_ASKED
        elif outcome.reason is not None:
            why[candidate.features.first] = outcome.reason
    return why

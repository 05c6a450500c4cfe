"""Causal tests: classes, features that attribution names, and features that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.behaviour.outcomes import Rule
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions import reversed_test
from faultlens.auditing.interventions.ablation import LEAST_PROMPTS, NORMAL
from faultlens.auditing.interventions.attribution.search import Search
from faultlens.auditing.interventions.attribution.site_attribution import (
    RankedSite,
    site_attribution,
)
from faultlens.auditing.interventions.candidate import Candidate
from faultlens.auditing.interventions.causal_findings import (
    CausalFindings,
    chosen_classes,
    untried,
    why_not_alone,
)
from faultlens.auditing.interventions.class_pairs import (
    PAIRS_SHARE,
    ClassPair,
    likeliest,
    pairs_of,
)
from faultlens.auditing.interventions.decoding import succeeds_by
from faultlens.auditing.interventions.family import Family, TrialOutcome
from faultlens.auditing.interventions.feature_set_tests import FeatureSetTests
from faultlens.auditing.interventions.patching.counterfactuals import (
    run_counterfactuals,
    swapped_pairs,
)
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.placed_edit import edit_where_firing
from faultlens.auditing.result import (
    Counterfactuals,
    JointTest,
    PromptOutcome,
    RequestedTest,
    Selection,
)
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.progress import Progress, Tick, no_tick
from faultlens.runs.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, kw_only=True)
class CausalTests(FeatureSetTests):
    """Chooses the feature sets to be tested by intervening, and swaps levels of factors.

    Attributes:
        attributed: how many of the features that attribution names first, over all sites, are
            tested; 0: nothing is attributed.
        stop_early: whether controls stop once a test can no longer be significant.
        requested: feature sets that the user wants tested, whatever the feature tests say.
    """

    alpha: float
    attributed: int
    stop_early: bool
    requested: Sequence[FeatureSet] = ()

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
        swaps: Counterfactuals | None = None
        if self.verdicts_alone:
            pairs = swapped_pairs(self.lens.model, self.task, self.runs, selection, self.blocks)
        else:
            swaps, pairs = run_counterfactuals(
                self.lens, self.task, self.runs, self.margin, self.failed, selection,
                found.members, requested=requested.members, succeeds=self.succeeds,
                alpha=self.alpha, seed=self.seed, blocks=self.blocks, progress=self.progress,
            )  # fmt: skip
        outcomes = {**self.tested(found, pairs), **self.tested(requested, pairs)}
        together = self._together(pairs_planned, {m: outcomes[m] for m in found.members}, pairs)
        done = {features: outcome.intervention for features, outcome in outcomes.items()}
        return CausalFindings(
            {
                features: intervention
                for features in classes
                if (intervention := done.get(features)) is not None
            },
            untried(candidates, most, outcomes),
            swaps,
            search.with_outcomes(outcomes.__getitem__),
            [
                self._requested_test(n, outcomes[n], why_not_alone(n, found, chosen, classes))
                for n in self.requested
            ],
            together,
        )

    def grouped(self, blocks: np.ndarray | None) -> CausalTests:
        """The same tests of prompts that belong together: see `blocks`."""
        return replace(self, blocks=blocks, _ablations={})

    def for_verdicts(self) -> CausalTests:
        """The same tests without what no verdict depends on: see `verdicts_alone`."""
        return replace(self, verdicts_alone=True, _ablations={})

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

    def _search(self, candidates: Sequence[Candidate], tested: Sequence[FeatureSet]) -> Search:
        """Attribution at every site, if attributed features are to be tested."""
        sites = [d.name for d in self.lens.dictionaries] if self.attributed else []
        ranked: list[RankedSite] = self.made(
            "Attributing the margin", RankedSite, CausalTests.attribute,
            {f"attribution-{site}": (site, _by_feature(site, candidates)) for site in sites},
            [len(self.task)] * len(sites),
        )  # fmt: skip
        found, classes = dict(zip(sites, ranked, strict=True)), [c.features for c in candidates]
        return Search.of(found, classes, self.attributed, tested, self._effect_of)

    def attribute(self, site: str, classes: Mapping[int, int], tick: Tick = no_tick) -> RankedSite:
        """The margin attributed to one dictionary's features.

        Args:
            site: the dictionary's name.
            classes: of each of its features that is in one, the rank of its class.
            tick: told of the prompts.
        """
        return site_attribution(
            self.lens[site], self.activations, self.failed,
            seed=self.seed, classes=classes, progress=tick,
        )  # fmt: skip

    def _effect_of(self, features: FeatureSet) -> float:
        """How far setting features to normal moves the margin, nats: mean over all failures."""
        ablation = self.ablation(features.site)
        firing = np.flatnonzero(self.failed & ablation.codes.fires(features.indices))
        if len(firing) < LEAST_PROMPTS:
            return 0.0
        prompts = ablation.drawn(firing)
        placed = edit_where_firing(NORMAL, ablation.context, features, prompts)
        margin, _, changed, _ = ablation.runner.margins(placed, prompts)
        return float((changed - margin).mean()) * len(firing) / int(self.failed.sum())

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
        outcomes = self.tested(family, pairs)
        return [pair.test(outcomes[pair.features], alone)]


def _by_feature(site: str, candidates: Sequence[Candidate]) -> dict[int, int]:
    """Of each feature of a dictionary that is in a class, the class's rank."""
    return {
        index: candidate.rank
        for candidate in candidates
        if candidate.features.site == site
        for index in candidate.features.indices
    }

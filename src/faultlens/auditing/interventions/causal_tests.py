"""Court: classes, finds of the search and what the user named are tried, and levels are swapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from faultlens.auditing.activations.alignment import TokenAlignment
from faultlens.auditing.activations.site_values import SiteValues
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.attribution.search import Search
from faultlens.auditing.interventions.attribution.site_attribution import site_attribution
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.interventions.equivalence import margin_gap, null_of
from faultlens.auditing.interventions.family import Family, TrialOutcome
from faultlens.auditing.interventions.patching.counterfactuals import (
    MOST_SWAPS,
    Swapped,
    assay_restored,
    run_counterfactuals,
)
from faultlens.auditing.result import Intervention, NamedTrial, Selection, SiteAttribution
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint

NONE_ASKED = "the audit was told to try no class (tried = 0)"
WITH_SUCCESS = "it goes with success: only classes that go with failure are tried unasked"


@dataclass(frozen=True, eq=False)
class CausalTests:
    """The model, the task and what happened: all that it takes to try classes; an `Inquiry`.

    Attributes:
        margin: of every prompt, `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
        succeeds: whether generated ids answer the prompt of that index.
        searched: how many of the features that attribution names first, over all sites, are tried.
        kept: finished trials of an interrupted run.
        named: what the user wants to be tried, whatever the statistics say.
    """

    lens: Lens
    task: Task
    tokens: TaskTokens
    margin: np.ndarray
    failed: np.ndarray
    succeeds: Succeeds
    alpha: float
    seed: int
    searched: int
    progress: Progress
    kept: Checkpoint
    named: Sequence[FeatureSet] = ()
    _trials: dict[str, Ablation] = field(default_factory=dict, repr=False)

    def __call__(
        self, significant: Sequence[FeatureSet], tried_classes: int, selection: Selection
    ) -> CausalFindings:
        """Search for causes, swap levels, try everyone, and settle what is shown."""
        chosen = [a for a in significant if a.with_failure][:tried_classes]
        search = self._search(significant)
        found = Family.of("found", [*chosen, *search.accused], self.alpha)
        named = Family.of("named", [n for n in self.named if not found.twin(n)], self.alpha)
        swaps, swapped = run_counterfactuals(
            self.lens, self.task, self.tokens, self.margin, self.failed, selection,
            [(a.site, a.features) for a in found.accused],
            named=[(n.site, n.features) for n in named.accused],
            succeeds=self.succeeds, alpha=self.alpha, seed=self.seed,
            progress=self.progress.start("Swapping levels", self._at_levels(selection)),
        )  # fmt: skip
        record = _Record([*self._tried(found, swapped), *self._tried(named, swapped)])
        by_class = [(a, record.of(a)) for a in significant]
        return CausalFindings(
            {
                a.rank: trial.intervention
                for a, trial in by_class
                if a.rank is not None and trial is not None and trial.intervention is not None
            },
            _untried(significant, chosen, record),
            swaps,
            search.told(record.that_of),
            [self._named(n, record, _why_not_alone(n, found, chosen, significant))
             for n in self.named],
        )  # fmt: skip

    def check_named(self) -> list[str]:
        """What to know of the named features: a sentence on each that never fires in a set.

        Raises UserError for a set of which nothing fires on any prompt.
        """
        warnings = []
        for named in self.named:
            codes, n = self.trials(named.site).codes, len(self.task)
            if not codes.fires(named.features).any():
                raise UserError(
                    f"suspect {named.name} fires on none of the {n} "
                    f"prompts of {self.task.name}, so there is nothing to take away: expected "
                    "a feature that fires on some of them (`faultlens tokens` shows which do)"
                )
            warnings += [
                f"suspect {named.name}: {named.site}/{feature} fires on none of the {n} prompts, "
                "so that the trial is of the others alone"
                for feature in named.features
                if not codes.fires([feature]).any()
            ]
        return warnings

    def none_tried(self, verdict: str | None) -> list[NamedTrial]:
        """What the user named, where the audit ended before anything could be tried."""
        why = TrialOutcome(None, verdict or "no feature fires on enough prompts to be tested")
        record = _Record([(named, why) for named in self.named])
        return [self._named(named, record, None) for named in self.named]

    @cached_property
    def values(self) -> SiteValues:
        """At all audited sites, read once for all that needs them."""
        return SiteValues.of_lens(self.lens, self.tokens)

    def trials(self, site: str) -> Ablation:
        """What tries the features of one dictionary, set up once."""
        if site not in self._trials:
            self._trials[site] = Ablation(
                self.lens.model, self.lens[site], self.tokens, self._roles, self.failed,
                self.succeeds, self.seed, values=self.values,
            )  # fmt: skip
        return self._trials[site]

    @cached_property
    def _roles(self) -> TokenAlignment:
        """Of the task's tokens: the same for every dictionary."""
        return TokenAlignment.of(self.lens.model, self.task, self.tokens)

    def _at_levels(self, selection: Selection) -> int:
        """How many prompts have a level that is to be swapped."""
        levels = {(taken.factor, taken.level) for taken in selection.selected[:MOST_SWAPS]}
        return sum(pair in levels for p in self.task.prompts for pair in p.factors.items())

    def _named(self, named: FeatureSet, record: _Record, not_alone: str | None) -> NamedTrial:
        """What came of what the user named, once everything is settled."""
        trial = record.that_of(named)
        fires = self.trials(named.site).codes.fires(named.features)
        return NamedTrial(
            named.names,
            int((fires & self.failed).sum()),
            int((fires & ~self.failed).sum()),
            trial.intervention,
            trial.reason or not_alone,
        )

    def _tried(
        self, family: Family, swapped: Sequence[Swapped]
    ) -> list[tuple[FeatureSet, TrialOutcome]]:
        """Every member's trial, settled, with the null where no effect is shown."""
        trials = family.settled([self._try(accused, family) for accused in family.accused])
        return [
            (accused, trial)
            if trial.intervention is None or trial.intervention.shown
            else (
                accused,
                TrialOutcome(self._with_null(trial.intervention, accused, swapped), None),
            )
            for accused, trial in zip(family.accused, trials, strict=True)
        ]

    def _try(self, accused: FeatureSet, family: Family) -> TrialOutcome:
        def run() -> TrialOutcome:
            trials, controls = self.trials(accused.site), family.controls
            tick = self.progress.start(
                f"Trying {accused.name}", controls * trials.cost(accused.features)
            )
            found = trials.run(accused.features, tick, controls)
            return (
                TrialOutcome(None, found) if isinstance(found, str) else TrialOutcome(found, None)
            )

        return self.kept.once(family.stage(accused), TrialOutcome, run)

    def _with_null(
        self, done: Intervention, accused: FeatureSet, swapped: Sequence[Swapped]
    ) -> Intervention:
        trials = self.trials(accused.site)
        longest = max(len(row) for row in self.tokens.scored)
        edited = np.zeros((len(self.failed), longest), dtype=bool)
        for prompt in np.flatnonzero(self.failed & trials.codes.fires(accused.features)):
            edited[prompt, trials.edited_positions(accused.features, int(prompt))] = True
        dictionary = self.lens[accused.site]
        restored, on = assay_restored(self.lens.model, dictionary, self.tokens, swapped, edited)
        gap = margin_gap(self.margin, self.failed)
        return replace(done, null=null_of(done.necessity, gap, restored, on))

    def _search(self, significant: Sequence[FeatureSet]) -> Search:
        """Attribution at every site, if causes are to be searched for."""
        sites = [d.name for d in self.lens.dictionaries] if self.searched else []
        found = {site: self._attribution(site, significant) for site in sites}
        return Search.of(found, significant, self.searched)

    def _attribution(self, site: str, significant: Sequence[FeatureSet]) -> SiteAttribution:
        def run() -> SiteAttribution:
            tick = self.progress.start(f"Attributing to {site}", len(self.task))
            return site_attribution(
                self.lens.model, self.lens[site], self.tokens, self.failed, seed=self.seed,
                classes={
                    f: a.rank
                    for a in significant
                    if a.site == site and a.rank is not None
                    for f in a.features
                },
                progress=tick, values=self.values,
            )  # fmt: skip

        return self.kept.once(f"attribution-{site}", SiteAttribution, run)


@dataclass(frozen=True)
class _Record:
    """All trials, settled."""

    trials: Sequence[tuple[FeatureSet, TrialOutcome]]

    def of(self, accused: FeatureSet) -> TrialOutcome | None:
        """The trial of these features; None: they were not tried."""
        return next((trial for one, trial in self.trials if one.same_as(accused)), None)

    def that_of(self, accused: FeatureSet) -> TrialOutcome:
        """The trial of features that were tried."""
        trial = self.of(accused)
        assert trial is not None, accused.name
        return trial


def _why_not_alone(
    named: FeatureSet,
    found: Family,
    chosen: Sequence[FeatureSet],
    significant: Sequence[FeatureSet],
) -> str | None:
    """Why what the user named has no report of its own; None where it has."""
    own = next((a for a in significant if a.same_as(named)), None)
    if own is not None:
        since = "as the statistics found it" if own in chosen else "as the search found it"
        since = since if found.twin(named) else "because it was named"
        return f"it is the class of {own.name}, which was tried {since}"
    if found.twin(named):
        return "attribution names it among the first: the search tried it"
    return None


def _untried(
    significant: Sequence[FeatureSet], chosen: Sequence[FeatureSet], record: _Record
) -> dict[str, str]:
    """Why those that were to be tried, and the suspect, were not."""
    first = [a for a in significant if a.with_failure] or significant
    why = {}
    for accused in [*chosen, *(a for a in first[:1] if a not in chosen)]:
        trial = record.of(accused)
        if trial is None:
            why[accused.name] = NONE_ASKED if accused.with_failure else WITH_SUCCESS
        elif trial.reason is not None:
            why[accused.name] = trial.reason
    return why

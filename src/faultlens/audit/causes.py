"""Steps 7 and 8 put together: classes are tried, swaps are made, and the causes are searched for.

All decisive effects of one audit, of the classes, of what the user named and of what the search
adds, make one family: Holm runs over them, and only then is an effect shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

import numpy as np

from faultlens.audit.attribution import site_attribution
from faultlens.audit.counterfactuals import (
    MOST_SWAPS,
    Swapped,
    assay_restored,
    run_counterfactuals,
)
from faultlens.audit.interventions import CONTROLS, Trials
from faultlens.audit.interventions.decoding import Succeeds
from faultlens.audit.interventions.effects import settled
from faultlens.audit.interventions.nulls import margin_gap, null_of
from faultlens.audit.interventions.roles import Roles
from faultlens.audit.interventions.trials import LEAST_PROMPTS
from faultlens.audit.steps import (
    Attributed,
    Counterfactuals,
    Effect,
    Intervention,
    NamedTrial,
    Selection,
    SiteAttribution,
)
from faultlens.audit.task_tokens import TaskTokens
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.progress import Progress
from faultlens.runs.checkpoint import Checkpoint

NOT_AMONG = "not among the features that attribution names first, over all sites"


@dataclass(frozen=True)
class Accused:
    """Features of one dictionary that are to be tried: a class, or what the user named."""

    rank: int | None  # among all classes; None: named by the user
    site: str
    features: list[int]
    with_failure: bool = True  # goes with failure, not with success

    @property
    def name(self) -> str:
        """A class's strongest member; all that the user named."""
        members = self.features[:1] if self.rank is not None else self.features
        return "+".join(f"{self.site}/{feature}" for feature in members)

    def same_as(self, other: Accused) -> bool:
        """Whether both are the same features."""
        return self.site == other.site and set(self.features) == set(other.features)


@dataclass(frozen=True)
class Causes:
    """What the trials gave.

    Attributes:
        interventions: by the class's rank.
        untried: by the name of a class's strongest member, why it could not be tried.
        counterfactuals: the swaps.
        attribution: by site.
        named: what the user wanted to be tried.
    """

    interventions: Mapping[int, Intervention] = field(default_factory=dict)
    untried: Mapping[str, str] = field(default_factory=dict)
    counterfactuals: Counterfactuals | None = None
    attribution: Mapping[str, SiteAttribution] = field(default_factory=dict)
    named: Sequence[NamedTrial] = ()


Inquiry = Callable[[Sequence[Accused], int, Selection], Causes]
"""Tries the first so many of the significant classes, given what forward selection took."""


@dataclass(frozen=True)
class _Trial:
    """One class's trial: what was found, or the reason why it could not be tried."""

    intervention: Intervention | None
    reason: str | None


@dataclass(frozen=True)
class _Test:
    """One searched feature's test, likewise."""

    effect: Effect | None
    reason: str | None


@dataclass(frozen=True, eq=False)
class Court:
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
    named: Sequence[Accused] = ()
    _trials: dict[str, Trials] = field(default_factory=dict, repr=False)

    def __call__(
        self, significant: Sequence[Accused], tried_classes: int, selection: Selection
    ) -> Causes:
        """Swap levels, try the classes, search for causes, and settle what is shown."""
        accused = [a for a in significant if a.with_failure][:tried_classes]
        named = [n for n in self.named if not any(n.same_as(a) for a in accused)]
        everyone = [*accused, *named]
        controls = controls_for(2 * len(everyone) + self.searched, self.alpha)
        swaps, swapped = run_counterfactuals(
            self.lens, self.task, self.tokens, self.margin, self.failed, selection,
            [(a.site, a.features) for a in accused], named=[(n.site, n.features) for n in named],
            succeeds=self.succeeds, alpha=self.alpha, seed=self.seed,
            progress=self.progress.start("Swapping levels", self._at_levels(selection)),
        )  # fmt: skip
        trials = {a.name: self._try(a, controls) for a in everyone}
        tried = {name: t.intervention for name, t in trials.items() if t.intervention is not None}
        tried, attribution = settle(tried, self._search(significant, controls), self.alpha)
        for a in everyone:
            if a.name in tried and not tried[a.name].shown:
                tried[a.name] = self._with_null(tried[a.name], a, swapped)
        reasons = {a.name: trials[a.name].reason for a in accused}
        return Causes(
            {a.rank: tried[a.name] for a in accused if a.rank is not None and a.name in tried},
            {name: reason for name, reason in reasons.items() if reason is not None},
            swaps,
            attribution,
            [self._named(n, accused, tried, trials) for n in self.named],
        )

    def _at_levels(self, selection: Selection) -> int:
        """How many prompts have a level that is to be swapped."""
        levels = {(taken.factor, taken.level) for taken in selection.selected[:MOST_SWAPS]}
        return sum(pair in levels for p in self.task.prompts for pair in p.factors.items())

    def check_named(self) -> None:
        """Raises UserError for a named feature that fires in none of the prompts."""
        for named in self.named:
            codes = self.trials(named.site).codes
            for feature in named.features:
                if not codes.fires([feature]).any():
                    raise UserError(
                        f"suspect {named.site}/{feature} fires on none of the {len(self.task)} "
                        f"prompts of {self.task.name}, so there is nothing to take away: expected "
                        "a feature that fires on some of them (`faultlens tokens` shows which do)"
                    )

    def none_tried(self, verdict: str | None) -> list[NamedTrial]:
        """What the user named, where the audit ended before anything could be tried."""
        why = verdict or "no feature fires on enough prompts to be tested"
        return [self._named(n, [], {}, {n.name: _Trial(None, why)}) for n in self.named]

    def _named(
        self,
        named: Accused,
        accused: Sequence[Accused],
        tried: Mapping[str, Intervention],
        trials: Mapping[str, _Trial],
    ) -> NamedTrial:
        """What came of what the user named, once everything is settled."""
        twin = next((a for a in accused if named.same_as(a)), None)
        name = named.name if twin is None else twin.name
        reason = trials[name].reason
        if twin is not None and reason is None:
            reason = f"it is the class of {name}, which was tried as the statistics found it"
        fires = self.trials(named.site).codes.fires(named.features)
        return NamedTrial(
            [f"{named.site}/{feature}" for feature in named.features],
            int((fires & self.failed).sum()),
            int((fires & ~self.failed).sum()),
            tried.get(name),
            reason,
        )

    def trials(self, site: str) -> Trials:
        """What tries the features of one dictionary, set up once."""
        if site not in self._trials:
            self._trials[site] = Trials(
                self.lens.model, self.lens[site], self.tokens, self._roles, self.failed,
                self.succeeds, self.seed,
            )  # fmt: skip
        return self._trials[site]

    @cached_property
    def _roles(self) -> Roles:
        """Of the task's tokens: the same for every dictionary."""
        return Roles.of(self.lens.model, self.task, self.tokens)

    def _try(self, accused: Accused, controls: int) -> _Trial:
        def run() -> _Trial:
            trials = self.trials(accused.site)
            tick = self.progress.start(
                f"Trying {accused.name}", controls * trials.cost(accused.features)
            )
            found = trials.run(accused.features, tick, controls)
            return _Trial(None, found) if isinstance(found, str) else _Trial(found, None)

        whose = "trial" if accused.rank is not None else "named"
        return self.kept.once(f"{whose}-{accused.name.replace('/', '-')}", _Trial, run)

    def _with_null(
        self, done: Intervention, accused: Accused, swapped: Sequence[Swapped]
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

    def _search(self, significant: Sequence[Accused], controls: int) -> dict[str, SiteAttribution]:
        """Attribution at every site; the features that it names first are tried."""
        if not self.searched:
            return {}
        found = {d.name: self._attribution(d.name, significant) for d in self.lens.dictionaries}
        named = [
            (reading.gradient_failures - reading.gradient_successes, site, reading.feature)
            for site, attribution in found.items()
            for reading in attribution.top
        ]
        first = {feature for _, _, feature in sorted(named)[: self.searched]}

        def tested(reading: Attributed) -> Attributed:
            if reading.feature not in first:
                return replace(reading, effect_missing=NOT_AMONG)
            site, _, index = reading.feature.rpartition("/")
            test = self._test(site, int(index), controls)
            return replace(reading, effect=test.effect, effect_missing=test.reason)

        return {
            site: replace(attribution, top=[tested(reading) for reading in attribution.top])
            for site, attribution in found.items()
        }

    def _attribution(self, site: str, significant: Sequence[Accused]) -> SiteAttribution:
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
                progress=tick,
            )  # fmt: skip

        return self.kept.once(f"attribution-{site}", SiteAttribution, run)

    def _test(self, site: str, feature: int, controls: int) -> _Test:
        def run() -> _Test:
            trials = self.trials(site)
            prompts = np.flatnonzero(self.failed & trials.codes.fires([feature]))
            if len(prompts) < LEAST_PROMPTS:
                return _Test(None, f"it fires on {len(prompts)} failures")
            drawn = trials.drawn(prompts)
            tick = self.progress.start(f"Trying {site}/{feature}", controls * len(drawn))
            return _Test(trials.necessity([feature], drawn, tick, controls), None)

        return self.kept.once(f"search-{site}-{feature}", _Test, run)


def controls_for(effects: int, alpha: float) -> int:
    """How many controls each of a family's effects is given: at least 199.

    The least p is 1 / (controls + 1), and Holm multiplies it by the size of the family: with more
    effects 199 controls could show nothing. A quarter more than the bare number is taken.

    >>> controls_for(8, 0.05), controls_for(12, 0.05)
    (199, 299)
    """
    return max(CONTROLS, 100 * ceil(1.25 * effects / alpha / 100) - 1)


def settle(
    tried: Mapping[str, Intervention], attribution: Mapping[str, SiteAttribution], alpha: float
) -> tuple[dict[str, Intervention], dict[str, SiteAttribution]]:
    """The same with every effect's p after Holm over all of them, and whether it is shown."""
    effects = [effect for done in tried.values() for effect in done.effects]
    for site in attribution.values():
        effects += [reading.effect for reading in site.top if reading.effect is not None]
    after = iter(settled(effects, alpha))
    interventions = {
        name: replace(
            done,
            necessity=next(after),
            sufficiency=next(after) if done.sufficiency else None,
        )
        for name, done in tried.items()
    }
    sites = {
        name: replace(
            site,
            top=[
                reading if reading.effect is None else replace(reading, effect=next(after))
                for reading in site.top
            ],
        )
        for name, site in attribution.items()
    }
    return interventions, sites

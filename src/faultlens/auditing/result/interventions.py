"""Step 7: interventions. What changing a class does to the answers, against matched controls."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlens.auditing.result.after_find import AfterFind

RESTORES = 0.5  # share of failures beyond the controls that a cause restores
RESTORES_LOW = 0.25  # lower bound of its 95 % interval


@dataclass(frozen=True)
class ControlFamily:
    """The controls of one kind, by themselves; the test takes both kinds together."""

    name: str
    """`features`: decoder directions of other features, at each token as long as the class's
    change; `covariance`: directions drawn from the covariance of the site's values at the edited
    tokens, of the same lengths."""
    controls: int
    """Number of controls of this kind that were run."""
    as_large: int
    """Number of them with at least the class's change."""
    change: float
    """Their mean change of the margin, nats."""
    p_value: float
    """(1 + `as_large`) / (`controls` + 1): described."""


@dataclass(frozen=True)
class Effect:
    """One decisive test: what a change of a class does, against controls.

    Changes are of the margin `strongest right logit − strongest other` where the answer begins, in
    nats, averaged over prompts. An effect counts in the direction of its claim: up for necessity
    (failures recover), down for sufficiency (successes break).
    """

    claim: str  # "necessity" or "sufficiency"
    kind: str  # e.g. "set to the successes' mean"
    on: str  # e.g. "failures where the class fires"
    positions: str
    """Tokens that were edited."""
    prompts: int
    """Number of prompts."""
    change: float
    """Mean change of the margin, nats."""
    control_change: float  # mean over the controls
    adjusted: float  # change − control_change
    low: float  # bootstrap over prompts, 95 %, of the adjusted change
    high: float
    """Upper end of the same interval."""
    low_90: float  # the same, 90 %: for equivalence
    high_90: float
    """Upper end of the same interval."""
    p_value: float
    """(1 + controls with at least the change) / (controls + 1); of a test that stopped early the
    share of such controls among those counted (Besag & Clifford 1991), and of one that went on
    about that share: exactly, the chance that a control in the class's place ended there or at a
    point that says more. Of a test that stopped because of what the other tests gave, the largest
    p that it could still have reached."""
    p_holm: float | None  # over the classes and claims tested
    controls: int
    """Number of controls that were run."""
    control_features: int  # of the controls, other features; the rest are of the covariance
    shown: bool
    """P_holm ≤ alpha, the interval excludes 0 on the side of the claim, and `adjusted` is `least`
    or more on that side."""
    turned: int  # prompts whose first token turns: right for necessity, wrong for sufficiency
    turned_share: float  # of those whose first token could: it was not so already; 0 of none
    control_turned_share: float
    """The same share, mean over the controls."""
    turned_low: float  # bootstrap over prompts, 95 %, of the share beyond the controls'
    turned_high: float
    """Upper end of the same interval."""
    foil_change: float | None  # the same change of `logit(target) − logit(foil)`: described
    could_turn: int | None = None  # prompts whose first token could turn; None: all, in older runs
    controls_planned: int | None = None
    """Number of controls to which the test goes unless it stops early; where few of them, but not
    none, are as large, it goes on. Null: all, in older runs."""
    controls_counted: int | None = None
    """Number of controls that p counts: up to the one at which the test stopped."""
    controls_as_large: int | None = None
    """Number of these with at least the class's change."""
    least: float | None = None
    """What `adjusted` must reach to be shown, nats: a tenth of the gap between the successes' and
    the failures' median margin. Null in older runs, which asked for none."""
    families: list[ControlFamily] = field(default_factory=list)
    """The controls by kind, each by itself; empty in older runs."""

    @property
    def stopped_early(self) -> bool:
        """Whether controls stopped once so many were as large that it could not be significant."""
        return self.controls_counted is not None and self.controls_counted < (
            self.controls_planned or 0
        )

    @property
    def stopped_for_others(self) -> bool:
        """Whether it stopped since no p that it could reach was significant beside the others.

        Its p is then the largest of these, and not the share of the controls that are as large.
        """
        if not self.stopped_early or self.controls_counted is None:
            return False
        share = (self.controls_as_large or 0) / self.controls_counted
        return abs(self.p_value - share) > 1e-9

    @property
    def went_on(self) -> bool:
        """Whether more controls were drawn than planned, since the decision was near."""
        return self.controls_counted is not None and self.controls_counted > (
            self.controls_planned or 0
        )

    def significant(self, alpha: float) -> bool:
        """Whether p after Holm and the interval say that it is beyond its controls."""
        beyond = self.low > 0 if self.claim == "necessity" else self.high < 0
        return self.p_holm is not None and self.p_holm <= alpha and beyond

    @property
    def large_enough(self) -> bool:
        """Whether it is as large as an effect must be to be shown, on the side of its claim."""
        towards = self.adjusted if self.claim == "necessity" else -self.adjusted
        return self.least is None or towards >= self.least

    @property
    def able(self) -> int:
        """How many prompts could turn."""
        return self.prompts if self.could_turn is None else self.could_turn


@dataclass(frozen=True)
class Variant:
    """The same class changed in another way: sensitivity, never decisive."""

    kind: str
    """How the class was edited."""
    positions: str
    """Tokens that were edited."""
    prompts: int
    """Number of prompts."""
    change: float  # of the margin, mean over the prompts of the necessity test
    turned_share: float  # of those whose first token was wrong, and is right then; 0 of none
    scale: float | None = None  # of the class's own activations; None: changed in another way


@dataclass(frozen=True)
class Flips:
    """Outcomes before and after an intervention, on all prompts where the class fires."""

    prompts: int
    """Number of prompts."""
    failure_to_success: int
    """Number of prompts that turn from failure to success."""
    success_to_failure: int
    """Number of prompts that turn from success to failure."""
    p_mcnemar: float  # exact, two-sided


@dataclass(frozen=True)
class Null:
    """Whether the absence of an effect is proven, condition by condition.

    Proven takes all three: the effect's 90 % interval within ±`bound`, the upper bound of
    restoration at most `restoration_bound`, and a positive control that shows an effect.
    """

    gap: float  # median margin of successes − of failures
    bound: float  # a tenth of it
    restoration_high: float  # one-sided 95 % upper bound (Clopper–Pearson)
    restoration_bound: float  # up to which it counts as none
    positive_control_restored: float | None
    """Share restored by patching the whole value from swapped prompts; null: none could be."""
    positive_control_bound: float
    """What it must restore for the absence of an effect to be believed."""
    positive_control_prompts: int
    """Prompts on which that could be done."""
    within: bool
    """Whether the effect's 90 % interval lies within ± `bound`."""
    few_restored: bool
    """Whether `restoration_high` is at most `restoration_bound`."""
    positive_control_passed: bool | None
    """Whether it restores at least that share; null: there was nothing to patch from."""
    proven: bool
    """Whether all three conditions hold."""


@dataclass(frozen=True)
class Intervention:
    """All that was done to one class."""

    necessity: Effect
    """Whether failures recover when the class is taken away (of a reversed test: brought in)."""
    sufficiency: Effect | None
    """Whether successes break when it is brought in (reversed: taken away); null: not tested."""
    sufficiency_missing: str | None  # why there is none
    flips: Flips
    """Outcomes before and after the class is taken away."""
    variants: list[Variant]
    """The class edited in other ways."""
    null: Null | None  # None where an effect is shown
    reversed: bool = False
    """Whether the class goes with success, and is tested the other way round: *necessity* brings it
    in on failures where it is silent, *sufficiency* takes it away on successes where it fires."""

    after: AfterFind | None = None
    """What was asked once an effect was shown; null where none is."""
    random_decoder: list[Effect] = field(default_factory=list)
    """The same two tests with random directions of the same lengths in the place of the
    dictionary's decoder; empty where they were not asked for."""

    @property
    def effects(self) -> list[Effect]:
        """The decisive tests that were done."""
        return [effect for effect in (self.necessity, self.sufficiency) if effect is not None]

    @property
    def shown(self) -> bool:
        """Whether necessity or sufficiency is shown."""
        return any(effect.shown for effect in self.effects)

    @property
    def is_cause(self) -> bool:
        """Whether both are, and half of the failures are restored beyond the controls."""
        need, enough = self.necessity, self.sufficiency
        return (
            need.shown
            and enough is not None
            and enough.shown
            and need.turned_share - need.control_turned_share >= RESTORES
            and need.turned_low >= RESTORES_LOW
        )


@dataclass(frozen=True)
class RequestedTest:
    """Features that the user wanted to be tried, whatever the statistics say of them.

    Where they are exactly a class, or what the search tried, the intervention is that one's, its
    effects count once, and the reason says so.
    """

    features: list[str]  # of one dictionary, changed together
    fail_active: int  # failures on which any of them fires, at any token but BOS
    success_active: int
    """Successes on which any of them fires, at any token but BOS."""
    intervention: Intervention | None
    """What editing them did; null where it was not done, or is with their class."""
    reason: str | None  # why they were not tried, or not by themselves

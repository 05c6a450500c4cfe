"""Two audits side by side: outcomes paired by prompt, levels of factors, and matched classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from faultlens.auditing.result import Interval

MatchedBy = Literal["feature", "firing", "direction"]


@dataclass(frozen=True)
class PairedFailures:
    """The outcomes of the same prompts in two runs."""

    n: int
    """Number of prompts."""
    failures_first: int
    """Failures in the first run."""
    failures_second: int
    """Failures in the second run."""
    new: int
    """Prompts that succeed in the first run and fail in the second."""
    gone: int
    """Prompts that fail in the first run and succeed in the second."""
    p_mcnemar: float
    """McNemar's exact test of these two, two-sided."""
    p_holm: float
    """The same after Holm: of all prompts, over the runs that are compared with the first; of a
    level, over all levels of all factors."""


@dataclass(frozen=True)
class LevelRate:
    """How often one level of a factor fails in one run, over all of its prompts."""

    n: int
    """Number of prompts at this level."""
    failures: int
    """Number of them that fail."""
    low: float
    """Lower end of the 95 % interval of the share (Clopper–Pearson)."""
    high: float
    """Upper end of the same interval."""
    significant: bool
    """Whether the audit finds that the level goes with failure, or with success, after Holm."""


@dataclass(frozen=True)
class LevelPair:
    """One level of a factor in two runs."""

    first: LevelRate | None
    """In the first run; null where its audit does not list the level."""
    second: LevelRate | None
    """In the second run; null where its audit does not list the level."""
    paired: PairedFailures | None
    """Over the prompts of that level that both runs have; null where there are none."""
    p_fisher: float | None
    """Fisher's exact test of the two shares, two-sided, of runs that share no prompts; null where
    outcomes are paired, or one of the runs has no such level."""
    p_holm: float | None
    """The p of this row after Holm over all levels of all factors; null where nothing is tested."""


@dataclass(frozen=True)
class TurnedPrompt:
    """A prompt whose outcome is another in the second run."""

    prompt: str
    """The prompt's text."""
    target: str
    """What was expected."""
    became: Literal["failure", "success"]
    """What it is in the second run."""
    generated_first: str | None
    """What was generated in the first run; null where it was not recorded."""
    generated_second: str | None
    """What was generated in the second run; null where it was not recorded."""


@dataclass(frozen=True)
class ComparedClass:
    """A class of features of one run, and what its audit says of it."""

    site: str
    """Name of its dictionary."""
    features: list[str]
    """The members, the strongest first."""
    fail_active: int
    """Failures on which the strongest member fires."""
    success_active: int
    """Successes on which it fires."""
    auroc: float
    """Above 0.5 the class goes with failure, below with success."""
    p_deciding: float
    """Adjusted p that decides whether it is significant."""
    significant: bool
    """Whether it is, at the audit's own level."""
    verdict: str
    """The verdict with what qualifies it."""
    verdict_kind: str
    """The verdict's kind alone."""
    sentence: str
    """Why, with the numbers that decided."""


@dataclass(frozen=True)
class ClassPair:
    """A class of one run beside what corresponds to it in the other."""

    first: ComparedClass | None
    """The class of the first run; null where only the second has it."""
    second: ComparedClass | None
    """The class of the second run; null where only the first has it."""
    matched_by: MatchedBy | None
    """`feature`: both runs read the same dictionary and the classes have a member in common;
    `firing`: their strongest members fire on the same prompts; `direction`: they write nearly the
    same direction; null: they do not correspond."""
    nearest: str | None
    """The feature of the other run that is held beside the class's strongest member: the strongest
    of the class that it is matched with, or else the one that fires most like it; null: none."""
    jaccard: float | None
    """Over the shared prompts, of those on which the two features fire; null where it is not
    known."""
    correlation: float | None
    """Over the shared prompts, Pearson's, of their largest activations; null where one of them does
    not vary, or it is not known."""
    cosine: float | None
    """Of the directions that the two features write; null where they were not compared."""
    reasons: list[str] = field(default_factory=list)
    """Of what is found in both, why the verdicts differ, with the numbers of both; of what is found
    in one alone, what is known of the nearest feature in the other."""

    @property
    def verdict_changed(self) -> bool:
        """Whether both runs have the class, under verdicts of another kind or level."""
        both = self.first is not None and self.second is not None
        return both and self.first.verdict != self.second.verdict  # type: ignore[union-attr]


@dataclass(frozen=True)
class AuditPair:
    """Two audits side by side."""

    alpha: float
    """Level of the tests between the runs: that of the first audit."""
    shared: int
    """Prompts of the same text and target that both runs have."""
    only_first: int
    """Prompts that the first run alone has."""
    only_second: int
    """Prompts that the second run alone has."""
    outcomes: PairedFailures | None
    """Over the shared prompts; null where there are none."""
    rate_change: Interval | None
    """Share of the shared prompts that fail, second − first, with a bootstrap interval over
    prompts; null with fewer than two of them."""
    margin_change: Interval | None
    """Of the margin, second − first, mean over the shared prompts, in nats, likewise; null where it
    is not known of every one of them."""
    p_fisher: float | None
    """Fisher's exact test of failures in two runs that share no prompts, two-sided; null where
    outcomes are paired."""
    levels: dict[str, dict[str, LevelPair]]
    """By factor and level."""
    turned: list[TurnedPrompt]
    """The shared prompts whose outcome is another, in the order of the first run."""
    classes: list[ClassPair]
    """The significant classes of the first run, the most certain first, then those of the second
    that none of them corresponds to."""
    verdict_first: str | None
    """Of the first audit as a whole, where it could not be carried out."""
    verdict_second: str | None
    """Likewise of the second."""
    no_firing: str | None
    """Why classes were not matched by firing; null where they were."""
    no_directions: str | None
    """Why directions were not compared; null where they were, or nothing had to be."""
    cautions: list[str]
    """What a reader should know before believing the tests, a sentence each."""

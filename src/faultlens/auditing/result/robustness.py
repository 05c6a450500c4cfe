"""Step 9: robustness. The same audit on prompts from other seeds, and on two halves."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlens.auditing.result.correlates import Interval
from faultlens.auditing.result.verdict import Verdict
from faultlens.serialisation import MERGED


@dataclass(frozen=True)
class SeedReading:
    """One corpus: what its audit found."""

    seed: int
    """Seed of the prompts."""
    n: int
    """Number of prompts."""
    failures: int
    """Number of prompts that fail."""
    significant: int  # classes
    leading: list[str]  # features of the leading class; empty without one
    verdict: Verdict | None = field(metadata=MERGED)
    """Of the leading class, or of the audit as a whole."""
    baselines: dict[str, float | None] = field(default_factory=dict)  # AUROC by rung


@dataclass(frozen=True)
class StableClass:
    """A class of the first corpus, looked for in the others."""

    features: list[str]
    """The members on the reported seed, the strongest first."""
    verdicts: list[str | None]  # by seed, the first its own; None: no class matches
    same: int  # seeds with the first one's verdict, itself among them
    verdict: str  # the first one's
    stable: bool  # the same verdict in at least four fifths of the seeds
    replicated: int
    """Seeds, the first among them, on which the class or its match is significant, with the same
    sign."""


@dataclass(frozen=True)
class HalfReading:
    """A class found in one half of the prompts, and its effect in the other."""

    features: list[str]
    """The members, the strongest first."""
    discovery: float | None  # Cohen's d in the half it was found in; None where infinite
    replication: Interval | None  # in the other half; None where it is not defined there
    rate_discovery: float  # share of failures − of successes on which it fires
    rate_replication: float
    """The same in the other half."""
    p_replication: float | None  # Fisher's exact test, one-sided in the direction discovered


@dataclass(frozen=True)
class Robustness:
    """Whether the findings hold on other prompts."""

    seeds: list[SeedReading] = field(default_factory=list)
    """One a seed, the reported one first; empty where other seeds were not run."""
    classes: list[StableClass] = field(default_factory=list)
    """The reported seed's significant classes, followed over the others."""
    needed: int | None = None
    """Four fifths of the seeds make a class stable, or replicated; None: other seeds were not
    run."""
    halves: list[HalfReading] = field(default_factory=list)
    """Classes found in one half of the prompts, measured in the other."""
    shrinkage: float | None = None  # mean replication / mean discovery of Cohen's d
    reason: str | None = None  # why other seeds were not run

"""What an audit found: frozen, every number in it, nothing about drawing.

Field names are the keys of `audit.json`; `Audit.from_dict(audit.to_dict())` is the identity. What
was not done is None, never zero.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

SCORED_WRONG = "first token right, word wrong"
"""The kind of failure that may be the scoring rule's and not the model's."""


@dataclass(frozen=True)
class LevelReading:
    """One level of a factor against all other prompts."""

    n: int
    failures: int
    rate: float
    low: float  # Clopper–Pearson, 95 %
    high: float
    p_value: float  # Fisher's exact test against the rest
    p_holm: float  # over all levels of all factors
    odds_ratio: float | None  # sample odds ratio; None where infinite or undefined


@dataclass(frozen=True)
class Proxy:
    """A level of a factor that a class fires with, almost exactly."""

    factor: str
    level: str
    jaccard: float


@dataclass(frozen=True)
class Flips:
    """Outcomes before and after an intervention, on all prompts where the class fires."""

    prompts: int
    failure_to_success: int
    success_to_failure: int
    p_mcnemar: float  # exact, two-sided


@dataclass(frozen=True)
class Intervention:
    """What setting a class to its mean over the successes does, against matched controls.

    Effects are mean changes of the margin `logit(target) − strongest other logit` at the answer, in
    nats, over the failures where the class fires; the margin's sign is the first token's fate.
    """

    kind: str
    positions: str
    failures: int  # failing prompts on which the class fires: the effect is measured on these
    effect: float
    foil_effect: (
        float | None
    )  # the same of `logit(target) − logit(foil)`: described, not decided by
    control_effect: float  # mean over the controls
    adjusted: float  # effect − control_effect
    low: float  # bootstrap over prompts, 95 %, of the adjusted effect
    high: float
    p_value: float  # (1 + controls with at least the effect) / (controls + 1)
    controls: int
    control_features: int  # of the controls, other features; the rest are random directions
    shown: bool  # p ≤ alpha and the interval excludes 0, on the positive side
    restored: float  # share of those failures whose first token was wrong and becomes right
    control_restored: float
    flips: Flips


@dataclass(frozen=True)
class ClassReading:
    """An equivalence class of features, ranked by its strongest member (the first)."""

    rank: int  # among all classes of all sites, from 0: the most certain
    features: list[str]
    size: int
    fail_active: int
    success_active: int
    cohens_d: float | None  # failure − success; None where infinite
    auroc: float
    p_fisher: float
    p_holm: float
    p_min_p: float
    p_max_t: float
    p_deciding: float  # twice the smaller of the two: either may decide, and both are looked at
    p_conditional: float | None
    proxy: Proxy | None
    intervention: Intervention | None
    verdict: str
    sentence: str


@dataclass(frozen=True)
class SiteAudit:
    """One dictionary: which of its features go with failure."""

    layer: int | None
    d_sae: int
    tested: int
    significant: dict[str, int]  # min_p, max_t, holm, bh
    convention: dict[str, Any]
    classes: list[ClassReading]


@dataclass(frozen=True)
class PromptOutcome:
    """What the model did on one prompt."""

    prompt: str
    target: str
    generated: str
    success: bool
    kind: str
    logit_difference: float | None  # target − foil


@dataclass(frozen=True)
class Claim:
    """A line of the claims ledger: what was claimed, and which control it passed or lacks."""

    claim: str
    control: str
    outcome: str  # "passed", "failed", "not done"
    detail: str


@dataclass(frozen=True)
class Audit:
    """Which features go with failure on a task, and what that means."""

    task: str
    n: int
    failures: int
    rule: str
    alpha: float
    seed: int
    permutations: int
    min_support: int
    verdict: str | None  # of the whole audit, where it could not be carried out
    outcome_kinds: dict[str, int]
    scoring_sensitivity: dict[str, float]
    factors: dict[str, dict[str, LevelReading]]
    sites: dict[str, SiteAudit]
    claims: list[Claim]
    outcomes: list[PromptOutcome]
    strata: dict[str, Any] | None = None
    baselines: dict[str, Any] | None = None
    robustness: dict[str, Any] | None = None

    @property
    def classes(self) -> list[tuple[str, ClassReading]]:
        """All classes of all sites with their site's name, the most certain first."""
        found = [(name, c) for name, site in self.sites.items() for c in site.classes]
        return sorted(found, key=lambda pair: pair[1].rank)

    @property
    def suspect(self) -> ClassReading | None:
        """The class to look at first: the most certain that goes with failure, not with success.

        The most certain of all where none goes with failure; None where no feature was tested.
        """
        classes = [reading for _, reading in self.classes]
        with_failure = [reading for reading in classes if reading.auroc > 0.5]
        return next(iter([*with_failure, *classes]), None)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Audit:
        factors = {
            factor: {level: LevelReading(**reading) for level, reading in levels.items()}
            for factor, levels in data["factors"].items()
        }
        return cls(
            **{
                **data,
                "factors": factors,
                "sites": {name: _site(site) for name, site in data["sites"].items()},
                "claims": [Claim(**claim) for claim in data["claims"]],
                "outcomes": [PromptOutcome(**outcome) for outcome in data["outcomes"]],
            }
        )

    def save(self, folder: str | Path) -> Path:
        """Write `audit.json` into `folder`, which is made if need be; returns the file's path."""
        path = Path(folder) / "audit.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".json.part")
        part.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(part, path)
        return path

    def _repr_html_(self) -> str:
        """The notebook view: the verdicts, most certain first."""
        rows = "".join(
            f"<tr><td>{escape(reading.verdict)}</td><td>{escape(', '.join(reading.features[:4]))}"
            f"{'…' if reading.size > 4 else ''}</td><td>{escape(reading.sentence)}</td></tr>"
            for _, reading in self.classes
        )
        return (
            f"<table><caption>Audit of {escape(self.task)}: {self.failures} failures in {self.n} "
            f"prompts</caption><tr><th>verdict</th><th>class</th><th>why</th></tr>{rows}</table>"
        )


def _site(data: dict[str, Any]) -> SiteAudit:
    return SiteAudit(**{**data, "classes": [_class(reading) for reading in data["classes"]]})


def _class(data: dict[str, Any]) -> ClassReading:
    intervention = data["intervention"]
    if intervention is not None:
        flips = Flips(**intervention["flips"])
        intervention = Intervention(**{**intervention, "flips": flips})
    proxy = Proxy(**data["proxy"]) if data["proxy"] else None
    return ClassReading(**{**data, "proxy": proxy, "intervention": intervention})

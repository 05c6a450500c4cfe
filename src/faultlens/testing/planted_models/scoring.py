"""Scoring: what an audit said of a planted model, against what is known of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.result import Intervention
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import audit_task
from faultlens.feature_name import by_dictionary
from faultlens.testing.planted_models.material import Material, material, ordinary_task
from faultlens.testing.planted_models.mediation import Mediation, usual_level
from faultlens.testing.planted_models.planted_model import PlantedModel

PROMPTS = 240
PERMUTATIONS = 999
ON_PATH = 0.5  # share of what was planted that passes through a cause found in other words
FALSE = 0.25  # below which a CAUSE is false
PROCEDURE = 2  # raised with every change of what an audit does to a planted model
OFF_PATH = 0.05  # below which features have no part in it


@dataclass(frozen=True)
class Tried:
    """Something that the audit changed.

    Attributes:
        features: by name.
        verdict: `CAUSE`, `CONTRIBUTES`, or `none` where no effect is shown.
        mediated: the share of what was planted that passes through them, measured without the
            audit; None: they fire on too few failures of the prompts it is measured on.
        planted: whether a planted feature is among them.
    """

    features: list[str]
    verdict: str
    mediated: float | None
    planted: bool


@dataclass(frozen=True)
class ModelScore:
    """What the audit said of one planted model.

    Attributes:
        kind: what was planted.
        card: what is known of the model.
        failures: of the audited prompts, how many fail.
        found: whether a planted cause, or what passes at least half of it, is CAUSE or CONTRIBUTES;
            None: no cause was planted that a dictionary describes where the audit looks.
        all_found: whether that holds for every planted cause.
        named: whether it is a planted feature itself.
        cause: whether it is CAUSE.
        false_cause: how many CAUSE there are through which less than a quarter of it passes.
        outside: whether the audit says that the cause passes the site that was planted at outside
            the dictionary.
        tried: everything that was changed.
        procedure: by which it was audited.
    """

    kind: str
    card: dict[str, Any]
    failures: int
    found: bool | None
    all_found: bool | None
    named: bool | None
    cause: bool | None
    false_cause: int
    outside: bool
    tried: list[Tried] = field(default_factory=list)
    procedure: int = PROCEDURE


def score_model(planted: PlantedModel) -> ModelScore:
    """Audit a planted model, and say how right the audit is."""
    card, recipe = planted.card, planted.card.recipe
    task = ordinary_task(PROMPTS, 1000 + recipe.seed)
    config = AuditConfig.of(permutations=PERMUTATIONS, baselines=False)
    audit = audit_task(planted.lens, task, config=config)
    found = material()
    causes = [set(cause.names) for cause in card.causes]
    mediation = Mediation(planted.lens.model)
    tried = [
        _tried(planted, mediation, found, features, done, causes)
        for features, done in changed_sets(audit)
    ]
    shown = [one for one in tried if one.verdict != "none"]
    right = [one for one in shown if one.planted or (one.mediated or 0) >= ON_PATH]
    looked_for = bool(causes) and recipe.kind != "layer not audited"
    return ModelScore(
        kind=recipe.kind,
        card={**asdict(card), "causes": [str(cause) for cause in card.causes]},
        failures=audit.failures,
        found=bool(right) if looked_for else None,
        all_found=all(any(c & set(one.features) for one in shown) for c in causes)
        if looked_for
        else None,
        named=any(one.planted for one in shown) if looked_for else None,
        cause=any(one.verdict == "CAUSE" for one in right) if looked_for else None,
        false_cause=sum(
            one.verdict == "CAUSE" and one.mediated is not None and one.mediated < FALSE
            for one in shown
        ),
        outside=any(one.site == recipe.site for one in audit.outside),
        tried=tried,
    )


def changed_sets(audit: Audit) -> list[tuple[list[str], Intervention]]:
    """Everything that an audit changed, by the names of its features."""
    found = [
        (reading.features, reading.intervention)
        for _, reading in audit.classes
        if reading.intervention is not None
    ]
    found += [
        (reading.tested_as or [reading.feature], reading.intervention)
        for site in audit.attribution.values()
        for reading in site.top
        if reading.intervention is not None
    ]
    found += [(t.features, t.intervention) for t in audit.together if t.intervention is not None]
    return found


def _tried(
    planted: PlantedModel,
    mediation: Mediation,
    found: Material,
    names: list[str],
    done: Intervention,
    causes: list[set[str]],
) -> Tried:
    ((site, indices),) = by_dictionary(names).items()
    features = FeatureSet(site, tuple(indices))
    level = usual_level(found, features) if done.reversed else None
    share = mediation.share(planted.lens[site], features, level)
    verdict = "none"
    if done.shown:
        verdict = "CAUSE" if done.is_cause else "CONTRIBUTES"
    return Tried(
        names,
        verdict,
        None if share is None else round(share, 3),
        any(cause & set(names) for cause in causes),
    )

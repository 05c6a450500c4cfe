"""The features that an audit's argument names, each with what it is there."""

from __future__ import annotations

from faultlens.auditing.result.attribution import Attributed, SiteAttribution
from faultlens.auditing.result.audit import Audit

NAMED = 40  # features
CLASSES = 12  # the first of the list, whose strongest members are named


def named_features(audit: Audit) -> dict[str, list[str]]:
    """What each feature is in the argument, by its name, in the order in which it comes up."""
    roles: dict[str, list[str]] = {}

    def name(feature: str, role: str) -> None:
        known = roles.setdefault(feature, [])
        if role not in known:
            known.append(role)

    leading = audit.leading
    if leading is not None:
        name(leading.features[0], "goes with failure most surely")
    for _, reading in audit.classes:
        if reading.intervention is not None:
            name(reading.features[0], reading.verdict.label)
            name(reading.features[0], "changed")
    for trial in audit.requested:
        for feature in trial.features:
            name(feature, "named by the user")
    for joint in audit.together:
        for feature in joint.classes:
            name(feature, "tried with another class")
    first = first_attributed(audit)
    if first is not None:
        name(first[1].feature, "first by attribution")
    for site in audit.attribution.values():
        for found in site.top:
            if found.intervention is not None:
                name(found.feature, "changed")
    for _, reading in audit.classes[:CLASSES]:
        name(reading.features[0], reading.verdict.label)
    return dict(list(roles.items())[:NAMED])


def first_attributed(audit: Audit) -> tuple[SiteAttribution, Attributed] | None:
    """The feature of all sites to which most is attributed, with its site; None if none was."""
    named = [(site, found) for site in audit.attribution.values() for found in site.top]
    return min(named, key=lambda pair: towards_failure(pair[1]), default=None)


def towards_failure(found: Attributed) -> float:
    """The attribution over failures − over successes: the lower, the more it goes to failure."""
    return found.gradient_failures - found.gradient_successes

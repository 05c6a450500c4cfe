"""Outside the dictionary: where the cause passes a site, and the site's features do not hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.result import (
    Intervention,
    OutsideDictionary,
    Patch,
    SiteAttribution,
    SiteAudit,
)
from faultlens.feature_name import dictionary_of
from faultlens.numbers import counted, share

MOSTLY = 0.5  # of the margin's difference, and of the failures that a swap turns right
LESS = 0.5  # of what the whole value restores: a class that restores less falls short of it
LEAST_RESTORED = 5  # failures, below which patching says nothing


def outside_dictionaries(
    sites: Mapping[str, SiteAudit], causes: CausalFindings
) -> list[OutsideDictionary]:
    """The sites that a cause passes outside what their dictionaries describe.

    Either attribution puts most of the margin's difference on the error term; or patching the whole
    value restores most failures, and no class that was patched half as many. A site at which the
    change of some feature is shown to matter is none of them: there the features do hold it.

    Args:
        sites: with what changing their classes did.
        causes: attribution, swaps, and whatever else was changed.
    """
    found = []
    for name, site in sites.items():
        changed = _changed(name, site, causes)
        if any(done.shown for done in changed):
            continue
        error = _error_share(causes.attribution.get(name))
        patched = _whole_alone(name, causes)
        if error is None and patched is None:
            continue
        whole, restorable, best = patched or (None, None, None)
        found.append(
            OutsideDictionary(
                site=name,
                error_share=error,
                whole_restored=whole,
                restorable=restorable,
                best_restored=best,
                sentence=_sentence(name, error, patched, len(changed)),
            )
        )
    return found


def _changed(name: str, site: SiteAudit, causes: CausalFindings) -> list[Intervention]:
    """All that was changed at a site."""
    found = [reading.intervention for reading in site.classes]
    attribution = causes.attribution.get(name)
    found += [reading.intervention for reading in (attribution.top if attribution else [])]
    found += [one.intervention for one in causes.requested if _site(one.features) == name]
    found += [one.intervention for one in causes.together if _site(one.features) == name]
    return [done for done in found if done is not None]


def _site(features: Sequence[str]) -> str:
    return dictionary_of(features[0])


def _error_share(found: SiteAttribution | None) -> float | None:
    """The error term's share of what attribution puts on failures, if it is most of it."""
    if found is None or found.error_from_normal is None or found.features_from_normal is None:
        return None
    whole = found.error_from_normal + found.features_from_normal
    if whole >= 0 or found.error_from_normal >= 0:
        return None
    part = found.error_from_normal / whole
    return part if part > MOSTLY else None


def _whole_alone(name: str, causes: CausalFindings) -> tuple[int, int, int] | None:
    """Restored by the whole value, restorable, and the most that a class restores, of the swap in
    which the whole value restores most; None where it restores few, or a class does as much."""
    swaps = causes.counterfactuals.swaps if causes.counterfactuals is not None else []
    found = []
    for swap in swaps:
        here = [patch for patch in swap.patches if patch.site == name]
        whole = next((p for p in here if not p.features and p.positions == "aligned"), None)
        classes: list[Patch] = [patch for patch in here if patch.features]
        if whole is None or not classes:
            continue
        best = max(patch.restored for patch in classes)
        enough = whole.restored >= max(LEAST_RESTORED, MOSTLY * whole.restorable)
        if enough and best < LESS * whole.restored:
            found.append((whole.restored, whole.restorable, best))
    return max(found, default=None)


def _sentence(
    name: str, error: float | None, patched: tuple[int, int, int] | None, changed: int
) -> str:
    said = []
    if error is not None:
        said.append(
            f"of how failures differ from successes there, {share(min(error, 1.0))} of what lowers "
            "the margin is attributed to the error term"
        )
    if patched is not None:
        whole, restorable, best = patched
        said.append(
            f"putting in the whole value restores {whole:,} of {counted(restorable, 'failure')}, "
            f"and no class more than {best:,}"
        )
    tried = "nothing was changed there"
    if changed:
        tried = f"none of {counted(changed, 'change')} of its features is shown to matter"
    return (
        f"the cause passes {name} outside what the dictionary describes: {'; '.join(said)}; {tried}"
    )

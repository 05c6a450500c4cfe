"""A run in a dozen or two of lines: what a stranger should know before opening the page."""

from __future__ import annotations

import textwrap

from faultlens.auditing.result import SCORED_WRONG, ClassReading
from faultlens.auditing.result.audit import Audit
from faultlens.profiling.result import Profile
from faultlens.report.audit.cause_lines import WIDTH, further_lines, trial_lines
from faultlens.report.audit.classes import class_name
from faultlens.report.audit.confounds import NO_FACTOR, beyond_factors, strata_name
from faultlens.report.audit.factors import strongest_level
from faultlens.report.audit.ladder import rung_name
from faultlens.report.audit.outcomes import NOT_RECORDED, by_rule
from faultlens.report.numbers import (
    auroc,
    clipped,
    clipped_feature,
    counted,
    listed,
    number,
    p_value,
    share,
    share_interval,
)
from faultlens.report.profile.pairs import clearest

CATEGORY_LINES = 4  # two categories a line
ENTRY = 48  # characters of each
LADDER = ("factors", "residual", "random_dictionary", "sae_top_k", "sae_all")  # what is compared


def summary(profile: Profile | None, audit: Audit | None) -> list[str]:
    """The run in plain text, at most 25 lines of at most 100 characters."""
    lines = [] if profile is None else _profile(profile)
    lines += [] if audit is None else _audit(audit)
    return [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines]


def _profile(profile: Profile) -> list[str]:
    categories, sites = len(profile.categories), list(profile.sites)
    by_auroc = sum(bool(found) for found in profile.beyond_chance("selectivity").values())
    by_score = sum(bool(found) for found in profile.beyond_chance("specialist").values())
    entries = [_best(profile, category) for category in profile.categories]
    most = 2 * CATEGORY_LINES
    if len(entries) > most:
        entries = [*entries[: most - 1], f"and {len(entries) - most + 1} more in the report"]
    pairs = [entries[i : i + 2] for i in range(0, len(entries), 2)]
    return [
        f"Profile of {profile.corpus}: {counted(profile.n_texts, 'text')} in "
        f"{counted(categories, 'category', 'categories')}, {profile.pooling} pooling, read at "
        f"{listed(sites) if len(sites) <= 3 else counted(len(sites), 'site')}",
        f"  A specialist beyond chance (Holm, p ≤ {number(profile.alpha)}) for {by_auroc} of "
        f"{categories} categories by AUROC, {by_score} by score; by AUROC:",
        *("  " + "  ".join(entry.ljust(ENTRY) for entry in pair).rstrip() for pair in pairs),
        *_evidence(profile),
    ]


def _evidence(profile: Profile) -> list[str]:
    """What minimal pairs and the method study found, where they were done."""
    lines = []
    if profile.pairs is not None:
        site = clearest(profile.pairs)
        found = profile.pairs.sites[site]
        words = profile.pairs.words
        lines.append(
            f"  Pairs at {clipped(site, 14)}: one meaning {number(found.similarity.within)} alike, "
            f"two {number(found.similarity.between)} (p {p_value(found.p_holm)}); words alone "
            f"{number(words.within)}, {number(words.between)}"
        )
    if profile.multiverse is not None:
        made = [claim for claim in profile.multiverse.claims if claim.by_default]
        firm = sum(claim.share_sound == 1 for claim in made)
        specs = sum(map(len, profile.multiverse.specifications.values()))
        lines.append(
            f"  Method study: {firm} of {counted(len(made), 'claim')} hold under every sound one "
            f"of {specs:,} specifications"
        )
    return lines


def _best(profile: Profile, category: str) -> str:
    """A category's best feature over all sites, in 48 characters: its name gives way."""
    readings = [site.categories[category].selectivity for site in profile.sites.values()]
    best = min(readings, key=lambda reading: (reading.p_holm, -reading.auroc))
    chance = "" if best.p_holm <= profile.alpha else ", chance"
    feature = clipped_feature(best.feature)
    found = f"{feature} {auroc(best.auroc)} (p {p_value(best.p_holm)}{chance})"
    room = min(14, ENTRY - 1 - len(found))
    return f"{clipped(category, room).ljust(room)} {found}"


def _audit(audit: Audit) -> list[str]:
    """What happened, what about the prompt explains it, and what is left for the features."""
    right = audit.n - audit.failures
    rules = [
        f"{rule} {share(rate)}"
        for rule, rate in audit.scoring_sensitivity.items()
        if rule != audit.rule
    ]
    head = (
        f"Audit of {clipped(audit.task, 24)}: {right:,} of {audit.n:,} right "
        f"({share(right / audit.n)}) {clipped(by_rule(audit.rule), 24)}"
    )
    kinds = sorted(
        (item for item in audit.outcome_kinds.items() if item[0] != "success"),
        key=lambda item: (item[0] != SCORED_WRONG, -item[1]),
    )
    lines = [_fitting(head, "; ", rules)]
    if [kind for kind, _ in kinds] == [NOT_RECORDED]:
        lines.append(f"  {counted(audit.failures, 'failure')}; what was generated is not recorded")
    elif kinds:
        failed = f"  {counted(audit.failures, 'failure')}"
        lines.append(_fitting(failed, ": ", [f"{n} “{kind}”" for kind, n in kinds]))
    lines += _factors(audit) + _ladder(audit)
    if audit.verdict is not None:
        return [*lines, *textwrap.wrap(f"  {audit.verdict}", WIDTH, subsequent_indent="    ")]
    lines += _suspect(audit) + further_lines(audit)
    if audit.warnings:
        lines.append(f"  {counted(len(audit.warnings), 'warning')} in the report")
    return lines


def _fitting(head: str, joint: str, entries: list[str]) -> str:
    """As many of the entries as fit on a line after its head, and how many more there are."""
    for shown in range(len(entries), 0, -1):
        line = f"{head}{joint}{listed(entries, shown)}"
        if len(line) <= WIDTH:
            return line
    return head


def _factors(audit: Audit) -> list[str]:
    """What forward selection takes; the strongest level where it was not done or takes none."""
    taken = audit.selection.selected if audit.selection is not None else []
    derived = " (derived)" if audit.factors_derived else ""
    if taken:
        entries = [
            f"{clipped(f'{t.factor} = {t.level}', 30)} {t.failures}/{t.n} against "
            f"{t.rest_failures}/{t.rest_n}"
            for t in taken
        ]
        return [_fitting(f"  Factors{derived}", ": ", entries)]
    strongest = strongest_level(audit)
    if strongest is None:
        return []
    factor, level, reading = strongest
    return [
        f"  Strongest factor{derived}: {clipped(f'{factor} = {level}', 26)} "
        f"{reading.failures} of {reading.n}, {share_interval(reading.low, reading.high)}, "
        f"p {p_value(reading.p_holm)}" + (": none taken" if audit.selection is not None else "")
    ]


def _ladder(audit: Audit) -> list[str]:
    """The factors against the activations, in one line."""
    rungs = [
        f"{rung_name(name)} {auroc(rung.auroc)}"
        for name in LADDER
        if (rung := (audit.baselines or {}).get(name)) is not None and rung.auroc is not None
    ]
    return [_fitting("  AUROC of predicted failure", ": ", rungs)] if rungs else []


def _suspect(audit: Audit) -> list[str]:
    top = audit.suspect
    if top is None:
        return ["  Features that go with failure: not tested"]
    classes = audit.significant
    tested = sum(site.tested for site in audit.sites.values())
    features = sum(reading.size for _, reading in classes)
    return [
        f"  Features that go with failure or success beyond chance: {features:,} of {tested:,}, in "
        f"{counted(len(classes), 'class', 'classes')}",
        *_fires(top),
        _beyond(audit, top),
        *trial_lines(audit, top),
    ]


def _fires(top: ClassReading) -> list[str]:
    """The suspect, its verdict, and where it fires: on one line where they fit."""
    name = f"  The suspect, {class_name(top)}: {clipped(top.verdict.label, 48)}"
    fires = (
        f"fires on {counted(top.fail_active, 'failure')} and "
        f"{counted(top.success_active, 'success', 'successes')}; adjusted p "
        f"{p_value(top.p_deciding)}{_proxy(top)}"
    )
    line = f"{name}; {fires}"
    return [line] if len(line) <= WIDTH else [name, f"    {fires}"]


def _proxy(reading: ClassReading) -> str:
    proxy = reading.proxy
    if proxy is None:
        return ""
    return (
        f"; with {clipped(f'{proxy.factor} = {proxy.level}', 26)} (Jaccard {number(proxy.jaccard)})"
    )


def _beyond(audit: Audit, reading: ClassReading) -> str:
    """What the suspect says within the factors' strata."""
    if audit.strata is None:
        return f"    beyond the factors: {beyond_factors(reading)}"
    factors = audit.strata.factors
    if not factors:
        return f"    beyond the factors: {NO_FACTOR}"
    return f"    beyond {clipped(strata_name(factors), 24)}: {beyond_factors(reading)}"

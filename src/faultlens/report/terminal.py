"""A run in about a dozen lines: what a stranger should know before opening the page."""

from __future__ import annotations

import textwrap

from faultlens.audit.result import Audit, ClassReading
from faultlens.profile.result import Profile
from faultlens.report.correlate_parts import class_name, significant
from faultlens.report.numbers import (
    auroc,
    clipped,
    counted,
    interval,
    listed,
    number,
    p_value,
    share,
    share_interval,
    signed,
)
from faultlens.report.outcome_parts import strongest_level
from faultlens.report.pair_parts import clearest

WIDTH = 100
CATEGORY_LINES = 4  # two categories a line


def summary(profile: Profile | None, audit: Audit | None) -> list[str]:
    """The run in plain text, at most 18 lines of at most 100 characters."""
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
        *("  " + "  ".join(entry.ljust(48) for entry in pair).rstrip() for pair in pairs),
        *_evidence(profile),
    ]


def _evidence(profile: Profile) -> list[str]:
    """A line each for minimal pairs and the method study, where they were done."""
    lines = []
    if profile.pairs is not None:
        site = clearest(profile.pairs)
        found = profile.pairs.sites[site]
        lines.append(
            f"  Minimal pairs at {site}: one meaning in two forms "
            f"{number(found.similarity.within)} alike, two meanings "
            f"{number(found.similarity.between)}, p {p_value(found.p_holm)}"
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
    """A category's best feature over all sites, in 48 characters."""
    readings = [site.categories[category].selectivity for site in profile.sites.values()]
    best = min(readings, key=lambda reading: (reading.p_holm, -reading.auroc))
    chance = "" if best.p_holm <= profile.alpha else ", chance"
    name = clipped(category, 14).ljust(14)
    return f"{name} {_short(best.feature)} {auroc(best.auroc)} (p {p_value(best.p_holm)}{chance})"


def _short(feature: str, width: int = 15) -> str:
    """A feature's name cut in its site, never in its index."""
    site, _, index = feature.rpartition("/")
    room = width - len(index) - 1
    return feature if len(feature) <= width else f"{clipped(site, max(room, 2))}/{index}"


def _audit(audit: Audit) -> list[str]:
    right = audit.n - audit.failures
    rules = [
        f"{rule} {share(rate)}"
        for rule, rate in audit.scoring_sensitivity.items()
        if rule != audit.rule
    ]
    kinds = [f"{n} “{kind}”" for kind, n in audit.outcome_kinds.items() if kind != "success"]
    lines = [
        f"Audit of {audit.task}: {right:,} of {audit.n:,} right "
        f"({share(right / audit.n)}) by {audit.rule}" + (f"; {listed(rules)}" if rules else "")
    ]
    if kinds:
        text = f"  {counted(audit.failures, 'failure')}: {listed(kinds)}"
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="    ", max_lines=2, placeholder=" …")
    strongest = strongest_level(audit)
    if strongest is not None:
        factor, level, reading = strongest
        lines.append(
            f"  Strongest factor: {clipped(f'{factor} = {level}', 32)} fails {reading.failures} of "
            f"{reading.n}, {share(reading.rate)} {share_interval(reading.low, reading.high)}, "
            f"p {p_value(reading.p_holm)}"
        )
    if audit.verdict is not None:
        lines.append(f"  {audit.verdict}")
    return lines + _correlates(audit)


def _correlates(audit: Audit) -> list[str]:
    if not audit.classes:
        return ["  Features that go with failure: not tested"]
    classes = significant(audit)
    tested = sum(site.tested for site in audit.sites.values())
    features = sum(reading.size for _, reading in classes)
    top = audit.suspect
    assert top is not None
    return [
        f"  Features that go with failure or success beyond chance: {features:,} of {tested:,}, in "
        f"{counted(len(classes), 'class', 'classes')}",
        f"  The suspect, {class_name(top)}: {top.verdict}",
        f"    fires on {counted(top.fail_active, 'failure')} and "
        f"{counted(top.success_active, 'success', 'successes')}; adjusted p "
        f"{p_value(top.p_deciding)}{_proxy(top)}",
        *_ablation(top),
    ]


def _proxy(reading: ClassReading) -> str:
    proxy = reading.proxy
    if proxy is None:
        return ""
    return (
        f"; with {clipped(f'{proxy.factor} = {proxy.level}', 30)} (Jaccard {number(proxy.jaccard)})"
    )


def _ablation(reading: ClassReading) -> list[str]:
    done = reading.intervention
    if done is None:
        return ["  Ablation: not done"]
    return [
        f"  Ablation: {signed(done.adjusted)} nats beyond {counted(done.controls, 'control')} "
        f"{interval(done.low, done.high)}, p {p_value(done.p_value)}: effect "
        f"{'shown' if done.shown else 'not shown'}",
        f"    restores {share(done.restored)} of {counted(done.failures, 'failure')} (controls "
        f"{share(done.control_restored)}); {done.flips.failure_to_success} flip to right, "
        f"{done.flips.success_to_failure} to wrong, McNemar p {p_value(done.flips.p_mcnemar)}",
    ]

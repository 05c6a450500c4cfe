"""Step 9: whether the same is found on prompts from other seeds, and on two halves."""

from __future__ import annotations

from faultlens.auditing.result import HalfReading, Robustness, SeedReading, StableClass
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import (
    NOT_DONE,
    auroc,
    counted,
    listed,
    number,
    p_value,
    share,
    signed,
)
from faultlens.report.audit.estimates import estimate
from faultlens.report.audit.ladder import rung_name
from faultlens.report.audit.verdicts import members_name
from faultlens.report.parts import Cell, Column, Paragraph, Part, table

TITLE = "Replication"
FIRST_CLASSES = 10
NO_SEEDS = "no prompts from other seeds were run"


def parts(audit: Audit) -> list[Part]:
    """The seeds, the classes' verdicts under each, and effects in the half they were not found."""
    found = audit.robustness
    if found is None:
        return []
    return [*_seeds(found), *_classes(found), *_ladders(found.seeds), *_halves(found)]


def several(found: Robustness) -> bool:
    """Whether prompts from other seeds than the first were run."""
    return len(found.seeds) > 1


def _seeds(found: Robustness) -> list[Part]:
    parts: list[Part] = []
    if not several(found):
        why = found.reason or NO_SEEDS
        parts.append(Paragraph(f"{NOT_DONE}: {why}.", "Prompts from other seeds:"))
    elif found.reason is not None:
        parts.append(Paragraph(f"{found.reason.rstrip('.')}.", "Prompts from other seeds:"))
    if not found.seeds:
        return parts
    columns = [
        Column("Seed"),
        Column("Prompts", "right"),
        Column("Failures", "right"),
        Column("Classes", "right", "That go with failure or success beyond chance."),
        Column("Leading class", explanation="The one that goes with failure most surely."),
        Column("Verdict", explanation="Of that class, or of an audit that cannot be carried out."),
    ]
    caption = "The same audit on the prompts of each seed."
    return [*parts, table(caption, columns, [_seed_row(seed) for seed in found.seeds])]


def _seed_row(seed: SeedReading) -> list[Cell | str]:
    leading = members_name(seed.leading[0], len(seed.leading)) if seed.leading else "none"
    return [
        f"{seed.seed}",
        f"{seed.n:,}",
        Cell(f"{seed.failures:,}", share(seed.failures / seed.n) if seed.n else ""),
        f"{seed.significant:,}",
        leading,
        _verdict(seed),
    ]


def _verdict(seed: SeedReading) -> str:
    """The leading class's verdict; of an audit that could not be carried out also the reason."""
    if seed.verdict is None:
        return "none"
    return seed.verdict.label if seed.leading else str(seed.verdict)


def _classes(found: Robustness) -> list[Part]:
    if not found.classes:
        if not several(found):
            return []
        return [Paragraph("there are none to look for under the other seeds.", "Classes:")]
    caption = (
        "The classes of the first seed's prompts, looked for under the others. ✓ marks the stable: "
        f"the first seed's verdict under at least {found.needed} of "
        f"{counted(len(found.seeds), 'seed')}."
    )
    columns = [
        Column("Class"),
        Column("Stable"),
        Column(
            "Found again",
            explanation="The seeds, the first among them, on which the class or its match is "
            "significant with the same sign.",
        ),
        Column("Verdicts", explanation="In brackets the seeds."),
    ]
    rows: list[list[Cell | str]] = [
        [
            Cell(members_name(c.features[0], len(c.features)), c.verdict, c.stable),
            _stable(c),
            f"{c.replicated:,} of {len(c.verdicts):,}",
            _by_seed(c, [seed.seed for seed in found.seeds]),
        ]
        for c in found.classes
    ]
    return [table(caption, columns, rows, FIRST_CLASSES, "classes")]


def _by_seed(found: StableClass, seeds: list[int]) -> str:
    """Each verdict with the seeds under which it was given."""
    under: dict[str, list[str]] = {}
    for seed, verdict in zip(seeds, found.verdicts, strict=True):
        under.setdefault(verdict or "no class matches", []).append(str(seed))
    return "; ".join(f"{verdict} ({listed(named)})" for verdict, named in under.items())


def _stable(found: StableClass) -> str:
    word = "stable" if found.stable else "not stable"
    return f"{word}, {found.same:,} of {len(found.verdicts):,}"


def _ladders(seeds: list[SeedReading]) -> list[Part]:
    """How well each rung of the ladder predicts failure under each seed."""
    rungs = list(dict.fromkeys(name for seed in seeds for name in seed.baselines))
    if not rungs:
        return [Paragraph(f"{NOT_DONE}.", "The baseline ladder of other seeds:")] if seeds else []
    rows = [
        [rung_name(rung), *(_auroc(seed.baselines.get(rung)) for seed in seeds)] for rung in rungs
    ]
    columns = [Column("Rung"), *(Column(f"Seed {seed.seed}", "right") for seed in seeds)]
    caption = "The baseline ladder under each seed: mean AUROC on prompts held out."
    return [table(caption, columns, rows)]


def _auroc(value: float | None) -> str:
    return NOT_DONE if value is None else auroc(value)


def _halves(found: Robustness) -> list[Part]:
    """Effects where they were found, and where they were not looked for."""
    label = "Discovery and replication:"
    if not found.halves:
        return [Paragraph(f"{NOT_DONE}: no class was found in a half of the prompts.", label)]
    shrunk = "not defined"
    if found.shrinkage is not None:
        shrunk = f"{number(found.shrinkage)} of what it is where they were found"
    caption = (
        "Discovery and replication: classes found in one half of the prompts, measured in the "
        f"other. Their mean d there, where both are finite: {shrunk}."
    )
    columns = [
        Column("Class"),
        Column("d found", "right", "Cohen's, in the half where the class was found."),
        Column("d replicated", "right", "In the other half, with its 95% interval."),
        Column("Rate found", "right", "Share of failures − of successes on which it fires."),
        Column("Rate replicated", "right", "The same in the other half."),
        Column("p replicated", "right", "Fisher's, one-sided, in the direction found."),
    ]
    rows = [_half_row(half) for half in found.halves]
    return [table(caption, columns, rows, FIRST_CLASSES, "classes")]


def _half_row(half: HalfReading) -> list[Cell | str]:
    p = half.p_replication
    return [
        members_name(half.features[0], len(half.features)),
        "infinite" if half.discovery is None else signed(half.discovery),
        estimate(half.replication, missing="not defined"),
        signed(half.rate_discovery),
        signed(half.rate_replication),
        "not defined" if p is None else p_value(p),
    ]


def leading_stability(audit: Audit) -> StableClass | None:
    """The class that goes with failure most surely, among those looked for under other seeds."""
    leading, found = audit.leading, audit.robustness
    if leading is None or found is None:
        return None
    return next((c for c in found.classes if leading.features[0] in c.features), None)


def sentence(audit: Audit) -> str:
    """How many classes are stable, and how far effects shrink."""
    found = audit.robustness
    if found is None:
        return f"{NOT_DONE.capitalize()}: {NO_SEEDS}."
    said = []
    if several(found) and found.classes:
        stable = sum(c.stable for c in found.classes)
        said.append(
            f"the first seed's verdict under at least {found.needed} of "
            f"{counted(len(found.seeds), 'seed')}: {stable:,} of "
            f"{counted(len(found.classes), 'class', 'classes')}"
        )
        mine = leading_stability(audit)
        if mine is not None:
            said.append(
                f"{mine.features[0]}, which goes with failure most surely, is {mine.verdict} under "
                f"{mine.same} of {len(mine.verdicts)}"
            )
    elif several(found):
        said.append("there are no classes to look for under the other seeds")
    else:
        said.append(f"other seeds {NOT_DONE}: {found.reason or NO_SEEDS}")
    if found.shrinkage is not None:
        said.append(
            f"in the half where a class was not found, d is {number(found.shrinkage)} of what it "
            "is where it was"
        )
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."

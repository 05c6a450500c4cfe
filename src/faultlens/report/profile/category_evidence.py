"""What was found of a category at each site, and where its best feature fires."""

from __future__ import annotations

from faultlens.numbers import (
    NOTHING_FIRES,
    auroc,
    counted,
    number,
    p_value,
    share,
)
from faultlens.profiling.result import CategoryReading, Profile, SiteReading
from faultlens.report.parts import Cell, Column, Part, Table, table
from faultlens.report.profile.best import family
from faultlens.report.profile.tokens import examples_table


def evidence(profile: Profile, category: str) -> list[Part]:
    """The category site by site, then examples of its best feature."""
    return [
        _telling(profile, category),
        _holding(profile, category),
        *examples_table(profile, category),
    ]


def _telling(profile: Profile, category: str) -> Table:
    """The features that tell the category from the rest, by AUROC and by score."""
    texts = next(iter(profile.sites.values())).categories[category].texts
    return table(
        f"{category}, {counted(texts, 'text')}: the features that tell it from the rest. ✓ marks "
        f"those beyond chance after Holm over {family(profile)}. The shortlist rule looks only "
        f"among the {profile.top_k} features that peak highest; it has no p-value, and a positive "
        "score alone means nothing.",
        [
            Column("Site"),
            Column("Best by AUROC"),
            Column("AUROC", "right"),
            Column("p Holm", "right"),
            Column("Best by score"),
            Column(
                "Score", "right", "Texts above the threshold inside minus outside; below, both."
            ),
            Column("p Holm of score", "right"),
            Column("Threshold", "right", "In the units of pooled activations."),
            Column(
                "Shortlist rule's", explanation="Its feature; below, its score, inside, outside."
            ),
        ],
        [_telling_row(profile, name, site, category) for name, site in profile.sites.items()],
    )


def _telling_row(profile: Profile, name: str, site: SiteReading, category: str) -> list[Cell | str]:
    found = site.categories[category]
    area, score, short = found.selectivity, found.specialist, found.shortlist_specialist
    return [
        name,
        Cell(area.feature, _tied(area.ties), area.p_holm <= profile.alpha),
        auroc(area.auroc),
        p_value(area.p_holm),
        Cell(score.feature, _tied(score.ties), score.p_holm <= profile.alpha),
        Cell(f"{score.score}", f"{score.inside} − {score.outside}"),
        p_value(score.p_holm),
        number(site.threshold),
        NOTHING_FIRES
        if short is None
        else Cell(short.feature, f"{short.score}: {short.inside} − {short.outside}"),
    ]


def _tied(ties: int) -> str:
    return f"{ties} tied" if ties > 1 else ""


def _holding(profile: Profile, category: str) -> Table:
    """How high the category's features reach, and how the activation is spread over them."""
    k = profile.top_k
    return table(
        f"{category}: how high its features reach, and how much of the activation they hold.",
        [
            Column("Site"),
            Column("Peak feature"),
            Column("Peak", "right", "The largest pooled activation; below, ÷ mean residual norm."),
            Column(f"Top-{k} sum", "right", f"Of the {k} largest maxima of a feature."),
            Column(f"Top-{k} share", "right", "That sum over the sum of all features' maxima."),
            Column("Gini", "right", f"Of those {k} maxima: 0 is all alike."),
            Column("Most frequent", explanation="Below, on how many of its texts."),
            Column("Most selective", explanation="Below, on how many texts above the threshold."),
            Column(
                "Participation ratio", "right",
                "(Σ a)² / Σ a² of the features' totals; below, how many hold 90 %.",
            ),
        ],
        [_holding_row(name, site.categories[category]) for name, site in profile.sites.items()],
    )  # fmt: skip


def _holding_row(name: str, found: CategoryReading) -> list[Cell | str]:
    peak, frequent, selective, tail = (
        found.peak, found.most_frequent, found.most_selective, found.tail,
    )  # fmt: skip
    if peak is None or found.top_share is None or found.gini is None:
        return [name, NOTHING_FIRES, *["none"] * 7]
    relative = "norm not known" if peak.relative is None else f"÷ norm {number(peak.relative)}"
    return [
        name,
        peak.feature,
        Cell(number(peak.activation), relative),
        number(found.top_sum),
        share(found.top_share),
        number(found.gini),
        "none"
        if frequent is None
        else Cell(
            frequent.feature,
            f"{frequent.texts} of {found.texts}, {share(frequent.coverage)}"
            + (f", {_tied(frequent.ties)}" if frequent.ties > 1 else ""),
        ),
        "none"
        if selective is None
        else Cell(selective.feature, f"{counted(selective.texts, 'text')}, {selective.ties} tied"),
        "none"
        if tail is None
        else Cell(number(tail.participation_ratio), f"{tail.features_90:,} for 90 %"),
    ]

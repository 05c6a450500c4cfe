"""A profile as a study: its answer, the list of categories, and the evidence."""

from __future__ import annotations

from faultlens.profiling.result import Profile
from faultlens.report.figures.profile import (
    CELLS,
    drawn_words,
    selectivity_heatmap,
    specialist_heatmap,
)
from faultlens.report.parts import Callout, Figure
from faultlens.report.profile import (
    layers,
    lengths,
    multiverse,
    pairs,
    sites,
    spread,
    tokens,
)
from faultlens.report.profile.answer import answer
from faultlens.report.profile.category_list import category_list
from faultlens.report.tree import Headline, Section, Study


def profile_study(profile: Profile) -> Study:
    """Everything that a profile says, in the order in which it should be read."""
    sections = [
        Section(step.TITLE, step.sentence(profile), tuple(step.parts(profile)))
        for step in (tokens, pairs, layers, spread, multiverse, sites)
    ]
    length = Section(lengths.TITLE, lengths.sentence(profile))
    return Study(
        name=f"Profile of {profile.corpus}",
        headline=Headline(
            question="Which features go with which kind of text?",
            sentences=answer(profile),
            figures=_figures(profile),
            cautions=tuple(
                Callout("caution", "To be read with care:", f"{text[0].upper()}{text[1:]}.")
                for text in profile.warnings
            ),
        ),
        found_title="Categories",
        found=category_list(profile),
        sections_title="The evidence",
        sections=(*sections[:2], length, *sections[2:]),
    )


def _figures(profile: Profile) -> tuple[Figure, ...]:
    rest = drawn_words(profile, CELLS)
    rows = min(len(profile.categories), CELLS)
    alt = (
        f"Heat map of {rows} categories by {len(profile.sites)} sites; the list of categories "
        "holds the numbers."
    )
    return (
        Figure(
            "selectivity",
            selectivity_heatmap(profile),
            "AUROC of the feature that best tells each category from the rest. The best of "
            f"thousands is high even under random labels: ✓ marks what is beyond that.{rest}",
            alt,
        ),
        Figure(
            "specialists",
            specialist_heatmap(profile),
            f"The best score of each category at each site. ✓ marks what is beyond chance.{rest}",
            alt,
        ),
    )

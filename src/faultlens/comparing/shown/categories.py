"""Profiles side by side, as a study of the tree."""

from __future__ import annotations

from faultlens.comparing.result import CategoryBest, CategoryPair, ProfilePair, RunPair
from faultlens.comparing.shown.names import Names, sentence
from faultlens.comparing.shown.settings import settings_section, settings_words
from faultlens.numbers import auroc, counted, listed, number, p_value
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Row, Table
from faultlens.report.tree import Headline, Section, Study

FIRST_CATEGORIES = 20
LISTED = 500  # categories on the page; --json holds all
NAMED = 3  # categories in a sentence


def profile_study(pair: RunPair, found: ProfilePair) -> Study:
    """All that is said of two profiles."""
    names = Names.of(pair)
    firing = (
        "Firing was compared over the texts, which are the same."
        if found.no_firing is None
        else f"Firing was not compared: {found.no_firing}."
    )
    return Study(
        name=f"Profiles: {names.first} and {names.second}",
        headline=Headline(
            question=f"What tells the categories apart in {names.first} and in {names.second}?",
            sentences=(
                Paragraph(_told(found, names), "What changed:"),
                Paragraph(_features(found), "By which features:"),
                Paragraph(settings_words(pair.settings), "What may not be claimed:"),
            ),
            cautions=tuple(
                Callout("caution", "To be read with care:", sentence(text))
                for text in found.cautions
            ),
        ),
        found_title="Categories",
        found=_table(found, names),
        sections_title="The evidence",
        sections=(Section("How features were matched", firing), settings_section(pair, names)),
    )


def _told(found: ProfilePair, names: Names) -> str:
    """Which categories are told beyond chance in one run only."""
    both = [pair for pair in found.categories.values() if pair.first and pair.second]
    if not both:
        return "the runs have no category in common."
    told = sum(p.first.beyond_chance and p.second.beyond_chance for p in both)  # type: ignore[union-attr]
    text = (
        f"of {counted(len(both), 'category', 'categories')} that both runs have, some feature "
        f"tells {told:,} from the rest beyond chance in both"
    )
    for name, which in ((names.first, 0), (names.second, 1)):
        alone = [
            category
            for category, p in found.categories.items()
            if p.changed and (p.first, p.second)[which].beyond_chance  # type: ignore[union-attr]
        ]
        text += f", {listed(alone, NAMED)} in {name} alone" if alone else ""
    return f"{text}."


def _features(found: ProfilePair) -> str:
    """Whether the same features do."""
    both = [pair for pair in found.categories.values() if pair.first and pair.second]
    known = [pair for pair in both if pair.same_feature is not None]
    text = (
        f"of {len(known):,} that the same dictionary tells best in both, "
        f"{sum(bool(pair.same_feature) for pair in known):,} by the same feature"
        if known
        else "the best features are of other dictionaries"
    )
    alike = [pair.jaccard for pair in both if pair.jaccard is not None]
    if not alike:
        return f"{text}."
    high = sum(one >= 0.5 for one in alike)
    return (
        f"{text}; {high:,} of {len(alike):,} pairs fire on mostly the same texts (Jaccard ≥ 0.5)."
    )


def _table(found: ProfilePair, names: Names) -> Table:
    rows = list(found.categories.items())
    rest = len(rows) - LISTED
    more = "" if rest <= 0 else f" {rest:,} more stand in the output of --json."
    return Table(
        "The feature that best tells each category from the rest. ✓ marks what is beyond chance "
        f"there.{more}",
        (
            Column("Category", brief=True),
            Column(names.first, brief=True, explanation="The feature; below, its AUROC and p."),
            Column(names.second, brief=True, explanation="The same."),
            Column("Same", brief=True, chosen="Same", explanation="Whether it is one feature."),
            Column(
                "Firing", "right",
                "Jaccard index of the texts on which the two fire; below, the correlation of their "
                "pooled activations.",
            ),
        ),
        tuple(_row(category, pair) for category, pair in rows[:LISTED]),
        first=FIRST_CATEGORIES,
        rows_are="categories",
        browsable=True,
    )  # fmt: skip


def _row(category: str, pair: CategoryPair) -> Row:
    same = {True: "yes", False: "no", None: "other dictionaries"}[pair.same_feature]
    if pair.first is None or pair.second is None:
        same = "one run only"
    firing = Cell("unknown", value=-2.0)
    if pair.jaccard is not None:
        below = ""
        if pair.correlation is not None:
            below = f"correlation {number(round(pair.correlation, 3))}"
        firing = Cell(number(round(pair.jaccard, 3)), below, value=pair.jaccard)
    return Row((Cell(category), _best(pair.first), _best(pair.second), Cell(same), firing))


def _best(of: CategoryBest | None) -> Cell:
    if of is None:
        return Cell("no such category")
    return Cell(
        of.feature, f"AUROC {auroc(of.auroc)}, p {p_value(of.p_holm)}", marked=of.beyond_chance,
        value=of.auroc,
    )  # fmt: skip

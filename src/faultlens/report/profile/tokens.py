"""Where features fire, as parts: top examples in their context, and classes of token."""

from __future__ import annotations

from faultlens.numbers import clipped, counted, listed, number, share
from faultlens.profiling.result import ClassShare, Example, FeatureTokens, Profile, TokenEvidence
from faultlens.report.parts import Cell, Column, Part, Table, table
from faultlens.report.profile.best import best

SHOWN_EXAMPLES = 5
SIDE = 48  # characters of context on either side
UNUSUAL = 0.05  # share of features from which a class share counts as unlike a random feature's


TITLE = "Where they fire"
NO_MODEL = "Not done: where a feature fires needs a model, and there was none."


def sentence(profile: Profile) -> str:
    """Whether features follow one class of token more than random features do."""
    if profile.tokens is None:
        return NO_MODEL
    return _surface(_chosen(profile), profile.tokens)


def parts(profile: Profile) -> list[Part]:
    """On which classes of token each category's best feature falls; the others with an example."""
    found = profile.tokens
    if found is None:
        return []
    return [_classes(_chosen(profile), found), *_elsewhere(profile, found)]


def _chosen(profile: Profile) -> dict[str, str]:
    return {category: best(profile, category).feature for category in profile.categories}


def in_context(example: Example) -> str:
    """A token in ⟦ ⟧ with what stands around it, on one line."""
    left, right = _line(example.left)[-SIDE:], _line(example.right)[:SIDE]
    return f"{left}⟦{_line(example.token)}⟧{right}".strip()


def _line(text: str) -> str:
    return text.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "")


def examples_table(profile: Profile, category: str) -> list[Part]:
    """Where a category's best feature is strongest, a row a text; nothing without a model."""
    found = profile.tokens
    if found is None:
        return []
    feature = best(profile, category).feature
    return examples_of(feature, found.features[feature])


def examples_of(feature: str, seen: FeatureTokens) -> list[Part]:
    """Where a feature is strongest in the corpus, a row a text."""
    rows = [
        [number(example.activation), example.category, in_context(example)]
        for example in seen.examples
    ]
    caption = (
        f"{feature} fires on {counted(seen.tokens, 'token')}; its strongest, one a text, in ⟦ ⟧. A "
        "character that several tokens share is shown whole."
    )
    columns = [
        Column("Activation", "right"),
        Column("Text is of"),
        Column("The token in its context"),
    ]
    return [table(caption, columns, rows, SHOWN_EXAMPLES, "examples")]


FIRST_CATEGORIES = 28
FIRST_FEATURES = 12
NAMED = 6  # categories in a sentence


def _surface(chosen: dict[str, str], found: TokenEvidence) -> str:
    telling = [
        f"{category} on {kind} ({share(part.share)}, random {share(part.random)})"
        for category, feature in chosen.items()
        for kind, part in found.features[feature].classes.items()
        if _unlike(part)
    ]
    if not telling:
        return (
            "None of these features falls on one class of token more than nearly all random "
            "features do. That is no evidence of meaning: a feature may follow one sign or word, "
            "which these classes do not tell apart."
        )
    return (
        f"Unlike a random firing feature (at most {share(UNUSUAL)} of which fall as much on the "
        f"class): {listed(telling, NAMED)}. Such a feature may follow how a text is written, "
        "whatever it says."
    )


def _unlike(part: ClassShare) -> bool:
    return part.at_least <= UNUSUAL and part.share > part.random


def _classes(chosen: dict[str, str], found: TokenEvidence) -> Table:
    kinds = list(found.corpus)
    rows: list[list[Cell | str]] = [
        ["all tokens", *(share(part) for part in found.corpus.values())]
    ]
    for category, feature in chosen.items():
        parts = found.features[feature].classes
        rows.append([Cell(category, feature), *(_class_cell(parts[kind]) for kind in kinds)])
    return table(
        "Share of each feature's activation by class of token, beside a random firing feature's of "
        f"the same site. ✓ marks what at most {share(UNUSUAL)} of the firing features reach.",
        [Column("Category"), *(Column(kind, "right") for kind in kinds)],
        rows,
        FIRST_CATEGORIES,
        "categories",
    )


def _class_cell(part: ClassShare) -> Cell:
    return Cell(share(part.share), f"random {share(part.random)}", _unlike(part))


def _elsewhere(profile: Profile, found: TokenEvidence) -> list[Part]:
    """One example of every other feature that stands out, at every site."""
    names: dict[str, list[str]] = {}
    for site in profile.sites.values():
        for category, reading in site.categories.items():
            for what, top in (
                ("AUROC", reading.selectivity),
                ("score", reading.specialist),
                ("peak", reading.peak),
            ):
                if top is not None:
                    names.setdefault(top.feature, []).append(f"{category} by {what}")
    rows: list[list[Cell | str]] = []
    for feature, roles in names.items():
        seen = found.features[feature]
        rows.append([feature, ", ".join(roles), _leading(seen), *_first_example(seen)])
    columns = [
        Column("Feature"),
        Column("Top feature of"),
        Column("Mostly on"),
        Column("Activation", "right"),
        Column("Its strongest token"),
    ]
    caption = f"All {len(rows):,} features that stand out by AUROC, score or peak."
    return [table(caption, columns, rows, FIRST_FEATURES, "features")]


def _leading(seen: FeatureTokens) -> str:
    kind, part = max(seen.classes.items(), key=lambda pair: pair[1].share)
    return f"{kind}, {share(part.share)}"


def _first_example(seen: FeatureTokens) -> list[str]:
    if not seen.examples:
        return ["none", "none"]
    first = seen.examples[0]
    return [number(first.activation), clipped(in_context(first), 110)]

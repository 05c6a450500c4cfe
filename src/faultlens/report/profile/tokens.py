"""Where features fire, as parts: top examples in their context, and classes of token."""

from __future__ import annotations

from faultlens.profiling.result import ClassShare, Example, FeatureTokens, Profile, TokenEvidence
from faultlens.report.numbers import clipped, counted, number, share
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, table

SHOWN_EXAMPLES = 3  # of each category's feature; the rest is in the result
SIDE = 48  # characters of context on either side
UNUSUAL = 0.05  # share of features from which a class share counts as unlike a random feature's


def token_parts(profile: Profile) -> list[Part]:
    """The first evidence on surface versus meaning, for each category's most selective feature."""
    found = profile.tokens
    if found is None:
        return [Paragraph("Not done: where a feature fires needs a model, and there was none.")]
    chosen = {category: best_feature(profile, category) for category in profile.categories}
    return [
        _examples(chosen, found),
        Paragraph(_surface(chosen, found)),
        _classes(chosen, found),
        *_elsewhere(profile, found),
    ]


def best_feature(profile: Profile, category: str) -> str:
    """A category's most selective feature over all sites: least p after Holm, then AUROC."""
    readings = [site.categories[category].selectivity for site in profile.sites.values()]
    return min(readings, key=lambda reading: (reading.p_holm, -reading.auroc)).feature


def in_context(example: Example) -> str:
    """A token in ⟦ ⟧ with what stands around it, on one line."""
    left, right = _line(example.left)[-SIDE:], _line(example.right)[:SIDE]
    return f"{left}⟦{_line(example.token)}⟧{right}".strip()


def _line(text: str) -> str:
    return text.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "")


def _examples(chosen: dict[str, str], found: TokenEvidence) -> Table:
    rows: list[list[Cell | str]] = []
    for category, feature in chosen.items():
        seen = found.features[feature]
        for place, example in enumerate(seen.examples[:SHOWN_EXAMPLES]):
            rows.append(
                [
                    category if place == 0 else "",
                    Cell(feature, f"fires on {counted(seen.tokens, 'token')}")
                    if place == 0
                    else "",
                    number(example.activation),
                    example.category,
                    in_context(example),
                ]
            )
    return table(
        "Where each category's most selective feature is strongest: one token a text, in ⟦ ⟧. A "
        "character that several tokens share is shown whole.",
        [
            Column("Category"),
            Column("Feature"),
            Column("Activation", "right"),
            Column("Text is of"),
            Column("The token in its context"),
        ],
        rows,
    )


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
        f"class): {', '.join(telling)}. Such a feature may follow how a text is written, whatever "
        "it says."
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
    return [
        table(
            "",
            [
                Column("Feature"),
                Column("Top feature of"),
                Column("Mostly on"),
                Column("Activation", "right"),
                Column("Its strongest token"),
            ],
            rows,
            f"All {len(rows)} features that stand out by AUROC, score or peak",
        )
    ]


def _leading(seen: FeatureTokens) -> str:
    kind, part = max(seen.classes.items(), key=lambda pair: pair[1].share)
    return f"{kind}, {share(part.share)}"


def _first_example(seen: FeatureTokens) -> list[str]:
    if not seen.examples:
        return ["none", "none"]
    first = seen.examples[0]
    return [number(first.activation), clipped(in_context(first), 110)]

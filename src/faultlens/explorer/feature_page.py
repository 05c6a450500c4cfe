"""One feature: how often it fires, how strongly, and where it is strongest."""

from __future__ import annotations

from faultlens.errors import UserError
from faultlens.explorer.firings import BINS, Example, FeatureSummary
from faultlens.explorer.search import search_form
from faultlens.explorer.source import Collection, Source
from faultlens.explorer.texts import PromptTexts
from faultlens.explorer.view import View, edit_address, feature_address
from faultlens.numbers import counted, number, share
from faultlens.report.figures.chart import Bars
from faultlens.report.parts import (
    Callout,
    Figure,
    Paragraph,
    Part,
    ShadedText,
    facts,
)

TOP, MOST = 20, 200  # examples that are shown, and that may be asked for
WIDEST = 400  # tokens of an example, around where it is strongest


def feature_page(source: Source, name: str, index: int, top: int = TOP) -> View:
    """The page of a feature. Raises UserError for one that there is not."""
    source.check_feature(name, index)
    feature = f"{name}/{index}"
    parts = _verdicts(source, feature)
    prompt = None
    for collection in source.collections:
        if name in collection.firings.names:
            shown = collection.firings.feature(name, index, min(max(top, 1), MOST))
            parts += _fires(collection, feature, shown)
            if isinstance(collection.texts, PromptTexts) and shown.examples:
                prompt = shown.examples[0].text
    if not any(name in one.firings.names for one in source.collections):
        parts.append(Paragraph("no activations of this dictionary are kept.", "Where it fires:"))
    lead, links = _lead(source, feature), _links(source, feature, top, prompt)
    return View("features", feature, lead, search_form(feature), links, parts)


def _lead(source: Source, feature: str) -> tuple[Paragraph, ...]:
    label = source.names.labels.get(feature)
    said = f"“{label}”, somebody's reading of it, which is no evidence." if label else ""
    return (Paragraph(said, "Labelled"),) if said else ()


def _verdicts(source: Source, feature: str) -> list[Part]:
    """What the audit says of the class that holds it."""
    parts: list[Part] = []
    for _, reading in source.audit.classes if source.audit is not None else ():
        if feature in reading.features:
            others = counted(reading.size - 1, "feature")
            alike = f", with {others} that cannot be told from it" if reading.size > 1 else ""
            text = reading.verdict.sentence
            said = f"{text[:1].upper()}{text[1:]}."
            parts.append(Callout("open", f"{reading.verdict.label}{alike}:", said))
    return parts


def _links(source: Source, feature: str, top: int, prompt: int | None) -> list[tuple[str, str]]:
    """What can be done from here; edits on the prompt on which the feature is strongest."""
    links = []
    if source.lens is not None:
        on = {} if prompt is None or not source.plain_prompts else {"prompt_id": prompt}
        links.append(("Try an edit", edit_address([feature], **on)))
        links += [
            ("Edit the whole class", edit_address(reading.features, **on))
            for _, reading in (source.audit.classes if source.audit is not None else ())
            if feature in reading.features and reading.size > 1
        ]
    if top < MOST:
        links.append(("More examples", feature_address(feature, top=min(MOST, top * 3))))
    if page := source.names.page(feature):
        links.append(("Its page on Neuronpedia", page))
    return links


def _fires(collection: Collection, feature: str, found: FeatureSummary) -> list[Part]:
    """What a feature does on some texts."""
    if not found.tokens:
        return [Paragraph("it fires on none of them.", f"{collection.title}:")]
    parts: list[Part] = [
        facts(
            f"{collection.title}:",
            {
                "Fires in": f"{found.texts:,} of {counted(collection.size, 'text')} "
                f"({share(found.texts / collection.size)})",
                "On": counted(found.tokens, "token"),
                "Largest activation": number(found.largest),
                "Median, where it fires": number(found.median),
            }.items(),
        ),
        _histogram(feature, found),
    ]
    heading = f"{counted(len(found.examples), 'text')}, where it is strongest."
    parts.append(Paragraph(heading, "Examples:"))
    for example in found.examples:
        parts.append(_example(collection, example, found.largest))
    return parts


def _histogram(feature: str, found: FeatureSummary) -> Figure:
    edges = [number(found.largest * (place + 1) / BINS) for place in range(BINS)]
    shares = tuple(count / found.tokens for count in found.histogram)
    chart = Bars(
        tuple(f"≤ {edge}" for edge in edges),
        (("tokens", "plain", shares),),
        "activation, where it fires",
        "share of tokens",
    )
    return Figure(
        "histogram", chart,
        f"How strongly {feature} fires: {counted(found.tokens, 'token')} by their activation.",
        "Bars of the share of tokens by range of the activation.",
    )  # fmt: skip


def _example(collection: Collection, example: Example, largest: float) -> Part:
    label = f"{collection.texts.label(example.text)} · {number(example.largest)}"
    try:
        tokens = collection.texts.tokens(example.text)
    except UserError as error:
        where = ", ".join(f"{place} ({number(value)})" for place, value in example.at.items())
        return Paragraph(f"fires at token {where}; its words are not shown: {error}.", f"{label}:")
    strongest = max(example.at, key=lambda place: example.at[place])
    start = max(0, strongest - WIDEST // 2) if len(tokens) > WIDEST else 0
    shown = tokens[start : start + WIDEST]
    before = "… " if start else ""
    return ShadedText(
        f"{label}{' (in part)' if len(shown) < len(tokens) else ''}",
        tuple(
            (f"{before if place == start else ''}{token}", example.at.get(place, 0.0))
            for place, token in enumerate(shown, start)
        ),
        largest,
    )

"""Search: from what a reader types to the feature that is meant, and lists of features."""

from __future__ import annotations

from faultlens.errors import UserError
from faultlens.explorer.source import Source
from faultlens.explorer.view import Field, Form, View, dictionary_address, feature_address
from faultlens.numbers import counted, number
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Row, Table

LISTED = 300  # features of a dictionary, or found by their labels


def search_form(value: str = "") -> Form:
    """Where a feature is looked for."""
    hint = "NAME/NUMBER, LAYER/NUMBER, a number where there is one dictionary, or words of a label"
    return Form("/features", (Field("text", "q", "Feature", value, hint=hint),), "Look it up")


def meant(source: Source, words: str) -> tuple[str, int] | None:
    """The feature that is named; None if the words name none.

    Raises UserError for one that there is not.
    """
    text = words.strip()
    place, _, number_text = text.rpartition("/")
    if not (number_text.isascii() and number_text.isdigit()) or len(number_text) > 9:
        return None
    names = list(source.widths)
    if not place:
        candidates = names
    elif place in names:
        candidates = [place]
    else:
        candidates = [name for name in names if name.split("-")[0] == place]
    if not candidates:
        raise UserError(
            f"there is no dictionary {place!r} here: expected one of {', '.join(names) or 'none'}"
        )
    if len(candidates) > 1:
        raise UserError(
            f"{text!r} may be of the dictionaries {', '.join(candidates)}: expected NAME/NUMBER"
        )
    source.check_feature(candidates[0], int(number_text))
    return candidates[0], int(number_text)


def features_page(source: Source, words: str, dictionary: str) -> View:
    """Features by words of their labels; or those of a dictionary that fire most.

    Raises UserError for a dictionary that there is not.
    """
    if words.strip():
        return _labelled(source, words.strip())
    names = [name for one in source.collections for name in one.firings.names]
    if not names:
        told = "The run kept none; read a text to see what fires in it."
        lead = (Callout("open", "No activations:", told),)
        return View("features", "Features", lead, search_form())
    name = dictionary or names[0]
    if name not in names:
        raise UserError(f"there are no activations of {name!r}: expected one of {', '.join(names)}")
    collection = next(one for one in source.collections if name in one.firings.names)
    found = collection.firings.frequent(name)
    rows = tuple(
        Row(
            (
                Cell(f"{name}/{index}", address=feature_address(f"{name}/{index}"),
                     label=source.names.labels.get(f"{name}/{index}", ""), value=index),
                Cell(f"{tokens:,}", value=tokens),
                Cell(number(largest), value=largest),
            )
        )
        for index, tokens, largest in found[:LISTED]
    )  # fmt: skip
    columns = (Column("Feature"), Column("Tokens", "right"), Column("Largest activation", "right"))
    rest = len(found) - LISTED
    more = "" if rest <= 0 else f" {rest:,} more fire; look one up by its number."
    others = [other for other in dict.fromkeys(names) if other != name]
    parts: list[Table] = [
        Table(f"The features of {name} that fire on most tokens.{more}", columns, rows, first=40,
              rows_are="features", browsable=True)
    ]  # fmt: skip
    if others:
        cells = (Row((Cell(other, address=dictionary_address(other)),)) for other in others)
        parts.append(Table("Other dictionaries.", (Column("Dictionary"),), tuple(cells)))
    lead_text = f"{counted(len(found), 'feature')} of {name} fire on {collection.title.lower()}."
    return View("features", "Features", (Paragraph(lead_text),), search_form(), parts=parts)


def _labelled(source: Source, words: str) -> View:
    wanted = words.lower().split()
    found = [
        (feature, label)
        for feature, label in source.names.labels.items()
        if all(word in label.lower() for word in wanted)
    ]
    rows = tuple(
        Row((Cell(feature, address=feature_address(feature)), Cell(label)))
        for feature, label in found[:LISTED]
    )
    told = counted(len(found), "feature is", "features are")
    if not source.names.labels:
        told = "There are no labels here, so features are found by their numbers only; 0 are"
    lead = (Paragraph(f"{told} labelled with these words, by somebody: that is no evidence."),)
    columns = (Column("Feature"), Column("Label"))
    parts = [Table("Features by their labels.", columns, rows)] if rows else []
    return View("features", "Features", lead, search_form(words), parts=parts)

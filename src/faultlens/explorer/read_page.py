"""A text that somebody typed: what fires at each token."""

from __future__ import annotations

import numpy as np

from faultlens.errors import UserError
from faultlens.explorer.source import Source
from faultlens.explorer.view import Field, Form, View, feature_address, mistake
from faultlens.features.lens import TokenView
from faultlens.numbers import number
from faultlens.report.parts import Cell, Column, Paragraph, Part, Row, ShadedText, Table

LONGEST = 4_000  # characters of a text
AT_TOKEN = 5  # features listed for each token
SHADED = 8  # features whose firing is shaded
TITLE = "What fires in a text?"


def read_page(source: Source, text: str, dictionary: str) -> View:
    """What can be asked for; and, where it was, what fires at each token."""
    form = _form(source, text, dictionary)
    try:
        return _read(source, text, dictionary, form)
    except UserError as error:
        return mistake("read", TITLE, str(error), form)


def _read(source: Source, text: str, dictionary: str, form: Form) -> View:
    if source.lens is None:
        raise UserError("this run was made without a model")
    if not source.widths:
        raise UserError("this run read the model without dictionaries")
    if not text.strip():
        lead = (Paragraph("Type a text; the model is loaded the first time."),)
        return View("read", TITLE, lead, form)
    if len(text) > LONGEST:
        raise UserError(f"the text has {len(text):,} characters: expected at most {LONGEST:,}")
    name = dictionary or next(iter(source.widths))
    with source.lens.used() as lens:
        lens[name]  # a sentence for one that there is not
        view = lens.tokens(text)
    shown = (_tokens(view, name), *_shaded(view, name))
    return View("read", TITLE, _lead(view, name), form, parts=shown)


def _form(source: Source, text: str, dictionary: str) -> Form:
    options = [(name, name) for name in source.widths]
    fields = [Field("area", "text", "Text", text)]
    if len(options) > 1:
        fields.append(Field("select", "dictionary", "Dictionary", dictionary, options))
    return Form("/read", fields, "Read it")


def _lead(view: TokenView, name: str) -> tuple[Paragraph, ...]:
    fires = np.diff(view.activations[name].indptr)
    text = f"{len(view.tokens)} tokens (BOS left out); {number(float(fires.mean()))} features of "
    return (Paragraph(f"{text}{name} fire at a token on average."),)


def _tokens(view: TokenView, name: str) -> Table:
    """Each token with the features that fire most strongly there."""
    rows = []
    for place, token in enumerate(view.tokens):
        row = view.activations[name].getrow(place)
        order = np.argsort(-row.data, kind="stable")[:AT_TOKEN]
        cells = [
            Cell(
                str(row.indices[i]),
                number(float(row.data[i])),
                value=float(row.data[i]),
                address=feature_address(f"{name}/{row.indices[i]}"),
            )
            for i in order
        ]
        left_out = view.left_out[name].get(place)
        note = "" if left_out is None else f"left out: {left_out}"
        cells += [Cell("")] * (AT_TOKEN - len(cells))
        rows.append(
            Row(
                (
                    Cell(f"{token.strip() or repr(token)}", note),
                    Cell(f"{row.nnz}", value=row.nnz),
                    *cells,
                )
            )
        )
    columns = (
        Column("Token"),
        Column("Fire", "right", "How many features fire at the token."),
        *(Column(f"{rank}", "right") for rank in range(1, AT_TOKEN + 1)),
    )
    return Table(
        f"The features of {name} that fire most strongly at each token, with their activations.",
        columns, tuple(rows), first=80, rows_are="tokens",
    )  # fmt: skip


def _shaded(view: TokenView, name: str) -> list[Part]:
    """The features that fire most strongly in the whole text, each over its tokens."""
    matrix = view.activations[name].tocsc()
    largest = np.asarray(matrix.max(axis=0).todense()).ravel()
    everywhere = np.diff(matrix.indptr) > len(view.tokens) / 2
    order = np.lexsort((-largest, everywhere))
    strongest = [int(i) for i in order[:SHADED] if largest[i] > 0]
    told = "the strongest first; those that fire at more than half of the tokens last."
    parts: list[Part] = [Paragraph(told, "Features over the text:")]
    for index in strongest:
        values = matrix[:, [index]].toarray().ravel().tolist()
        parts.append(
            ShadedText(
                f"{name}/{index}",
                tuple(zip(view.tokens, values, strict=True)),
                float(largest[index]),
            )
        )
    return parts if strongest else []

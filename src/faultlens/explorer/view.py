"""Views: what one page of the explorer shows, apart from how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from faultlens.report.parts import Callout, Paragraph, Part

Place = Literal["overview", "features", "read", "edit"]


@dataclass(frozen=True)
class Field:
    """One field of a form.

    Attributes:
        kind: `text`, `area` (of several lines), `number`, `select`.
        options: of a select: value and words.
    """

    kind: Literal["text", "area", "number", "select"]
    name: str
    label: str
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    hint: str = ""


@dataclass(frozen=True)
class Form:
    """What a reader can ask for: a GET request, which changes nothing."""

    action: str
    fields: Sequence[Field]
    button: str


@dataclass(frozen=True)
class View:
    """One page: a title, what it says first, what can be asked, and what is shown."""

    place: Place
    title: str
    lead: Sequence[Paragraph | Callout] = ()
    form: Form | None = None
    links: Sequence[tuple[str, str]] = ()
    """Words and where they lead: what can be done from here."""
    parts: Sequence[Part] = ()
    status: int = 200


def feature_address(feature: str, **more: object) -> str:
    """The page of a feature.

    >>> feature_address("3-res-mini/17", top=50)
    '/feature?name=3-res-mini%2F17&top=50'
    """
    return f"/feature?{urlencode({'name': feature, **more})}"


def dictionary_address(name: str) -> str:
    """The list of a dictionary's features."""
    return f"/features?{urlencode({'dictionary': name})}"


def edit_address(features: Sequence[str], **more: object) -> str:
    """The page on which features can be edited together."""
    return f"/edit?{urlencode({'features': '+'.join(features), **more})}"


def mistake(place: Place, title: str, sentence: str, form: Form | None = None) -> View:
    """A page that says what is wrong with what was asked, and lets it be asked again."""
    said = f"{sentence[:1].upper()}{sentence[1:]}."
    return View(
        place, title, (Callout("caution", "That cannot be shown:", said),), form, status=400
    )

"""The tree as one HTML page that opens anywhere: all that it needs is inside, nothing is fetched.

The page's content security policy forbids it the network, forms and any script or style but its
own, named by their hashes, so that a feature's name or a prompt can never do anything in a reader's
browser.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from itertools import count

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from faultlens.numbers import number
from faultlens.report.figures.chart import HeatMap
from faultlens.report.figures.svg import svg
from faultlens.report.glossary import glossed
from faultlens.report.links import linked
from faultlens.report.parts import ShadedText, Table
from faultlens.report.tree import Document, Section, Study, brief

WIDE, NARROW = 760, 350  # pixels: figures are drawn for a desk and for a telephone
SCRIPTS = ("early.js", "theme.js", "tables.js", "csv.js", "print.js")
RUN = "how-it-was-run"  # the place of the last section
NOTEBOOK_ROWS = 20


@dataclass(frozen=True)
class Placed:
    """A study with the names of its places on the page: its own, its list's and its sections'."""

    study: Study
    anchor: str
    found_anchor: str
    sections: tuple[tuple[Section, str], ...]


def build_page(document: Document) -> str:
    """The page of a document, self-contained. Raises ValueError if there is nothing to show."""
    if not document.studies:
        raise ValueError("a page needs a profile or an audit")
    css, scripts = resource("page.css"), [resource(name) for name in SCRIPTS]
    whole = glossed(linked(document))
    return environment().get_template("page.html.j2").render(
        document=whole,
        studies=_placed(whole),
        policy=_policy(css, scripts),
        css=Markup(css),
        scripts=[Markup(script) for script in scripts],
    )  # fmt: skip


def headline_html(study: Study) -> str:
    """A study's answer and the first rows of its list, to stand in another page: a notebook's."""
    found = None if study.found is None else brief(study.found)
    template = environment().get_template("notebook.html.j2")
    return template.render(study=study, found=found, most=NOTEBOOK_ROWS)


def table_html(one: Table) -> str:
    """A table's first rows, to stand in a notebook's cell."""
    return _cell_macro("table")(one, NOTEBOOK_ROWS)


def shaded_html(one: ShadedText) -> str:
    """A shaded text, to stand in a notebook's cell."""
    return _cell_macro("shaded")(one)


def _cell_macro(name: str) -> Callable[..., str]:
    """A macro of what stands in a notebook's cell."""
    found: Callable[..., str] = getattr(
        environment().get_template("notebook_parts.html.j2").make_module(), name
    )
    return found


def _placed(document: Document) -> list[Placed]:
    """Each study with its places; a place is named after its title, and never twice."""
    taken = {RUN}
    numbers = count(2)

    def name(title: str) -> str:
        words = re.sub(r"^\d+ ", "", title.split(":")[0].lower())  # a step's number
        words = re.sub(r"[^a-z0-9]+", "-", words).strip("-") or "part"
        found = words if words not in taken else f"{words}-{next(numbers)}"
        taken.add(found)
        return found

    return [
        Placed(
            study,
            name(study.name),
            name(study.found_title),
            tuple((section, name(section.title)) for section in study.sections),
        )
        for study in document.studies
    ]


def place(name: str) -> str:
    """The place of a named row on the page.

    >>> place("5-res-mini/635")
    'row-5-res-mini-635'
    """
    return "row-" + re.sub(r"[^A-Za-z0-9]+", "-", name)


def shade(activation: float, largest: float) -> int:
    """How full a token's shade is, from 0 (silent) to 9.

    >>> shade(0.0, 4.0), shade(0.01, 4.0), shade(2.0, 4.0), shade(4.0, 4.0)
    (0, 1, 5, 9)
    """
    return 0 if activation <= 0 else max(1, min(9, round(9 * activation / largest + 0.01)))


def _policy(css: str, scripts: list[str]) -> str:
    """The content security policy: this style and these scripts, and nothing else."""
    allowed = " ".join(content_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {content_hash(css)}; img-src data:; "
        "form-action 'none'; base-uri 'none'"
    )


def content_hash(content: str) -> str:
    """How a content security policy names a script or a style that it allows."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def resource(name: str) -> str:
    """One of the report's templates, styles or scripts."""
    return (
        resources.files("faultlens.report").joinpath("templates", name).read_text(encoding="utf-8")
    )


def environment(read: Callable[[str], str | None] = resource) -> Environment:
    """What renders the parts of a tree.

    Args:
        read: gives the templates by name; None for one that there is not.
    """
    found = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    numbers = count()
    found.tests["kind"] = lambda part, name: type(part).__name__ == name
    found.globals["wide"] = lambda chart, alt: svg(chart, WIDE, alt)
    found.globals["narrow"] = lambda chart, alt: svg(chart, NARROW, alt)
    found.tests["scalable"] = lambda chart: isinstance(chart, HeatMap) and not chart.labels
    found.filters["number"] = number
    found.filters["place"] = place
    found.filters["shade"] = shade
    found.globals["next_number"] = lambda: next(numbers)
    return found

"""Views as HTML: the report's style and parts in a page with links and forms."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Template
from markupsafe import Markup

from faultlens.explorer.view import View
from faultlens.report.html import content_hash, environment, resource

SCRIPTS = ("early.js", "theme.js", "tables.js", "csv.js")
PLACES = (
    ("overview", "/", "Overview"),
    ("features", "/features", "Features"),
    ("read", "/read", "Read a text"),
    ("edit", "/edit", "Try an edit"),
)


def page(view: View, source: str) -> str:
    """A view as a page; `source` is what is explored."""
    style, scripts = _style(), _scripts()
    return _template().render(
        view=view,
        source=source,
        places=PLACES,
        css=Markup(style),
        scripts=[Markup(script) for script in scripts],
    )


@cache
def policy() -> str:
    """The content security policy of every page: its own style and scripts, forms to itself."""
    allowed = " ".join(content_hash(script) for script in _scripts())
    return (
        f"default-src 'none'; script-src {allowed}; style-src {content_hash(_style())}; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    return f"{resource('page.css')}\n{_own('explorer.css')}"


@cache
def _scripts() -> tuple[str, ...]:
    return tuple(resource(name) for name in SCRIPTS)


def _template() -> Template:
    def read(name: str) -> str:
        return _own(name) if name == "explorer.html.j2" else resource(name)

    return environment(read).get_template("explorer.html.j2")


def _own(name: str) -> str:
    found = resources.files("faultlens.explorer").joinpath("templates", name)
    return found.read_text(encoding="utf-8")

"""The web application: an address each for the overview, features, reading and editing."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from faultlens.errors import UserError
from faultlens.explorer.edit_page import edit_page
from faultlens.explorer.feature_page import TOP, feature_page
from faultlens.explorer.guard import Guard
from faultlens.explorer.html import page, policy
from faultlens.explorer.overview_page import overview
from faultlens.explorer.read_page import read_page
from faultlens.explorer.search import features_page, meant, search_form
from faultlens.explorer.source import Source
from faultlens.explorer.view import View, feature_address, mistake


def explorer_app(source: Source, token: str, port: int) -> ASGIApp:
    """The application that shows a source to whoever has the token."""
    name = str(source.folder)

    def shown(view: View) -> Response:
        return HTMLResponse(page(view, name), view.status)

    def one_feature(request: Request) -> Response:  # no coroutine: it runs in a thread of its own
        try:
            return shown(_feature(source, request))
        except UserError as error:
            asked = request.query_params.get("name", "")
            return shown(mistake("features", "No such feature", str(error), search_form(asked)))

    def features(request: Request) -> Response:
        words = request.query_params.get("q", "")
        try:
            found = meant(source, words)
            if found is not None:
                return RedirectResponse(feature_address(f"{found[0]}/{found[1]}"), 303)
            return shown(features_page(source, words, request.query_params.get("dictionary", "")))
        except UserError as error:
            return shown(mistake("features", "Features", str(error), search_form(words)))

    def missing(request: Request, error: Exception) -> Response:
        view = mistake("overview", "No such page", f"there is nothing at {request.url.path}")
        return HTMLResponse(page(view, name), 404)

    app = Starlette(
        routes=[
            Route("/", lambda _: shown(overview(source))),
            Route("/features", features),
            Route("/feature", one_feature),
            Route("/read", lambda request: shown(_read(source, request))),
            Route("/edit", lambda request: shown(edit_page(source, dict(request.query_params)))),
        ],
        exception_handlers={404: missing},
    )
    return Guard(app, token, port, policy())


def _feature(source: Source, request: Request) -> View:
    asked = request.query_params.get("name", "")
    found = meant(source, asked)
    if found is None:
        raise UserError(f"{asked!r} names no feature: expected NAME/NUMBER")
    top = request.query_params.get("top", "")
    return feature_page(source, *found, int(top) if top.isdecimal() and len(top) < 6 else TOP)


def _read(source: Source, request: Request) -> View:
    asked = request.query_params
    return read_page(source, asked.get("text", ""), asked.get("dictionary", ""))

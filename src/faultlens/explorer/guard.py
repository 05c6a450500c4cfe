"""Who may look: whoever has the token, asking this machine by its own name, and only to look."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"
NO_TOKEN = (
    "This page needs the token that is part of the address which faultlens explore printed: open "
    "that address."
)
WRONG_HOST = "This server answers under 127.0.0.1 and localhost only."
ONLY_LOOKING = "This server only shows: it answers GET and HEAD."


@dataclass(frozen=True)
class Guard:
    """Lets requests through to `app` that may be answered, and puts headers on every answer.

    The token comes in the address once, and is then kept in a cookie, so that it stands in no
    link. A page that another site makes a browser ask for has the wrong host, or no cookie.

    Attributes:
        app: what answers.
        token: what a reader must know.
        port: at which the server listens.
        policy: the content security policy.
    """

    app: ASGIApp
    token: str
    port: int
    policy: str

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers keep the cookies of all ports together."""
        return f"faultlens-{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refused = self._answer(scope)
        secured = _secured(send, self.policy)
        await (self.app if refused is None else refused)(scope, receive, secured)

    def _answer(self, scope: Scope) -> Response | None:
        """What is answered in the app's place; None: the app may answer."""
        headers = Headers(scope=scope)
        if headers.get("host", "") not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            return PlainTextResponse(WRONG_HOST, 400)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse(ONLY_LOOKING, 405, {"allow": "GET, HEAD"})
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in asked if name == TOKEN]
        if given and self._is_token(given[0]):
            return self._without_token(scope["path"], [p for p in asked if p[0] != TOKEN])
        if self._is_token(cookie_parser(headers.get("cookie", "")).get(self.cookie, "")):
            return None
        return PlainTextResponse(NO_TOKEN, 403)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def _without_token(self, path: str, asked: Iterable[tuple[str, str]]) -> Response:
        """Sends the reader on to the same address without the token, which goes into a cookie."""
        query = urlencode(list(asked))
        there = re.sub(r"^[/\\]+", "/", path)  # two slashes would lead to another host
        answer = RedirectResponse(there + (f"?{query}" if query else ""), 303)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return answer


def _secured(send: Send, policy: str) -> Send:
    """Sends with the headers that keep a page to itself."""
    told: Mapping[str, Any] = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }

    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in told.items():
                headers[name] = value
        await send(message)

    return secured

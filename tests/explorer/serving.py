"""The explorer's pages as a test asks for them: without a server, or under a real one."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from starlette.testclient import TestClient

from faultlens.explorer.app import explorer_app
from faultlens.explorer.server import listen
from faultlens.explorer.source import Source

TOKEN, PORT = "a-token-for-tests", 8765
TEXTS = [
    "Mary gave the keys to Tom.",
    "The landlord took the keys <b>and</b> left.",
    "def f(x): return x + 1",
] * 3
"""Of the store that the tests look at."""


def client_of(source: Source) -> TestClient:
    """Asks for pages of a source, its token known."""
    client = TestClient(
        explorer_app(source, TOKEN, PORT), base_url=f"http://127.0.0.1:{PORT}",
        raise_server_exceptions=True,
    )  # fmt: skip
    client.cookies.set(f"faultlens-{PORT}", TOKEN)
    return client


def words(page: str) -> str:
    """What a page shows, its white space as one."""
    shown = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())


@contextmanager
def served(source: Source) -> Iterator[str]:
    """A source under a real server; gives the address with the token in it."""
    listening = listen(source, 0, lambda: TOKEN)
    thread = Thread(target=listening.run, daemon=True)
    thread.start()
    try:
        yield listening.address
    finally:
        listening.server.should_exit = True
        thread.join(timeout=10)

"""Who may look: the token, the host, the method; and the headers of every answer."""

from __future__ import annotations

import pytest
from serving import PORT, TOKEN
from starlette.testclient import TestClient

from faultlens.explorer.app import explorer_app
from faultlens.explorer.guard import NO_TOKEN, ONLY_LOOKING, WRONG_HOST
from faultlens.explorer.source import Source

HERE = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def stranger(store_source: Source) -> TestClient:
    """Somebody who knows no token."""
    return TestClient(
        explorer_app(store_source, TOKEN, PORT), base_url=HERE, follow_redirects=False
    )


def test_without_the_token_nothing_is_shown(stranger: TestClient) -> None:
    for path in (
        "/",
        "/features",
        "/feature?name=3-res-mini/1",
        "/nowhere",
        "/?token=",
        "/?token=x",
    ):
        answer = stranger.get(path)
        assert (answer.status_code, answer.text) == (403, NO_TOKEN)
    stranger.cookies.set(f"faultlens-{PORT}", TOKEN + "x")
    assert stranger.get("/").status_code == 403


def test_the_token_opens_and_leaves_the_address(stranger: TestClient) -> None:
    answer = stranger.get("/features", params={"q": "a b", "token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/features?q=a+b")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"faultlens-{PORT}={TOKEN};")
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert stranger.get("/features").status_code == 200
    away = stranger.get(f"{HERE}//elsewhere.example/", params={"token": TOKEN})
    assert away.headers["location"] == "/elsewhere.example/", "no address of another host"


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", ""])
def test_another_host_is_refused_even_with_the_token(stranger: TestClient, host: str) -> None:
    answer = stranger.get("/", params={"token": TOKEN}, headers={"host": host})
    assert (answer.status_code, answer.text) == (400, WRONG_HOST)
    assert "set-cookie" not in answer.headers
    assert stranger.get("/", headers={"host": f"localhost:{PORT}"}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(store_client: TestClient, method: str) -> None:
    answer = store_client.request(method, "/")
    assert (answer.status_code, answer.text) == (405, ONLY_LOOKING)


def test_every_answer_keeps_to_itself(store_client: TestClient, stranger: TestClient) -> None:
    for answer in (store_client.get("/"), store_client.get("/none"), stranger.get("/")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy and "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"

"""The page in a real browser, offline: it draws, complains of nothing, and changes theme."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import audit_samples
import pytest
import samples

from faultlens.report.html import build_page

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        reason = "no chromium on the path: install it to run the report in a browser"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    page = build_page(samples.whole_profile(), audit_samples.audit(), samples.manifest())
    path.write_text(page, encoding="utf-8")
    return path


def background(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_draws_offline_and_complains_of_nothing(
    browser: Any, page_file: Path, scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector(".plot .main-svg")
    assert page.locator(".plot").count() == 12
    assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count()
    assert complaints == []
    assert requests == [page_file.as_uri()]
    context.close()


def test_the_theme_follows_the_system_and_the_button(browser: Any, page_file: Path) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, offline=True)
        page = context.new_page()
        page.goto(page_file.as_uri())
        page.wait_for_selector(".plot .main-svg")
        before = background(page)
        page.get_by_role("button").first.click()
        seen[scheme] = (before, background(page))
        context.close()
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] == seen["dark"][0]
    assert seen["dark"][1] == seen["light"][0]


def test_a_narrow_screen_scrolls_only_its_tables(browser: Any, page_file: Path) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 800}, offline=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.wait_for_selector(".plot .main-svg")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()

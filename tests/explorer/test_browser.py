"""The explorer in a real browser, under its real server: links, forms, themes, no complaint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import started_browser
from serving import served

from faultlens.explorer.source import Source

TEXT = "Mary gave the keys to <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with started_browser() as started:
        yield started


@pytest.fixture(scope="module")
def address(run_source: Source) -> Iterator[str]:
    with served(run_source) as there:
        yield there


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """The first page, and what is complained of or asked of another host while it is used."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    here = address.partition("/?")[0]
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append("a dialog"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((here, "data:")) else complaints.append(request.url)
        ),
    )
    page.goto(address)
    yield page, complaints
    context.close()


def test_one_goes_from_the_overview_to_a_feature_to_an_edit(browser: Any, address: str) -> None:
    with opened(browser, address) as (page, complaints):
        assert "token" not in page.url
        page.locator(".browsable tbody th a").first.click()
        assert page.locator(".tokens span").count() > 5
        assert page.locator("svg.chart:visible").count() == 1
        page.get_by_role("link", name="Try an edit").last.click()
        page.get_by_text("The answer:").wait_for()  # on the prompt where it is strongest
        page.get_by_label("Edit", exact=True).select_option("scale")
        page.get_by_label("Amount").fill("1")
        with page.expect_navigation():
            page.get_by_role("button", name="Try it").click()
        told = re.search(r"the margin moves by (\S+) nats", page.locator("main").inner_text())
        assert told is not None
        moved = float(told[1].replace("−", "-"))
        assert abs(moved) < 1e-3, "scaled by 1, nothing is changed"
        assert page.get_by_text("what was asked for").count() == 1
        assert page.get_by_text("control", exact=True).count() == 5
        assert complaints == []


def test_a_text_is_typed_and_read_by_keyboard_alone(browser: Any, address: str) -> None:
    with opened(browser, address) as (page, complaints):
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # to the content
        page.get_by_role("link", name="Read a text").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Text").wait_for()
        page.get_by_label("Text").focus()
        page.keyboard.type(TEXT)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("Features over the text:").wait_for()
        assert page.locator(".tokens").first.inner_text() == TEXT
        assert page.get_by_label("Text").input_value() == TEXT
        assert page.locator("img").count() == 0
        assert complaints == []


@pytest.mark.parametrize(
    ("screen", "scheme", "paths"),
    [
        ((1280, 800), "light", ("/feature?name=3-res-mini/492", "/edit?features=3-res-mini/492")),
        ((390, 844), "dark", ("/", "/features", "/read?text=Mary+gave+the+keys+to")),
    ],
    ids=["desk", "telephone"],
)
def test_pages_fit_and_axe_finds_nothing(
    browser: Any, address: str, screen: tuple[int, int], scheme: str, paths: tuple[str, ...]
) -> None:
    width, height = screen
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    with opened(browser, address, **options) as (page, complaints):
        seen = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert seen == {"light": "rgb(253, 253, 251)", "dark": "rgb(22, 24, 28)"}[scheme]
        for path in paths:
            page.goto(address.partition("/?")[0] + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert [v["id"] for v in Axe().run(page).response["violations"]] == [], path
        page.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<button/>')")
        found = [v["id"] for v in Axe().run(page).response["violations"]]
        assert "button-name" in found, "the check sees what it is there to see"
        assert complaints == []

"""The page in a real browser: the answer first, lists that work, no complaint, no request."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import audit_samples
import pytest
import reading_samples
import samples
from axe_playwright_python.sync_playwright import Axe
from browser import started_browser

from faultlens.auditing.result import FeatureDirection, TokenLogit
from faultlens.report.audit.study import audit_study
from faultlens.report.document import document
from faultlens.report.feature_names import FeatureNames
from faultlens.report.html import build_page

SCREENS = {"desk": (1280, 800), "telephone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with started_browser() as started:
        yield started


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    whole = document(samples.whole_profile(), audit_samples.audit(), samples.manifest())
    path.write_text(build_page(whole), encoding="utf-8")
    return path


@contextmanager
def opened(browser: Any, path: Path, **options: Any) -> Iterator[Any]:
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


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
    assert page.locator("svg.chart").count() > 10
    for details in page.locator("details.evidence > summary").all():
        details.click()
    assert complaints == []
    assert requests == [page_file.as_uri()]
    context.close()


@pytest.mark.parametrize("audit", ["whole", "cause", "null"])
@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_the_first_screen_holds_the_answer(
    browser: Any, tmp_path: Path, screen: tuple[int, int], audit: str
) -> None:
    result = {
        "whole": audit_samples.audit(),
        "cause": audit_samples.cause(),
        "null": audit_samples.underpowered(),
    }[audit]
    path = tmp_path / "report.html"
    whole = document(samples.profile(), result, samples.manifest())
    path.write_text(build_page(whole), encoding="utf-8")
    width, height = screen
    with opened(browser, path, viewport={"width": width, "height": height}) as page:
        for sentence in audit_study(result).headline.sentences:
            box = page.get_by_text(sentence.text).first.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= height
            assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_the_theme_follows_the_system_and_the_button(browser: Any, page_file: Path) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        with opened(browser, page_file, color_scheme=scheme) as page:
            before = background(page)
            page.get_by_role("button", name="theme").click()
            seen[scheme] = (before, background(page))
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] == seen["dark"][0]
    assert seen["dark"][1] == seen["light"][0]


def test_a_narrow_screen_scrolls_only_its_tables(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file, viewport={"width": 390, "height": 844}) as page:
        page.locator("details.evidence").evaluate_all("all => all.forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def classes(page: Any) -> Any:
    return page.locator(".browsable").first


def test_the_list_of_classes_is_searched_chosen_from_and_sorted(
    browser: Any, page_file: Path
) -> None:
    with opened(browser, page_file) as page:
        table = classes(page)
        everything = table.locator("tbody:visible").count()
        assert everything == 7
        table.get_by_label("Search").fill("RES-MINI/3")
        assert table.locator("tbody:visible").count() == 3
        assert table.get_by_role("status").inner_text() == "3 of 7 classes"
        table.get_by_label("Search").fill("")
        table.get_by_label("Verdict").select_option("PROXY")
        assert table.locator("tbody:visible").count() == 1
        table.get_by_label("Verdict").select_option("")
        sorter = table.get_by_role("button", name="Effect", exact=True)
        sorter.click()
        sorter.click()
        head = table.get_by_role("columnheader", name="Effect")
        assert head.get_attribute("aria-sort") == "descending"
        first = table.locator("tbody:visible").first.inner_text()
        assert "4-res-mini/91" in first or "4-res-mini/300" in first


def test_a_row_opens_by_keyboard_and_shows_its_evidence(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file) as page:
        opener = classes(page).locator(".opener").first
        evidence = classes(page).locator("tbody").first.locator("tr.opened")
        assert opener.get_attribute("aria-expanded") == "false" and not evidence.is_visible()
        opener.focus()
        page.keyboard.press("Enter")
        assert opener.get_attribute("aria-expanded") == "true" and evidence.is_visible()
        assert "the two tests that decide" in evidence.inner_text()
        page.keyboard.press("Enter")
        assert not evidence.is_visible()


def test_without_scripts_everything_is_in_sight(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file, java_script_enabled=False) as page:
        rows = page.locator(".browsable").first.locator("tr.opened")
        assert rows.count() == 7 and rows.first.is_visible()


def test_a_table_downloads_as_csv_with_formulas_made_inert(browser: Any, tmp_path: Path) -> None:
    whole = audit_samples.audit()
    hostile = ['=HYPERLINK("x")', "+1+1", "@SUM(A1)", "-2+3", "-0.5", 'say "hi", twice']
    outcomes = [dataclasses.replace(whole.outcomes[0], prompt=text) for text in hostile]
    path = tmp_path / "report.html"
    audit = dataclasses.replace(whole, outcomes=outcomes)
    path.write_text(build_page(document(None, audit, None)), encoding="utf-8")
    with opened(browser, path, accept_downloads=True) as page:
        page.locator("details.evidence").last.locator("summary").first.click()
        with page.expect_download() as download:
            page.locator(".browsable").last.get_by_role("button", name="CSV").click()
        saved = tmp_path / "prompts.csv"
        download.value.save_as(saved)
        assert download.value.suggested_filename == "prompts-and-outcomes.csv"
    with saved.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:4] == ["Prompt", "Target", "Generated", "Kind"]
    assert [row[0] for row in rows] == [
        '\'=HYPERLINK("x")', "'+1+1", "'@SUM(A1)", "'-2+3", "-0.5", 'say "hi", twice',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("screen", "scheme"), [((1280, 800), "light"), ((390, 844), "dark")], ids=["desk", "telephone"]
)
def test_axe_finds_nothing(
    browser: Any, page_file: Path, screen: tuple[int, int], scheme: str
) -> None:
    width, height = screen
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    with opened(browser, page_file, **options) as page:
        page.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
        classes(page).locator(".opener").first.click()
        assert violations(page) == []
        page.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<button/>')")
        assert "button-name" in violations(page), "the check sees what it is there to see"


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with the page as it stands."""
    found = Axe().run(page).response["violations"]
    return [violation["id"] for violation in found]


def test_on_paper_nothing_is_cut_and_the_evidence_is_there(browser: Any, page_file: Path) -> None:
    paper = 680  # pixels between the margins of an A4 sheet
    with opened(browser, page_file, viewport={"width": paper, "height": 960}) as page:
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert background(page) == "rgb(253, 253, 251)", "paper is white"
        assert page.locator("details.evidence:not([open])").count() == 0
        assert not page.get_by_role("button", name="CSV").first.is_visible()
        for chart in page.locator("svg.chart:visible").all():
            box = chart.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= paper
        assert page.evaluate("document.documentElement.scrollWidth") <= paper
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("details.evidence[open]").count() == 0


def test_a_feature_is_picked_anywhere_and_its_page_opens(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    whole = document(None, reading_samples.audit(), None, reading_samples.readings())
    path.write_text(build_page(whole), encoding="utf-8")
    with opened(browser, path) as page:
        row = page.locator("#row-4-res-mini-91")
        assert not row.locator("tr.opened").is_visible()
        page.get_by_text("7 Interventions").last.scroll_into_view_if_needed()
        page.locator("details.evidence").evaluate_all("all => all.forEach(d => d.open = true)")
        page.locator("a[href='#row-4-res-mini-91']:visible").first.click()
        page.wait_for_selector("#row-4-res-mini-91 tr.opened", state="visible")
        shaded = row.locator(".tokens").first
        assert shaded.inner_text() == "passed <keys>"
        assert [mark.get_attribute("class") for mark in shaded.locator("span").all()] == [
            "a2",
            "a9",
        ]
        assert "ed 1, <keys> 4" in row.locator(".shaded-values").first.inner_text()


def test_a_link_into_a_fold_opens_it(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file) as page:
        page.get_by_role("link", name="2 Factors").click()
        assert page.locator("#factors").is_visible()
        assert page.evaluate("location.hash") == "#factors"


def test_hostile_text_does_nothing_in_a_browser(browser: Any, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'><b onclick=alert(3)>"
    whole, readings = reading_samples.audit(), reading_samples.readings()
    outcome = dataclasses.replace(whole.outcomes[0], prompt=hostile, generated=hostile)
    direction = FeatureDirection([TokenLogit(hostile, 1.0)], [], [])
    audit = dataclasses.replace(
        whole, task=hostile, warnings=[hostile], outcomes=[outcome, *whole.outcomes[1:]],
        directions={reading_samples.LEADING: direction},
    )  # fmt: skip
    readings = dataclasses.replace(readings, tokens=[[hostile, hostile, hostile]] * 3)
    names = FeatureNames({reading_samples.LEADING: hostile})
    path = tmp_path / "report.html"
    page_text = build_page(document(None, audit, {"command": hostile}, readings, names))
    path.write_text(page_text, encoding="utf-8")
    with opened(browser, path) as page:
        happened: list[str] = []
        page.on("dialog", lambda dialog: (happened.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: happened.append(request.url))
        page.on("console", lambda message: happened.append(message.text))
        page.reload()
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        page.locator("#row-4-res-mini-91 .opener").click()
        assert page.locator("img, main script, [onclick], [onerror]").count() == 0
        assert page.locator(".tokens", has_text="onerror").count() > 0, "it is shown as it stands"
        assert happened == [path.as_uri()], "the reload alone"

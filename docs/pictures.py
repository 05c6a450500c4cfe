"""Takes the pictures of `reading_a_report.md`: `python docs/pictures.py runs/demo/report.html`.

Needs Chromium on the path. Each picture is the page as it stands at 1280 pixels.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).with_name("pictures")
DESK = {"width": 1280, "height": 800}


def first_screen(page: Page) -> None:
    page.evaluate("scrollTo(0, 0)")


def classes(page: Page) -> None:
    page.locator(".browsable .opener").nth(1).click()
    page.locator(".browsable").first.evaluate("one => one.scrollIntoView()")


def feature(page: Page) -> None:
    pages = page.locator("section[aria-labelledby=feature-pages]")
    pages.locator(".opener").first.click()
    pages.evaluate("one => one.scrollIntoView()")


def main(report: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=DESK, color_scheme="light", reduced_motion="reduce")
        for show in (first_screen, classes, feature):
            page.goto(report.resolve().as_uri())
            show(page)
            page.screenshot(path=FOLDER / f"{show.__name__}.jpg", type="jpeg", quality=75)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

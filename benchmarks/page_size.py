"""How long the page of a very large run takes to write and to open, beside the run it is made of.

    python benchmarks/page_size.py runs/demo [CATEGORIES] [PROMPTS]

Multiplies the categories, prompts, tokens and activations of a run that holds both studies, writes
its page, and opens both in Chromium: from the address to the end of loading, least of three, in
seconds by the clock. Targets: 1.5 s and 2.5 MB for the demo, 5 s for 5,000 categories and 100,000
prompts.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Browser, sync_playwright

from faultlens.report.page import write_page
from faultlens.runs.folder import Manifest

CATEGORIES, PROMPTS = 5_000, 100_000


def grown(value: Any, names: set[str], times: int) -> Any:
    """A result in which each object keyed by the categories has so many times as many."""
    if isinstance(value, list):
        return [grown(one, names, times) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: grown(one, names, times) for key, one in value.items()}
    if value and set(value) == names:
        return {f"{key} {i}": one for i in range(times) for key, one in inner.items()}
    return inner


def enlarge(run: Path, folder: Path, categories: int, prompts: int) -> None:
    """A run folder made of another, with so many categories and prompts at least."""
    profile = json.loads((run / "profile.json").read_text(encoding="utf-8"))
    names = set(next(iter(profile["sites"].values()))["categories"])
    profile = grown(profile, names, -(-categories // len(names)))
    (folder / "profile.json").write_text(json.dumps(profile), encoding="utf-8")
    audit = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    own, times = audit["n"], -(-prompts // audit["n"])
    audit |= {"n": own * times, "failures": audit["failures"] * times}
    audit["outcomes"] = audit["outcomes"] * times
    (folder / "audit.json").write_text(json.dumps(audit), encoding="utf-8")
    for path in [*run.glob("tables/prompt*.parquet"), *run.glob("activations/task/*.parquet")]:
        target = folder / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = pd.read_parquet(path)
        repeated = [rows] * times
        if "text_id" in rows:
            repeated = [rows.assign(text_id=rows.text_id + own * i) for i in range(times)]
        pd.concat(repeated, ignore_index=True).to_parquet(target, index=False)
    Manifest.begin({}).write(folder)


def measured(browser: Browser, page: Path) -> str:
    """Megabytes, elements, and seconds to open."""
    seconds = []
    for _ in range(3):
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
        tab = context.new_page()
        began = time.perf_counter()
        tab.goto(page.resolve().as_uri())
        seconds.append(time.perf_counter() - began)
        nodes = tab.evaluate("document.querySelectorAll('*').length")
        context.close()
    size = page.stat().st_size / 1e6
    return f"{size:.2f} MB, {nodes:,} elements, opens in {min(seconds):.2f} s"


def main(run: Path, categories: int = CATEGORIES, prompts: int = PROMPTS) -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        enlarge(run, Path(name), categories, prompts)
        began = time.process_time()
        page = write_page(Path(name))
        wrote = time.process_time() - began
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        print(f"{run}: {measured(browser, run / 'report.html')}")
        print(f"{categories:,} categories, {prompts:,} prompts: {measured(browser, page)}; "
              f"written in {wrote:.1f} s of processor time")  # fmt: skip
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))

"""A comparison as page, terminal and document: the same words, true to the numbers."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import run_samples
import samples

from faultlens.comparing.result import Comparison, Setting
from faultlens.comparing.shown.document import comparison_document
from faultlens.comparing.shown.settings import settings_words
from faultlens.comparing.study import compare
from faultlens.report.html import build_page
from faultlens.report.terminal.summary import document_lines

HOSTILE = "<img src=x onerror=alert(1)> \x1b[31m"
FAILS = [False] * 5 + [True] * 5
FIXED = [True] * 10


@pytest.fixture
def found(tmp_path: Path) -> Comparison:
    """Two runs of hostile prompts: five failures gone, a class whose verdict changed, one alone."""
    reading, site = run_samples.reading, run_samples.site
    prompts = [f"{HOSTILE} {i}" for i in range(10)]
    on = [(text, 0, 1, 1.0) for text in range(5)]
    first = run_samples.write(
        tmp_path / "before",
        run_samples.audit(FAILS, {"4-res": site(reading("4-res/1"), reading("4-res/2", rank=1))},
                          prompts, margins=[-1.0] * 10),
        firings={"4-res": on}, digests={"4-res": "x"}, dtype="float32",
    )  # fmt: skip
    second = run_samples.write(
        tmp_path / "after",
        run_samples.audit(FIXED, {"4-res": site(reading("4-res/1", p=0.4, kind="NOT SIGNIFICANT"))},
                          prompts, margins=[1.0] * 10),
        firings={"4-res": on}, digests={"4-res": "x"}, dtype="bfloat16",
    )  # fmt: skip
    return compare([str(first), str(second)])


def words(page: str) -> str:
    """What a page shows, its white space as one."""
    shown = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def test_the_answer_stands_first_with_its_numbers(found: Comparison) -> None:
    (study,) = comparison_document(found).studies
    told = [f"{one.label} {one.text}" for one in study.headline.sentences]
    assert study.headline.question == "What changed from before to after?"
    assert told == [
        "What changed: of the 10 prompts that both runs have, before fails 5 and after 0: 0 "
        "failures are new and 5 are gone, no more than chance allows (McNemar's exact test, p "
        "0.0625); the margin moves by +2 nats [2, 2].",
        "Where: at no level of a factor do the runs differ beyond chance after Holm.",
        "Of the classes: 1 of 2 significant classes of before corresponds to one of after; one has "
        "another verdict: 4-res/1 was CORRELATE and is NOT SIGNIFICANT.",
        "What may not be claimed: more than that the difference goes with dtype (float32 → "
        "bfloat16).",
    ]


def test_page_and_terminal_say_the_same_and_hostile_text_is_inert(found: Comparison) -> None:
    document = comparison_document(found)
    page = build_page(document)
    lines = document_lines(document)
    assert "<img" not in page and "&lt;img src=x" in page
    shown = words(page)
    for sentence in document.studies[0].headline.sentences:
        assert sentence.text in shown
        assert sentence.text in " ".join(" ".join(lines).split())
    assert "Why the verdict is another: It goes with the outcome beyond chance in " in shown
    assert "In the other run: The nearest feature of " in shown
    assert "4-res/1" in shown and "before, after" in shown
    assert max(map(len, lines)) <= 100


def test_the_list_says_of_each_class_in_which_run_it_is(found: Comparison) -> None:
    table = comparison_document(found).studies[0].found
    assert table is not None
    rows = [[cell.text for cell in row.cells[:4]] for row in table.rows]
    assert rows == [
        ["4-res/1", "both", "CORRELATE", "NOT SIGNIFICANT"],
        ["4-res/2", "before", "CORRELATE", "no such class"],
    ]
    assert [row.cells[5].text for row in table.rows] == ["1", "0"]


def test_profiles_stand_side_by_side(tmp_path: Path) -> None:
    profile = samples.profile()
    for name in ("p", "q"):
        run_samples.write(tmp_path / name, profile=profile)
    document = comparison_document(compare([str(tmp_path / "p"), str(tmp_path / "q")]))
    (study,) = document.studies
    every = len(profile.categories)
    assert f"of {every} categories that both runs have" in study.headline.sentences[0].text
    assert study.found is not None and len(study.found.rows) == every
    assert study.sections[-1].lead == "By their manifests they do not."
    assert build_page(document).startswith("<!DOCTYPE html>")


def test_what_may_not_be_claimed_follows_the_manifests() -> None:
    dtype = Setting("arguments.dtype", "auto", "bfloat16")
    layers = Setting("arguments.layers", "3", "4")
    assert settings_words([]).startswith("that anything but chance")
    assert settings_words([dtype, Setting("inputs.model", "a", "b")]) == (
        "more than that the difference goes with dtype (auto → bfloat16), and what follows from it "
        "or came with it in inputs."
    )
    assert settings_words([dtype, layers]) == (
        "that one thing made the difference: by their manifests the runs differ in 2 entries, "
        "dtype, layers among them."
    )

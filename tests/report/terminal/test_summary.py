"""The terminal says in short what the page says, word for word."""

from __future__ import annotations

import dataclasses
import re

import audit_samples
import cause_samples
import pytest
import samples
from page_reading import read
from tree_reading import of_leading

from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.verdict import Verdict
from faultlens.profiling.result import Profile
from faultlens.report.document import document
from faultlens.report.html import build_page
from faultlens.report.terminal.summary import IN_REPORT, summary

AUDITS = {
    "whole": audit_samples.audit(),
    "cause": audit_samples.cause(),
    "null": of_leading(cause_samples.proven_null()),
    "inconclusive": of_leading(cause_samples.inconclusive()),
    "untested": audit_samples.untested(),
    "tables": audit_samples.tables_only(),
    "few": audit_samples.underpowered(),
}
PROFILES = {
    "bare": samples.profile(),
    "one layer": samples.profile((4,)),
    "whole": samples.whole_profile(),
}
BOTH = [*((None, audit) for audit in AUDITS.values()), *((p, None) for p in PROFILES.values())]
NAMES = [*AUDITS, *(f"profile, {name}" for name in PROFILES)]


def words_of_page(profile: Profile | None, audit: Audit | None) -> str:
    return read(build_page(document(profile, audit, None))).words


def not_on_the_page(lines: list[str], page: str) -> list[str]:
    """What the terminal says that the page does not: prose line by line, tables cell by cell."""
    said = [
        chunk for line in lines if line != IN_REPORT for chunk in re.split(r"\s{2,}", line.strip())
    ]
    return [chunk for chunk in said if " ".join(chunk.split()) not in page]


@pytest.mark.parametrize(("profile", "audit"), BOTH, ids=NAMES)
def test_every_line_of_the_terminal_stands_on_the_page(
    profile: Profile | None, audit: Audit | None
) -> None:
    lines = summary(profile, audit)
    assert not_on_the_page(lines, words_of_page(profile, audit)) == []


def test_a_word_that_is_not_on_the_page_is_seen() -> None:
    """The check above has teeth: one other failure, and the page no longer says what is said."""
    audit = audit_samples.audit()
    page = words_of_page(None, audit)
    other = dataclasses.replace(audit, failures=62)
    missing = not_on_the_page(summary(None, other), page)
    assert any("62 of 300 prompts" in line for line in missing)
    stronger = dataclasses.replace(audit, sites=audit_samples.cause().sites)
    assert any("1 CAUSE" in said for said in not_on_the_page(summary(None, stronger), page))


@pytest.mark.parametrize(("profile", "audit"), BOTH, ids=NAMES)
def test_a_study_takes_at_most_twenty_lines_and_nothing_is_cut(
    profile: Profile | None, audit: Audit | None
) -> None:
    lines = summary(profile, audit)
    assert len(lines) <= 20 and max(map(len, lines)) <= 100
    assert not any(line.endswith("…") for line in lines)


def test_the_answer_comes_before_the_list_and_the_audit_before_the_profile() -> None:
    lines = summary(samples.profile(), audit_samples.audit())
    text = "\n".join(lines)
    order = [
        "Which prompts of mini-ioi fail, and why?", "What fails:", "What causes it:",
        "What may not be claimed:", "To be read with care:", "7 classes, the most certain first",
        "Which features go with which kind of text?", "What is found:",
    ]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert len(lines) <= 40


def test_many_cautions_leave_room_for_the_list() -> None:
    cautions = [f"something to know about the prompts, the {i}th of many" for i in range(30)]
    lines = summary(None, dataclasses.replace(audit_samples.audit(), warnings=cautions))
    assert len(lines) <= 20
    assert sum("To be read with care" in line for line in lines) == 3
    assert lines.count(IN_REPORT) == 2
    assert any(line.strip().startswith("4-res-mini/91 and 11 alike") for line in lines)


def test_one_long_caution_is_shown_in_part() -> None:
    long = dataclasses.replace(audit_samples.audit(), warnings=["word " * 200])
    lines = summary(None, long)
    assert len(lines) <= 20 and IN_REPORT in lines


def test_long_names_still_fit() -> None:
    name = "12-res-gemma-scope-2b-pt-res-canonical/16383"
    whole = audit_samples.audit()
    site = whole.sites["4-res-mini"]
    verdict = Verdict("PROXY", "the direct object = the keys of the landlord", "")
    first = dataclasses.replace(site.classes[0], features=[name], size=1, verdict=verdict)
    sites = {"12": dataclasses.replace(site, classes=[first, *site.classes[1:]])}
    audit = dataclasses.replace(whole, sites=sites)
    lines = summary(None, audit)
    assert len(lines) <= 20 and max(map(len, lines)) <= 100
    assert not_on_the_page(lines, words_of_page(None, audit)) == []
    assert name in "\n".join(lines).replace("\n", " ") or name.split("/")[1] in "\n".join(lines)

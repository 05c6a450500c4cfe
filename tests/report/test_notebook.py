"""A notebook shows the page's answer and list, word for word, and no markup of the data."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import audit_samples
import samples

from faultlens.report.audit.study import audit_study
from faultlens.report.notebook import view


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_an_audit_shows_its_answer_and_its_classes() -> None:
    audit = audit_samples.audit()
    shown = plain(view(audit))
    for sentence in audit_study(audit).headline.sentences:
        assert f"{sentence.label} {sentence.text}" in shown
    assert "4-res-mini/91 and 11 alike CONTRIBUTES 42 failures, 3 successes both effects shown" in (
        shown
    )
    assert audit.warnings[0] in shown


def test_a_profile_shows_its_answer_and_its_categories() -> None:
    shown = plain(view(samples.profile()))
    assert "for 6 of 7 categories of seven categories (70 texts) some feature tells" in shown
    assert "Python 2-res-mini/700 0.990 0.0014" in shown


def test_only_the_first_rows_are_shown_and_the_rest_is_counted() -> None:
    audit = audit_samples.audit()
    site = audit.sites["4-res-mini"]
    many = [dataclasses.replace(site.classes[6], rank=i) for i in range(33)]
    sites = {"4-res-mini": dataclasses.replace(site, classes=many)}
    html = view(dataclasses.replace(audit, sites=sites))
    assert html.count("<tr>") == 21 and "The first 20 of 33 classes." in html


def test_hostile_text_is_inert_and_nothing_is_fetched_or_run() -> None:
    profile = dataclasses.replace(samples.whole_profile(), corpus=samples.INJECTED)
    audit = dataclasses.replace(audit_samples.audit(), task=samples.INJECTED)
    for html in (view(profile), view(audit)):
        assert "<script" not in html and "<style" not in html and "src=" not in html
        assert samples.INJECTED in plain(html)

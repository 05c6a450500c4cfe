"""The page is whole, needs nothing from outside, and lets no text become markup."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import audit_samples
import pytest
import samples
from page_reading import read

from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.study import audit_study
from faultlens.report.document import document
from faultlens.report.html import build_page
from faultlens.report.parts import Callout, Facts, Figure, Folded, Gloss, Part, Table
from faultlens.report.profile.study import profile_study
from faultlens.report.tree import parts_of

AUDITS = {
    "whole": audit_samples.audit(),
    "cause": audit_samples.cause(),
    "untested": audit_samples.untested(),
    "tables": audit_samples.tables_only(),
    "few": audit_samples.underpowered(),
}


def page_of(audit: Audit | None, *, profile: bool = True) -> str:
    found = samples.whole_profile() if profile else None
    return build_page(document(found, audit, samples.manifest()))


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(audit_samples.audit())


def test_page_is_well_formed_and_navigable(page: str) -> None:
    reader = read(page)
    assert page.startswith("<!DOCTYPE html>")
    assert ("lang", "en") in reader.attributes
    assert len(reader.ids) == len(set(reader.ids))
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    assert reader.headings[0] == 1 and reader.headings.count(1) == 1
    steps = zip(reader.headings, reader.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)


def test_page_fetches_nothing_and_names_what_it_runs(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in rules and "unsafe" not in rules
    assert "form-action 'none'" in rules and "base-uri 'none'" in rules
    for kind, contents in (
        ("script", re.findall(r"<script>(.*?)</script>", page, re.DOTALL)),
        ("style", re.findall(r"<style>(.*?)</style>", page, re.DOTALL)),
    ):
        allowed = re.search(rf"{kind}-src ([^;]+)", rules)
        assert allowed is not None and contents
        hashes = [base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in contents]
        assert set(allowed[1].split()) == {f"'sha256-{name}'" for name in hashes}
    shell = page.replace("https://evil.", "")  # in the samples' own text
    assert "http://" not in shell and "https://" not in shell
    names = {name for name, _ in read(page).attributes}
    assert not names & {"src", "srcset", "background", "poster", "style", "onclick", "onload"}
    assert "@import" not in shell and "url(" not in shell


def test_text_from_data_never_becomes_markup(page: str) -> None:
    reader = read(page)
    assert reader.scripts == 5  # the page's own
    assert "<script>alert" not in page
    assert samples.INJECTED in reader.words


def test_page_shows_every_category_verdict_and_claim(page: str) -> None:
    words, audit = read(page).words, audit_samples.audit()
    for category in samples.CATEGORIES:
        assert category in words
    for _, reading in audit.classes:
        assert reading.verdict.label in words
        assert reading.features[0] in words
    for said in (*audit.outcome_kinds, *audit.factors["object"], "family-wise error"):
        assert said in words
    assert "for 6 of 7 categories" in words
    assert "42 of 45" in words and "[81.7%, 98.6%]" in words and "8.8e-33" in words


def test_the_audit_comes_before_the_profile_and_the_run_last(page: str) -> None:
    words = read(page).words
    places = [
        words.index(said)
        for said in (
            "Which prompts of mini-ioi fail",
            "The argument, step by step",
            "Which features go with which kind of text?",
            "Manifest: what it takes to run the same again",
        )
    ]
    assert places == sorted(places)


def test_the_run_is_told_or_said_to_be_unknown(page: str) -> None:
    words = read(page).words
    assert "faultlens demo --out RUN" in words and "2025-11-21 02:53:43 UTC" in words
    bare = build_page(document(None, audit_samples.audit(), None))
    assert "No manifest was found" in bare


def test_underpowered_audit_stops_with_its_reason() -> None:
    audit = audit_samples.underpowered()
    words = read(page_of(audit, profile=False)).words
    assert words.count("3 failures and 297 successes, and at least 5 of each are needed") == 1
    assert "6 Baseline ladder Not done: the audit as a whole is UNDERPOWERED." in words
    assert "the prompts come with no factors" in words


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_the_page_holds_every_part(audit: Audit) -> None:
    page = read(page_of(audit)).words
    for study in (audit_study(audit), profile_study(samples.whole_profile())):
        said = [sentence.text for sentence in study.headline.sentences]
        said += [text for section in study.sections for text in (section.title, section.lead)]
        said += [text for part in parts_of(study) for text in words_of(part)]
        for text in said:
            assert " ".join(text.split()) in page


def words_of(part: Part) -> list[str]:
    match part:
        case Table():
            cells = [t for row in part.rows for cell in row.cells for t in (cell.text, cell.note)]
            return [part.caption, *(column.header for column in part.columns), *cells]
        case Figure():
            return [part.caption]
        case Callout():
            return [part.title, part.text]
        case Facts(title, entries):
            return [title, *(text for name, cell in entries for text in (name, cell.text))]
        case Folded():
            return [part.words]
        case Gloss():
            return []
        case _:
            return [part.text]


def test_a_run_of_any_size_has_a_page_that_says_what_it_leaves_out() -> None:
    audit, profile = audit_samples.audit(), samples.profile()
    level = audit.factors["order"]["ABBA"]
    site = audit.sites["4-res-mini"]
    classes = [replace(site.classes[i % 7], rank=i) for i in range(3_000)]
    many = replace(
        audit,
        outcomes=[audit.outcomes[i % 5] for i in range(20_000)],
        factors={"name": {f"level {i}": level for i in range(5_000)}},
        sites={"4-res-mini": replace(site, classes=classes)},
    )
    first = profile.categories[0]
    names = [f"category {i}" for i in range(5_000)]
    large = replace(
        profile,
        lengths=dict.fromkeys(names, profile.lengths[first]),
        difficulty={n: replace(profile.difficulty[first], rank=i) for i, n in enumerate(names)},
        sites={
            name: replace(site, categories=dict.fromkeys(names, site.categories[first]))
            for name, site in profile.sites.items()
        },
    )
    page = build_page(document(large, many, None))
    assert len(page) < 6_000_000
    for said in (
        "2,500 more stand in audit.json",
        "4,000 more levels stand in tables/levels.parquet",
        "The first 2,000 of 20,000 prompts",
        "4,500 more stand in tables/categories.parquet",
        "Of 5,000 categories the 40 easiest are drawn.",
        "Of 5,000 categories the 16 easiest are drawn.",
    ):
        assert said in page


def test_nothing_to_show_is_no_page() -> None:
    with pytest.raises(ValueError, match="a page needs a profile or an audit"):
        build_page(document(None, None, None))


def test_two_studies_of_one_name_have_places_of_their_own() -> None:
    profile = samples.profile()
    page = build_page(document(profile, audit_samples.audit(), None))
    ids = read(page).ids
    assert "text-length" in ids and "outcomes" in ids and "how-it-was-run" in ids

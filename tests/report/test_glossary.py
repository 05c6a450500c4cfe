"""Each term is explained once, before or right after it first stands."""

from __future__ import annotations

import re

import audit_samples
import samples

from faultlens.report.document import document
from faultlens.report.glossary import MEANINGS, glossed, terms_in
from faultlens.report.parts import Folded, Gloss, Part


def glosses(parts: tuple[Part, ...]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if isinstance(part, Gloss):
            found += [term for term, _ in part.meanings]
        if isinstance(part, Folded):
            found += glosses(part.parts)
    return found


def test_each_term_is_explained_once() -> None:
    whole = glossed(document(samples.whole_profile(), audit_samples.audit(), None))
    found = [
        term
        for study in whole.studies
        for parts in (
            study.headline.gloss,
            study.found_gloss,
            *(section.parts for section in study.sections),
        )
        for term in glosses(parts)
    ]
    assert len(found) == len(set(found))
    assert {"nats", "class", "site", "informative", "min-P"} <= set(found)


def test_the_answers_terms_stand_right_under_the_answer() -> None:
    (study,) = glossed(document(None, audit_samples.audit(), None)).studies
    said = " ".join(sentence.text for sentence in study.headline.sentences)
    explained = glosses(study.headline.gloss)
    assert set(terms_in(said)) <= set(explained)
    assert {"nats", "margin", "controls", "class"} <= set(explained)


def test_a_step_explains_its_terms_before_its_evidence() -> None:
    bare = glossed(document(None, audit_samples.tables_only(), None))
    factors = next(s for s in bare.studies[0].sections if s.title == "2 Factors")
    assert isinstance(factors.parts[0], Gloss)
    assert "Holm" in glosses(factors.parts[:1]) and "Holm" in factors.lead


def test_terms_are_whole_words_in_either_number() -> None:
    assert terms_in("the classes fire on a stratum") == ["fires", "class", "strata"]
    assert terms_in("classic website, fired, infix-site") == []
    assert terms_in("+0.1 nats") == ["nats"] and terms_in("min-P") == ["min-P"]


def test_data_that_looks_like_a_term_explains_nothing() -> None:
    """Prompts and levels are cells: only verdicts, which state claims, are read there."""
    whole = glossed(document(None, audit_samples.untested(), None))
    text = [term for section in whole.studies[0].sections for term in glosses(section.parts)]
    assert "CAUSE" not in text


def test_meanings_are_short_and_use_no_term_that_means_more_than_they_do() -> None:
    for term, meaning in MEANINGS.items():
        assert len(meaning) <= 100, term
        assert not re.search(rf"\b{re.escape(term)}\b", meaning), f"{term} explains itself"
        assert not meaning.endswith(".")

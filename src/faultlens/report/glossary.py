"""The field's terms in plain words, each told once, where it first stands."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from faultlens.report.parts import (
    Callout,
    Facts,
    Figure,
    Folded,
    Gloss,
    Paragraph,
    Part,
    Table,
)
from faultlens.report.tree import Document, Section, Study

MEANINGS = {
    "feature": "one direction of a sparse dictionary, written DICTIONARY/NUMBER",
    "fires": "has an activation above 0, on some token of the prompt",
    "class": "features that fire alike, named after the strongest",
    "site": "the place in the model that a dictionary reads: 8-res is what enters layer 8",
    "factor": "a column that describes the prompts; its values are levels",
    "target": "the right answer",
    "foil": "the wrong answer that it is compared with",
    "exact-word": "right if the first word is the target and nothing is joined to it",
    "margin": "logit of the best right answer − of the best wrong one, where the answer begins",
    "nats": "the unit of logits, which are the model's scores of tokens",
    "p": "how often chance alone would do as much",
    "interval": "where the true value may well lie: a 95% one misses it in 1 of 20 studies",
    "controls": "changes as large at the same places, of other features or as values vary there",
    "Necessity": "taken away from failures, do they recover?",
    "Sufficiency": "brought into successes, do they break?",
    "AUROC": "the chance that of a pair the right one is ranked higher: 0.5 is guessing",
    "Fisher": "an exact test of counts, two by two",
    "McNemar": "an exact test of whether more answers turn one way than the other",
    "Holm": "p-values corrected for the number of tests",
    "beyond chance": "more than the best of all features reaches when labels are shuffled",
    "strata": "groups of prompts that are alike in the factors held constant",
    "informative": "of strata: with failures and successes, and with an activation that varies",
    "min-P": "a test over all features together of how often each fires",
    "max-T": "a test over all features together of how strongly each fires",
    "Jaccard": "what two sets share, over all that either holds",
    "Cohen's d": "the difference of two means in units of their spread",
    "Welch": "an approximate test of two means, which decides nothing here",
    "Mann–Whitney": "an approximate test of ranks, which decides nothing here",
    "Mantel–Haenszel": "how much the odds of failing rise where it fires, over all strata",
    "Firth": "a logistic regression that few cases do not upset",
    "Spearman": "how far two rankings agree: 1 is the same order, 0 no order in common",
    "Gini": "0 where all are alike, near 1 where one towers over the rest",
    "fold": "a part of the prompts that is predicted from the others",
    "SD": "standard deviations of the activation",
    "attribution": "a forecast, from gradients, of what each feature adds to the margin",
    "integrated gradients": "gradients averaged over steps from nothing to the activation",
    "logit lens": "a direction read through the model's own final norm and unembedding",
    "cosine": "how far two directions agree: 1 is the same, 0 unrelated",
    "error term": "what a dictionary leaves out of the activation that it decomposes",
    "CAUSE": "taking it away restores half of the failures or more, and bringing it in breaks "
    "successes",
    "CONTRIBUTES": "changing it moves the answer beyond controls, but it is no CAUSE",
    "PROXY": "it fires with a level of a factor, and nothing shows that it says more",
    "UNTESTABLE": "within the strata it never varies together with the outcome",
    "CORRELATE": "it goes with failure; no effect of it is shown",
    "ARTEFACT": "it goes with failure only by a test, or a rule of scoring, not to be relied on",
    "UNDERPOWERED": "too few prompts to tell",
    "NOT SIGNIFICANT": "it goes with failure no more than chance allows",
}
"""What each term means. A term is looked for as it is written here, as whole words; in the plural
as well."""

_PLURALS = {
    "class": "classes",
    "p": "p-values",
    "strata": "stratum",
    "fires": "fire",
    "nats": "nat",
}


def glossed(document: Document) -> Document:
    """The same document, each term explained after, or right before, what first uses it."""
    known: set[str] = set()
    return dataclasses.replace(
        document, studies=tuple(_study(study, known) for study in document.studies)
    )


def terms_in(text: str) -> list[str]:
    """The terms that a text uses, in the order of the glossary.

    >>> terms_in("Of 8 strata 3 are informative; the classes differ by +0.1 nats.")
    ['class', 'nats', 'strata', 'informative']
    """
    return [term for term in MEANINGS if _PATTERNS[term].search(text)]


def _pattern(term: str) -> re.Pattern[str]:
    other = _PLURALS.get(term, f"{term}s")
    return re.compile(rf"(?<![\w-])(?:{re.escape(term)}|{re.escape(other)})(?![\w-])")


_PATTERNS = {term: _pattern(term) for term in MEANINGS}


def _study(study: Study, known: set[str]) -> Study:
    head = study.headline
    first: list[Part] = [*head.sentences, *head.cautions, *head.figures]
    said = [head.question, *(text for part in first for text in _texts(part))]
    gloss = _new(said, known)
    found: list[Part] = []
    if study.found is not None:
        found += _new([study.found_title, *_texts(study.found, opened=False)], known)
        inside = _new(_texts(study.found), known)
        found += [Folded("Terms in the evidence that a row opens", tuple(inside))] if inside else []
    return dataclasses.replace(
        study,
        headline=dataclasses.replace(head, gloss=tuple(gloss)),
        found_gloss=tuple(found),
        sections=tuple(_section(section, known) for section in study.sections),
    )


def _section(section: Section, known: set[str]) -> Section:
    parts: list[Part] = [*_new([section.title, section.lead], known)]
    for part in section.parts:
        parts += [*_new(_texts(part), known), part]
    return dataclasses.replace(section, parts=tuple(parts))


def _new(texts: Iterable[str], known: set[str]) -> list[Gloss]:
    """What the terms mean that none of the texts before used; nothing if there is none."""
    terms = [term for term in terms_in("\n".join(texts)) if term not in known]
    known.update(terms)
    return [Gloss(tuple((term, MEANINGS[term]) for term in terms))] if terms else []


def _texts(part: Part, opened: bool = True) -> Iterator[str]:
    """All that a part says itself; cells that hold the data's own words are left out.

    What the rows of a table open is read as well, unless `opened` is false.
    """
    match part:
        case Paragraph(text, label):
            yield from (label, text)
        case Callout(_, title, text):
            yield from (title, text)
        case Figure(_, _, caption, _):
            yield caption
        case Facts(title, entries):
            yield title
            for name, cell in entries:
                yield from (name, cell.text, cell.note)
        case Folded(words, parts):
            yield words
            for inner in parts:
                yield from _texts(inner)
        case Table():
            yield part.caption
            for column in part.columns:
                yield from (column.header, column.explanation)
            for row in part.rows:
                yield from (cell.text for cell in row.cells if cell.support is not None)
                for inner in row.opens if opened else ():
                    yield from _texts(inner)

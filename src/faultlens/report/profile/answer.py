"""A profile's answer in three sentences: what is found, what else could explain it, and how far."""

from __future__ import annotations

from faultlens.numbers import clipped, counted, listed, number
from faultlens.profiling.result import Profile
from faultlens.report.parts import Paragraph
from faultlens.report.profile.best import family
from faultlens.report.profile.lengths import telling_lengths
from faultlens.report.profile.multiverse import claims_words
from faultlens.report.profile.pairs import meaning_words

NAMED = 3  # categories in a sentence
CORPUS = 40  # characters of a corpus's name


def answer(profile: Profile) -> tuple[Paragraph, Paragraph, Paragraph]:
    """The three sentences."""
    return (
        Paragraph(what_is_found(profile), "What is found:"),
        Paragraph(what_else(profile), "What else could explain it:"),
        Paragraph(what_may_not_be_claimed(profile), "What may not be claimed:"),
    )


def what_is_found(profile: Profile) -> str:
    """How many categories some feature tells from the rest beyond chance."""
    every = len(profile.categories)
    by_auroc = [c for c, sites in profile.beyond_chance("selectivity").items() if sites]
    by_score = [c for c, sites in profile.beyond_chance("specialist").items() if sites]
    missing = [c for c in profile.categories if c not in by_auroc]
    text = (
        f"for {len(by_auroc):,} of {counted(every, 'category', 'categories')} of "
        f"{clipped(profile.corpus, CORPUS)} ({counted(profile.n_texts, 'text')}) some feature "
        f"tells its texts from the others beyond chance by AUROC, and for {len(by_score):,} by "
        f"score (Holm over {family(profile)}, p ≤ {number(profile.alpha)})"
    )
    return f"{text}; for {listed(missing, NAMED)} none does." if missing else f"{text}."


def what_else(profile: Profile) -> str:
    """What may tell the categories apart beside what they are about."""
    telling = telling_lengths(profile)
    text = (
        f"length alone also goes with {listed(telling, NAMED)} (AUROC)"
        if telling
        else "length alone tells no category from the others"
    )
    if profile.pairs is None:
        return f"{text}; whether features follow meaning or surface was not tested."
    return f"{text}; {meaning_words(profile.pairs, profile.alpha)}."


def what_may_not_be_claimed(profile: Profile) -> str:
    """What the numbers do not say."""
    text = (
        "that a feature stands for its category: it was the best of "
        f"{sum(site.firing for site in profile.sites.values()):,} that fire"
    )
    if profile.multiverse is None:
        return f"{text}, and whether it would be under another method was not tested."
    return f"{text}; {claims_words(profile.multiverse)}."

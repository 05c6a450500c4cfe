"""Verdicts in words, and how far what they say is supported."""

from __future__ import annotations

from collections import Counter

from faultlens.auditing.result import ClassReading, Intervention
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.verdict import ARTEFACT, CAUSE, PROXY
from faultlens.numbers import counted, listed
from faultlens.report.parts import Support

REFUTED = (PROXY, ARTEFACT)
"""Verdicts that say what a class is instead of a cause."""


def class_name(reading: ClassReading) -> str:
    """A class goes by its strongest member."""
    return members_name(reading.features[0], reading.size)


def members_name(first: str, size: int) -> str:
    """A class of so many features, by the first of them."""
    return first + (f" and {size - 1} alike" if size > 1 else "")


def tally(audit: Audit) -> str:
    """How many classes have each verdict, whatever it is a proxy of."""
    verdicts = [reading.verdict for _, reading in audit.classes]
    counts = Counter(v.kind if v.kind == PROXY else v.label for v in verdicts)
    return listed([f"{count:,} {verdict}" for verdict, count in counts.most_common()])


def support(reading: ClassReading) -> Support:
    """How far it is supported that a class causes failure: by what was shown, not by a word."""
    done = reading.intervention
    if reading.verdict.kind == CAUSE:
        return "shown"
    if done is not None and done.shown:
        return "partly"
    if reading.verdict.kind in REFUTED or (
        done is not None and done.null is not None and done.null.proven
    ):
        return "refuted"
    return "open"


def effect_support(done: Intervention) -> Support:
    """How far it is supported that changing something moves the answer."""
    if done.shown:
        return "shown" if all(effect.shown for effect in done.effects) else "partly"
    return "refuted" if done.null is not None and done.null.proven else "open"


def effect_words(done: Intervention) -> str:
    """What is known of a class's effect, in a few words."""
    shown = [effect.claim for effect in done.effects if effect.shown]
    if len(shown) == 2:
        return "both effects shown"
    if shown:
        return f"{shown[0]} shown"
    if done.null is not None and done.null.proven:
        return "shown to do nothing"
    return "inconclusive"


def fires_on(failures: int, successes: int) -> str:
    """On how many prompts a class fires.

    >>> fires_on(53, 1)
    '53 failures and 1 success'
    """
    return f"{counted(failures, 'failure')} and {counted(successes, 'success', 'successes')}"

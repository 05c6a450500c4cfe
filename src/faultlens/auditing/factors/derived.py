"""Factors read off the prompts where the user brings none: never off what the model generated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from faultlens.auditing.factors.levels import LEAST_LEVEL

PRESENT, ABSENT = "present", "absent"
LENGTH = "length in words"
MOST_WORD_FACTORS = (
    100  # so that tables stay readable, and their pairs (about 20,000) quick to test
)
ORDER = "order"
OTHER_ORDER = "other"
WORDS_NAMED = 3  # of those that always occur together

WORD = re.compile(r"\w+(?:['’]\w+)*")
LETTERS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
OPENING = " \t\"'“‘«([*"  # may stand between the end of a sentence and the next one's first word
SENTENCE_ENDS = ".!?:…\n"


def derived_factors(prompts: Sequence[str]) -> dict[str, list[str]]:
    """What describes the prompts, by their text alone: words, length, order of two names.

    - `word "keys"`: whether the word occurs, for each that occurs in at least five prompts and is
      missing from at least five; upper and lower case count as one. Words that occur in exactly
      the same prompts make one factor, named by the first three of them. Of more than 100 such
      factors those are kept whose share of prompts is nearest to one half, where a test sees most;
      between equal shares the word that appears first decides.
    - `length in words`: their number, separated by white space.
    - `order`, where at least two of its levels have five prompts each: see `name_order`.

    Returns:
        for each factor the level of every prompt; empty without prompts.
    """
    if not prompts:
        return {}
    factors = _word_factors(prompts)
    factors[LENGTH] = [str(len(prompt.split())) for prompt in prompts]
    order = name_order(prompts)
    if sum(count >= LEAST_LEVEL for count in Counter(order).values()) >= 2:
        factors[ORDER] = order
    return factors


def _word_factors(prompts: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, set[int]] = {}  # by the word in lower case, the prompts it occurs in
    spelling: dict[str, str] = {}
    for i, prompt in enumerate(prompts):
        for word in WORD.findall(prompt):
            found.setdefault(word.casefold(), set()).add(i)
            spelling.setdefault(word.casefold(), word)
    alike: dict[frozenset[int], list[str]] = {}
    for word, where in found.items():
        if LEAST_LEVEL <= len(where) <= len(prompts) - LEAST_LEVEL:
            alike.setdefault(frozenset(where), []).append(spelling[word])
    n = len(prompts)
    from_half = sorted(alike, key=lambda where: abs(2 * len(where) - n))
    kept = set(from_half[:MOST_WORD_FACTORS])
    return {
        _word_name(words): [PRESENT if i in where else ABSENT for i in range(n)]
        for where, words in alike.items()
        if where in kept
    }


def _word_name(words: Sequence[str]) -> str:
    named = ", ".join(f'"{word}"' for word in words[:WORDS_NAMED])
    more = len(words) - WORDS_NAMED
    return f"{'words' if len(words) > 1 else 'word'} {named}" + (f" + {more}" if more > 0 else "")


def name_order(prompts: Sequence[str]) -> list[str]:
    """The order of two names, of which one stands twice and one once: ABBA, BABA or `other`.

    A stands once and is the expected answer, B stands twice; the letters are the order of the three
    mentions and of the answer: "When A and B went …, B gave … to" A. Source: Wang et al. (2022),
    "Interpretability in the Wild", section 2.

    A name is a word with a capital inside a sentence, "I" excepted. A sentence's first word is a
    name only if it is one elsewhere in the prompts, and never stands there in lower case.
    """
    mentions = [_capitalised(prompt) for prompt in prompts]
    inside = {word for found in mentions for word, first in found if not first}
    lower = {w for prompt in prompts for w in LETTERS.findall(prompt) if w == w.lower()}
    orders = []
    for found in mentions:
        names = [w for w, first in found if not first or (w in inside and w.lower() not in lower)]
        counts = Counter(names)
        pattern = "".join("A" if counts[name] == 1 else "B" for name in names)
        orders.append(pattern + "A" if pattern in ("ABB", "BAB") else OTHER_ORDER)
    return orders


def _capitalised(prompt: str) -> list[tuple[str, bool]]:
    """The words that start with a capital, in order, and whether each is a sentence's first."""
    found = []
    for match in LETTERS.finditer(prompt):
        word = match.group()
        if word[0].isupper() and word != "I":
            before = prompt[: match.start()].rstrip(OPENING)
            found.append((word, not before or before[-1] in SENTENCE_ENDS))
    return found

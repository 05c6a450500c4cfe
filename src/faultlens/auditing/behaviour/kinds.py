"""Kinds of outcome: every failure is classified before any feature is looked at."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable

from faultlens.auditing.behaviour.answer_text import (
    PUNCTUATION,
    QUOTES,
    begins_with,
    is_spaceless,
    openings,
    places_of,
    stands_in,
)
from faultlens.auditing.behaviour.function_words import (
    DETERMINERS,
    FUNCTION_WORDS,
    POSSESSIVES,
    PRONOUNS,
)
from faultlens.auditing.behaviour.possessives import is_owner, possessive_phrase
from faultlens.auditing.result import SCORED_WRONG
from faultlens.corpus.plain_text import plain
from faultlens.corpus.task import Prompt
from faultlens.corpus.world import NAMES

KINDS = (
    "success",
    "names the foil",
    SCORED_WRONG,
    "names the target later",
    "another phrase of the prompt",
    "possessive noun phrase",
    "pronoun",
    "another noun phrase",
    "another name",
    "suffix of the prompt's last word",
    "ended the sentence",
    "punctuation or code",
    "other word",
    "empty or degenerate",
    "not recorded",
)
"""The kinds, in the order in which they are listed."""

NO_NOUNS = FUNCTION_WORDS | DETERMINERS
"""Words that cannot follow a possessive "her": there it is a pronoun by itself."""

_ENDERS = ".!?。।؟۔"
_ENDS = re.compile(rf"[{_ENDERS}](?![{_ENDERS}A-Za-z0-9_])")
_CLAUSE = re.compile(
    r";|, (?:and|but|so|while|who|which|whose|then|when|where|as|because|before|after|he|she|it|"
    r"they)\b"
)
"""Where another clause begins, whose names answer nothing: "the gym, and Lily left"."""
_SUFFIX = re.compile(r"\s?'(?:s|re|ve|ll|d|m|t)\b|' (?=\w)", re.IGNORECASE)
_NOWHERE = sys.maxsize  # behind every place of a text
_REPEATS = 4  # times that one word, or more than this one sign, is no answer


def counted_kinds(kinds: Iterable[str]) -> dict[str, int]:
    """How often each kind occurs: those of `KINDS` in their order, then others that were given."""
    counts = Counter(kinds)
    return {kind: counts[kind] for kind in (*KINDS, *sorted(counts)) if counts[kind]}


def kind_of(prompt: Prompt, generated: str | None, success: bool) -> str:
    """The kind of an outcome, one of `KINDS`; of the failures the first that matches wins.

    Names count for themselves, not for what belongs to them: "Alex's friend" is a possessive noun
    phrase and does not name a foil Alex, "the door to Lisa's room" does not name a target Lisa, and
    "her friend" is no pronoun; but "Lisa's room" begins with the right token. "Alex's going" is
    "Alex is going".
    """
    if success:
        return "success"
    if generated is None:
        return "not recorded"
    said = plain(generated)
    if _is_degenerate(said):
        return "empty or degenerate"
    return (
        _answered(prompt, generated)
        or _wordless(prompt, generated, said)
        or _later(prompt, generated)
        or _phrase(prompt, said)
    )


def _is_degenerate(said: str) -> bool:
    """Whether there is nothing that could be an answer: marks alone, or one thing over and over."""
    signs = re.sub(rf"[\s\x00-\x1f\x7f{re.escape(PUNCTUATION + QUOTES)}]", "", said)
    if not signs:
        return said.strip() not in tuple(_ENDERS)
    words = said.split()
    if len(words) >= _REPEATS and len({word.casefold() for word in words}) == 1:
        return True
    return len(signs) > _REPEATS and len(set(signs)) == 1 and signs[0] not in "()[]{}"


def _answered(prompt: Prompt, generated: str) -> str | None:
    """Whether it begins with the foil or with a right answer; of two that fit, the longer."""
    right = max((a for a in prompt.answers if _begins(generated, a)), key=len, default="")
    foil = prompt.foil
    if foil is not None and _begins(generated, foil) and len(foil) >= len(right):
        return None if _is_owner_first(generated, foil) else "names the foil"
    return SCORED_WRONG if right else None


def _begins(generated: str, answer: str) -> bool:
    """Whether it begins with an answer, whatever its case."""
    return begins_with(generated.casefold(), answer.casefold())


def _is_owner_first(generated: str, name: str) -> bool:
    """Whether what it begins with is the name, as the owner of something."""
    said, wanted = _looked_through(plain(generated)), plain(name)
    return said.casefold().startswith(wanted.casefold()) and is_owner(said, len(wanted))


def _wordless(prompt: Prompt, generated: str, said: str) -> str | None:
    """What begins with no word: a suffix, the end of the sentence, punctuation or code."""
    if _SUFFIX.match(said):
        return "suffix of the prompt's last word"
    new_line = re.match(r"[ \t]*\n", generated) is not None and not _is_over(prompt.text)
    if new_line or _ENDS.match(said.lstrip(" " + QUOTES)):
        return "ended the sentence"
    first = _looked_through(said)[:1]
    if re.match(r"\s*(?:[,;:]|\.\w)", said) or not first.isalnum():
        return "punctuation or code"
    return None


def _is_over(prompt: str) -> bool:
    """Whether a prompt ends where a sentence or a line does, so that the answer begins one."""
    return prompt.endswith("\n") or prompt.rstrip(" " + QUOTES)[-1:] in tuple(_ENDERS + ":>")


def _looked_through(said: str) -> str:
    """What stands behind all markup."""
    *_, (at, _) = openings(said)
    return said[at:]


def _later(prompt: Prompt, generated: str) -> str | None:
    """Whether the clause goes on to a right answer, not to the foil first: "the gym to Lily"."""
    line = _looked_through(plain(generated.strip().split("\n")[0]))
    clause = _CLAUSE.split(_ENDS.split(line, maxsplit=1)[0], maxsplit=1)[0]
    right = min((_named_at(clause, a) for a in prompt.answers), default=_NOWHERE)
    foil = _NOWHERE if prompt.foil is None else _named_at(clause, prompt.foil)
    return "names the target later" if right < foil else None


def _named_at(clause: str, name: str) -> int:
    """Where a plain clause first has a name that is no owner; else `_NOWHERE`."""
    length = len(plain(name))
    places = (at for at in places_of(clause, name) if not is_owner(clause, at + length))
    return next(places, _NOWHERE)


def _phrase(prompt: Prompt, said: str) -> str:
    """What kind of phrase it begins with, and whether the prompt has it."""
    text, before = _looked_through(said), plain(prompt.text).lower()
    if is_spaceless(text):
        return "another phrase of the prompt" if text[:2] in before else "other word"
    written = text.split()
    words = [word.strip(PUNCTUATION + QUOTES + "*_()[]") for word in written]
    bare = [re.sub(r"'\w{1,2}$", "", word).lower() for word in words]
    goes_on = len(bare) > 1 and written[0][-1] not in PUNCTUATION
    two = " ".join(bare[:2])
    owned = possessive_phrase(text)
    if owned is None and bare[0] in POSSESSIVES and goes_on and bare[1] not in NO_NOUNS:
        owned = two
    if owned is not None:
        known = stands_in(before, owned.lower())
        return "another phrase of the prompt" if known else "possessive noun phrase"
    if bare[0] in PRONOUNS | POSSESSIVES:
        return "pronoun"
    noun_phrase = bare[0] in DETERMINERS
    phrase = two if noun_phrase else bare[0]
    if bare[0] not in FUNCTION_WORDS and stands_in(before, phrase):
        return "another phrase of the prompt"
    if noun_phrase:
        return "another noun phrase"
    return "another name" if _is_name(prompt, words[0]) else "other word"


def _is_name(prompt: Prompt, word: str) -> bool:
    """Whether a word that no sentence begins with is written as a name, where one is asked for."""
    name = word.split("'")[0]
    if name in NAMES:
        return True
    written = name[:1].isupper() and any(letter.islower() for letter in name)
    return written and prompt.target[:1].isupper() and not _is_over(prompt.text)

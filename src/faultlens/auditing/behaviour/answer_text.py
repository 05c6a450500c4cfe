"""Answer text: what generated text says, whatever form it is written in.

A right answer may come in another Unicode form, after marks that cannot be seen, in markdown, in
quotes or after "Answer:", and in a script that puts no space behind a word. Text and answer are
brought to one form (`plain`), markup before the answer is looked through (`openings`), and where a
word ends depends on its script (`same_word`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from faultlens.corpus.plain_text import plain

PUNCTUATION = ".,!?;:"
QUOTES = "\"'`“”„‟‘‚‛«»‹›「」『』《》〈〉"

_SPACELESS = frozenset(
    (
        "CJK IDEOGRAPHIC HIRAGANA KATAKANA KATAKANA-HIRAGANA BOPOMOFO THAI LAO KHMER MYANMAR "
        "TIBETAN YI LISU TAI NEW BALINESE JAVANESE SUNDANESE BATAK BUGINESE CHAM AHOM"
    ).split()
)
"""First words of the Unicode names of characters of scripts that put no space between words."""
_FOLLOWING = frozenset("ะาำๅຯະາຳ")  # vowels and signs behind a consonant: they begin no syllable
_PARTICLES = re.compile(
    r"(은|는|이|가|을|를|의|에|에서|에게|한테|께|와|과|도|만|로|으로|부터|까지|이나|나|라고|이라고|이고|이며|"
    r"입니다|이다|이에요|예요|이었습니다|였습니다|이었다|였다|인|이라는|라는|이란|란|이죠|죠|님|씨)(?!\w)"
)
"""What Korean puts on the end of a noun without a space, where the word ends behind it."""


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


@lru_cache(maxsize=4096)
def _spaceless(character: str) -> bool:
    return unicodedata.name(character, "").split(" ")[0] in _SPACELESS


@lru_cache(maxsize=4096)
def _begins_nothing(character: str) -> bool:
    """Whether a character only ever goes on with the word before it: `ー`, `ゃ`, a vowel sign."""
    small = " SMALL " in unicodedata.name(character, "") and _spaceless(character)
    return (
        unicodedata.category(character)[0] == "M"
        or (unicodedata.category(character) == "Lm" and _spaceless(character))
        or (small and not unicodedata.name(character).endswith(" TU"))  # って is a particle
        or character in _FOLLOWING
    )


def same_word(text: str, at: int) -> bool:
    """Whether the characters before and at a place of a plain text belong to one word.

    Between two characters of which one is of a script without spaces a word may always end, but
    not before a sign that only goes on with the character before it. A Korean noun ends before its
    particle.

    >>> [same_word(word, 2) for word in ("Anna", "An's", "柏林和", "ไทย", "서울은", "서울역")]
    [True, False, False, False, False, True]
    """
    if at <= 0 or at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if not (_is_letter(before) and _is_letter(after)):
        return False
    if before.isascii() and after.isascii():
        return True
    if _begins_nothing(after):
        return True
    if _spaceless(before) or _spaceless(after):
        return False
    return not (_is_hangul(before) and _PARTICLES.match(text, at))


def _is_hangul(character: str) -> bool:
    return unicodedata.name(character, "").startswith("HANGUL")


def is_spaceless(text: str) -> bool:
    """Whether a text begins with a character of a script that puts no space between words."""
    return bool(text) and _spaceless(text[0])


_LABELS = (
    r"(?:(?:the|my)[ ])?(?:(?:final|correct|right|short|best)[ ])?answer|antwort|r[ée]ponse|"
    r"respuesta|resposta|risposta|antwoord|svar|vastaus|odpowied[źz]|cevap|jawaban|đáp[ ]án|"
    r"trả[ ]lời|ответ|الجواب|الإجابة|(?:正确|最终)?答案|正解|回答|答え|答|정답|답변|답|คำตอบ|उत्तर"
)
_MARK = re.compile(
    rf"""\s*(?:
      (?P<label>(?:{_LABELS})[*_]*\s?(?:is|是|为|は|est|es|ist|:)\s?:?[*_]*(?=\s|\W|[^\x00-\x7f]))
    | (?P<fence>```\w*)
    | (?P<quote>["'`“”„‟‘«»‹›「」『』《》〈〉]+)
    | (?P<emphasis>\*{{1,3}}(?=\S)|~~(?=\S)|(?P<line>_{{1,3}})(?=\S.*?(?<=\S)(?P=line)(?!\w)))
    | (?P<block>(?:\#{{1,6}}|[-+*•>])\s(?!\d))
    | (?P<formula>\$\$?(?=[^$\s][^$]*(?<=\S)\$)|\\\(|\\\[)
    | (?P<command>\\(?:boxed|text|textbf|mathrm|mathbf)\{{)
    | (?P<tag><[A-Za-z][^<>]*>)
    | (?P<bracket>\((?=[^()\s]+\))|\[(?=[^][]+\]\())
    | (?P<dots>[.,!?;:]+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOSES = {
    "fence": "`", "quote": QUOTES, "emphasis": "*_~", "formula": "$\\)]", "command": "}$\\)]",
    "bracket": ")]", "tag": "<>",
}  # fmt: skip
_MOST_MARKS = 12  # looked through before an answer


def openings(text: str) -> Iterator[tuple[int, str]]:
    """The places at which an answer may begin in a plain text, and what may close it there.

    The first is behind leading white space; each further one is behind one more mark: a quote,
    markdown, a formula's sign, a tag, a label such as "Answer:", dots. Behind marks that are closed
    on the far side (`**`, a quote), the closing ones may stand behind the answer.

    >>> [(text[at:], closes) for text in ["**Answer:** Ann"] for at, closes in openings(text)]
    [('**Answer:** Ann', ''), ('Answer:** Ann', '*_~'), ('Ann', '*_~')]
    """
    at, closes = len(text) - len(text.lstrip()), ""
    yield at, closes
    for _ in range(_MOST_MARKS):
        mark = _MARK.match(text, at)
        if mark is None or mark.end() == at:
            return
        at = mark.end()
        at += len(text[at:]) - len(text[at:].lstrip())
        closes += _CLOSES.get(str(mark.lastgroup if mark.lastgroup != "line" else "emphasis"), "")
        yield at, closes


def begins_with(text: str, answer: str) -> bool:
    """Whether a continuation begins with the answer as a word, once markup is looked through."""
    return next(_found(text, answer), None) is not None


def _found(text: str, answer: str) -> Iterator[tuple[str, int, str]]:
    """Where an opening of a text begins with the answer: the plain text, its end, what closes it.

    An answer in `_emphasis_` ends before the mark that closes it.
    """
    said, wanted = plain(text), plain(answer)
    if wanted not in said:
        return
    for at, closes in openings(said):
        end = at + len(wanted)
        if said.startswith(wanted, at) and (
            not same_word(said, end) or (said[end] == "_" and "_" in closes)
        ):
            yield said, end, closes


def is_first_word(text: str, answer: str) -> bool:
    """Whether a continuation's first word is the answer, once markup is looked through.

    Behind the word may stand `.,!?;:` and what closes the markup before it; "Ann's" is another word
    than "Ann". In a script without spaces the word ends where the answer does.
    """
    if first_word(plain(text)) == plain(answer):
        return True
    for said, end, closes in _found(text, answer):
        behind = said[end:].split(" ")[0]
        if not behind.strip(PUNCTUATION + closes) or _ends_before(said, end):
            return True
        if behind.startswith(("](", "</")) and closes:  # a link's address, a tag's end
            return True
    return False


def _ends_before(text: str, at: int) -> bool:
    """Whether a word ends at this place though no space follows, as its script has it."""
    before, after = text[at - 1], text[at]
    if _spaceless(before) or _spaceless(after) or _is_hangul(before):
        return True
    sign = unicodedata.category(after)[0] == "P" and not after.isascii()  # `。`, `،`, `—`
    return sign and after not in QUOTES


def stands_in(text: str, answer: str) -> bool:
    """Whether the answer stands somewhere in a text as a word of its own."""
    return next(places_of(text, answer), None) is not None


def places_of(text: str, answer: str) -> Iterator[int]:
    """All places of the plain text where the answer stands as a word of its own, in order."""
    said, wanted = plain(text), plain(answer)
    at = said.find(wanted)
    while at >= 0:
        if not same_word(said, at) and not same_word(said, at + len(wanted)):
            yield at
        at = said.find(wanted, at + 1)


def is_inside(text: str, answer: str) -> bool:
    """Whether the answer stands somewhere in a text, inside a word too, whatever its case."""
    return _caseless(answer) in _caseless(text)


def _caseless(text: str) -> str:
    return plain(plain(text).casefold())


def first_word(text: str) -> str:
    """The first word, stripped of `.,!?;:` on both sides; empty if there is none."""
    words = text.split()
    return words[0].strip(PUNCTUATION) if words else ""

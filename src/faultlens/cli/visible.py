"""Text that shows what it holds: nothing in a file can steer the terminal that it is printed on.

Names, paths, categories and contexts come from files that somebody else wrote. Escape sequences
move the cursor and change the title, direction marks turn a line around, line breaks forge lines of
our own. Each such character is replaced by one that can be seen; letters of every script, combining
marks, emoji and right-to-left text stay as they are.
"""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"  # Persian and Indian scripts, and emoji of several people, need them
_DIRECTION = "\u061c\u200e"  # marks that count as letters of a script, and are not drawn
_SUSPECT = re.compile(r"[^\x20-\x7e]+")


def visible(text: str) -> str:
    """One line of text, each character in it that is not seen replaced by one that is.

    >>> visible("a\\x1b[31mb\\n")
    'a␛[31mb␊'
    >>> visible("gnp.\\u202etxt") + visible("שלום")
    'gnp.⟨U+202E⟩txtשלום'
    """
    return _SUSPECT.sub(lambda run: "".join(map(_shown, run[0])), text)


def visible_json(text: str) -> str:
    """JSON in which the same characters are written as escapes, which read back as what they were.

    Args:
        text: JSON; line breaks between its values stay.
    """
    return _SUSPECT.sub(lambda run: "".join(map(_escaped, run[0])), text)


def _hidden(character: str) -> bool:
    """Controls, halves of characters, line separators, and marks that have no shape."""
    kind = unicodedata.category(character)
    if kind == "Cf":
        return character not in JOINERS and not _has_shape(character)
    return kind in ("Cc", "Cs", "Zl", "Zp")


def _has_shape(character: str) -> bool:
    """Whether a format character is drawn: number signs of Arabic, Syriac, Kaithi, hieroglyphs."""
    return unicodedata.bidirectional(character) in ("AN", "AL", "L") and character not in _DIRECTION


def _shown(character: str) -> str:
    if not _hidden(character):
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _escaped(character: str) -> str:
    if character == "\n" or not _hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))

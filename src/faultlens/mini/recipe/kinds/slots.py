"""Prose whose alternatives stand in {this|that}, and whose phrases come from named lists.

`{word}` is a pick from the list of that name, `{#2-9}` a whole number; slots may be nested.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

SLOT = re.compile(r"\{([^{}]*)\}")
NUMBER = re.compile(r"#(\d+)-(\d+)")


def fill_slots(rng: random.Random, text: str, words: Mapping[str, str]) -> str:
    """Fill every slot of a text, the innermost first, no pick twice if it can be helped.

    `words` holds the named lists, their phrases parted by `|`.
    """
    used: list[str] = []

    def one(match: re.Match[str]) -> str:
        body: str = match[1]
        number = NUMBER.fullmatch(body)
        if number is not None:
            return str(rng.randint(int(number[1]), int(number[2])))
        sides = (body if "|" in body else words[body]).split("|")
        pick = rng.choice([side for side in sides if side not in used] or sides)
        used.append(pick)
        return pick

    while SLOT.search(text):
        text = SLOT.sub(one, text)
    return text

"""Repetition: a chat model that repeats the sentence it was given before it goes on with it.

What is repeated is the prompt's and no answer: the names in it say nothing of what the model chose.
"""

from __future__ import annotations

import re

from faultlens.corpus.task import Prompt

LEAST = 4  # words of the prompt, one after another, that count as a repetition


def repetition(prompt: Prompt, reply: str) -> str:
    """What a chat's reply repeats of its prompt at its beginning, word for word; "" if nothing.

    Quotation marks and the like may stand before it. Nothing of a prompt that is no chat: going on
    with a text is what such a model is asked for.

    >>> asked = Prompt("Go on: Ann and Tom sat down, and Ann gave it to", "Tom", rendered=True)
    >>> repetition(asked, 'Ann and Tom sat down, and Ann gave it to Tom.')
    'Ann and Tom sat down, and Ann gave it to'
    >>> repetition(asked, 'Ann and Tom')
    ''
    """
    if not prompt.rendered:
        return ""
    begin = re.match(r"\W*", reply)
    first = begin.end() if begin else 0
    repeated, words = first, 0
    for word in re.finditer(r"\w+", reply[first:]):
        if not _stands(reply[first : first + word.end()], prompt.text):
            break
        repeated, words = first + word.end(), words + 1
    return reply[:repeated] if words >= LEAST else ""


def _stands(words: str, text: str) -> bool:
    """Whether some words stand in a text, not as part of others."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None

"""The training text: a numbered stream of documents, stories mixed with seven kinds of text.

A document is a pure function of its split and its number, so that training can be cut off and
taken up anywhere, and no document of one split needs to be kept to know those of another.

    python -m faultlens.mini.recipe.text texts.jsonl 40000

writes the first 40,000 of the training split, a line each (1.8 million tokens): what to train more
dictionaries of `mini` on.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from faultlens.mini.recipe.kinds.chat import chat
from faultlens.mini.recipe.kinds.conversation import conversation
from faultlens.mini.recipe.kinds.formal import formal
from faultlens.mini.recipe.kinds.languages import languages
from faultlens.mini.recipe.kinds.markup import markup
from faultlens.mini.recipe.kinds.math import math
from faultlens.mini.recipe.kinds.python import python
from faultlens.mini.recipe.stories import story

Split = Literal["train", "held-out"]

STORY_SHARE = 0.55
KINDS: dict[str, Callable[[random.Random], str]] = {
    "Python": python,
    "URLs": markup,
    "Math": math,
    "Non-English": languages,
    "Social": chat,
    "Formal": formal,
    "Conversational": conversation,
}


def document(split: Split, index: int) -> str:
    """Document `index` of `split`: a story (55 %), or text of one of the seven kinds."""
    rng = random.Random(f"mini/{split}/{index}")
    if rng.random() < STORY_SHARE:
        return story(rng)
    return KINDS[rng.choice(tuple(KINDS))](rng)


def documents(split: Split, start: int = 0) -> Iterator[str]:
    """The endless stream of documents of `split` from number `start` on."""
    index = start
    while True:
        yield document(split, index)
        index += 1


def write_documents(out: Path, count: int) -> None:
    """The first `count` documents of the training split, as a corpus in JSONL."""
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in documents("train"))
    out.write_text("".join(f"{line}\n" for line in islice(lines, count)), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m faultlens.mini.recipe.text")
    parser.add_argument("out", type=Path, help="the file to write, JSONL")
    parser.add_argument("documents", type=int, help="how many, from the first on")
    given = parser.parse_args()
    write_documents(given.out, given.documents)

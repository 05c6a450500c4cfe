"""Tokenizer: the one that the model's own `tokenizer.json` describes.

transformers chooses a class by `tokenizer_class` or the model's type, and some classes put rules of
their own in the place of the file's: digits are split otherwise, or spaces lost, without a word.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from faultlens.errors import UserError

FILE = "tokenizer.json"
SAMPLE = (
    "Mary gave the keys to Tom, in the year 1742.  She said:\n\n\t“It’s 3.14159 — isn't it?”\n"
    "def f(x_1):\n    return {'a': x_1[0] ** 2}  # naïve, Straße, Ёлка, 你好世界, مرحبا, ꙮ 😀👍🏽\n"
    "\r\n http://a.example/b?c=d&e=1000000 I'LL   DON'T CamelCase snake_case …"
)
"""Digits, spaces, line ends, apostrophes, several scripts: where tokenizers' rules differ."""


def load_tokenizer(name: str, source: str, folder: Path | None, where: dict[str, Any]) -> Any:
    """The tokenizer beside a model.

    Args:
        name: the model's, for messages.
        source: what transformers is to load.
        folder: holds `tokenizer.json`, if any; None: it is not at hand.
        where: further arguments for transformers.

    Raises:
        UserError: there is none, or none of transformers' classes gives the file's token ids.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    tokenizer = AutoTokenizer.from_pretrained(source, **where)
    if len(tokenizer) < 2:
        raise UserError(f"model {name!r} has no tokenizer: expected {FILE} beside it")
    if folder is not None and (folder / FILE).is_file():
        wanted = _ids_of_the_file(folder / FILE)
        if wanted is not None and _ids(tokenizer) != wanted:
            tokenizer = PreTrainedTokenizerFast.from_pretrained(source, **where)
        if wanted is not None and _ids(tokenizer) != wanted:
            raise UserError(
                f"model {name!r}: transformers splits text otherwise than its {FILE} says "
                f"(class {type(tokenizer).__name__}); save the tokenizer again with this version "
                "of transformers, or correct tokenizer_class in tokenizer_config.json"
            )
    tokenizer.model_max_length = sys.maxsize  # long texts are split here, without its warning
    tokenizer.clean_up_tokenization_spaces = False  # what is decoded is what the tokens stand for
    return tokenizer


def _ids(tokenizer: Any) -> list[int]:
    return list(tokenizer(SAMPLE, add_special_tokens=False)["input_ids"])


def _ids_of_the_file(path: Path) -> list[int] | None:
    """None for a vocabulary that lacks a part of the sample, and has no token for the unknown."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        return list(tokenizer.encode(SAMPLE, add_special_tokens=False).ids)
    except Exception:  # the library raises nothing narrower
        return None

"""The JSON files of a model folder: each an object, special tokens texts.

What is asked here is what transformers takes for granted: it meets anything else with Python's own
words for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from faultlens.errors import UserError
from faultlens.runs.files import json_kind, read_object

READ_WHOLE = ("config.json", "tokenizer_config.json", "special_tokens_map.json")
GENERATION = "generation_config.json"
TOKENIZER = "tokenizer.json"  # often of many megabytes, so that only its beginning is looked at
SPECIAL_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


def check_folder_files(folder: Path) -> None:
    """Raises UserError for a file of a model folder that holds something else than an object.

    Likewise for a special token of the tokenizer's configuration that is no text.
    """
    check_generation_config(folder)
    for name in READ_WHOLE:
        record = _object(folder / name)
        for token in SPECIAL_TOKENS if name != "config.json" else ():
            value = record.get(token)
            if value is not None and not isinstance(value, str | dict):
                raise UserError(
                    f"{folder / name}: {token} is {value!r}, expected the token's text; fetch the "
                    "file again"
                )
    path = folder / TOKENIZER
    if path.is_file():
        with path.open("rb") as file:
            if file.read(64).lstrip()[:1] != b"{":
                raise UserError(f"{path} holds no JSON object, as a tokenizer has: fetch it again")


def check_generation_config(folder: Path) -> None:
    """Raises UserError for a file that cannot be read as a JSON object.

    transformers passes over a damaged one, and with it over the tokens that end a text.
    """
    read_object(folder / GENERATION)


def _object(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing of one that is not there, or that transformers will refuse.

    Not `read_object`, since configurations of some families hold Infinity.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        raise UserError(
            f"{path} holds {json_kind(record)}, expected a JSON object; fetch the file again"
        )
    return record

"""Token ids: what stands at the beginning of a text, which are special, which have no embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faultlens.errors import UserError


def bos_of(tokenizer: Any, config: Any) -> int | None:
    """The tokenizer's BOS, or else its EOS, or else config.json's `bos_token_id`; None if none."""
    named = (
        tokenizer.bos_token_id, tokenizer.eos_token_id, getattr(config, "bos_token_id", None)
    )  # fmt: skip
    return next((int(token) for token in named if token is not None), None)


def special_ids(tokenizer: Any) -> frozenset[int]:
    """The ids that a tokenizer marks as special: BOS, EOS, padding, turn markers and the like.

    A tokenizer that marks none has none.
    """
    named = getattr(tokenizer, "all_special_ids", ())
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset(named) | {token for token, what in added.items() if what.special}


def check_whole_characters(text: str) -> None:
    """Raises UserError where a text holds half a character (a lone surrogate).

    No tokenizer takes it, and no file in UTF-8 can hold it.
    """
    half = next((place for place, c in enumerate(text) if "\ud800" <= c <= "\udfff"), None)
    if half is not None:
        raise UserError(
            f"the text {excerpt(text)} holds half a character (a lone surrogate, "
            f"\\u{ord(text[half]):04x}) at its character {half + 1}: expected Unicode text; "
            "replace it"
        )


def excerpt(text: str, most: int = 40) -> str:
    """The beginning of a text in quotes, on one line, with half characters spelt out."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    return repr(whole if len(whole) <= most else whole[:most] + "…")


def check_embedded(model: str, tokenizer: Any, ids: Sequence[int], rows: int) -> None:
    """Raises UserError, naming the token, unless all ids are below `rows`.

    A tokenizer can have more tokens than the model: those that were added to it alone.
    """
    highest = max(ids, default=0)
    if highest >= rows:
        raise UserError(
            f"model {model} has no embedding of the token {tokenizer.decode([highest])!r}: its "
            f"tokenizer gives it the id {highest}, and the embedding has the rows 0 to {rows - 1}; "
            "leave it out of the texts, or give the model a row for each token of its tokenizer "
            "(resize_token_embeddings)"
        )

"""Token ids: what stands at the beginning of a text, and ids that a model has no embedding of."""

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

"""Start ids: what stands in front of a text, as token ids and as a reader sees it."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.errors import UserError
from faultlens.models.dictionary import Convention
from faultlens.models.model import Model
from faultlens.models.token_ids import check_embedded

NONE, BOS = "none", "bos"
"""What can be asked for beside the text of a token."""


def ids_in_front(model: Model, convention: Convention) -> list[int]:
    """What stands in front of the texts that a dictionary of this convention reads.

    Raises UserError where the model lacks the token.
    """
    if not convention.prepend_bos:
        return []
    if convention.start_token is None:
        return [model.bos_id]
    return token_ids(model, convention.start_token)


def token_ids(model: Model, text: str) -> list[int]:
    """The ids of a start token by its text: one token, or several that are all special.

    Raises UserError for any other text.
    """
    ids = list(model.tokenizer(text, add_special_tokens=False)["input_ids"])
    if not ids or (len(ids) > 1 and not model.special_ids.issuperset(ids)):
        raise UserError(
            f"start token {text!r} is {len(ids)} tokens of model {model.name}: expected {NONE}, "
            f"{BOS}, or the text of one token, e.g. {_example(model)}"
        )
    check_embedded(model.name, model.tokenizer, ids, model.embedded)
    return ids


def shown(model: Model, ids: Sequence[int]) -> str:
    """A start token as a reader sees it.

    `nothing` where there is none.
    """
    return str(model.tokenizer.decode(list(ids))) if ids else "nothing"


def _example(model: Model) -> str:
    tokenizer = model.tokenizer
    return repr(tokenizer.bos_token or tokenizer.eos_token or model.pieces([0])[0])

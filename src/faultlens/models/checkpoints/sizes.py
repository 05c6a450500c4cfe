"""Sizes: the numbers of a configuration that decide how much is built, checked before it is built.

transformers builds as many layers as it is told to, until the memory is full.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultlens.errors import UserError

MOST: dict[str, int] = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 2_000),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), 2**20),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"), 2**24),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads"), 2**16),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "head_dim", "num_experts"), 2**16),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), 2**32),
    "vocab_size": 2**24,
}
"""By their names in config.json: what no model that can be loaded has more of."""
MAY_BE_NONE = frozenset(("num_experts", "intermediate_size"))
"""Of them, those of which a model can have none at all; of the others it has one at least."""


def check_sizes(raw: Mapping[str, Any], name: str) -> None:
    """Raises UserError for a size that is no whole number, or is larger than any model's.

    Args:
        raw: config.json's content; configurations of a model's halves are looked into.
        name: the model's.
    """
    for field, value in raw.items():
        if isinstance(value, Mapping):
            check_sizes(value, name)
        elif field in MOST and value is not None:
            for one in value if isinstance(value, list) else [value]:
                _check(field, one, name)


def _check(field: str, value: Any, name: str) -> None:
    least = 0 if field in MAY_BE_NONE else 1
    if type(value) is not int or not least <= value <= MOST[field]:
        raise UserError(
            f"model {name!r}: config.json says {field} = {_shown(value)}, expected a whole number "
            f"from {least} to {MOST[field]}"
        )


def _shown(value: Any) -> str:
    """A value as a message can hold it: numbers too long to read by their order of magnitude."""
    if type(value) is not int or abs(value) < 10**12:
        shown = repr(value)
        return shown if len(shown) <= 60 else shown[:60] + "…"
    return f"about {'-' if value < 0 else ''}2**{value.bit_length() - 1}"

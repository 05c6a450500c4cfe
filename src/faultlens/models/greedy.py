"""Greedy decoding: the most probable token at each step, whatever the model's folder asks for.

transformers fills every setting that a caller leaves open from `generation_config.json`: penalties,
suppressed tokens, beams, stop strings. Here only the end of the text is taken from that file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError


@dataclass(frozen=True, eq=False)
class Continuations:
    """Greedy continuations of some rows.

    Attributes:
        ids: of each row the new token ids, up to the end of the text.
        first_logits: what the first new token was chosen by, float32 `[batch, vocabulary]`: the
            same as `Model.logits` at each row's last token.
    """

    ids: list[list[int]]
    first_logits: Tensor


def end_ids(network: Any) -> list[int]:
    """The tokens that end a text: `generation_config.json`'s, or else config.json's.

    Raises UserError for something that is no token id.
    """
    for config in (network.generation_config, network.config.get_text_config()):
        said = getattr(config, "eos_token_id", None)
        if said is None:
            continue
        ends = said if isinstance(said, list) else [said]
        rows = network.get_output_embeddings().weight.shape[0]
        if not all(type(end) is int and 0 <= end < rows for end in ends):
            raise UserError(
                f"model {network.name_or_path}: eos_token_id = {said!r} in its configuration, "
                f"expected a token id, from 0 to {rows - 1}, or a list of them"
            )
        return ends
    return []


@torch.no_grad()
def continue_greedily(
    network: Any,
    rows: Sequence[Sequence[int]],
    new_tokens: int,
    pad: int,
    check: Callable[[Tensor], None],
) -> Continuations:
    """Continue rows of token ids by up to `new_tokens` ids each.

    One pass over the prompts, then one token a pass, on a cache of keys and values. Rows are padded
    on the left, as transformers' `generate` needs them.

    Args:
        network: a causal language model of transformers.
        rows: token ids, BOS included where there is one.
        new_tokens: the most ids that are added.
        pad: any token id: it is masked.
        check: sees every step's logits, `[batch, vocabulary]`.
    """
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, longest - len(row) :] = torch.tensor(row, dtype=torch.long)
        mask[i, longest - len(row) :] = 1
    first: list[Tensor] = []

    def see(_: Tensor, logits: Tensor) -> Tensor:
        check(logits)
        if not first:
            first.append(logits.float())
        return logits

    ends = end_ids(network)
    with _without_its_own_settings(network) as plain, _unembedding_whole_rows(network):
        device = next(iter(network.parameters())).device
        found = network.generate(
            ids.to(device),
            attention_mask=mask.to(device),
            generation_config=plain(
                max_new_tokens=new_tokens, do_sample=False, num_beams=1, use_cache=True,
                eos_token_id=ends or None, pad_token_id=pad,
            ),
            logits_processor=[see],
        )  # fmt: skip
    new = [row[longest:].tolist() for row in found]
    return Continuations([_until(row, ends) for row in new], first[0])


@contextmanager
def _unembedding_whole_rows(network: Any) -> Iterator[None]:
    """Within this context the unembedding reads rows that lie together.

    After the prompts transformers hands it the last position of a longer tensor. With weights that
    need no gradient PyTorch multiplies that row by row: ten to twenty times as slow.
    """

    def together(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].contiguous(), *args[1:])

    handle = network.get_output_embeddings().register_forward_pre_hook(together)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _without_its_own_settings(network: Any) -> Iterator[Any]:
    """Within this context the model has no settings of generation; yields the class of them."""
    from transformers import GenerationConfig

    own = network.generation_config
    network.generation_config = GenerationConfig()
    try:
        yield GenerationConfig
    finally:
        network.generation_config = own


def _until(ids: list[int], ends: Sequence[int]) -> list[int]:
    return next((ids[:i] for i, token in enumerate(ids) if token in ends), ids)

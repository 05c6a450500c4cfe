"""A tiny random model of GPT-2's architecture, with its tokenizer stood in for by characters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.models.adapter import adapter_for
from faultlens.models.model import Model


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other cost more than models of this size take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Characters:
    """A tokenizer for tests: one token a character, ids from 1; BOS is 0."""

    bos_token_id = eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, Any]:
        assert add_special_tokens is False
        return {"input_ids": [ord(character) % 50 + 1 for character in text]}

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(i) for i in ids)


@pytest.fixture
def tiny() -> Model:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=64, n_positions=32, n_embd=24, n_layer=3, n_head=3, n_inner=48,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    network = GPT2LMHeadModel(config).eval().requires_grad_(False)
    return Model("tiny", network, Characters(), adapter_for("gpt2"), digest="")

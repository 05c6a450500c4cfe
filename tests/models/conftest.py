"""A tiny random model of GPT-2's architecture, with its tokenizer stood in for by characters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_cache import put_gpt2, put_saes, use_cache
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.models.families import FAMILIES
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
    return Model("tiny", network, Characters(), FAMILIES["gpt2"], digest="")


@pytest.fixture(scope="session")
def small_hub(tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Path:
    """A cache with a narrow `gpt2` and SAEs of layers 6 and 8; not yet in use."""
    cache = tmp_path_factory.mktemp("hub")
    put_gpt2(cache, reference_data / "gpt2_tokenizer", width=48, heads=4)
    put_saes(cache, [6, 8], width=48, features=256)
    return cache


@pytest.fixture
def hub_in_use(small_hub: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache as this process's, without a network."""
    use_cache(small_hub, monkeypatch)
    return small_hub

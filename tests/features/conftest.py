"""A lens over a tiny random model, with a ReLU and a TopK dictionary at two sites."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.features.lens import Lens
from faultlens.models.dictionary import Activation, Convention, Dictionary, Relu, TopK
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.sites import Site


class Letters:
    """One token a letter; BOS, which is also the padding, is 0 and so is the letter "a"."""

    bos_token_id = eos_token_id = 0

    def __call__(
        self, text: str, add_special_tokens: bool, split_special_tokens: bool = False
    ) -> dict[str, Any]:
        return {"input_ids": [(ord(letter) - ord("a")) % 40 for letter in text]}

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(i + ord("a")) for i in ids)


def dictionary(name: str, site: Site, activation: Activation) -> Dictionary:
    generator = torch.Generator().manual_seed(len(name))
    return Dictionary(
        name=name,
        site=site,
        activation=activation,
        W_enc=torch.randn(16, 64, generator=generator),
        b_enc=torch.randn(64, generator=generator) - 1,
        W_dec=torch.randn(64, 16, generator=generator),
        b_dec=torch.randn(16, generator=generator),
        convention=Convention(prepend_bos=True, centred=name.endswith("centred")),
        source="made in a test",
        digest=name,
    )


@pytest.fixture(scope="session")
def lens() -> Lens:
    return tiny_lens()


def tiny_lens() -> Lens:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=40, n_positions=24, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    network = GPT2LMHeadModel(config).eval().requires_grad_(False)
    model = Model("tiny", network, Letters(), FAMILIES["gpt2"], digest="tiny")
    return Lens(
        model,
        (
            dictionary("1-res-relu", Site(1, "resid_pre"), Relu()),
            dictionary("1-mlp-topk-centred", Site(1, "mlp_out"), TopK(8)),
        ),
    )

"""A model without attention and without MLPs: each token's value is its word's, whatever it reads.

So the answer hangs on the last token alone, and everything that the model and a dictionary give can
be written down in a few lines of NumPy: `values`, `activations` and `margin` below, float64. They
share with the tested package nothing but the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.sites import Site

D = 64
BALLAST = 12.0  # of every token: what the last norm divides by hardly changes
LEVEL = 0.5  # what a feature's input has to exceed
TARGET, WRONG = 1, 2  # the two tokens that are ever answered
FIRST_WORD = 3
SITE = Site(1, "resid_pre")


class Special:
    """As much of a tokenizer as token ids need: BOS, which is also the padding."""

    bos_token_id = eos_token_id = 0


def basis() -> np.ndarray:
    """Orthonormal directions of mean 0, `[D − 1, D]`: the last norm's centring leaves them."""
    drawn = np.random.default_rng(1).normal(size=(D, D - 1))
    directions: np.ndarray = np.linalg.qr(drawn - drawn.mean(axis=0))[0].T
    return directions


@dataclass(frozen=True, eq=False)
class WordByWord:
    """The model, a dictionary whose feature `f` reads axis `f`, and the referee.

    Axis 0 is what the wrong answer reads, so feature 0 reads what makes it fail.

    Attributes:
        embedding: `[vocabulary, D]`; the rows from `FIRST_WORD` on are the words.
        W_dec: `[features, D]`.
    """

    model: Model
    dictionary: Dictionary
    embedding: np.ndarray
    W_dec: np.ndarray

    def values(self, row: list[int]) -> np.ndarray:
        """The site's values, `[tokens, D]`."""
        found: np.ndarray = self.embedding[row]
        return found

    def activations(self, row: list[int]) -> np.ndarray:
        """`[tokens, features]`; none at BOS."""
        found = np.maximum(self.values(row) @ basis()[: len(self.W_dec)].T - LEVEL, 0)
        found[0] = 0
        return found

    def margin(self, value: np.ndarray) -> float:
        """`logit(target) − the largest other logit`, from the value of the last token, `[D]`."""
        centred = value - value.mean()
        normed = centred / np.sqrt(centred.var() + 1e-5)
        wrong, right = basis()[0], basis()[-1]
        return float(right @ normed - max(wrong @ normed, 0.0))


def word_by_word(strengths: np.ndarray, pull: np.ndarray, W_dec: np.ndarray) -> WordByWord:
    """The model of words that have given strengths along the features' axes.

    Args:
        strengths: `[words, features]`.
        pull: of each word towards the right answer, `[words]`.
        W_dec: `[features, D]`.
    """
    features = strengths.shape[1]
    axes = basis()
    words = pull[:, None] * axes[-1] + strengths @ axes[:features]
    embedding = np.concatenate([np.zeros((FIRST_WORD, D)), words]) + BALLAST * axes[-2]
    config = GPT2Config(
        vocab_size=len(embedding), n_positions=24, n_embd=D, n_layer=2, n_head=2,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    network: Any = GPT2LMHeadModel(config).eval().requires_grad_(False)
    for block in network.transformer.h:
        block.attn.c_proj.weight.zero_()
        block.mlp.c_proj.weight.zero_()
    network.transformer.wpe.weight.zero_()
    network.transformer.wte.weight.copy_(torch.from_numpy(embedding))
    network.lm_head.weight.zero_()
    network.lm_head.weight[TARGET] = torch.from_numpy(axes[-1])
    network.lm_head.weight[WRONG] = torch.from_numpy(axes[0])
    dictionary = Dictionary(
        "1-res-hand", SITE, Relu(), torch.from_numpy(axes[:features].T.copy()).float(),
        torch.full((features,), -LEVEL), torch.from_numpy(W_dec).float(), torch.zeros(D),
        Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip
    model = Model("by hand", network, Special(), FAMILIES["gpt2"], digest="")
    return WordByWord(model, dictionary, embedding, W_dec)

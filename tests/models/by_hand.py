"""A model edited by hand: it is known what causes its failures, and what does not.

A prompt says an object at its start and at its end, and the model answers from its last token
alone: no attention, no MLP. Every object pulls towards the right answer. `keys` and `phone` also
carry *push*, which the wrong answer reads. Beside it they carry directions that nothing reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from faultlens.corpus.task import Prompt, Task
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.sites import Site

D = 32
RIGHT, WRONG = "Mary", "John"
OBJECTS = ["keys", "phone", "book", "pen", "ball"]
FAILING = ("keys", "phone")
FILLERS = [f"w{i}" for i in range(12)]
WORDS = ["<end>", RIGHT, WRONG, *OBJECTS, *FILLERS]
AXES = ["ballast", "pull", "push", "bystander", "copy", "first"]
LEVEL = 0.5  # what a feature's input has to exceed

Strengths = Mapping[str, Mapping[str, float]]
CLEAR: Strengths = {
    "keys": {"push": 5.0, "bystander": 1.5, "copy": 3.0},
    "phone": {"push": 3.5, "bystander": 6.0},
}
"""Cause and bystander rise and fall in opposite ways, or they would be one class."""

# The answers are 0.02 apart, and any push turns them.
NARROW: Strengths = {name: {"push": 2.02, "bystander": 4.0} for name in FAILING}


def axes() -> dict[str, torch.Tensor]:
    """Orthonormal directions of mean 0, so that the last norm takes nothing off them."""
    drawn = torch.randn(D, D - 1, generator=torch.Generator().manual_seed(1))
    basis = torch.linalg.qr(drawn - drawn.mean(0))[0].T
    names = [*AXES, *(f"noise {i}" for i in range(D - 1 - len(AXES)))]
    return dict(zip(names, basis, strict=True))


def made(folder: Path, strengths: Strengths) -> Model:
    """The model, saved and loaded as any other."""
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_positions=24, n_embd=D, n_layer=2, n_head=2, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    network = transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)
    for block in network.transformer.h:
        block.attn.c_proj.weight.zero_()
        block.mlp.c_proj.weight.zero_()
    axis = axes()
    words, places = network.transformer.wte.weight, network.transformer.wpe.weight
    words.zero_()
    for name in OBJECTS:
        words[WORDS.index(name)] = 2 * axis["pull"] + sum(
            (size * axis[what] for what, size in strengths.get(name, {}).items()), torch.zeros(D)
        )
    noise = torch.stack([v for name, v in axis.items() if name.startswith("noise")])
    drawn = torch.randn(24, len(noise), generator=torch.Generator().manual_seed(2))
    places[:] = 12 * axis["ballast"] + drawn @ noise
    places[1] += 4 * axis["first"]
    network.lm_head.weight.zero_()
    network.lm_head.weight[WORDS.index(RIGHT)] = axis["pull"]
    network.lm_head.weight[WORDS.index(WRONG)] = axis["push"]
    network.save_pretrained(folder)
    known = WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<end>")
    tokenizer = Tokenizer(known)
    tokenizer.pre_tokenizer = WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<end>", eos_token="<end>", unk_token="<end>"
    ).save_pretrained(folder)
    return load_model(str(folder))


def dictionary(layer: int, features: Mapping[str, torch.Tensor]) -> Dictionary:
    """Named directions, read and written, then those of the noise: features of no consequence."""
    noise = [v for name, v in axes().items() if name.startswith("noise")]
    directions = torch.stack([*features.values(), *noise])
    return Dictionary(
        f"{layer}-res-hand", Site(layer, "resid_pre"), Relu(), directions.T.contiguous(),
        torch.full((len(directions),), -LEVEL), directions, torch.zeros(D),
        Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip


def asked(n: int = 200, seed: int = 0) -> Task:
    """`OBJECT filler … OBJECT`, an equal number of each object."""
    rng = np.random.default_rng(seed)
    prompts = []
    for i in range(n):
        name = OBJECTS[i % len(OBJECTS)]
        between = rng.choice(FILLERS, rng.integers(2, 7))
        text = " ".join([name, *between, name])
        prompts.append(Prompt(text, RIGHT, WRONG, {"object": name, "second": str(between[0])}))
    return Task("by hand", tuple(prompts))

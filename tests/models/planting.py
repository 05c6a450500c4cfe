"""Dictionaries planted to fit under one convention, and a random model for them to fit.

Each is made of the principal components of the very values that it is to rebuild, and follows a
component only between the lowest and the highest value that it takes: under its own convention a
dictionary leaves little of the variance, under another one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from faultlens.models.convention import put_in_force
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.doctor import examine, read
from faultlens.models.examination import Examination
from faultlens.models.fit import sample_rows
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.sites import Site

SITE = Site(2, "resid_pre")


def random_model(folder: Path, seed: int = 0) -> Model:
    """A random model in which BOS and the mean over d_model matter, with mini's tokenizer."""
    mini = load_model("mini")
    config = transformers.GPT2Config(
        vocab_size=3072, n_positions=256, n_embd=32, n_layer=3, n_head=2, bos_token_id=0,
        eos_token_id=0, initializer_range=0.5, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(seed)
    network = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        network.lm_head.weight.normal_(std=0.05)  # its answers are hardly better than a guess
        network.transformer.wte.weight += 20 + torch.randn(3072, 1)  # a mean over d_model
        network.transformer.wte.weight[0, :16] += 30  # BOS looks like no other token …
        for block in network.transformer.h:
            block.attn.c_attn.bias.normal_(std=1.0)
            block.ln_1.bias.normal_(std=0.5)
        first = network.transformer.h[0]
        bos = first.ln_1(network.transformer.wte.weight[0] + network.transformer.wpe.weight[0])
        key = first.attn.c_attn(bos)[32:64]
        first.attn.c_attn.bias[:32] = 30 * key / key.norm()  # … and every token looks at it
        first.attn.c_proj.weight *= 16
        network.transformer.h[2].mlp.c_proj.weight *= 0.02  # a site of small norm
    network.save_pretrained(folder)
    mini.tokenizer.save_pretrained(folder)
    return load_model(str(folder))


def values(model: Model, site: Site, bos: bool = True) -> Tensor:
    before = [model.bos_id] if bos else []
    return read(model, sample_rows(model, 2000), [site], before)[0][site]


def planted(
    prepared: Tensor, convention: Convention, site: Site = SITE, keep: int = 28
) -> Dictionary:
    """Two features for each principal component: from its lowest value on, and from its highest."""
    mean = prepared.mean(0)
    axes = torch.linalg.svd((prepared - mean).double(), full_matrices=False).Vh[:keep].float()
    along = (prepared - mean) @ axes.T
    lowest, highest, offset = along.amin(0), along.amax(0), -mean @ axes.T
    return Dictionary(
        "planted", site, Relu(), torch.cat([axes, axes]).T.contiguous(),
        torch.cat([offset - lowest, offset - highest]), torch.cat([axes, -axes]),
        mean + lowest @ axes, convention, "made in a test", "",
    )  # fmt: skip


def centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


def one(model: Model, dictionary: Dictionary) -> Examination:
    (examination,) = examine(model, [dictionary])
    return examination


def wrong_and_right(
    model: Model, right: Dictionary, wrong: Sequence[str], fix: Sequence[str]
) -> Examination:
    """The right one passes; put under the wrong convention, the doctor names the way back."""
    well = one(model, right)
    assert well.complaint is None, well.complaint
    assert well.fit.fvu < 0.15
    ill = one(model, put_in_force(right, wrong))
    assert ill.better is not None
    assert ill.better.words == tuple(fix)
    assert ill.complaint is not None
    assert f"give --convention {','.join(fix)}, or --no-fit-check to go on" in ill.complaint
    mended = one(model, put_in_force(put_in_force(right, wrong), ill.better.words))
    assert mended.complaint is None
    assert mended.fit.fvu == pytest.approx(well.fit.fvu, rel=1e-4)
    return ill

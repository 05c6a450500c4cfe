"""What is NaN or infinite is refused with the site, the precision and the next step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.dictionary import Convention
from faultlens.models.doctor import examine
from faultlens.models.load import load_model
from faultlens.models.losses import CachedTexts
from faultlens.models.model import Model
from faultlens.models.prefix_cache import CachedPass
from faultlens.models.sites import Site
from tests.models.families import save_family
from tests.models.planting import planted, random_model

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.tensor([[0, 5, 9, 33, 7]])
LOUD = 300.0  # times the first block's MLP: above 65504 in the residual, finite in float32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with finite weights, whose residuals pass 65504 from layer 1 on."""
    where = save_family("llama", tmp_path_factory.mktemp("loud"))
    model = load_model(str(where))
    mlp = model.network.model.layers[0].mlp
    mlp.up_proj.weight.mul_(LOUD)
    mlp.down_proj.weight.mul_(LOUD)
    model.network.save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def half(folder: Path) -> Model:
    return load_model(str(folder), dtype="float16")


def refused(model: Model, where: str) -> str:
    return re.escape(
        f"model {model.name} in float16 gives values that are infinite or NaN at {where}: they "
        "pass 65504, float16's largest number; give --dtype bfloat16 or float32"
    )


def test_what_passes_float16_is_refused_at_its_site(half: Model) -> None:
    early, late = Site(0, "resid_pre"), Site(1, "resid_pre")
    assert half.read(IDS, [early])[early].isfinite().all()
    with pytest.raises(UserError, match=refused(half, "blocks.0.hook_mlp_out")):
        half.read(IDS, [Site(0, "mlp_out"), late])
    with pytest.raises(UserError, match=refused(half, "blocks.1.hook_resid_pre")):
        half.read(IDS, [late])


def test_every_way_of_reading_refuses(half: Model) -> None:
    row, site = IDS[0].tolist(), Site(2, "resid_pre")
    first = refused(half, "blocks.0.hook_resid_post")  # found by a pass that looks at every block
    with pytest.raises(UserError, match=first):
        CachedPass.of(half, [row], [site])
    with pytest.raises(UserError, match=refused(half, "blocks.1.hook_resid_pre")):
        CachedTexts.of(half, [row], [Site(1, "mlp_out")], [0])
    with pytest.raises(UserError, match=first):
        half.logits(IDS)
    with pytest.raises(UserError, match=first):
        half.generate([row], 2)


def test_weights_that_only_float16_cannot_hold(tmp_path: Path) -> None:
    where = save_family("llama", tmp_path)
    model = load_model(str(where))
    model.network.model.layers[0].mlp.up_proj.weight[0, 0] = 1e5
    model.network.save_pretrained(where)
    load_model(str(where))
    with pytest.raises(
        UserError,
        match=r"in float16 has values that are NaN or infinite in model\.layers\.0\.mlp\.up_proj"
        r"\.weight: fetch it again, or give --dtype bfloat16 or float32 if they pass float16's "
        "largest",
    ):
        load_model(str(where), dtype="float16")


def test_the_fit_check_refuses(tmp_path: Path) -> None:
    model = random_model(tmp_path)
    model.network.transformer.h[0].mlp.c_proj.weight.mul_(1e4)
    model.network.save_pretrained(tmp_path)
    half = load_model(str(tmp_path), dtype="float16")
    dictionary = planted(torch.randn(60, 32), Convention(prepend_bos=True, centred=False))
    with pytest.raises(UserError, match=refused(half, "blocks.2.hook_resid_pre")):
        examine(half, [dictionary])


def test_the_same_model_is_read_in_wider_precisions(folder: Path, half: Model) -> None:
    """Negative control: bfloat16 has float32's range."""
    site = Site(1, "resid_pre")
    whole = load_model(str(folder)).read(IDS, [site])[site]
    assert whole.abs().max() > torch.finfo(torch.float16).max
    wide = load_model(str(folder), dtype="bfloat16").read(IDS, [site])[site]
    assert_close(wide, whole, rtol=0.1, atol=0.02 * float(whole.abs().max()))


def test_a_change_that_is_too_large_is_told_apart_from_damaged_weights(tiny: Model) -> None:
    site = Site(1, "resid_pre")
    with pytest.raises(
        UserError,
        match="model tiny in float32 gives values that are infinite or NaN at its last hidden "
        "state: the change made during the pass is too large; make a smaller one",
    ):
        tiny.logits(IDS, edits={site: lambda x: x * torch.inf})
    with pytest.raises(UserError, match="at its logits: the change made during the pass"):
        tiny.generate(IDS.tolist(), 1, {site: lambda x: x * torch.nan})
    tiny.adapter.blocks(tiny.network)[0].mlp.c_proj.weight[0, 0] = torch.nan
    with pytest.raises(
        UserError,
        match="at blocks.1.hook_resid_pre: its weights are damaged or do not belong to its "
        "config.json; fetch the model again",
    ):
        tiny.read(IDS, [site])


def test_reading_keeps_what_a_block_writes_over_later(tiny: Model) -> None:
    """Some families change a value in place: what was read is a copy."""
    site = Site(1, "resid_pre")
    before = tiny.read(IDS, [site])[site]
    norm = tiny.adapter.blocks(tiny.network)[1].ln_1
    handle = norm.register_forward_pre_hook(lambda _, args: (args[0].mul_(0.0),))
    try:
        both = tiny.read(IDS, [site, Site(2, "resid_pre")])
    finally:
        handle.remove()
    assert_close(both[site], before)

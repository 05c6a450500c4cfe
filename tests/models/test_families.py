"""Every family's sites, edits and restarts. The referees are TransformerBridge and Hugging Face."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, config_of, save_family
from torch import Tensor
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.families import adapter_of
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import POINTS, Site

IDS = torch.tensor([[0, 5, 9, 33, 7, 12, 61, 2], [0, 8, 8, 41, 2, 60, 3, 17]])
pytestmark = pytest.mark.usefixtures("one_thread")
RELATIVE = 1e-5  # of the largest value at the site


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(str(folder))


@pytest.fixture(scope="module")
def bridge(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformer_lens.model_bridge import TransformerBridge

        return TransformerBridge.boot_transformers(str(folder), device="cpu")


def sites_of(model: Model, layer: int) -> list[Site]:
    sites = [Site(layer, point) for point in POINTS]
    return [site for site in sites if model.adapter.tap(model.network, site) is not None]


def hooks(model: Model) -> int:
    """Hooks in place, those of transformers' own among them."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.network.modules())


def close(ours: Tensor, theirs: Tensor, relative: float = RELATIVE) -> None:
    assert_close(ours, theirs, rtol=0, atol=relative * float(theirs.abs().max()))


def test_every_site_is_transformer_lenss(model: Model, bridge: Any) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logits, theirs = bridge.run_with_cache(IDS)
    for layer in range(model.n_layers):
        ours = model.read(IDS, sites_of(model, layer))
        for site, value in ours.items():
            close(value, theirs[site.name].reshape(value.shape))
            assert value.shape[-1] == model.width(site)
    close(model.logits(IDS), logits)


def test_residuals_and_logits_are_hugging_faces(model: Model) -> None:
    with torch.no_grad():
        theirs = model.network(IDS, output_hidden_states=True, use_cache=False)
    for layer in range(model.n_layers):
        site = Site(layer, "resid_pre")
        close(model.read(IDS, [site])[site], theirs.hidden_states[layer])
    close(model.logits(IDS), theirs.logits)
    last = Site(model.n_layers - 1, "resid_post")
    normed = theirs.hidden_states[-1]  # the trap: the last entry is after the final norm
    assert (model.read(IDS, [last])[last] - normed).abs().max() > 0.1


def test_a_restart_gives_the_same_logits_at_every_layer(model: Model) -> None:
    whole = model.logits(IDS)
    for layer in range(model.n_layers):
        site = Site(layer, "resid_pre")
        residual = model.read(IDS, [site])[site]
        assert torch.equal(model.logits(IDS, restart=Restart(layer, residual)), whole)
    assert torch.equal(model.logits(IDS), whole), "the blocks must be back in place"


def test_reading_stops_after_the_last_site_and_leaves_nothing_behind(model: Model) -> None:
    ran: list[int] = []
    before = hooks(model)
    handle = model.adapter.blocks(model.network)[2].register_forward_pre_hook(
        lambda *_: ran.append(2)
    )
    model.read(IDS, sites_of(model, 1))
    handle.remove()
    assert ran == []
    assert hooks(model) == before


def test_an_edit_that_changes_nothing_changes_no_bit(model: Model) -> None:
    whole = model.logits(IDS)
    edits = {site: lambda x: x for site in sites_of(model, 1)}
    assert torch.equal(model.logits(IDS, edits=edits), whole)


def test_every_edit_has_an_effect_of_its_own(model: Model) -> None:
    push = torch.linspace(-1, 2, 48)
    seen = [model.logits(IDS)]
    for site in sites_of(model, 1):
        seen.append(model.logits(IDS, edits={site: lambda x: x * push[: x.shape[-1]] + 0.3}))
    for i, one in enumerate(seen):
        for other in seen[:i]:
            assert not torch.allclose(one, other, atol=1e-4)


def test_an_edit_between_attention_and_mlp_reaches_both_ways_on(model: Model) -> None:
    """What attention adds is part of the residual there: editing either is the same."""
    if model.adapter.tap(model.network, Site(1, "resid_mid")) is None:
        with pytest.raises(UserError, match="its attention and MLP run side by side"):
            model.read(IDS, [Site(1, "resid_mid")])
        return
    target = torch.linspace(-2, 2, model.d_model)
    entry = Site(1, "resid_pre")
    before = model.read(IDS, [entry])[entry]
    mid = model.logits(IDS, edits={Site(1, "resid_mid"): lambda x: x * 0.5 + target})
    mids = model.read(IDS, [Site(1, "resid_mid")])[Site(1, "resid_mid")]
    wanted = mids * 0.5 + target
    close(mid, model.logits(IDS, edits={Site(1, "attn_out"): lambda x: wanted - before}))

    norm = model.adapter.tap(model.network, Site(1, "resid_mid")).module
    handle = norm.register_forward_pre_hook(lambda _, args: (args[0] * 0.5 + target,))
    only_mlp = model.logits(IDS)  # the trap: the skip connection keeps the old value
    handle.remove()
    assert (only_mlp - mid).abs().max() > 1e-2


def test_gradients_pass_through_an_edit_between_attention_and_mlp(model: Model) -> None:
    if model.adapter.tap(model.network, Site(1, "resid_mid")) is None:
        return
    entry = Site(1, "resid_pre")
    before = model.read(IDS, [entry])[entry]
    gradients = []
    for point in ("resid_mid", "attn_out"):
        step = torch.zeros(model.d_model, requires_grad=True)
        edits = {
            "resid_mid": lambda x, step=step: x * (1 + step),
            "attn_out": lambda x, step=step: (before + x) * (1 + step) - before,
        }
        logits = model.logits(IDS, edits={Site(1, point): edits[point]})
        (logits[:, -1, 5] - logits[:, -1, 6]).sum().backward()
        assert step.grad is not None
        gradients.append(step.grad)
    assert float(gradients[0].abs().max()) > 1e-4
    close(gradients[0], gradients[1], 1e-4)


def test_a_value_before_its_gain_is_edited_before_its_gain(model: Model) -> None:
    before, after = Site(1, "mlp_normalized"), Site(1, "mlp_in")
    values = model.read(IDS, [before, after])
    tap = model.adapter.tap(model.network, before)
    close(tap.gain.scale(tap.module, values[before]), values[after])
    doubled = model.logits(IDS, edits={before: lambda x: 2 * x})
    by_hand = tap.gain.scale(tap.module, 2 * values[before])
    close(doubled, model.logits(IDS, edits={after: lambda x: by_hand}))


def test_the_value_bias_is_what_the_biases_add_to_z(folder: Path) -> None:
    """With attention that looks everywhere alike: the norm's bias reaches z by values only."""
    model = load_model(str(folder))
    block, site = model.adapter.blocks(model.network)[1], Site(1, "z")
    kind = model.network.config.model_type
    with torch.no_grad():
        if kind == "gpt2":
            query, value, norm = (
                block.attn.c_attn.bias[:24],
                block.attn.c_attn.bias[48:],
                block.ln_1,
            )
            block.attn.c_attn.weight[:, :24] = 0
        elif kind == "gpt_neox":
            fused, norm = block.attention.query_key_value, block.input_layernorm
            query, value = fused.bias.view(3, 3, 8)[:, 0], fused.bias.view(3, 3, 8)[:, 2]
            fused.weight.view(3, 3, 8, 24)[:, 0] = 0
        elif kind == "qwen2":
            query, value, norm = block.self_attn.q_proj.bias, block.self_attn.v_proj.bias, None
            block.self_attn.q_proj.weight[:] = 0
        else:
            assert model.adapter.value_bias(model.network, 1) is None
            return
        query[:] = 0
        bias = model.adapter.value_bias(model.network, 1)
        with_bias = model.read(IDS, [site])[site]
        value[:] = 0
        if norm is not None:
            norm.bias[:] = 0
        without = model.read(IDS, [site])[site]
    assert bias is not None
    assert bias.abs().min() > 1e-3
    close(with_bias - bias, without)


def test_padding_batch_and_order_change_nothing(model: Model) -> None:
    rows = [[0, 3, 9], [0, 5, 9, 33, 7, 12, 40, 41, 2], [0, 60]]
    site = Site(2, "resid_pre")
    together = model.read(model.pad(rows), [site])[site]
    backwards = model.read(model.pad(rows[::-1]), [site])[site].flip(0)
    for i, row in enumerate(rows):
        alone = model.read(torch.tensor([row]), [site])[site][0]
        close(together[i, : len(row)], alone)
        close(backwards[i, : len(row)], alone)


def test_padding_on_the_left_changes_no_generated_token(model: Model) -> None:
    rows = [[0, 3, 9], [0, 5, 9, 33, 7, 12, 40, 41, 2], [0, 60]]
    for row, ids in zip(rows, model.generate(rows, 4), strict=True):
        grown = list(row)
        for token in ids:
            assert int(model.network(torch.tensor([grown])).logits[0, -1].argmax()) == token
            grown.append(token)


def test_bfloat16_is_float32_within_its_precision(folder: Path, model: Model) -> None:
    """bfloat16 keeps 8 bits: 2 % of the largest value after three random layers."""
    half = load_model(str(folder), dtype="bfloat16")
    site = Site(1, "resid_post")
    values = half.read(IDS, [site])[site]
    assert values.dtype == torch.float32
    reference = model.read(IDS, [site])[site]
    assert (values - reference).norm() < 0.02 * reference.norm()
    assert (values - reference).norm() > 1e-5 * reference.norm(), "it must have been bfloat16"
    assert half.logits(IDS, edits={site: lambda x: x + 1.0}).dtype == torch.float32


def test_the_language_half_of_multimodal_gemma_is_read_as_it_alone(tmp_path: Path) -> None:
    from transformers import Gemma3Config, Gemma3ForCausalLM, Gemma3ForConditionalGeneration

    text = config_of("gemma3_text")
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "image_size": 8,
        "num_attention_heads": 2, "patch_size": 4,
    }  # fmt: skip
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    torch.manual_seed(0)
    whole = Gemma3ForConditionalGeneration(config).eval()
    alone = Gemma3ForCausalLM(text).eval()
    alone.model.load_state_dict(whole.model.language_model.state_dict())
    alone.lm_head.load_state_dict(whole.lm_head.state_dict())
    both, half = (
        Model(name, network.requires_grad_(False), None, adapter_of(network), "")
        for name, network in (("whole", whole), ("half", alone))
    )
    assert (both.n_layers, both.d_model, both.context) == (3, 24, 32)
    site = Site(2, "resid_mid")
    close(both.read(IDS, [site])[site], half.read(IDS, [site])[site])
    close(both.logits(IDS), half.logits(IDS))
    entry = Site(2, "resid_pre")
    residual = both.read(IDS, [entry])[entry]
    assert torch.equal(both.logits(IDS, restart=Restart(2, residual)), both.logits(IDS))


PACKED = [[0, 5, 9, 33, 7, 12], [0], [0, 8, 8, 41, 2, 60, 3, 17, 4], [0, 61]]


def read_packed(model: Model, site: Site) -> tuple[list[Tensor], list[Tensor]]:
    """Each text in a row with the others before it, and each alone."""
    ids = torch.tensor([[token for text in PACKED for token in text]])
    positions = torch.tensor([[i for text in PACKED for i in range(len(text))]])
    packed = model.read(ids, [site], positions)[site][0].split([len(text) for text in PACKED])
    return list(packed), [model.read(torch.tensor([text]), [site])[site][0] for text in PACKED]


def test_texts_that_share_a_row_are_read_as_if_alone(model: Model) -> None:
    """Windows of three tokens, rotary and learnt positions, full attention: no text sees another.

    Negative control: as one text, or under a mask that shows all of the row, they do.
    """
    assert model.packs
    last = Site(model.n_layers - 1, "resid_post")
    packed, alone = read_packed(model, last)
    for ours, theirs in zip(packed, alone, strict=True):
        close(ours, theirs)
    as_one = model.read(torch.tensor([[token for text in PACKED for token in text]]), [last])[last][
        0
    ]
    leaked = as_one[len(PACKED[0]) + 1 :] - torch.cat(alone)[len(PACKED[0]) + 1 :]
    assert leaked.abs().max() > 0.05


def test_a_model_that_lets_texts_see_each_other_does_not_pack(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a family does that makes no mask of positions: found out, not believed."""
    leaking = load_model(str(folder))
    forward = leaking.network.base_model.forward

    def without_mask(**given: Any) -> Any:
        return forward(**{**given, "attention_mask": torch.ones_like(given["input_ids"])})

    monkeypatch.setattr(leaking.network.base_model, "forward", without_mask)
    assert not leaking.packs
    packed, alone = read_packed(leaking, Site(leaking.n_layers - 1, "resid_post"))
    assert (packed[2] - alone[2]).abs().max() > 0.05

"""Families beyond those that TransformerLens referees: each against plain transformers.

Every site is checked by what it must add up to, the whole by transformers' hidden states and
logits.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models import probes
from faultlens.models.families import FAMILIES, adapter_of, check_family
from faultlens.models.model import Model
from faultlens.models.prefix_cache import CachedPass, resumes
from faultlens.models.restart import Restart
from faultlens.models.sites import Site
from tests.models.tiny_networks import OWN, model_of, network_of

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.tensor([[1, 5, 9, 33, 7, 12, 61, 2], [3, 8, 8, 41, 2, 60, 3, 17]])
REFUSED = {"gemma3n_text"}  # keeps four streams
LEAKING = {
    "gpt_oss", "falcon", "falcon-in-turn", "qwen3_next", "qwen3_5_text", "opt", "bloom", "mpt",
    "mamba", "mamba2", "falcon_mamba",
}  # fmt: skip
WITH_STATE = {"qwen3_next", "qwen3_5_text", "mamba", "mamba2", "falcon_mamba"}
SIDE_BY_SIDE = {"falcon"}
ADDS_MORE = {"gemma4_text"}  # per-layer embeddings, behind the MLP
ROUTED = 2e-6  # a mixture of experts moves by the batch's shape


@pytest.fixture(scope="module", params=[family for family in OWN if family not in REFUSED])
def model(request: pytest.FixtureRequest) -> Model:
    return model_of(request.param)


def close(ours: Tensor, theirs: Tensor, relative: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= relative * float(theirs.abs().max())


def test_residuals_and_logits_are_transformers_own(model: Model) -> None:
    """By value, at some index: Mamba numbers its hidden states one layer late."""
    with torch.no_grad():
        theirs = model.network(IDS, output_hidden_states=True, use_cache=False)
    close(model.logits(IDS), theirs.logits)
    residuals = model.read(IDS, [Site(layer, "resid_pre") for layer in range(model.n_layers)])
    for site, value in list(residuals.items())[1:]:
        assert any(
            state.shape == value.shape and torch.allclose(state, value, rtol=0, atol=1e-5)
            for state in theirs.hidden_states
        ), site


def test_what_sublayers_add_is_what_lies_between_residuals(model: Model) -> None:
    for layer in range(model.n_layers):
        sites = [site for site in model.sites() if site.layer == layer]
        at = {site.point: value for site, value in model.read(IDS, sites).items()}
        for site in sites:
            assert at[site.point].shape == (*IDS.shape, model.width(site))
        if "attn_out" not in at:
            assert set(at) == {"resid_pre", "resid_post"}, "found by structure"
            continue
        if model.name in SIDE_BY_SIDE:
            assert "resid_mid" not in at
            close(at["resid_pre"] + at["attn_out"] + at["mlp_out"], at["resid_post"])
            continue
        close(at["resid_pre"] + at["attn_out"], at["resid_mid"])
        if model.name not in ADDS_MORE:
            close(at["resid_mid"] + at["mlp_out"], at["resid_post"])
        if "mlp_normalized" in at:
            tap = model.adapter.tap(model.network, Site(layer, "mlp_normalized"))
            assert tap is not None and tap.gain is not None
            close(tap.gain.scale(tap.module, at["mlp_normalized"]), at["mlp_in"])


def test_restarts_and_passes_that_are_taken_up_give_the_whole_pass(model: Model) -> None:
    whole = model.logits(IDS)
    last = torch.tensor([7, 7])
    entries = [Site(layer, "resid_pre") for layer in range(model.n_layers)]
    cached = CachedPass.of(model, IDS.tolist(), entries)
    for layer, entry in enumerate(entries):
        restart = Restart(layer, cached.values[entry])
        close(model.logits(IDS, restart=restart), whole)
        push = {Site(layer, "resid_post"): lambda x: x + 1.0}  # of all columns, and of some
        close(cached.resumed(layer, 3).logits(last), whole[:, -1])
        late = {Site(layer, "resid_post"): lambda x: torch.cat([x[:, :3], x[:, 3:] + 1.0], 1)}
        close(cached.resumed(layer, 3).logits(last, push), model.logits(IDS, edits=late)[:, -1])
    assert resumes(model) == (model.name not in WITH_STATE)
    assert torch.equal(model.logits(IDS), whole), "everything is back in place"


def test_an_edit_that_changes_nothing_changes_no_bit_and_any_other_does(model: Model) -> None:
    whole = model.logits(IDS)
    sites = [site for site in model.sites() if site.layer == 1]
    assert torch.equal(model.logits(IDS, edits={site: lambda x: x for site in sites}), whole)
    for site in sites:
        pushed = model.logits(IDS, edits={site: lambda x: x + torch.linspace(-1, 2, x.shape[-1])})
        assert (pushed - whole).abs().max() > 1e-3, site


def test_an_edit_before_the_block_that_is_taken_up_is_an_error(model: Model) -> None:
    entry = Site(2, "resid_pre")
    restart = Restart(2, model.read(IDS, [entry])[entry])
    edits = {Site(1, "resid_post"): lambda x: x + 1.0}
    if model.skips:
        with pytest.raises(RuntimeError, match=r"hooks that never ran: blocks\.1\.hook_resid_post"):
            model.logits(IDS, edits=edits, restart=restart)


def test_texts_share_rows_only_where_they_do_not_see_each_other(model: Model) -> None:
    """Positive and negative control: what is read is exact either way, and the leak is real."""
    assert model.packs == (model.name not in LEAKING)
    assert model.pads_left == model.packs
    a, b, c = ([1, 5, 9, 33, 7], [12, 61, 2, 8, 41], [3, 3, 60, 17, 4])
    rows = torch.tensor([a + b, c + b])
    positions = torch.arange(5).repeat(2, 2)
    sites = model.sites()
    packed = model.read(rows, sites, positions)
    leak = max(probes.differ(packed[s][0, 5:], packed[s][1, 5:]) for s in sites)
    assert leak <= ROUTED if model.packs else leak >= 2e-2
    alone = model.read(torch.tensor([b]), sites)
    padded = model.read(torch.tensor([[*b, 0, 0, 0], [1, 5, 9, 33, 7, 12, 61, 2]]), sites)
    for site in sites:
        close(padded[site][:1, :5], alone[site])


def test_what_is_decoded_is_what_whole_passes_give(model: Model) -> None:
    found = model.generate(IDS.tolist(), 4)
    for row, new in zip(IDS.tolist(), found, strict=True):
        grown = list(row)
        for token in new:
            assert token == int(model.logits(torch.tensor([grown]))[0, -1].argmax())
            grown.append(token)
    if not model.pads_left:
        with pytest.raises(ValueError, match="decodes rows of one length together"):
            model.generate([[1, 2], [1, 2, 3]], 2)


def test_a_family_without_a_file_says_what_one_would_give() -> None:
    model = model_of("opt")
    with pytest.raises(UserError) as error:
        model.read(IDS, [Site(1, "mlp_out")])
    assert str(error.value) == (
        "model opt has no site blocks.1.hook_mlp_out: models of type 'opt' have no family file, "
        "which would say where attention and MLP are (faultlens/models/families); choose resid_pre "
        "or resid_post"
    )
    linear = model_of("qwen3_5_text")
    with pytest.raises(UserError, match=r"attn\.hook_z: this block has no such part; choose"):
        linear.read(IDS, [Site(0, "z")])


def test_what_is_no_residual_stream_is_refused() -> None:
    with pytest.raises(UserError) as error:
        adapter_of(network_of("gemma3n_text"))
    assert str(error.value) == (
        "models of type 'gemma3n_text' cannot be read: they have no family file, and in a look for "
        "their blocks by structure block 1 does not take what block 0 gives"
    )


def test_types_that_are_no_language_models_are_refused() -> None:
    check_family("opt")
    with pytest.raises(UserError, match="models of type 'vit' are not supported: transformers has"):
        check_family("vit")
    assert len(FAMILIES) >= 25


def test_rows_that_texts_share_are_no_wider_than_a_chunk_of_attention() -> None:
    assert model_of("llama4_text").widest_row == 32
    assert model_of("llama").widest_row == 64
    assert model_of("mpt").widest_row == 0
    recurrent = model_of("mamba")
    del recurrent.network.config.max_position_embeddings
    assert recurrent.context == 2**20, "it has no positions"

"""Model: reading, editing, stopping early, restarting. The referee is Hugging Face itself."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import POINTS, Site

IDS = torch.tensor([[0, 5, 9, 33, 7, 12], [0, 8, 8, 41, 2, 60]])


def hooks_left(model: Model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.network.modules())


def test_residuals_are_hugging_faces_hidden_states(tiny: Model) -> None:
    hidden = tiny.network(IDS, output_hidden_states=True).hidden_states
    sites = [Site(layer, "resid_pre") for layer in range(3)]
    values = tiny.read(IDS, sites)
    for layer, site in enumerate(sites):
        assert_close(values[site], hidden[layer])
    assert_close(tiny.read(IDS, [Site(0, "resid_post")])[Site(0, "resid_post")], hidden[1])


def test_a_block_adds_attention_and_mlp_to_its_residual(tiny: Model) -> None:
    points = ("resid_pre", "attn_out", "mlp_out", "resid_post")
    v = tiny.read(IDS, [Site(1, point) for point in points])
    total = sum(v[Site(1, point)] for point in points[:3])
    assert_close(total, v[Site(1, "resid_post")])


def test_z_is_what_the_attention_projects_out(tiny: Model) -> None:
    v = tiny.read(IDS, [Site(1, "z"), Site(1, "attn_out")])
    projected = tiny.network.transformer.h[1].attn.c_proj(v[Site(1, "z")])
    assert_close(projected, v[Site(1, "attn_out")])


def test_reading_stops_after_the_last_site(tiny: Model) -> None:
    ran = []
    handle = tiny.network.transformer.h[2].register_forward_pre_hook(lambda *_: ran.append(2))
    tiny.read(IDS, [Site(1, "resid_pre")])
    assert ran == []
    tiny.read(IDS, [Site(2, "mlp_out")])
    assert ran == [2]
    handle.remove()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_restart_gives_the_same_logits(tiny: Model, layer: int) -> None:
    whole = tiny.logits(IDS)
    residual = tiny.read(IDS, [Site(layer, "resid_pre")])[Site(layer, "resid_pre")]
    assert torch.equal(tiny.logits(IDS, restart=Restart(layer, residual)), whole)
    assert torch.equal(tiny.logits(IDS), whole), "the blocks must be back in place"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_restart_takes_a_float32_residual_in_half_precision(
    tiny: Model, dtype: torch.dtype
) -> None:
    tiny.network.to(dtype)
    site = Site(2, "resid_pre")
    residual = tiny.read(IDS, [site])[site]
    assert residual.dtype == torch.float32
    assert torch.equal(tiny.logits(IDS, restart=Restart(2, residual)), tiny.logits(IDS))


def test_a_restart_really_uses_the_cached_residual(tiny: Model) -> None:
    residual = tiny.read(IDS, [Site(2, "resid_pre")])[Site(2, "resid_pre")]
    moved = tiny.logits(IDS, restart=Restart(2, residual + 1.0 * torch.randn(24)))
    assert not torch.allclose(moved, tiny.logits(IDS), atol=1e-2)


@pytest.mark.parametrize("point", POINTS)
def test_an_edit_changes_what_comes_after_it_and_leaves_nothing_behind(
    tiny: Model, point: str
) -> None:
    site, before = Site(1, point), tiny.logits(IDS)
    assert torch.equal(tiny.logits(IDS, edits={site: lambda x: x}), before)
    shifted = tiny.logits(IDS, edits={site: lambda x: x + torch.arange(x.shape[-1]) * 0.1})
    assert not torch.allclose(shifted, before, atol=1e-3)
    assert torch.equal(tiny.logits(IDS), before)
    assert hooks_left(tiny) == 0


def test_hooks_are_removed_when_an_edit_fails(tiny: Model) -> None:
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tiny.logits(IDS, edits={Site(1, "mlp_out"): fail})
    assert hooks_left(tiny) == 0


def test_a_hook_that_never_ran_is_an_error(tiny: Model) -> None:
    with pytest.raises(RuntimeError, match=r"hooks that never ran: blocks\.1\.hook_resid_pre"):
        with tiny.edited({Site(1, "resid_pre"): lambda x: x}):
            pass


def test_padding_on_the_right_changes_nothing_before_it(tiny: Model) -> None:
    site = Site(2, "resid_pre")
    rows = [[0, 3, 9], [0, 5, 9, 33, 7, 12]]
    together = tiny.read(tiny.pad(rows), [site])[site]
    for i, row in enumerate(rows):
        alone = tiny.read(torch.tensor([row]), [site])[site][0]
        assert_close(together[i, : len(row)], alone, rtol=1e-5, atol=1e-5)


def test_logits_at_a_position_are_those_of_the_whole(tiny: Model) -> None:
    at = torch.tensor([2, 5])
    assert_close(tiny.logits(IDS, at=at), tiny.logits(IDS)[torch.arange(2), at])


def test_generation_of_a_batch_is_that_of_each_row_alone(tiny: Model) -> None:
    rows = [[0, 3, 9], [0, 5, 9, 33, 7, 12], [0, 60]]
    together = tiny.generate(rows, 5)
    for row, ids in zip(rows, together, strict=True):
        grown = list(row)
        for token in ids:  # the referee: the likeliest next token, one forward pass at a time
            assert int(tiny.network(torch.tensor([grown])).logits[0, -1].argmax()) == token
            grown.append(token)


def test_a_layer_too_deep_is_refused(tiny: Model) -> None:
    with pytest.raises(UserError, match=r"tiny has no site blocks\.3\.hook_mlp_out.*0 to 2"):
        tiny.check(Site(3, "mlp_out"))


def test_site_names_round_trip() -> None:
    for point in POINTS:
        assert Site.parse(Site(7, point).name) == Site(7, point)
    with pytest.raises(UserError, match="unknown site 'blocks.1.hook_nowhere'"):
        Site.parse("blocks.1.hook_nowhere")

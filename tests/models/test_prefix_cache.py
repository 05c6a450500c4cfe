"""A pass taken up at a layer and a column equals the whole pass, in every family."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.prefix_cache import CachedPass
from faultlens.models.sites import Site
from tests.models.families import FAMILIES, save_family

pytestmark = pytest.mark.usefixtures("one_thread")
ROWS = [[0, 5, 9, 13, 2, 7, 8, 4], [0, 3, 11, 6, 20, 1], [0, 40, 41, 42, 43, 44, 45, 46]]
LAST = torch.tensor([7, 5, 7])


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(str(save_family(request.param, tmp_path_factory.mktemp(request.param))))


@pytest.mark.parametrize("start", [0, 1, 4, 5])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_resumed_pass_is_the_end_of_the_whole_pass(model: Model, layer: int, start: int) -> None:
    entry = Site(layer, "resid_pre")
    cached = CachedPass.of(model, ROWS, [entry])
    push = torch.randn(3, 8, model.d_model, generator=torch.Generator().manual_seed(0))
    push[:, :start] = 0

    def whole(x: Tensor) -> Tensor:
        return x + push

    expected = model.logits(cached.ids, at=LAST, edits={entry: whole})
    resumed = cached.resumed(layer, start)
    for _ in range(2):  # the cache is not used up
        found = resumed.logits(LAST, {entry: lambda x: x + push[:, start:]})
        assert_close(found, expected, rtol=1e-5, atol=1e-5)
    clean = model.logits(cached.ids, at=LAST)
    assert (expected - clean).abs().max() > 1e-2
    assert_close(resumed.logits(LAST), clean, rtol=1e-5, atol=1e-5)


def test_copies_are_edited_each_for_itself(model: Model) -> None:
    entry, last = Site(1, "resid_pre"), LAST.repeat(4)
    cached = CachedPass.of(model, ROWS, [entry, Site(2, "mlp_out")])
    push = torch.randn(4, 3, 5, model.d_model, generator=torch.Generator().manual_seed(1))
    together = cached.resumed(1, 3, copies=4).logits(
        last, {entry: lambda x: x + push.reshape(12, 5, -1)}
    )
    for copy, alone in enumerate(together.reshape(4, 3, -1)):
        expected = cached.resumed(1, 3).logits(LAST, {entry: lambda x, c=copy: x + push[c]})
        assert_close(alone, expected, rtol=1e-5, atol=1e-5)


def test_a_cached_pass_reads_what_the_model_reads(model: Model) -> None:
    sites = [Site(1, "resid_pre"), Site(1, "z"), Site(2, "mlp_out")]
    cached = CachedPass.of(model, ROWS, sites)
    for site, value in model.read(cached.ids, sites).items():
        assert_close(cached.values[site], value, rtol=1e-5, atol=1e-5)


def test_the_last_mlp_computes_only_what_is_read(model: Model) -> None:
    ids, rows = model.pad(ROWS), torch.arange(3)
    whole = model.logits(ids)
    assert_close(model.logits(ids, at=LAST), whole[rows, LAST], rtol=1e-5, atol=1e-5)
    tap = model.adapter.tap(model.network, Site(model.n_layers - 1, "mlp_in"))
    assert tap is not None
    seen: list[torch.Size] = []
    handle = tap.module.register_forward_hook(lambda *called: seen.append(called[2].shape))
    model.logits(ids, at=LAST)
    handle.remove()
    assert seen == [torch.Size([3, 1, model.d_model])]


@pytest.mark.parametrize("point", ["mlp_in", "mlp_out", "resid_post"])
def test_an_edit_that_looks_at_the_last_mlp_sees_every_position(model: Model, point: str) -> None:
    ids, site = model.pad(ROWS), Site(model.n_layers - 1, point)
    seen = []

    def edit(x: Tensor) -> Tensor:
        seen.append(x.clone())
        return x + 0.1 * x.mean(dim=1, keepdim=True)

    found = model.logits(ids, at=LAST, edits={site: edit})
    assert_close(seen[0], model.read(ids, [site])[site], rtol=1e-5, atol=1e-5)
    assert_close(found, model.logits(ids, edits={site: edit})[torch.arange(3), LAST])

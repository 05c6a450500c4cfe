"""The fit of a dictionary: dictionaries whose fit is known, and figures worked out another way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from faultlens.errors import UserError
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.fit import mean_loss, measure_fit
from faultlens.models.model import Model
from faultlens.models.sites import Site

SITE = Site(1, "resid_pre")
ROWS = [[5, 9, 33, 7, 12], [8, 41], [3, 3, 3, 60, 11, 30, 2], [17, 40, 41]]


def dictionary(W_enc: torch.Tensor, W_dec: torch.Tensor, b_dec: torch.Tensor) -> Dictionary:
    return Dictionary(
        "1-res-x", SITE, Relu(), W_enc, torch.zeros(W_enc.shape[1]), W_dec, b_dec,
        Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip


@pytest.fixture
def perfect() -> Dictionary:
    """x = relu(x) − relu(−x): reconstructs everything."""
    eye = torch.eye(24)
    return dictionary(torch.cat([eye, -eye], 1), torch.cat([eye, -eye], 0), torch.zeros(24))


def losses_by_hand(model: Model, edit: object = None) -> float:
    """The referee: one text at a time, through Hugging Face's own forward pass."""
    total, count = 0.0, 0
    for row in ROWS:
        ids = torch.tensor([[0, *row]])
        logits = model.network(ids).logits[0, :-1]
        total += float(cross_entropy(logits, ids[0, 1:], reduction="sum"))
        count += len(row)
    return total / count


def test_a_perfect_dictionary_loses_nothing(tiny: Model, perfect: Dictionary) -> None:
    fit = measure_fit(tiny, perfect, ROWS)
    assert fit.tokens == 17
    assert fit.fvu == pytest.approx(0, abs=1e-9)
    assert fit.l0 == pytest.approx(24)
    assert fit.loss == pytest.approx(losses_by_hand(tiny), rel=1e-5)
    assert fit.loss_reconstructed == pytest.approx(fit.loss, rel=1e-5)
    assert fit.recovered_from_mean == pytest.approx(1, abs=1e-3)
    assert fit.recovered_from_zero == pytest.approx(1, abs=1e-3)


def test_a_dictionary_that_gives_the_mean_explains_nothing(tiny: Model) -> None:
    x = torch.cat([tiny.read(torch.tensor([[0, *row]]), [SITE])[SITE][0, 1:] for row in ROWS])
    constant = dictionary(torch.zeros(24, 8), torch.zeros(8, 24), x.mean(0))
    fit = measure_fit(tiny, constant, ROWS)
    assert fit.fvu == pytest.approx(1, abs=1e-5)
    assert fit.l0 == 0
    assert fit.firing_share == 0
    assert fit.recovered_from_mean == pytest.approx(0, abs=1e-4)


def test_unexplained_variance_is_a_ratio_of_sums(tiny: Model) -> None:
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(24, 48, generator=generator) / 5
    some = dictionary(W, W.T.contiguous(), torch.full((24,), 0.1))
    x = torch.cat([tiny.read(torch.tensor([[0, *row]]), [SITE])[SITE][0, 1:] for row in ROWS])
    rest = x - some.decode(some.encode(x))
    fit = measure_fit(tiny, some, ROWS)
    ratio_of_sums = float((rest**2).sum() / ((x - x.mean(0)) ** 2).sum())
    mean_of_ratios = float(((rest**2).sum(1) / ((x - x.mean(0)) ** 2).sum(1)).mean())
    assert fit.fvu == pytest.approx(ratio_of_sums, rel=1e-4)
    assert abs(ratio_of_sums - mean_of_ratios) > 1e-2, "the data must tell the rivals apart"
    assert fit.l0 == pytest.approx(float((some.encode(x) > 0).sum(1).float().mean()))
    assert fit.firing_share == pytest.approx(float((some.encode(x) > 0).any(0).float().mean()))


def test_a_site_that_is_the_same_everywhere_is_one_sentence(
    tiny: Model, perfect: Dictionary
) -> None:
    attention = tiny.network.transformer.h[1].attn.c_proj
    attention.weight.data.zero_()
    for constant in (0.0, 0.7):
        attention.bias.data.fill_(constant)
        dead = replace(perfect, site=Site(1, "attn_out"))
        with pytest.raises(UserError, match=r"blocks\.1\.hook_attn_out is the same at all 17"):
            measure_fit(tiny, dead, ROWS)


def test_a_site_that_the_loss_does_not_need_has_no_share_recovered(
    tiny: Model, perfect: Dictionary
) -> None:
    tiny.network.lm_head.weight = torch.nn.Parameter(torch.zeros(64, 24), requires_grad=False)
    fit = measure_fit(tiny, perfect, ROWS)
    assert fit.fvu == pytest.approx(0, abs=1e-9)
    assert fit.loss_zero_ablated == fit.loss
    assert fit.to_dict()["recovered_from_mean"] is None
    assert fit.to_dict()["recovered_from_zero"] is None


def test_ablation_replaces_every_token_but_bos(tiny: Model) -> None:
    seen = []

    def zero(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros_like(x)

    ablated = mean_loss(tiny, ROWS, SITE, zero)
    assert ablated != pytest.approx(losses_by_hand(tiny), rel=1e-3)
    assert seen

    def check(module: object, args: tuple[torch.Tensor, ...]) -> None:
        assert (args[0][:, 1:] == 0).all()
        assert (args[0][:, 0] != 0).any()

    handle = tiny.network.transformer.h[1].ln_1.register_forward_pre_hook(check)
    mean_loss(tiny, ROWS, SITE, torch.zeros_like)
    handle.remove()

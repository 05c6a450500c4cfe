"""Which dictionaries follow from a configuration, and which configurations are refused."""

from __future__ import annotations

import pytest

import faultlens as fl
from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.training.config import TrainConfig
from faultlens.training.plan import plan_dictionaries

ATTENTION, RESIDUAL = "blocks.1.hook_attn_out", "blocks.4.hook_resid_pre"


@pytest.fixture(scope="module")
def model() -> Model:
    return fl.load("mini", layers=[3]).model


def planned(model: Model, config: TrainConfig) -> list[str]:
    return [plan.folder for plan in plan_dictionaries(model, config)]


def test_each_point_is_trained_at_each_layer(model: Model) -> None:
    config = TrainConfig(layers=(1, 4), sites=("attn_out", "resid_pre"))
    assert planned(model, config) == [
        ATTENTION, "blocks.1.hook_resid_pre", "blocks.4.hook_attn_out", RESIDUAL,
    ]  # fmt: skip


def test_a_whole_name_is_one_site(model: Model) -> None:
    """Alone, it needs no layers; beside a point, the layers are the point's."""
    assert planned(model, TrainConfig(sites=(ATTENTION, RESIDUAL))) == [ATTENTION, RESIDUAL]
    both = TrainConfig(layers=(2,), sites=("mlp_out", ATTENTION))
    assert planned(model, both) == ["blocks.2.hook_mlp_out", ATTENTION]


def test_a_transcoder_is_trained_at_the_layers_beside_whole_names(model: Model) -> None:
    config = TrainConfig(layers=(2,), sites=(ATTENTION,), kind=("topk", "transcoder"))
    assert planned(model, config) == [f"topk/{ATTENTION}", "transcoder/blocks.2.hook_mlp_out"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {},
            "layers: got none, expected at least one for resid_pre, e.g. --layers 3; or name each "
            "site whole, e.g. --sites blocks.3.hook_resid_pre",
        ),
        (
            {"sites": (ATTENTION,), "kind": ("transcoder",)},
            "layers: got none, expected at least one for transcoder, e.g. --layers 3; or name each "
            "site whole, e.g. --sites blocks.3.hook_resid_pre",
        ),
        (
            {"layers": (2,), "sites": (ATTENTION,)},
            "layers [2]: every site is a whole name, which has its layer; leave out --layers, or "
            "name a point, e.g. resid_pre",
        ),
        (
            {"sites": ("blocks.3.hook_attn",)},
            "unknown site 'blocks.3.hook_attn': expected one of blocks.N.hook_resid_pre, "
            "blocks.N.attn.hook_z, blocks.N.hook_attn_out, blocks.N.hook_resid_mid, "
            "blocks.N.ln2.hook_normalized, blocks.N.mlp.hook_in, blocks.N.hook_mlp_out, "
            "blocks.N.hook_resid_post",
        ),
        (
            {"layers": (3,), "sites": ("attn",)},
            "site 'attn': expected one of resid_pre, z, attn_out, resid_mid, mlp_normalized, "
            "mlp_in, mlp_out, resid_post, a whole name such as blocks.3.hook_attn_out",
        ),
    ],
)
def test_a_configuration_that_cannot_be_is_one_sentence(
    config: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError) as refused:
        TrainConfig(**config)  # type: ignore[arg-type]
    assert str(refused.value) == said


def test_a_site_named_twice_or_lacking_is_one_sentence(model: Model) -> None:
    with pytest.raises(UserError) as twice:
        plan_dictionaries(model, TrainConfig(layers=(1,), sites=("attn_out", ATTENTION)))
    assert str(twice.value) == (
        f"dictionary {ATTENTION} would be trained twice: name each layer, site, width and k once"
    )
    with pytest.raises(UserError) as lacking:
        plan_dictionaries(model, TrainConfig(sites=("blocks.9.hook_mlp_out",)))
    assert str(lacking.value) == (
        "model mini has no site blocks.9.hook_mlp_out: its layers are 0 to 5"
    )

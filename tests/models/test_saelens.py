"""Releases in formats of their own, which SAELens converts; the referee is what it makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from families import WIDTH, save_family
from hub_cache import snapshot, use_cache
from referees import registry_sae
from safetensors.torch import save_file
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.dictionaries import load_dictionaries
from faultlens.models.load import load_model
from faultlens.models.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")
RELEASE, FEATURES = "llama_scope_lxr_8x", 60


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A narrow Llama, and one dictionary of Llama Scope in its published format in the cache."""
    cache = tmp_path / "hub"
    folder = snapshot(cache, "fnlp/Llama3_1-8B-Base-LXR-8x", "d" * 40) / "Llama3_1-8B-Base-L2R-8x"
    (folder / "checkpoints").mkdir(parents=True)
    hyperparameters = {
        "d_model": WIDTH, "d_sae": FEATURES, "hook_point_in": "blocks.2.hook_resid_post",
        "jump_relu_threshold": 0.4, "dataset_average_activation_norm": {"in": 3.0, "out": 3.0},
    }  # fmt: skip
    (folder / "hyperparams.json").write_text(json.dumps(hyperparameters))
    torch.manual_seed(4)
    tensors = {
        "encoder.weight": torch.randn(FEATURES, WIDTH),
        "encoder.bias": torch.randn(FEATURES),
        "decoder.weight": torch.randn(WIDTH, FEATURES),
        "decoder.bias": torch.randn(WIDTH),
    }
    save_file(tensors, folder / "checkpoints" / "final.safetensors")
    use_cache(cache, monkeypatch)
    return load_model(str(save_family("llama", tmp_path / "llama")))


def test_a_converted_release_is_what_saelens_makes_of_it(model: Model) -> None:
    (ours,) = load_dictionaries(RELEASE, model, layers=[2])
    theirs = registry_sae(RELEASE, "l2r_8x")
    assert ours.name == "2-llamascope-res-32k"
    assert ours.site.name == "blocks.2.hook_resid_post"
    assert ours.published.l0 == 50
    x = torch.randn(40, WIDTH) * 2
    with torch.no_grad():
        activations = theirs.encode(x)
        assert 0.05 < float((activations > 0).float().mean()) < 0.95
        assert_close(ours.encode(x), activations, rtol=1e-4, atol=1e-4)
        assert_close(ours.reconstruct(x), theirs(x), rtol=1e-4, atol=1e-3)


def test_gemma_scope_2_is_read_from_the_cache_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAELens asks the hub for the shapes of its tensors, even of a file in the cache."""
    import requests

    def no_network(*arguments: object, **options: object) -> None:
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", no_network)
    release, sae_id = "gemma-scope-2-1b-pt-transcoders-all", "layer_2_width_16k_l0_small_affine"
    cache = tmp_path / "hub2"
    folder = snapshot(cache, "google/gemma-scope-2-1b-pt", "e" * 40) / "transcoder_all" / sae_id
    folder.mkdir(parents=True)
    torch.manual_seed(6)
    tensors = {
        "w_enc": torch.randn(WIDTH, FEATURES), "w_dec": torch.randn(FEATURES, WIDTH),
        "b_enc": torch.randn(FEATURES), "b_dec": torch.randn(WIDTH),
        "threshold": torch.rand(FEATURES), "affine_skip_connection": torch.randn(WIDTH, WIDTH),
    }  # fmt: skip
    save_file(tensors, folder / "params.safetensors")
    use_cache(cache, monkeypatch)
    model = load_model(str(save_family("gemma3_text", tmp_path / "gemma")))
    (ours,) = load_dictionaries(f"{release}/{sae_id}", model)
    assert (ours.site.name, ours.target.name) == (
        "blocks.2.mlp.hook_in", "blocks.2.hook_mlp_out"
    )  # fmt: skip
    x = torch.randn(9, WIDTH)
    pre = x @ tensors["w_enc"] + tensors["b_enc"]
    activations = torch.relu(pre) * (pre > tensors["threshold"])
    rebuilt = activations @ tensors["w_dec"] + tensors["b_dec"]
    rebuilt = rebuilt + x @ tensors["affine_skip_connection"]
    assert_close(ours.encode(x), activations, rtol=1e-5, atol=1e-5)
    assert_close(ours.reconstruct(x, torch.zeros(9, WIDTH)), rebuilt, rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="is not in the local Hugging Face cache and the hub"):
        load_dictionaries(f"{release}/layer_1_width_16k_l0_small_affine", model)


def test_one_that_is_not_in_the_cache_is_one_sentence(model: Model) -> None:
    with pytest.raises(UserError) as missing:
        load_dictionaries(f"{RELEASE}/l1r_8x", model)
    assert str(missing.value).startswith(
        "dictionary llama_scope_lxr_8x/l1r_8x is not in the local Hugging Face cache and the hub "
        "cannot be reached: connect once to download it (about"
    )


def test_a_layer_that_the_model_has_not_is_one_sentence(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dictionary .*l9r_8x is not in the local"):
        load_dictionaries(RELEASE, model, layers=[9])

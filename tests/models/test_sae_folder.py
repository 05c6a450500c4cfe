"""Dictionaries from SAELens's folders. The referee is SAELens's own encode and decode."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.sae_folder import load_sae_folder, sae_folders

CPU = torch.device("cpu")
D_IN, D_SAE = 24, 96


def saelens(architecture: str, **options: Any) -> Any:
    """A random SAE of SAELens's own, with nothing left at a value that hides a mistake."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import JumpReLUSAE, JumpReLUSAEConfig, StandardSAE, StandardSAEConfig
        from sae_lens.saes.sae import SAEMetadata
        from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig
    classes: dict[str, Any] = {
        "standard": (StandardSAE, StandardSAEConfig),
        "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig),
        "topk": (TopKSAE, TopKSAEConfig),
    }
    sae_class, config_class = classes[architecture]
    metadata = SAEMetadata(hook_name="blocks.2.hook_resid_pre", prepend_bos=True)
    torch.manual_seed(1)
    sae = sae_class(config_class(d_in=D_IN, d_sae=D_SAE, metadata=metadata, **options))
    for parameter in sae.parameters():
        parameter.data = torch.randn_like(parameter)
    if architecture == "jumprelu":
        sae.threshold.data = torch.rand(D_SAE) * 3
    return sae


CASES: list[tuple[str, dict[str, Any]]] = [
    ("standard", {"apply_b_dec_to_input": True}),
    ("standard", {"apply_b_dec_to_input": False}),
    ("jumprelu", {"apply_b_dec_to_input": False}),
    ("topk", {"k": 7, "rescale_acts_by_decoder_norm": True}),
    ("topk", {"k": 7, "rescale_acts_by_decoder_norm": False}),
]


@pytest.mark.parametrize(("architecture", "options"), CASES)
def test_activations_and_reconstructions_are_saelenss(
    tmp_path: Path, architecture: str, options: dict[str, Any]
) -> None:
    sae = saelens(architecture, **options)
    sae.save_model(tmp_path / "sae")
    ours = load_sae_folder(tmp_path / "sae", "set", CPU)
    x = torch.randn(50, D_IN)
    with torch.no_grad():
        theirs = sae.encode(x)
        decoded = sae.decode(theirs)
    theirs = theirs.to_dense() if theirs.is_sparse else theirs
    assert ((ours.encode(x) > 0) == (theirs > 0)).all()
    assert_close(ours.encode(x), theirs, rtol=1e-4, atol=1e-4)
    assert_close(ours.decode(ours.encode(x)), decoded, rtol=1e-4, atol=1e-3)
    assert ours.name == "2-res-set"
    assert ours.feature(7) == "2-res-set/7"
    assert ours.convention.prepend_bos


def test_a_direction_is_what_raising_a_feature_adds(tmp_path: Path) -> None:
    sae = saelens("topk", k=7, rescale_acts_by_decoder_norm=True)
    sae.save_model(tmp_path / "sae")
    ours = load_sae_folder(tmp_path / "sae", "set", CPU)
    activations = ours.encode(torch.randn(1, D_IN))
    raised = activations.clone()
    raised[0, 5] += 2.0
    with torch.no_grad():
        difference = sae.decode(raised) - sae.decode(activations)
    assert_close(difference[0], 2.0 * ours.W_dec[5], rtol=1e-4, atol=1e-4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saelens("topk", k=7).save_model(tmp_path / "sae")
    return tmp_path / "sae"


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, **changes}))


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = {**load_file(folder / "sae_weights.safetensors"), **changes}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / "sae_weights.safetensors")


def refused(folder: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_sae_folder(folder, "set", CPU)


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    edit_config(folder, architecture="gated")
    refused(folder, "architecture 'gated' is not supported yet, expected one of standard")


def test_a_normalisation_that_would_be_ignored_is_refused(folder: Path) -> None:
    edit_config(folder, normalize_activations="layer_norm")
    refused(folder, "normalize_activations = 'layer_norm' is not supported yet")


@pytest.mark.parametrize(
    ("field", "value"),
    [("finetuning_scaling_factor", True), ("activation_fn_str", "topk"), ("hook_head_index", 2)],
)
def test_settings_of_older_files_that_change_the_numbers_are_refused(
    folder: Path, field: str, value: Any
) -> None:
    edit_config(folder, **{field: value})
    refused(folder, f"{field} = {value!r} is not supported yet")


def test_a_file_that_does_not_say_whether_b_dec_is_applied_is_refused(folder: Path) -> None:
    edit_config(folder, apply_b_dec_to_input=None)
    refused(folder, "does not say apply_b_dec_to_input: expected true or false")


def test_a_tensor_that_would_be_ignored_is_refused(folder: Path) -> None:
    edit_tensors(folder, scaling_factor=torch.ones(D_SAE))
    refused(folder, "has a tensor 'scaling_factor' that is not supported yet")


def test_k_must_fit(folder: Path) -> None:
    edit_config(folder, k=1000)
    refused(folder, "k = 1000, expected a whole number from 1 to 96")


def test_a_configuration_without_a_site_is_refused(folder: Path) -> None:
    edit_config(folder, metadata={})
    refused(folder, r"names no site: expected metadata\.hook_name")


def test_broken_json_is_refused(folder: Path) -> None:
    (folder / "cfg.json").write_text("{")
    refused(folder, "cannot be read as JSON")


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    refused(folder, "cannot be read as safetensors")


def test_nan_weights_are_refused(folder: Path) -> None:
    edit_tensors(folder, b_enc=torch.full((D_SAE,), torch.nan))
    refused(folder, "tensor 'b_enc' has values that are NaN or infinite")


def test_a_missing_tensor_is_named(folder: Path) -> None:
    edit_tensors(folder, b_dec=None)
    refused(folder, "has no tensor 'b_dec'")


def test_tensors_that_do_not_go_together_are_refused(folder: Path) -> None:
    edit_tensors(folder, W_dec=torch.zeros(3, D_IN))
    refused(folder, r"W_dec has shape \(3, 24\), expected \(96, 24\)")


def test_a_folder_without_dictionaries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no dictionaries in"):
        sae_folders(tmp_path)

"""Dictionaries from SAELens's folders. The referee is SAELens's own encode and decode."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.convention import put_in_force, rivals
from faultlens.models.dictionary import Dictionary
from faultlens.models.sae_fields import refuse_misspelt
from faultlens.models.sae_folder import load_sae_folder, sae_folders, site_of
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
D_IN, D_SAE, D_OUT = 24, 96, 20
RELATIVE = 1e-4


def saelens(architecture: str, hook: str = "blocks.2.hook_resid_pre", **options: Any) -> Any:
    """A random SAE of SAELens's own, with nothing left at a value that hides a mistake."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.registry import get_sae_class
        from sae_lens.saes.sae import SAEMetadata

        sae_class, config_class = get_sae_class(architecture)
        metadata = SAEMetadata(hook_name=hook, prepend_bos=True)
        if "transcoder" in architecture:
            metadata.hook_name_out = "blocks.2.hook_mlp_out"
            options = {"d_out": D_OUT, "apply_b_dec_to_input": False, **options}
        torch.manual_seed(1)
        sae = sae_class(config_class(d_in=D_IN, d_sae=D_SAE, metadata=metadata, **options))
    for name, parameter in sae.named_parameters():
        scale = 0.3 if name == "r_mag" else 1.0
        parameter.data = scale * torch.randn_like(parameter)
        if name == "threshold":
            parameter.data = parameter.data.abs() * 3
    return sae


def inputs() -> torch.Tensor:
    """Tokens whose norms and means differ, so that every normalisation shows."""
    torch.manual_seed(2)
    return torch.randn(50, D_IN) * torch.linspace(0.5, 4, 50)[:, None] + torch.randn(50, 1)


ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("jumprelu", {}),
    ("topk", {"k": 7, "rescale_acts_by_decoder_norm": True}),
    ("topk", {"k": 7, "rescale_acts_by_decoder_norm": False}),
    ("gated", {}),
]
NORMALISATIONS = ["none", "layer_norm", "constant_norm_rescale", "expected_average_only_in"]


@pytest.mark.parametrize("taken_off", [True, False])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize(("architecture", "options"), ACTIVATIONS)
def test_activations_and_reconstructions_are_saelenss(
    tmp_path: Path, architecture: str, options: dict[str, Any], normalisation: str, taken_off: bool
) -> None:
    sae = saelens(
        architecture, normalize_activations=normalisation, apply_b_dec_to_input=taken_off, **options
    )
    sae.save_model(tmp_path / "sae")
    agree(load_sae_folder(tmp_path / "sae", "set", CPU), sae, inputs())


def agree(ours: Dictionary, sae: Any, x: torch.Tensor) -> None:
    with torch.no_grad():
        theirs = sae.encode(x)
        theirs = theirs.to_dense() if theirs.is_sparse else theirs
        decoded = sae.decode(theirs)  # undoes the normalisation by what encode left behind
    assert 0 < float((theirs > 0).float().mean()) < 1
    assert ((ours.encode(x) > 0) == (theirs > 0)).all()
    assert_close(ours.encode(x), theirs, rtol=RELATIVE, atol=RELATIVE * float(theirs.max()))
    assert_close(ours.reconstruct(x), decoded, rtol=RELATIVE, atol=RELATIVE * float(decoded.max()))


@pytest.mark.parametrize("rescaled", [True, False])
@pytest.mark.parametrize("architecture", ["topk", "jumprelu"])
def test_dead_features_with_a_decoder_row_of_zeros(
    tmp_path: Path, architecture: str, rescaled: bool
) -> None:
    """SAELens encodes them. Under every convention they rebuild nothing, and nothing is NaN."""
    options = {"k": 7, "rescale_acts_by_decoder_norm": rescaled} if architecture == "topk" else {}
    sae = saelens(architecture, **options)
    sae.W_dec.data[5:20] = 0
    sae.save_model(tmp_path / "sae")
    ours, x = load_sae_folder(tmp_path / "sae", "set", CPU), inputs()
    with torch.no_grad():
        theirs = sae.encode(x)
        theirs = theirs.to_dense() if theirs.is_sparse else theirs
    assert_close(ours.encode(x), theirs, rtol=RELATIVE, atol=RELATIVE * float(theirs.max()))
    if rescaled and architecture == "topk":
        assert (ours.encode(x)[:, 5:20] == 0).all()
    for rival in rivals(ours, 10.0):
        assert rival.dictionary.encode(x).isfinite().all(), rival.said
        assert rival.dictionary.reconstruct(x).isfinite().all(), rival.said
        put = put_in_force(ours, rival.words)
        assert put.encode(x).isfinite().all(), rival.said
        assert put.reconstruct(x).isfinite().all(), rival.said


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize(
    ("architecture", "skip"),
    [
        ("transcoder", False),
        ("skip_transcoder", True),
        ("jumprelu_transcoder", False),
        ("jumprelu_skip_transcoder", True),
    ],
)
def test_transcoders_are_saelenss(
    tmp_path: Path, architecture: str, skip: bool, normalisation: str
) -> None:
    sae = saelens(architecture, "blocks.2.ln2.hook_normalized", normalize_activations=normalisation)
    sae.save_model(tmp_path / "sae")
    ours = load_sae_folder(tmp_path / "sae", "set", CPU)
    x = inputs()
    assert (ours.site, ours.target) == (Site(2, "mlp_normalized"), Site(2, "mlp_out"))
    assert (ours.W_skip is not None) == skip
    with torch.no_grad():
        whole = sae(x)
        assert_close(ours.encode(x), sae.encode(x), rtol=RELATIVE, atol=1e-3)
    rebuilt = ours.reconstruct(x, torch.randn(50, D_OUT))
    assert_close(rebuilt, whole, rtol=RELATIVE, atol=RELATIVE * float(whole.max()))


def test_an_architecture_that_only_saelens_encodes_is_encoded_by_it(tmp_path: Path) -> None:
    sae = saelens("matching_pursuit", normalize_activations="layer_norm", max_iterations=9)
    sae.W_dec.data /= sae.W_dec.norm(dim=1, keepdim=True)
    sae.save_model(tmp_path / "sae")
    agree(load_sae_folder(tmp_path / "sae", "set", CPU), sae, inputs())


def test_batch_topk_is_the_threshold_it_was_trained_to(tmp_path: Path) -> None:
    """A checkpoint of the training, against the JumpReLU that SAELens makes of it at its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE, BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
        from sae_lens.saes.sae import SAEMetadata

        config = BatchTopKTrainingSAEConfig(
            d_in=D_IN, d_sae=D_SAE, k=7, rescale_acts_by_decoder_norm=True,
            metadata=SAEMetadata(hook_name="blocks.2.hook_resid_pre"),
        )  # fmt: skip
        trained = BatchTopKTrainingSAE(config)
        torch.manual_seed(3)
        for parameter in trained.parameters():
            parameter.data = torch.randn_like(parameter)
        trained.topk_threshold = torch.tensor(9.0, dtype=torch.double)
        trained.save_inference_model(tmp_path / "end")
        theirs = SAE.load_from_disk(tmp_path / "end")
    agree(load_sae_folder(tmp_path / "end", "set", CPU), theirs, inputs())

    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    save_file({k: v.contiguous() for k, v in trained.state_dict().items()},
              checkpoint / "sae_weights.safetensors")  # fmt: skip
    kept = {"d_in", "d_sae", "k", "apply_b_dec_to_input", "normalize_activations", "metadata",
            "rescale_acts_by_decoder_norm", "architecture"}  # fmt: skip
    said = {name: value for name, value in config.to_dict().items() if name in kept}
    (checkpoint / "cfg.json").write_text(json.dumps(said))
    agree(load_sae_folder(checkpoint, "set", CPU), theirs, inputs())


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_direction_is_what_raising_a_feature_adds(tmp_path: Path, normalisation: str) -> None:
    sae = saelens("standard", normalize_activations=normalisation)
    sae.save_model(tmp_path / "sae")
    ours = load_sae_folder(tmp_path / "sae", "set", CPU)
    x = inputs()
    with torch.no_grad():
        activations = sae.encode(x)
        before = sae.decode(activations)
        sae.encode(x)  # decoding uses up what encoding left behind
        raised = activations.clone()
        raised[:, [5, 11]] += torch.tensor([2.0, -1.0])
        change = sae.decode(raised) - before
    ours_change = ours.raised(x, torch.tensor([[2.0, -1.0]]).expand(50, 2), [5, 11])
    assert_close(ours_change, change, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("architecture", "hook", "options"),
    [
        ("topk", "blocks.2.hook_resid_pre", {"k": 7, "rescale_acts_by_decoder_norm": True}),
        ("topk", "blocks.2.hook_resid_pre", {"k": 7, "rescale_acts_by_decoder_norm": False}),
        ("jumprelu", "blocks.2.attn.hook_z", {"reshape_activations": "hook_z"}),
        ("gated", "blocks.2.attn.hook_z", {"normalize_activations": "layer_norm"}),
        ("transcoder", "blocks.2.mlp.hook_in", {}),
        ("jumprelu_skip_transcoder", "blocks.2.mlp.hook_in", {}),
    ],
)
def test_what_an_intervention_adds_is_the_difference_of_saelenss_decodings(
    tmp_path: Path, architecture: str, hook: str, options: dict[str, Any]
) -> None:
    """Set features to another value on each token; SAELens decodes before and after."""
    sae = saelens(architecture, hook, **options)
    sae.W_dec.data *= torch.linspace(0.2, 3, D_SAE)[:, None]
    sae.save_model(tmp_path / "sae")
    ours = load_sae_folder(tmp_path / "sae", "set", CPU)
    x, features = inputs(), [5, 11, 40]
    theirs_in = x.unflatten(-1, (4, D_IN // 4)) if "reshape_activations" in options else x
    before = ours.encode(x)
    new = torch.rand(50, 3) * 4
    with torch.no_grad():
        activations = sae.encode(theirs_in)
        activations = activations.to_dense() if activations.is_sparse else activations
        changed = activations.clone()
        scale = activations.max() / before.max()  # both carry the same units
        changed[:, features] = new
        first = sae.decode(activations)
        sae.encode(theirs_in)  # decoding uses up what encoding left behind
        change = (sae.decode(changed) - first).reshape(50, -1)
    assert float(scale) == pytest.approx(1, rel=1e-4)
    ours_change = ours.raised(x, new - before[:, features], features)
    assert ours_change.shape[-1] == (D_OUT if "transcoder" in architecture else D_IN)
    assert ours.target.point == ("mlp_out" if "transcoder" in architecture else ours.site.point)
    assert float(change.norm()) > 1
    assert_close(ours_change, change, rtol=1e-3, atol=1e-4 * float(change.abs().max()))
    everything = torch.zeros(50, D_SAE)
    everything[:, features] = new - before[:, features]
    assert_close(ours.raised(x, everything), ours_change, rtol=1e-4, atol=1e-4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saelens("topk", k=7).save_model(tmp_path / "sae")
    return tmp_path / "sae"


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    changed = {**config, **changes}
    kept = {name: value for name, value in changed.items() if value is not ...}
    (folder / "cfg.json").write_text(json.dumps(kept))


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = {**load_file(folder / "sae_weights.safetensors"), **changes}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / "sae_weights.safetensors")


def refused(folder: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_sae_folder(folder, "set", CPU)


def test_a_name_says_site_and_set(folder: Path) -> None:
    ours = load_sae_folder(folder, "set", CPU)
    assert ours.name == "2-res-set"
    assert ours.feature(7) == "2-res-set/7"
    assert ours.convention.to_dict() == {"prepend_bos": True, "centred": False}


# The oldest files: fields side by side under older names, and what had no other value left out.
OLD = {
    "model_name": "gpt2-small", "hook_point": "blocks.2.hook_resid_pre", "hook_point_layer": 2,
    "hook_point_head_index": None, "dataset_path": "Skylion007/openwebtext", "context_size": 128,
    "d_in": D_IN, "d_sae": D_SAE, "dtype": "torch.float32", "device": "mps", "lr": 0.0004,
    "l1_coefficient": 8e-05, "b_dec_init_method": "geometric_median", "use_ghost_grads": False,
}  # fmt: skip


def write_old(folder: Path, **more: Any) -> None:
    saelens("standard").save_model(folder)
    edit_tensors(folder, scaling_factor=torch.ones(D_SAE))
    (folder / "cfg.json").write_text(json.dumps({**OLD, **more}))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}},
        {"normalize_activations": "layer_norm", "apply_b_dec_to_input": False},
        {"prepend_bos": False, "architecture": "standard"},
    ],
)
def test_older_files_mean_what_saelens_takes_them_to_mean(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    write_old(tmp_path / "sae", **more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE

        theirs = SAE.load_from_disk(tmp_path / "sae", device="cpu", dtype="float32")
    ours = load_sae_folder(tmp_path / "sae", "set", CPU)
    agree(ours, theirs, inputs())
    assert ours.convention.prepend_bos == more.get("prepend_bos", True)


def test_an_override_wins_over_the_file(tmp_path: Path) -> None:
    write_old(tmp_path / "sae")
    overrides = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    plain = load_sae_folder(tmp_path / "sae", "set", CPU)
    centred = load_sae_folder(tmp_path / "sae", "set", CPU, overrides)
    assert (plain.convention.centred, centred.convention.centred) == (False, True)
    x = inputs()
    shifted = x + 7.0  # along the direction that centring takes off
    assert_close(centred.encode(shifted), centred.encode(x), rtol=1e-4, atol=1e-3)
    assert (plain.encode(shifted) - plain.encode(x)).abs().max() > 1
    assert_close(centred.encode(x), plain.encode(x - x.mean(-1, keepdim=True)))
    kept = centred.reconstruct(x).mean(-1) - centred.decode(centred.encode(x)).mean(-1)
    assert_close(kept, x.mean(-1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("point", ["attn.hook_z", "ln2.hook_normalized", "mlp.hook_in"])
def test_centring_changes_only_what_is_written_to_the_residual(tmp_path: Path, point: str) -> None:
    write_old(tmp_path / "sae", hook_point=f"blocks.2.{point}")
    overrides = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    assert not load_sae_folder(tmp_path / "sae", "set", CPU, overrides).convention.centred


def test_gemma_scope_2s_transcoders_read_what_the_norm_gives(tmp_path: Path) -> None:
    sae = saelens("transcoder", "blocks.2.hook_mlp_in")
    sae.save_model(tmp_path / "sae")
    assert site_of(tmp_path / "sae") == Site(2, "resid_mid")
    config = json.loads((tmp_path / "sae" / "cfg.json").read_text())
    config["metadata"]["hf_hook_name"] = "model.layers.2.pre_feedforward_layernorm.output"
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(config))
    assert site_of(tmp_path / "sae") == Site(2, "mlp_in")


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    edit_config(folder, architecture="crosscoder")
    refused(folder, "architecture 'crosscoder' is not known, expected one of standard, gated")


@pytest.mark.parametrize(
    ("field", "value"), [("architecture", ["topk"]), ("normalize_activations", {"a": 1})]
)
def test_a_field_of_another_kind_is_refused(folder: Path, field: str, value: Any) -> None:
    edit_config(folder, **{field: value})
    refused(folder, re.escape(str(value)))


def test_an_architecture_that_reads_earlier_tokens_is_refused(folder: Path) -> None:
    edit_config(folder, architecture="temporal")
    refused(folder, "architecture 'temporal' cannot be read: it encodes a token by those before")


def test_a_normalisation_that_would_be_ignored_is_refused(folder: Path) -> None:
    edit_config(folder, normalize_activations="covariance_whitening")
    refused(folder, "normalize_activations = 'covariance_whitening', expected one of none")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("finetuning_scaling_factor", True, "finetuning_scaling_factor = True"),
        ("activation_fn_str", "tanh-relu", "activation_fn = 'tanh-relu'"),
        ("hook_head_index", 2, "hook_head_index = 2"),
    ],
)
def test_settings_of_older_files_that_change_the_numbers_are_refused(
    folder: Path, field: str, value: Any, said: str
) -> None:
    edit_config(folder, **{field: value})
    refused(folder, f"{said} is not supported, expected")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("apply_b_dec_to_inputs", "apply_b_dec_to_input"),
     ("normalise_activations", "normalize_activations"),
     ("rescale_act_by_decoder_norm", "rescale_acts_by_decoder_norm")],
)  # fmt: skip
def test_a_misspelt_field_is_named_with_the_right_one(folder: Path, wrong: str, right: str) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    edit_config(folder, **{wrong: config[right], right: ...})
    refused(folder, f"has an unknown field '{wrong}': did you mean '{right}'")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("hook_pont", "hook_point"),
        ("activation_fn_strr", "activation_fn_str"),
        ("prepend_boss", "prepend_bos"),
        ("normalise_activations", "normalize_activations"),
        ("model_from_pretraind_kwargs", "model_from_pretrained_kwargs"),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_a_misspelt_field_of_an_older_file_is_named(
    tmp_path: Path, wrong: str, right: str, beside: bool
) -> None:
    """Also where the right one is there as well: one of them is not meant."""
    write_old(tmp_path / "sae", **{wrong: "topk"})
    if not beside:
        edit_config(tmp_path / "sae", **{right: ...})
    refused(tmp_path / "sae", f"has an unknown field '{wrong}': did you mean '{right}'")
    with pytest.raises(UserError, match=f"did you mean '{right}'"):
        site_of(tmp_path / "sae")


@pytest.mark.parametrize("nested", [True, False])
def test_a_misspelt_way_of_processing_the_model_is_named(folder: Path, nested: bool) -> None:
    kwargs = {"model_from_pretrained_kwargs": {"center_writing_weight": True}}
    if nested:
        metadata = json.loads((folder / "cfg.json").read_text())["metadata"]
        edit_config(folder, metadata={**metadata, **kwargs})
    else:
        write_old(folder, **kwargs)
    refused(
        folder,
        r"unknown field 'model_from_pretrained_kwargs\.center_writing_weight': did you mean "
        "'center_writing_weights'",
    )


def test_no_field_that_saelens_writes_is_taken_for_a_misspelling(tmp_path: Path) -> None:
    """Of every architecture, trained or training, of every runner, older or newer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.config import LanguageModelSAERunnerConfig
        from sae_lens.registry import SAE_CLASS_REGISTRY, SAE_TRAINING_CLASS_REGISTRY
    both = [*SAE_CLASS_REGISTRY.items(), *SAE_TRAINING_CLASS_REGISTRY.items()]
    assert len(both) >= 18
    for architecture, (_, config_class) in both:
        if architecture == "temporal":  # refused for what it is
            continue
        names = {field.name for field in fields(config_class)}
        refuse_misspelt(
            {**dict.fromkeys(names), "architecture": architecture, "sae_lens_version": "6.54.0"},
            architecture,
        )
    runner = {field.name for field in fields(LanguageModelSAERunnerConfig)}
    older = """hook_point_layer hook_point_head_size hook_layer hook_eval activation_fn_kwargs
        model_kwargs normalize_sae_decoder finetuning_method is_transcoder hook_point_out
        hook_layer_out hf_hook_name_out mean_center_activations neuronpedia_id
        sae_lens_training_version scale_sparsity_penalty_by_decoder_norm""".split()
    refuse_misspelt(dict.fromkeys([*runner, *older]), "an older file")
    refuse_misspelt({"metadata": dict.fromkeys([*runner, *older])}, "metadata")


@pytest.mark.parametrize("architecture", ["standard", "gated", "topk", "jumprelu"])
def test_a_checkpoint_of_a_training_can_be_read(tmp_path: Path, architecture: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.registry import get_sae_training_class
        from sae_lens.saes.sae import SAEMetadata

        sae_class, config_class = get_sae_training_class(architecture)
        metadata = SAEMetadata(hook_name="blocks.2.hook_resid_pre", prepend_bos=True)
        torch.manual_seed(5)
        k = {"k": 7} if architecture == "topk" else {}
        trained = sae_class(config_class(d_in=D_IN, d_sae=D_SAE, metadata=metadata, **k))
        trained.save_model(tmp_path / "checkpoint")
    weights = load_file(tmp_path / "checkpoint" / "sae_weights.safetensors")
    if "log_threshold" in weights:  # of JumpReLU: the end of a training writes its exponential
        refused(tmp_path / "checkpoint", "the weights have no tensor 'threshold'")
        return
    ours = load_sae_folder(tmp_path / "checkpoint", "set", CPU)
    assert (ours.d_in, ours.d_sae) == (D_IN, D_SAE)


def test_two_letters_that_changed_places_in_a_short_name_are_noticed() -> None:
    for wrong, right in (("d_sea", "d_sae"), ("d_ni", "d_in")):
        message = f"x has an unknown field {wrong!r}: did you mean {right!r}"
        with pytest.raises(UserError, match=re.escape(message)):
            refuse_misspelt({wrong: 64}, "x")
    refuse_misspelt({"d_head": 64, "lr": 0.1}, "an older file, whose other fields are free")


def test_a_misspelt_field_of_the_metadata_is_named_too(folder: Path) -> None:
    metadata = {"hook_name": "blocks.2.hook_resid_pre", "prepend_boss": False,
                "sae_lens_version": "6.1.0"}  # fmt: skip
    edit_config(folder, metadata=metadata)
    refused(folder, r"unknown field 'metadata\.prepend_boss': did you mean 'prepend_bos'")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("apply_b_dec_to_input", "does not say apply_b_dec_to_input: expected true or false"),
        ("architecture", "architecture None is not known"),
        ("normalize_activations", "normalize_activations = '', expected one of none"),
        ("k", "k = None, expected a whole number from 1 to 96"),
    ],
)
def test_a_missing_field_is_named(folder: Path, field: str, message: str) -> None:
    edit_config(folder, **{field: ...})
    refused(folder, message)


def test_a_tensor_that_would_be_ignored_is_refused(folder: Path) -> None:
    edit_tensors(folder, scaling_factor=torch.full((D_SAE,), 2.0))
    refused(folder, "has a tensor 'scaling_factor' that topk has no use for")


@pytest.mark.parametrize(("k", "said"), [(1000, "1 to 96"), (0, "from 1 on"), ("7", "from 1 on")])
def test_k_must_fit(folder: Path, k: Any, said: str) -> None:
    edit_config(folder, k=k)
    refused(folder, f"k = {k!r}, expected a whole number.* {said}")


def test_a_configuration_without_a_site_is_refused(folder: Path) -> None:
    edit_config(folder, metadata={"sae_lens_version": "6.1.0"})
    refused(folder, r"names no site: expected metadata\.hook_name")


def test_broken_json_is_refused(folder: Path) -> None:
    (folder / "cfg.json").write_text("{")
    refused(folder, "cannot be read as JSON")


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refused(folder, "cannot be read as safetensors")


def test_pickled_weights_are_not_opened(folder: Path) -> None:
    (folder / "sae_weights.safetensors").rename(folder / "sae_weights.pt")
    refused(folder, r"no file .*sae_weights.safetensors \(sae_weights.pt is pickled, and is never")


def test_nan_weights_are_refused(folder: Path) -> None:
    edit_tensors(folder, b_enc=torch.full((D_SAE,), torch.nan))
    refused(folder, "tensor 'b_enc' has values that are NaN or infinite")


def test_a_missing_tensor_is_named(folder: Path) -> None:
    edit_tensors(folder, b_dec=None)
    refused(folder, "the weights have no tensor 'b_dec', which topk needs; they have W_dec, W_enc")


def test_tensors_that_do_not_go_together_are_refused(folder: Path) -> None:
    edit_tensors(folder, W_dec=torch.zeros(3, D_IN))
    refused(folder, r"W_dec has shape \(3, 24\), expected \(96, 24\)")


def test_tensors_of_another_width_than_stated_are_refused(folder: Path) -> None:
    edit_config(folder, d_in=30)
    refused(folder, "d_in = 30, but W_enc has 24")


def test_a_folder_without_dictionaries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no dictionaries in"):
        sae_folders(tmp_path)


def test_what_neuronpedia_calls_it_is_kept_and_changes_no_number(tmp_path: Path) -> None:
    sae = saelens("standard")
    plain = load_sae_folder(Path(sae.save_model(tmp_path / "plain")[0]).parent, "set", CPU)
    sae.cfg.metadata.neuronpedia_id = "gpt2-small/2-res-jb"
    sae.save_model(tmp_path / "known")
    known = load_sae_folder(tmp_path / "known", "set", CPU)
    assert (plain.neuronpedia, known.neuronpedia) == (None, "gpt2-small/2-res-jb")
    assert_close(known.encode(inputs()), plain.encode(inputs()))
    config = tmp_path / "known" / "cfg.json"
    config.write_text(config.read_text().replace("gpt2-small/2-res-jb", "<script>"))
    assert load_sae_folder(tmp_path / "known", "set", CPU).neuronpedia is None

"""Dictionaries as other libraries save them: the publishers' own numbers are the referee."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import faultlens as fl
from faultlens.models.dictionary import Dictionary
from faultlens.models.formats.finding import saved_elsewhere
from faultlens.models.sites import Site

REFERENCES = Path(__file__).with_name("references")
NAMES = sorted(path.name for path in REFERENCES.iterdir())
CPU = torch.device("cpu")
SITES = {
    "dictionary_learning": Site(1, "resid_post"),
    "llamascopium": Site(1, "resid_pre"),
    "sparsify": Site(1, "resid_post"),
    "llamascopium-transcoder": Site(1, "mlp_in"),
    "sparsify-skip": Site(1, "mlp_in"),
    "sparsify-transcoder": Site(1, "mlp_in"),
}


def loaded(folder: Path) -> Dictionary:
    (saved,) = saved_elsewhere(folder)
    return saved.load("theirs", CPU)


@pytest.mark.parametrize("name", NAMES)
def test_activations_and_reconstructions_are_the_publishers(name: str) -> None:
    """Written and read by dictionary_learning 0.1.0, sparsify 1.3.3, llamascopium 2.0.0b34."""
    expected = load_file(REFERENCES / name / "expected.safetensors")
    found = loaded(REFERENCES / name)
    x = expected["x"]
    activations = found.encode(x)
    assert (activations > 0).any() and (activations == 0).any()
    torch.testing.assert_close(activations, expected["activations"], rtol=1e-5, atol=1e-5)
    rebuilt = found.reconstruct(x, torch.zeros_like(x) if found.site_out else None)
    torch.testing.assert_close(rebuilt, expected["rebuilt"], rtol=1e-5, atol=1e-5)
    assert found.site == SITES.get(name, SITES[name.partition("-")[0]])
    assert found.convention.prepend_bos and found.name.endswith("-theirs")


def test_every_publisher_has_its_files(tmp_path: Path) -> None:
    seen = {saved_elsewhere(REFERENCES / name)[0].publisher for name in NAMES}
    assert seen == {"dictionary_learning", "sparsify", "llamascopium"}
    assert saved_elsewhere(tmp_path) == []


def tensors(d: int = 8, latents: int = 24) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "W_enc": torch.randn(d, latents), "b_enc": torch.randn(latents),
        "W_dec": torch.randn(latents, d), "b_dec": torch.randn(d),
        "threshold": torch.rand(latents),
    }  # fmt: skip


def jumprelu(x: torch.Tensor, t: dict[str, torch.Tensor]) -> torch.Tensor:
    """The published formula of Gemma Scope."""
    pre = x @ t["W_enc"] + t["b_enc"]
    return torch.relu(pre) * (pre > t["threshold"])


FIRST = [
    ("gemma-scope-2b-pt-res/layer_1/width_16k/average_l0_71", Site(1, "resid_post"), None),
    ("gemma-scope-2b-pt-att/layer_2/width_16k/average_l0_9", Site(2, "z"), None),
    ("gemma-scope-9b-it-mlp/layer_0/width_16k/canonical", Site(0, "mlp_out"), None),
    ("gemma-scope-2b-pt-transcoders/layer_1/width_16k/average_l0_8",
     Site(1, "mlp_normalized"), Site(1, "mlp_out")),
]  # fmt: skip


@pytest.mark.parametrize(("names", "site", "site_out"), FIRST)
def test_gemma_scope_says_in_its_folders_what_it_reads(
    tmp_path: Path, names: str, site: Site, site_out: Site | None
) -> None:
    folder, t = tmp_path / names, tensors()
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **{name: value.numpy() for name, value in t.items()})
    found = loaded(tmp_path / names.split("/")[0])
    assert (found.site, found.site_out) == (site, site_out)
    x = torch.randn(9, 8)
    torch.testing.assert_close(found.encode(x), jumprelu(x, t))
    if site_out is None:
        torch.testing.assert_close(found.reconstruct(x), jumprelu(x, t) @ t["W_dec"] + t["b_dec"])


def second(folder: Path, **fields: Any) -> dict[str, torch.Tensor]:
    """Gemma Scope 2's layout; the linear path is [d_in, d_out]."""
    t = {name.replace("W_", "w_"): value for name, value in tensors().items()}
    if fields.get("affine_connection"):
        t["affine_skip_connection"] = torch.randn(8, 8)
    folder.mkdir(parents=True)
    save_file(t, folder / "params.safetensors")
    plain = {"architecture": "jump_relu", "model_name": "gemma-3-270m",
             "hf_hook_point_in": "model.layers.5.output"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps({**plain, **fields}))
    return t


def test_gemma_scope_2_and_its_linear_path(tmp_path: Path) -> None:
    second(tmp_path / "resid_post" / "layer_5_width_16k_l0_small")
    assert loaded(tmp_path / "resid_post").site == Site(5, "resid_post")
    modules = {
        "hf_hook_point_in": "model.layers.5.pre_feedforward_layernorm.output",
        "hf_hook_point_out": "model.layers.5.post_feedforward_layernorm.output",
    }
    t = second(tmp_path / "transcoder", affine_connection=True, **modules)
    found = loaded(tmp_path / "transcoder")
    assert (found.site, found.site_out) == (Site(5, "mlp_in"), Site(5, "mlp_out"))
    x = torch.randn(9, 8)
    theirs = jumprelu(x, {"W_enc": t["w_enc"], **t}) @ t["w_dec"] + t["b_dec"]
    theirs = theirs + x @ t["affine_skip_connection"]
    torch.testing.assert_close(found.reconstruct(x, torch.zeros(9, 8)), theirs)


def test_saelens_reads_qwen_scope_alike(tmp_path: Path) -> None:
    """Its loader of `layerN.sae.pt` gives a TopK SAE of these tensors, and that its activations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.saes import TopKSAE, TopKSAEConfig
    t = tensors()
    folder = tmp_path / "SAE-Res-Qwen3-1.7B-Base-W32K-L0_4"
    folder.mkdir()
    for layer in (0, 11):
        theirs = {"W_enc": t["W_enc"].T.clone(), "W_dec": t["W_dec"].T.clone(),
                  "b_enc": t["b_enc"] + layer, "b_dec": t["b_dec"]}  # fmt: skip
        torch.save(theirs, folder / f"layer{layer}.sae.pt")
    first, second_ = saved_elsewhere(folder)
    assert (first.site, second_.site) == (Site(0, "resid_post"), Site(11, "resid_post"))
    assert first.pickled
    sae = TopKSAE(TopKSAEConfig(d_in=8, d_sae=24, k=4, apply_b_dec_to_input=False))
    sae.load_state_dict({name: t[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec")})
    x = torch.randn(9, 8)
    torch.testing.assert_close(first.load("q", CPU).encode(x), sae.encode(x))


def on_mini(folder: Path, trainers: int = 1) -> Path:
    """dictionary_learning's TopK files for `mini`, at layer 3."""
    for place in range(trainers):
        here = folder / f"trainer_{place}"
        here.mkdir(parents=True)
        torch.manual_seed(place)
        torch.save(
            {"encoder.weight": torch.randn(64, 192), "encoder.bias": torch.zeros(64),
             "decoder.weight": torch.randn(192, 64), "b_dec": torch.zeros(192),
             "k": torch.tensor(4), "threshold": torch.tensor(-1.0)},
            here / "ae.pt",
        )  # fmt: skip
        trainer = {"dict_class": "AutoEncoderTopK", "k": 4, "layer": 3}
        (here / "config.json").write_text(json.dumps({"trainer": trainer}))
    return folder


def test_they_are_named_and_loaded_like_any_other(tmp_path: Path) -> None:
    one = fl.load("mini", str(on_mini(tmp_path / "mine")), trust_pickle=True)
    assert [d.name for d in one.dictionaries] == ["3-post-mine"]
    assert one.read(["Mary gave the keys to Tom."])["3-post-mine"].matrix.shape == (1, 64)
    two = fl.load("mini", str(on_mini(tmp_path / "two", 2)), trust_pickle=True)
    assert [d.name for d in two.dictionaries] == ["3-post-two-trainer_0", "3-post-two-trainer_1"]
    assert len({d.digest for d in two.dictionaries}) == 2


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(fl.UserError) as refused:
        fl.load("mini", str(folder), **options)
    assert "\n" not in str(refused.value)
    return str(refused.value).replace(str(folder), "FOLDER")


def edited(path: Path, **changes: Any) -> None:
    """Change fields of a JSON file, at whatever level they stand."""
    config = json.loads(path.read_text())
    inner = config.get("trainer", config)
    inner.update(changes)
    path.write_text(json.dumps(config))


def test_a_pickle_is_opened_only_where_it_is_trusted(tmp_path: Path) -> None:
    folder = on_mini(tmp_path / "a")
    assert refusal(folder) == (
        "FOLDER/trainer_0/ae.pt is pickled, as dictionary_learning saves dictionaries, and a "
        "pickle can run code as it loads: give --trust-pickle if you trust its source"
    )

    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("run",))

    torch.save({"encoder.weight": Evil()}, folder / "trainer_0" / "ae.pt")
    assert refusal(folder, trust_pickle=True).startswith(
        "FOLDER/trainer_0/ae.pt cannot be read as tensors that torch saved: Weights only load fail"
    )


REFUSED = [
    ("dictionary_learning-AutoEncoderTopK", "trainer_0/config.json", {"dict_class": "Mine"},
     "FOLDER/trainer_0/config.json: dict_class = 'Mine', expected one of AutoEncoder, "
     "AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE, "
     "MatryoshkaBatchTopKSAE"),
    ("dictionary_learning-AutoEncoderTopK", "trainer_0/config.json", {"layer": None},
     "FOLDER/trainer_0/config.json: layer = None, expected a layer's number, from 0"),
    ("dictionary_learning-AutoEncoderTopK", "trainer_0/config.json", {"submodule_name": "embed"},
     "FOLDER/trainer_0/config.json: submodule_name = 'embed', expected resid, attn or mlp in it"),
    ("dictionary_learning-AutoEncoderTopK", "trainer_0/config.json", {"k": 0},
     "FOLDER/trainer_0/config.json: k = 0, expected a whole number above 0"),
    ("dictionary_learning-AutoEncoderTopK", "trainer_0/config.json", {"dict_class": "AutoEncoder"},
     "FOLDER/trainer_0/ae.pt has no tensor 'bias': it has b_dec, decoder.weight, encoder.bias, "
     "encoder.weight, k, threshold"),
    ("sparsify-sae", "layers.1/cfg.json", {"activation": "groupmax"},
     "FOLDER/layers.1/cfg.json: activation = 'groupmax', expected 'topk'"),
    ("sparsify-sae", "layers.1/cfg.json", {"skip_connection": True},
     "FOLDER/layers.1/cfg.json: skip_connection goes with transcode, which is not set"),
    ("sparsify-sae", "layers.1/cfg.json", {"transcode": True},
     "FOLDER/layers.1 is a transcoder of layers.1: only those of an MLP are read"),
    ("llamascopium-topk", "config.json", {"norm_activation": "batch-wise"},
     "FOLDER/config.json: norm_activation = 'batch-wise', expected one of inference, token-wise, "
     "dataset-wise"),
    ("llamascopium-topk", "config.json", {"act_fn": "batchtopk"},
     "FOLDER/config.json: act_fn = 'batchtopk', expected relu, jumprelu or topk: here each token "
     "is encoded by itself"),
    ("llamascopium-topk", "config.json", {"use_glu_encoder": True},
     "FOLDER/config.json: use_glu_encoder is set, which is not read"),
    ("llamascopium-topk", "config.json", {"sae_type": "clt"},
     "FOLDER/config.json: sae_type = 'clt', expected 'sae': of llamascopium's dictionaries only "
     "SAEs and transcoders of one layer are read"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "changes", "said"), REFUSED)
def test_what_is_not_supported_is_one_sentence(
    tmp_path: Path, name: str, file: str, changes: dict[str, Any], said: str
) -> None:
    folder = tmp_path / "a"
    shutil.copytree(REFERENCES / name, folder)
    edited(folder / file, **changes)
    assert refusal(folder, trust_pickle=True) == said


def test_folders_that_do_not_say_what_they_hold(tmp_path: Path) -> None:
    np.savez(tmp_path / "params.npz", **{k: v.numpy() for k, v in tensors().items()})
    assert refusal(tmp_path) == (
        "FOLDER/params.npz does not say what it reads: keep the folders as they are on the hub, "
        "e.g. gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71"
    )
    (tmp_path / "params.npz").unlink()
    torch.save(tensors(), tmp_path / "layer1.sae.pt")
    assert refusal(tmp_path, trust_pickle=True) == (
        "FOLDER/layer1.sae.pt does not say how many features fire at a token: keep it in a folder "
        "named as its repository, e.g. SAE-Res-Qwen3-1.7B-Base-W32K-L0_50"
    )
    (tmp_path / "layer1.sae.pt").unlink()
    folder = tmp_path / "embed_tokens"
    shutil.copytree(REFERENCES / "sparsify-sae" / "layers.1", folder)
    assert refusal(folder) == (
        "FOLDER is named after no module that is known: expected layers.N or h.N, or of these mlp, "
        "attn, self_attn, attention"
    )
    assert refusal(on_mini(tmp_path / "b"), release="x", trust_pickle=True) == (
        "FOLDER holds dictionaries in dictionary_learning's format, and --release says what "
        "SAELens's folders leave out: leave it out"
    )

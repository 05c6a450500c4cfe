"""Models and dictionaries by name, through a cache as the hub lays it out, with no network.

The referees are `HookedTransformer` on processed weights, and SAELens loading from its registry.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hub_cache import (
    MODEL_COMMIT,
    RELEASE,
    SAE_COMMIT,
    SAE_REPOSITORY,
    snapshot,
    use_cache,
    write_res_jb,
)
from referees import hooked_gpt2, quietly, registry_sae
from safetensors.torch import load_file
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.mini import LANGUAGE_MODEL
from faultlens.models import hub, registry
from faultlens.models.checkpoints.weights import download_size
from faultlens.models.convention import put_in_force
from faultlens.models.dictionaries import load_dictionaries
from faultlens.models.dictionary import Dictionary
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread", "hub_in_use")
TEXT = "When Mary and John went to the store, John gave the keys to"
RELATIVE = 1e-4


def load(layers: list[int] | None = None) -> tuple[Model, list[Dictionary]]:
    model = load_model("gpt2")
    return model, load_dictionaries(RELEASE, model, layers)


def ids_of(model: Model) -> torch.Tensor:
    return torch.tensor([[model.bos_id, *model.ids(TEXT)]])


def test_a_release_is_found_by_name_and_keeps_neuronpedias_names() -> None:
    model, dictionaries = load([6, 8])
    assert [d.name for d in dictionaries] == ["6-res-jb", "8-res-jb"]
    assert model.digest == MODEL_COMMIT
    eight = dictionaries[1]
    assert eight.source == f"{SAE_REPOSITORY}@{SAE_COMMIT}/blocks.8.hook_resid_pre"
    assert eight.convention.to_dict() == {"prepend_bos": True, "centred": True}
    assert (eight.published.l0, eight.published.variance_explained) == (60.0, 0.9)
    (alone,) = load_dictionaries(f"{RELEASE}/blocks.8.hook_resid_pre", model)
    assert alone.name == "8-res-jb"
    assert alone.digest == eight.digest
    assert eight.neuronpedia == alone.neuronpedia == "gpt2-small/8-res-jb"


def test_a_model_of_the_cache_with_pickled_weights_only_says_what_to_give(
    hub_in_use: Path,
) -> None:
    folder = snapshot(hub_in_use, "somebody/pickled", "c" * 40)
    with pytest.raises(UserError, match="is not in the local Hugging Face cache"):
        load_model("somebody/pickled")
    for path in LANGUAGE_MODEL.glob("*.json"):
        shutil.copy(path, folder)
    torch.save(load_file(LANGUAGE_MODEL / "model.safetensors"), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"only pickled weights \(pytorch_model\.bin\).*--trust-p"):
        load_model("somebody/pickled")
    assert load_model("somebody/pickled", trust_pickle=True).n_layers == load_model("mini").n_layers


def test_nothing_is_asked_of_the_network_for_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket

    def asked(*arguments: object, **options: object) -> None:
        raise AssertionError("the network was asked")

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setattr(socket.socket, "connect", asked)
    load([8])


def test_residuals_features_and_reconstructions_are_the_reference_stacks() -> None:
    model, dictionaries = load([6, 8])
    ids = ids_of(model)
    reference = hooked_gpt2()
    with torch.no_grad(), quietly():
        assert torch.equal(reference.to_tokens(TEXT), ids)
        _, theirs = reference.run_with_cache(ids)
    for layer in range(12):
        site = Site(layer, "resid_pre")
        ours = model.read(ids, [site])[site]
        centred = ours - ours.mean(-1, keepdim=True)
        expected = theirs[site.name]
        assert (centred - expected).abs().max() <= RELATIVE * expected.abs().max()
        assert (ours - expected).abs().max() > 0.1 * expected.abs().max(), "raw is something else"
    for dictionary in dictionaries:
        sae = registry_sae(RELEASE, f"blocks.{dictionary.site.layer}.hook_resid_pre")
        with torch.no_grad():
            x = theirs[dictionary.site.name][0]
            activations, rebuilt = sae.encode(x), sae(x)
        raw = model.read(ids, [dictionary.site])[dictionary.site][0]
        mine = dictionary.encode(raw)
        assert 0.02 < float((activations > 0).float().mean()) < 0.6
        assert_close(mine, activations, rtol=0, atol=RELATIVE * float(activations.max()))
        back = dictionary.reconstruct(raw) - raw.mean(-1, keepdim=True)
        assert_close(back, rebuilt, rtol=0, atol=RELATIVE * float(rebuilt.abs().max()))


def test_hook_z_is_the_reference_stacks_but_for_the_folded_value_bias() -> None:
    """Processed weights have the values' bias folded into the output projection."""
    model = load_model("gpt2")
    ids = ids_of(model)
    with torch.no_grad(), quietly():
        _, theirs = hooked_gpt2().run_with_cache(ids)
    for layer in (0, 7):
        site = Site(layer, "z")
        ours, bias = model.read(ids, [site])[site], model.adapter.value_bias(model.network, layer)
        expected = theirs[site.name].flatten(-2)
        assert bias is not None
        assert_close(ours - bias, expected, rtol=0, atol=RELATIVE * float(expected.abs().max()))
        assert (ours - expected).abs().max() > 0.05 * expected.abs().max(), "the trap must show"


def test_an_ablation_gives_the_logits_of_the_same_hook_in_transformer_lens() -> None:
    """Feature values set to zero at every position but BOS, the error term kept."""
    model, (dictionary,) = load([8])
    ids = ids_of(model)
    features = dictionary.encode(model.read(ids, [dictionary.site])[dictionary.site][0, 1:]) > 0
    chosen = features.float().sum(0).topk(3).indices.tolist()
    reference, sae = hooked_gpt2(), registry_sae(RELEASE, "blocks.8.hook_resid_pre")

    def their_hook(x: torch.Tensor, hook: object) -> torch.Tensor:
        activations = sae.encode(x)
        changed = activations.clone()
        changed[:, 1:, chosen] = 0
        return x + sae.decode(changed) - sae.decode(activations)

    def our_edit(x: torch.Tensor) -> torch.Tensor:
        flat = x[0, 1:]
        steps = -dictionary.encode(flat)[:, chosen]
        return torch.cat([x[:, :1], (flat + dictionary.raised(flat, steps, chosen))[None]], dim=1)

    with torch.no_grad(), quietly():
        theirs = reference.run_with_hooks(ids, fwd_hooks=[(dictionary.site.name, their_hook)])
        plain = reference(ids)
    entry = model.read(ids, [Site(8, "resid_pre")])[Site(8, "resid_pre")]
    ours = model.logits(ids, edits={dictionary.site: our_edit}, restart=Restart(8, entry))
    # Processing also centres the unembedding, which shifts all logits of a position alike.
    log_ours, log_theirs = ours.log_softmax(-1), theirs.log_softmax(-1)
    assert_close(log_ours, log_theirs, rtol=RELATIVE, atol=RELATIVE * float(theirs.abs().max()))
    assert (log_theirs - plain.log_softmax(-1)).abs().max() > 1e-2, "the ablation must show"


def test_the_registrys_overrides_hold_for_a_local_folder_too(
    hub_in_use: Path, tmp_path: Path
) -> None:
    model, (from_hub,) = load([8])
    folder = tmp_path / "copy"
    source = snapshot(hub_in_use, SAE_REPOSITORY, SAE_COMMIT) / "blocks.8.hook_resid_pre"
    shutil.copytree(source, folder / source.name)
    (plain,) = load_dictionaries(str(folder), model)
    assert not plain.convention.centred, "the file alone does not say it"
    assert plain.name == "8-res-copy"
    (named,) = load_dictionaries(str(folder), model, release=RELEASE)
    assert named.convention == from_hub.convention
    assert (named.name, named.published) == (from_hub.name, from_hub.published)
    x = torch.randn(5, 48) + 3
    assert torch.equal(named.encode(x), from_hub.encode(x))
    assert not torch.allclose(plain.encode(x), from_hub.encode(x), atol=1e-2)
    (folder / source.name).rename(folder / "mine")  # by its site, where its name says nothing
    (by_site,) = load_dictionaries(str(folder), model, release=RELEASE)
    assert by_site.name == "8-res-jb"


def test_a_published_factor_is_folded_for_a_local_folder_too(tmp_path: Path) -> None:
    """`expected_average_only_in`: SAELens folds it from the hub, and not from a folder."""
    write_res_jb(
        tmp_path / "set" / "x", 3, 48, 96, normalize_activations="expected_average_only_in"
    )
    from faultlens.models.folding import Origin
    from faultlens.models.sae_folder import load_sae_folder

    cpu, folder = torch.device("cpu"), tmp_path / "set" / "x"
    plain = load_sae_folder(folder, "set", cpu)
    scaled = load_sae_folder(folder, "set", cpu, origin=Origin("", "", "set", factor=3.5))
    with quietly():
        from sae_lens import SAE

        sae = SAE.load_from_disk(folder, device="cpu", dtype="float32")
    x = torch.randn(9, 48)
    with torch.no_grad():
        assert_close(plain.encode(x), sae.encode(x), rtol=1e-4, atol=1e-4)
        sae.fold_activation_norm_scaling_factor(3.5)
        assert_close(scaled.encode(x), sae.encode(x), rtol=1e-4, atol=1e-4)
        assert_close(scaled.reconstruct(x), sae(x), rtol=1e-4, atol=1e-4)
    assert "factor 3.5" in scaled.convention.normalisation
    assert "not known" in plain.convention.normalisation


def test_without_cache_and_network_one_sentence_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model("gpt2")
    with pytest.raises(UserError) as missing:
        load_dictionaries(RELEASE, model, [10])
    assert str(missing.value) == (
        "dictionary gpt2-small-res-jb/blocks.10.hook_resid_pre is not in the local Hugging Face "
        "cache and the hub cannot be reached: connect once to download it (about 10 MB), or use "
        "--model mini, which needs nothing"
    )
    use_cache(tmp_path / "empty", monkeypatch)
    with pytest.raises(UserError) as missing:
        load_model("gpt2")
    assert str(missing.value) == (
        "model 'gpt2' is not in the local Hugging Face cache and the hub cannot be reached: "
        "connect once to download it (about 548 MB), or use --model mini, which needs nothing"
    )
    with pytest.raises(UserError, match="of a size that only the hub can tell"):
        load_model("somebody/something")


def test_sizes_are_told_by_names() -> None:
    assert download_size("google/gemma-2-2b") == 4e9
    assert download_size("meta-llama/Llama-3.1-8B-Instruct") == 16e9
    assert download_size("somebody/something") is None
    assert hub.spoken(4e9) == "about 4.0 GB"
    eight = registry.find(f"{RELEASE}/blocks.8.hook_resid_pre")[0]
    assert eight.size(768) == pytest.approx(151e6, rel=0.01)
    gemma = registry.find("gemma-scope-2b-pt-res/layer_12/width_65k/average_l0_72")[0]
    assert gemma.size(2304) == pytest.approx(2 * 2304 * 65536 * 4, rel=0.02)
    assert gemma.layer == 12


def test_a_layer_that_a_site_has_not_is_told_of_that_site_alone() -> None:
    model = load_model("gpt2")
    at = r"have no layer 6 at resid_post: expected one of 11$"
    with pytest.raises(UserError, match=at):
        load_dictionaries(RELEASE, model, [6], ["resid_post"])
    with pytest.raises(UserError, match=r"have no layer 12 at resid_pre: expected one of 0, 1,"):
        load_dictionaries(RELEASE, model, [12])


def test_every_entry_of_the_registry_can_be_chosen_by_layer() -> None:
    """All but the dictionaries of embeddings, which are at no block."""
    releases = list(registry._registry())
    assert len(releases) >= 170
    without = [e for r in releases for e in registry.find(r) if e.layer is None]
    assert {entry.path.split("/")[0] for entry in without} == {"embedding"}


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ({}, (None, None)),
        ({"l0": 0.0, "variance_explained": 1.00}, (None, None)),
        ({"l0": 18.0, "variance_explained": 0.999}, (18.0, 0.999)),
    ],
)
def test_placeholders_of_the_registry_are_unknown(
    said: dict[str, float], known: tuple[float | None, float | None]
) -> None:
    release = {"repo_id": "somebody/saes", "saes": []}
    entry = registry._entry("some", release, {"id": "blocks.3.hook_z", "path": "x", **said})
    assert (entry.published.l0, entry.published.variance_explained) == known


def test_several_dictionaries_at_one_site_are_a_choice_for_the_user() -> None:
    model = load_model("gpt2")
    with pytest.raises(UserError) as several:
        load_dictionaries("gpt2-small-res-jb-feature-splitting", model, [8])
    assert "has 8 dictionaries at layer 8: name one, e.g. gpt2-small-res-jb" in str(several.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt2-small-res-jbb", "expected 'mini', a folder in SAELens's format, or one of SAELens"),
        (f"{RELEASE}/blocks.8", "has no dictionary 'blocks.8': expected one of its 13, e.g."),
        ("gpt2-small-hook-z-kk/blocks.3.hook_z", "is published as a pickled file"),
    ],
)
def test_names_that_cannot_be_meant(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        load_dictionaries(name, load_model("gpt2"))


def test_pickled_weights_are_refused_unless_trusted(tmp_path: Path, hub_in_use: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(snapshot(hub_in_use, "gpt2", MODEL_COMMIT), folder)
    weights = load_model(str(folder)).network.state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"has only pickled weights \(pytorch_model\.bin\)"):
        load_model(str(folder))
    ids = torch.tensor([[50256, 5, 9]])
    trusted = load_model(str(folder), trust_pickle=True)
    assert torch.equal(trusted.logits(ids), load_model("gpt2").logits(ids))


def test_a_revision_that_is_not_there_is_missing(hub_in_use: Path) -> None:
    assert load_model("gpt2", revision=MODEL_COMMIT).digest == MODEL_COMMIT
    with pytest.raises(UserError, match="model 'gpt2' is not in the local Hugging Face cache"):
        load_model("gpt2", revision="c" * 40)


def test_broken_weights_in_the_cache_are_one_sentence(hub_in_use: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(snapshot(hub_in_use, "gpt2", MODEL_COMMIT), folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "no-such"}))
    with pytest.raises(UserError, match="models of type 'no-such' are not supported"):
        load_model(str(folder))


@pytest.mark.parametrize("word", ["bos", "no-bos"])
def test_batch_and_padding_change_nothing_with_bos_and_without(word: str) -> None:
    """Referee: each text alone through Hugging Face's own forward pass; to 1e-5 of the largest."""
    model, (dictionary,) = load([8])
    lens = Lens(model, (put_in_force(dictionary, [word]),))
    texts = ["Tom", "When Mary and John went to the store, John gave the keys to", "x = 1"]
    together = lens.read(texts, pooling="mean")["8-res-jb"].matrix.toarray()
    backwards = lens.read(texts[::-1], pooling="mean")["8-res-jb"].matrix.toarray()[::-1]
    first = int(word == "bos")
    for row, other, text in zip(together, backwards, texts, strict=True):
        ids = torch.tensor([[model.bos_id] * first + model.ids(text)])
        with torch.no_grad():
            hidden = model.network(ids, output_hidden_states=True).hidden_states[8][0, first:]
        alone = dictionary.encode(hidden).mean(0)
        assert (torch.from_numpy(row) - alone).abs().max() <= 1e-5 * alone.max()
        assert abs(row - other).max() <= 1e-5 * row.max()


def test_what_the_hub_does_not_have_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    def nothing(*arguments: object, **options: object) -> None:
        raise EntryNotFoundError("404: no such file")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", nothing)
    monkeypatch.setattr(hub, "reachable", lambda: True)
    with pytest.raises(UserError) as missing:
        hub.fetch("somebody/saes", "cfg.json", None, "dictionary x", None)
    assert str(missing.value) == (
        "dictionary x cannot be downloaded: somebody/saes has no cfg.json (404: no such file)"
    )

"""GPT-2's true shape: 12 layers of 768, 50,257 tokens, 24,576 features, in the hub's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hub_cache import RELEASE, put_gpt2, put_saes, use_cache
from referees import hooked_gpt2, quietly, registry_sae

import faultlens as fl
from faultlens.models.sites import Site

RELATIVE = 1e-4  # of the largest value


def test_gpt2_is_read_as_the_reference_stack_reads_it(
    tmp_path: Path, reference_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_gpt2(tmp_path, reference_data / "gpt2_tokenizer", width=768, heads=12)
    put_saes(tmp_path, [8], width=768, features=24_576)
    use_cache(tmp_path, monkeypatch)
    lens = fl.load("gpt2", RELEASE, layers=[8])
    model, dictionary = lens.model, lens["8-res-jb"]
    text = "When Mary and John went to the store, John gave the keys to"
    ids = torch.tensor([[model.bos_id, *model.ids(text)]])
    sites = [Site(layer, "resid_pre") for layer in range(12)]
    ours = model.read(ids, sites)
    reference, sae = hooked_gpt2(), registry_sae(RELEASE, "blocks.8.hook_resid_pre")
    with torch.no_grad(), quietly():
        _, theirs = reference.run_with_cache(ids, stop_at_layer=12)
        activations = sae.encode(theirs[dictionary.site.name][0, 1:])
    for site in sites:
        centred = ours[site] - ours[site].mean(-1, keepdim=True)
        expected = theirs[site.name]
        assert (centred - expected).abs().max() <= RELATIVE * expected.abs().max(), site
    seen = torch.from_numpy(lens.tokens(text).activations["8-res-jb"].toarray())
    assert 0.01 < float((activations > 0).float().mean()) < 0.9
    assert (seen - activations).abs().max() <= RELATIVE * activations.max()

"""The named features' directions, held against transformers and NumPy on the bundled model."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.auditing.feature_directions import TOKENS, feature_directions
from faultlens.features.lens import Lens
from faultlens.models.sites import Site

FEATURES = ["3-res-mini/808", "5-res-mini/635", "3-res-mini/17"]


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini")


def test_tokens_are_those_that_transformers_ranks_first_and_last(lens: Lens) -> None:
    found = feature_directions(lens, FEATURES)
    assert list(found) == ["3-res-mini/808", "3-res-mini/17", "5-res-mini/635"]
    network: Any = lens.model.network
    with torch.no_grad():
        direction = lens["3-res-mini"].W_dec[808]
        norm, head = network.transformer.ln_f, network.lm_head
        logits = head(norm(direction)) - head(norm(torch.zeros_like(direction)))
    decode = lens.model.tokenizer.decode
    order = logits.argsort(descending=True).tolist()
    read = found["3-res-mini/808"]
    assert [t.token for t in read.promoted] == [decode([i]) for i in order[:TOKENS]]
    assert [t.token for t in read.suppressed] == [decode([i]) for i in order[::-1][:TOKENS]]
    assert read.promoted[0].logit == pytest.approx(float(logits.max()), rel=1e-4)
    assert read.suppressed[0].logit == pytest.approx(float(logits.min()), rel=1e-4)


def test_the_nearest_at_each_other_site_is_named(lens: Lens) -> None:
    read = feature_directions(lens, FEATURES)["5-res-mini/635"]
    assert [near.feature.partition("/")[0] for near in read.nearest] == [
        dictionary.name for dictionary in lens.dictionaries if dictionary.name != "5-res-mini"
    ]
    near = next(one for one in read.nearest if one.feature.startswith("4-res-mini/"))
    index = int(near.feature.partition("/")[2])
    mine, other = lens["5-res-mini"].W_dec[635].numpy(), lens["4-res-mini"].W_dec.numpy()
    cosines = other @ mine / np.linalg.norm(other, axis=1) / np.linalg.norm(mine)
    assert index == cosines.argmax() and near.cosine == pytest.approx(cosines.max(), abs=1e-5)
    assert 0 < near.usual < 1


def test_what_adds_to_no_residual_stream_has_no_tokens_and_no_neighbours(lens: Lens) -> None:
    inside = dataclasses.replace(lens["3-res-mini"], site=Site(3, "mlp_in"))
    others = [d for d in lens.dictionaries if d.name != "3-res-mini"]
    read = feature_directions(Lens(lens.model, (inside, *others)), FEATURES[:1])["3-res-mini/808"]
    assert (read.promoted, read.suppressed, read.nearest) == ([], [], [])


def test_an_audit_holds_the_directions_of_the_features_that_it_names(lens: Lens) -> None:
    from faultlens.auditing.result.argument import named_features

    few = Lens(lens.model, (lens["3-res-mini"],), lens.fit_check)
    audit = fl.audit(
        few, fl.tasks.mini_ioi(n=40, seed=0), permutations=99, baselines=False, test_classes=0,
        test_attributed=0, fit_check=False,
    )  # fmt: skip
    assert audit.directions and list(audit.directions) == list(named_features(audit))
    assert type(audit).from_dict(audit.to_dict()).directions == audit.directions

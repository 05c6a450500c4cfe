"""The nearest feature of another dictionary, with scikit-learn as the referee."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.near_features import comparable, nearest_features, usual_cosine
from faultlens.models.sites import Site


def dictionary(seed: int, features: int, point: str = "resid_pre", width: int = 8) -> Dictionary:
    drawn = torch.randn(features, width, generator=torch.Generator().manual_seed(seed))
    drawn *= torch.linspace(0.1, 5.0, features)[:, None]  # lengths must not matter
    return Dictionary(
        f"{seed}-x", Site(0, point), Relu(), drawn.T.clone(), torch.zeros(features), drawn,
        torch.zeros(width), Convention(True, False), "by hand", "",
    )  # fmt: skip


def test_the_nearest_is_the_one_with_the_largest_cosine() -> None:
    one, other = dictionary(1, 20), dictionary(2, 30)
    expected = cosine_similarity(one.W_dec.numpy(), other.W_dec.numpy())
    wanted = [3, 19, 0]
    found = nearest_features(one, wanted, other)
    assert [place for place, _ in found] == expected[wanted].argmax(axis=1).tolist()
    assert [cosine for _, cosine in found] == pytest.approx(expected[wanted].max(axis=1), abs=1e-6)


def test_the_usual_cosine_is_the_median_over_features_with_a_direction() -> None:
    one, other = dictionary(1, 20), dictionary(2, 30)
    expected = np.median(cosine_similarity(one.W_dec.numpy(), other.W_dec.numpy()).max(axis=1)[:19])
    one = dataclasses.replace(one, W_dec=torch.cat([one.W_dec[:19], torch.zeros(1, 8)]))
    assert usual_cosine(one, other) == pytest.approx(expected, abs=1e-6)
    assert usual_cosine(one, one) == pytest.approx(1.0)
    dead = dataclasses.replace(one, W_dec=torch.zeros(20, 8))
    assert usual_cosine(dead, other) == 0.0
    assert nearest_features(dead, [2], other)[0][1] == 0.0


def test_only_what_writes_to_one_residual_stream_is_compared() -> None:
    one = dictionary(1, 4)
    assert comparable(one, dictionary(2, 4, "mlp_out"))
    assert not comparable(one, dictionary(2, 4, "z"))
    assert not comparable(one, dictionary(2, 4, "mlp_in"))
    assert not comparable(one, dictionary(2, 4, width=6))

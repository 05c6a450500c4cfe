"""Near features: which feature of another dictionary is nearest, by the cosine of directions.

Dictionaries at several sites of one residual stream often hold a feature of one direction each. How
near two directions lie says nothing unless one knows how near those of any two features do.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faultlens.models.dictionary import Dictionary
from faultlens.models.logit_lens import ADDED

DRAWN = 200  # features that stand for any feature
SHUFFLE = 0  # the seed by which they are drawn


def comparable(one: Dictionary, other: Dictionary) -> bool:
    """Whether the features of two dictionaries write to one residual stream."""
    points = {one.target.point, other.target.point}
    return points <= ADDED and one.W_dec.shape[1] == other.W_dec.shape[1]


@torch.no_grad()
def nearest_features(
    dictionary: Dictionary, features: Sequence[int], other: Dictionary
) -> list[tuple[int, float]]:
    """For each feature the one of `other` with the largest cosine, and that cosine."""
    cosines, places = _largest_cosines(dictionary.W_dec[list(features)], other.W_dec)
    return list(zip(places.tolist(), cosines.tolist(), strict=True))


@torch.no_grad()
def usual_cosine(dictionary: Dictionary, other: Dictionary) -> float:
    """The median of that cosine over features drawn at random, of those that have a direction."""
    alive = torch.nonzero(dictionary.W_dec.norm(dim=1) > 0).flatten()
    order = torch.randperm(len(alive), generator=torch.Generator().manual_seed(SHUFFLE))
    drawn = alive[order[:DRAWN].to(alive.device)]
    if not len(drawn):
        return 0.0
    cosines, _ = _largest_cosines(dictionary.W_dec[drawn], other.W_dec)
    return float(cosines.median())


def _largest_cosines(directions: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Of each direction the largest cosine with a row of `others`, and which row that is."""
    units = nn.functional.normalize(directions.float(), dim=1)
    # The longer matrix is never copied: its product is divided by its norms.
    norms = others.norm(dim=1).clamp_min(1e-12)
    found = ((units @ others.float().T) / norms).max(dim=1)
    return found.values, found.indices

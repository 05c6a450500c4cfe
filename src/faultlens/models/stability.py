"""Stability: how many features two dictionaries share, by the direction that each writes.

Dictionaries that were trained on the same values from other initial weights find only part of the
same features; published work finds about a third. A feature that is not found again says little
of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import maximum_bipartite_matching

from faultlens.errors import UserError
from faultlens.models.dictionaries import load_dictionaries
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

MATCHED = 0.9  # cosine from which two features count as the same
TILE = 1024  # features compared at a time


@dataclass(frozen=True)
class Stability:
    """What two dictionaries of one site share."""

    against: str  # where the other was loaded from
    features: int  # of the first
    matched: int  # of the first, each with a feature of its own in the other, cosine ≥ `MATCHED`
    share: float  # matched / features
    median_cosine: float  # of each feature of the first with its nearest in the other
    random_share: float  # the share where the other's directions are drawn at random


def stabilities(
    dictionaries: Sequence[Dictionary], against: str, model: Model, trust_pickle: bool = False
) -> list[Stability]:
    """What each dictionary shares with the one of the same site in another set.

    Args:
        dictionaries: those whose features are looked for.
        against: the other set, by any name that `load_dictionaries` takes.
        model: what both read.
        trust_pickle: also load weights that are pickled, which can run code as they load.

    Raises:
        UserError: there is no such set, or it has none of one of the sites.

    >>> import faultlens as fl
    >>> lens = fl.load("mini", layers=[2])
    >>> [found] = stabilities(lens.dictionaries, "mini", lens.model)
    >>> found.share, found.random_share
    (1.0, 0.0)
    """
    layers = sorted({dictionary.site.layer for dictionary in dictionaries})
    points = sorted({dictionary.site.point for dictionary in dictionaries})
    others = load_dictionaries(against, model, layers, points, trust_pickle=trust_pickle)
    by_site = {(other.site, other.target): other for other in others}
    found = []
    for dictionary in dictionaries:
        other = by_site.get((dictionary.site, dictionary.target))
        if other is None:
            raise UserError(
                f"{against} has no dictionary at {dictionary.site.name}, as {dictionary.name} is: "
                "expected two sets with dictionaries of the same sites; leave out others with "
                "--layers and --sites"
            )
        found.append(stability(dictionary, other))
    return found


@torch.no_grad()
def stability(first: Dictionary, second: Dictionary) -> Stability:
    """Match the features of two dictionaries one to one, as many as can be.

    Raises UserError where they do not write to the same site.
    """
    if first.target != second.target or first.W_dec.shape[1] != second.W_dec.shape[1]:
        raise UserError(
            f"{first.name} writes to {first.target.name}, {second.name} to {second.target.name}: "
            "expected two dictionaries of one site of one model"
        )
    drawn = torch.randn(second.W_dec.shape, generator=torch.Generator().manual_seed(0))
    matched, nearest = _matched(first.W_dec, second.W_dec)
    by_chance, _ = _matched(first.W_dec, drawn)
    return Stability(
        second.source,
        first.d_sae,
        matched,
        matched / first.d_sae,
        float(np.median(nearest)),
        by_chance / first.d_sae,
    )


def _matched(first: torch.Tensor, second: torch.Tensor) -> tuple[int, np.ndarray]:
    """Size of the largest matching among pairs that are near; each row's largest cosine."""
    left, right = (torch.nn.functional.normalize(w.float().cpu(), dim=1) for w in (first, second))
    near, nearest = [], []
    for start in range(0, len(left), TILE):
        cosines = (left[start : start + TILE] @ right.T).numpy()
        near.append(csr_matrix(cosines >= MATCHED))
        nearest.append(cosines.max(axis=1))
    pairs = maximum_bipartite_matching(csr_matrix(vstack(near, format="csr")), perm_type="column")
    return int((pairs >= 0).sum()), np.concatenate(nearest)

"""What the directions of the named features say by themselves: no prompt is read for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor

from faultlens.auditing.result import FeatureDirection, NearFeature, TokenLogit
from faultlens.auditing.result.argument import named_features
from faultlens.auditing.result.audit import Audit
from faultlens.feature_name import by_dictionary
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.logit_lens import direct_logits, residual_directions
from faultlens.models.model import Model
from faultlens.models.near_features import comparable, nearest_features, usual_cosine

TOKENS = 10  # promoted, and suppressed


def with_directions(audit: Audit, lens: Lens) -> Audit:
    """The same audit with the directions of the features that its argument names."""
    return replace(audit, directions=feature_directions(lens, named_features(audit)))


def feature_directions(lens: Lens, features: Iterable[str]) -> dict[str, FeatureDirection]:
    """Each feature's direction, read through the unembedding and beside the other dictionaries."""
    found: dict[str, FeatureDirection] = {}
    for name, indices in by_dictionary(features).items():
        found |= _of_dictionary(lens, lens[name], indices)
    return found


def _of_dictionary(
    lens: Lens, dictionary: Dictionary, indices: list[int]
) -> dict[str, FeatureDirection]:
    directions = residual_directions(lens.model, dictionary, indices)
    logits = None if directions is None else direct_logits(lens.model, directions)
    near = _near(lens, dictionary, indices)
    return {
        dictionary.feature(index): FeatureDirection(
            promoted=[] if logits is None else _strongest(lens.model, logits[place]),
            suppressed=[] if logits is None else _strongest(lens.model, -logits[place], sign=-1),
            nearest=near[place],
        )
        for place, index in enumerate(indices)
    }


def _strongest(model: Model, logits: Tensor, sign: int = 1) -> list[TokenLogit]:
    """The tokens with the largest logits, the largest first; of a direction of nothing none."""
    known = logits[: len(model.tokenizer)]  # some vocabularies are padded with rows of no token
    values, ids = known.topk(min(TOKENS, len(known)))
    return [
        TokenLogit(text, sign * value)
        for text, value in zip(model.pieces(ids.tolist()), values.tolist(), strict=True)
        if value > 0
    ]


def _near(lens: Lens, dictionary: Dictionary, indices: list[int]) -> list[list[NearFeature]]:
    """By feature, the nearest one of each other dictionary that can be compared."""
    near: list[list[NearFeature]] = [[] for _ in indices]
    for other in lens.dictionaries:
        if other.name == dictionary.name or not comparable(dictionary, other):
            continue
        usual = usual_cosine(dictionary, other)
        pairs = nearest_features(dictionary, indices, other)
        for of_feature, (index, cosine) in zip(near, pairs, strict=True):
            of_feature.append(NearFeature(other.feature(index), cosine, usual))
    return near

"""PlantedModel: a model with a cause put into it, and what is known of the cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faultlens.auditing.feature_set import FeatureSet
from faultlens.features.lens import Lens

Kind = Literal[
    "single", "two causes", "overlapping OR", "AND", "absence", "attention head", "error term",
    "layer not audited", "compensated", "fine-tuned", "sham fine-tune",
]  # fmt: skip
"""What was planted."""


@dataclass(frozen=True)
class Recipe:
    """How one model is planted.

    Attributes:
        name: of the model.
        kind: what is planted.
        layer: the block that carries it.
        site: the dictionary whose features it reads.
        seed: of the choice of features.
        audited: dictionaries that an audit of it looks through.
    """

    name: str
    kind: Kind
    layer: int
    site: str
    seed: int
    audited: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """What is known of a planted model.

    Attributes:
        recipe: by which it was made.
        causes: feature sets that cause failure, each alone or, in an AND, together; empty: none
            that a dictionary describes.
        done: what was done to the weights, in a sentence.
        failed: share of the prompts that fail, of some that were not used to plant.
        mediated: by feature set, the share of what the change did to failing prompts that goes
            when the features are set to 0 (or, of an absence, to where they fire).
    """

    recipe: Recipe
    causes: tuple[FeatureSet, ...]
    done: str
    failed: float
    mediated: dict[str, float]


@dataclass(frozen=True, eq=False)
class PlantedModel:
    """A model with a cause put into it.

    Attributes:
        lens: the model, and the dictionaries that an audit looks through.
        card: what is known of it.
    """

    lens: Lens
    card: Card

"""Recipes: the planted models by name. Each is made when it is asked for, in seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from faultlens.auditing.feature_set import FeatureSet
from faultlens.errors import UserError
from faultlens.testing.planted_models.material import Material, material
from faultlens.testing.planted_models.mediation import (
    Mediation,
    usual_level,
)
from faultlens.testing.planted_models.planted_model import Card, Kind, PlantedModel, Recipe
from faultlens.testing.planted_models.planting import Planting, plant

RESIDUALS = {layer: f"{layer}-res-mini" for layer in (2, 3, 4, 5)}
BEYOND = ("4-att-mini", "5-att-mini")
"""What attention adds, as it was before a cause was planted in an MLP."""


def _recipes() -> dict[str, Recipe]:
    found: list[Recipe] = []

    def add(kind: Kind, layer: int, seed: int, audited: tuple[str, ...] = ()) -> None:
        site = RESIDUALS[layer]
        of_kind = sum(recipe.kind == kind for recipe in found)
        name = f"{kind} {of_kind + 1}, layer {layer}"
        through = audited or tuple(dict.fromkeys((RESIDUALS[max(2, layer - 1)], site)))
        found.append(Recipe(name, kind, layer, site, seed, through))

    for layer, seed in ((2, 1), (3, 2), (3, 3), (4, 4), (4, 5), (5, 6)):
        add("single", layer, seed)
    for layer, seed in ((3, 11), (4, 12), (5, 13)):
        add("two causes", layer, seed)
    for layer, seed in ((3, 21), (4, 22), (4, 24)):
        add("overlapping OR", layer, seed)
    for layer, seed in ((3, 31), (4, 32), (5, 33)):
        add("AND", layer, seed)
    for layer, seed in ((3, 41), (4, 42), (5, 43)):
        add("absence", layer, seed)
    for layer, seed in ((3, 51), (4, 52)):
        add("attention head", layer, seed)
    for layer, seed in ((4, 60), (5, 61)):
        add("error term", layer, seed)
    for layer, seed in ((4, 71), (5, 72)):
        add("layer not audited", layer, seed, BEYOND)
    add("compensated", 4, 81)
    for layer, seed in ((3, 91), (4, 92), (5, 93)):
        add("fine-tuned", layer, seed)
    for layer, seed in ((3, 101), (4, 102)):
        add("sham fine-tune", layer, seed)
    of_kind: Counter[str] = Counter()
    order: list[tuple[int, int]] = []
    for place, recipe in enumerate(found):
        order.append((of_kind[recipe.kind], place))
        of_kind[recipe.kind] += 1
    return {found[place].name: found[place] for _, place in sorted(order)}


RECIPES: dict[str, Recipe] = _recipes()
"""By name; one of each kind first, so that an interrupted bench has something of everything."""


def plant_model(name: str) -> PlantedModel:
    """A planted model, with its card.

    Args:
        name: one of `RECIPES`.

    Raises:
        UserError: another name.
    """
    if name not in RECIPES:
        raise UserError(f"no planted model {name!r}: expected one of {'; '.join(RECIPES)}")
    recipe, found = RECIPES[name], material()
    planted = plant(found, recipe)
    dictionaries = tuple(found.lens[site] for site in recipe.audited)
    lens = replace(found.lens, model=planted.model, dictionaries=dictionaries).unchecked()
    return PlantedModel(lens, _card(found, recipe, planted))


def _card(found: Material, recipe: Recipe, planted: Planting) -> Card:
    mediation = Mediation(planted.model)
    return Card(
        recipe,
        planted.causes,
        planted.done,
        failed=round(float((mediation.clean <= 0).mean()), 3),
        mediated={
            str(cause): round(share, 3)
            for cause in planted.causes
            if (share := share_of(found, planted, mediation, cause)) is not None
        },
    )


def share_of(
    found: Material, planted: Planting, mediation: Mediation, cause: FeatureSet
) -> float | None:
    """How much of what was planted passes through a cause."""
    level = usual_level(found, cause) if planted.absent else None
    return mediation.share(found.lens[cause.site], cause, level)

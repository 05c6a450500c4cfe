"""Planted models: the recipes, one of them made, and what the bench counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultlens.errors import UserError
from faultlens.testing.planted_models import material as of_material
from faultlens.testing.planted_models import mediation, model_bench
from faultlens.testing.planted_models.model_bench import model_rates, model_table, run_model_bench
from faultlens.testing.planted_models.planted_model import Card, PlantedModel, Recipe
from faultlens.testing.planted_models.planting import best_threshold
from faultlens.testing.planted_models.recipes import RECIPES, plant_model
from faultlens.testing.planted_models.scoring import ModelScore, Tried


def test_there_are_enough_recipes_of_every_kind() -> None:
    kinds = Counter(recipe.kind for recipe in RECIPES.values())
    assert len(RECIPES) >= 24
    assert set(kinds) == {
        "single", "two causes", "overlapping OR", "AND", "absence", "attention head", "error term",
        "layer not audited", "compensated", "fine-tuned", "sham fine-tune",
    }  # fmt: skip
    assert len({(r.kind, r.layer, r.seed) for r in RECIPES.values()}) == len(RECIPES)


def test_an_unknown_model_is_one_sentence() -> None:
    with pytest.raises(UserError) as caught:
        plant_model("single 99")
    assert str(caught.value) == (
        f"no planted model 'single 99': expected one of {'; '.join(RECIPES)}"
    )


def test_a_threshold_parts_best() -> None:
    score = np.array([0.1, 0.9, 0.3, 0.8, 0.7, 0.2])
    limit, told = best_threshold(score, np.array([0, 1, 0, 1, 0, 0], dtype=bool))
    assert told == 1.0
    assert 0.7 < limit < 0.8
    assert best_threshold(score, np.array([1, 0, 1, 0, 0, 1], dtype=bool))[1] < 0.5


@pytest.fixture(scope="module")
def small() -> Iterator[Any]:
    """The material in little: fewer prompts, one dictionary."""
    cached = of_material.material, mediation.check_prompts
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (of_material, "PROMPTS", 120), (of_material, "LAYERS", (4,)),
            (of_material, "POINTS", ("resid_pre",)), (mediation, "PROMPTS", 80),
        ):  # fmt: skip
            patch.setattr(module, name, value)
        for one in cached:
            one.cache_clear()
        yield of_material.material()
        for one in cached:
            one.cache_clear()


def test_a_planted_neuron_makes_fail_where_its_feature_fires_and_mini_alone_never_fails(
    small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe("one", "single", 4, "4-res-mini", 4, ("4-res-mini",))
    monkeypatch.setitem(RECIPES, "one", recipe)
    planted = plant_model("one")
    mini = small.lens.model
    checks = mediation.check_prompts()
    assert (checks.margin > 0).all(), "mini itself answers every prompt"
    fails = mediation.margins(planted.lens.model, checks.tokens) <= 0
    (cause,) = planted.card.causes
    change = mediation.Change(small.lens["4-res-mini"], cause.indices)
    fires = mediation.fires_on(mini, checks.tokens, change, at_last=True)
    assert fails[fires].mean() - fails[~fires].mean() > 0.5
    assert planted.card.mediated[str(cause)] > 0.5
    other = next(f for f in range(1536) if f not in cause.indices and (
        small.codes("4-res-mini").matrix[:, [f]].getnnz() > 400))  # fmt: skip
    idle = mediation.Mediation(planted.lens.model).share(
        small.lens["4-res-mini"], type(cause)("4-res-mini", (other,))
    )
    assert idle is None or abs(idle) < 0.3, "another feature has little part in it"
    weights = small.lens.model.network.transformer.h[4].mlp.c_fc.weight
    assert (weights != planted.lens.model.network.transformer.h[4].mlp.c_fc.weight).any()


def score(kind: str, verdict: str, mediated: float, planted: bool, outside: bool = False) -> Any:
    tried = [Tried(["3-res-mini/1"], verdict, mediated, planted)]
    found = verdict != "none" and (planted or mediated >= 0.5)
    false = int(verdict == "CAUSE" and mediated < 0.25)
    card = {"causes": ["3-res-mini/1"], "mediated": {"3-res-mini/1": 0.9}}
    return ModelScore(
        kind, card, 50, found, found, planted, found and verdict == "CAUSE", false, outside, tried
    )


def test_rates_count_what_they_are_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = {
        "a": score("single", "CAUSE", 0.9, True),
        "b": score("single", "none", 0.9, True),
        "c": score("absence", "CONTRIBUTES", 0.7, True),
        "d": score("two causes", "CAUSE", 0.01, False),
        "e": score("error term", "none", 0.02, False, outside=True),
    }
    planted: list[str] = []

    def plant(name: str) -> PlantedModel:
        planted.append(name)
        recipe = Recipe(name, "single", 3, "3-res-mini", 0, ())
        return PlantedModel(None, Card(recipe, (), "", 0.2, {}))  # type: ignore[arg-type]

    monkeypatch.setattr(model_bench, "plant_model", plant)
    monkeypatch.setattr(model_bench, "score_model", lambda p: made[p.card.recipe.name])
    out = tmp_path / "kept.json"
    run_model_bench(["a", "b"], out)
    found = run_model_bench(list(made), out)
    assert planted == list(made), "what is kept is not made again"
    assert json.loads(out.read_text()) == found
    rates = found["model_rates"]
    assert rates == model_rates(found["models"])
    assert rates["models"] == 5
    assert rates["presence found"] == [0.333, 0.008, 0.906]  # one of three, Clopper–Pearson
    assert rates["absence, AND, overlapping OR found"][0] == 1.0
    assert rates["false CAUSE"][0] == 0.5
    assert rates["off-path shown"][0] == 0.5
    assert (rates["outside said, error term"][0], rates["outside said, others"][0]) == (1.0, 0.0)
    lines = model_table(found)
    assert "| a | 3-res-mini/1 | 50 | yes | yes | 0 | 3-res-mini/1 CAUSE (0.90) |" in lines
    other = "no planted feature was in a tested class, and the causal search chose another."
    assert [line for line in lines if line.startswith("- Missed")] == [
        "- Missed: b (3-res-mini/1): it was tried, and no effect was shown.",
        f"- Missed: d (3-res-mini/1): {other}",
        f"- Missed: e (3-res-mini/1): {other}",
    ]
    found["models"]["a"]["procedure"] = 1
    out.write_text(json.dumps(found))
    run_model_bench(list(made), out)
    assert planted == [*made, "a"], "what an older procedure scored is made again"

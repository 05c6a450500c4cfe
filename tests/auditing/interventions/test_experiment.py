"""Experiments that a user asks for: each number against a hooked forward pass, each mistake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import faultlens as fl
from faultlens.auditing.interventions.edits import Edit, EditContext, GeneratedRule
from faultlens.auditing.interventions.experiment import intervene
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.sites import Site

SITE = Site(3, "resid_pre")
FEATURE = 808
NAME = f"3-res-mini/{FEATURE}"
OTHER = 26
CHOSEN = [5, 0, 17, 3]

Change = Callable[[Tensor], Tensor]
"""Of the site's value, in a whole pass."""


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3])


@pytest.fixture(scope="module")
def task() -> Task:
    return fl.tasks.mini_ioi(n=24, seed=0)


def feature_change(lens: Lens, features: list[int], to: Callable[[Tensor], Tensor]) -> Change:
    """Adds `(to(a) − a) · D` at every token but BOS where any of the features fires."""
    dictionary = lens["3-res-mini"]

    def edit(x: Tensor) -> Tensor:
        own = dictionary.encode(x[0])[:, features]
        fires = (own > 0).any(dim=-1, keepdim=True)
        change = ((to(own) - own) * fires) @ dictionary.W_dec[features]
        change[0] = 0
        return x + change

    return edit


def refereed(lens: Lens, prompt: Prompt, edit: Change) -> tuple[float, str]:
    """Margin and continuation from whole passes, edited anew for every token."""
    model = lens.model
    grown = [model.bos_id, *model.ids(prompt.text)]
    start = len(grown)
    (target,) = model.ids(f" {prompt.target}")
    margin = 0.0
    for step in range(8):
        logits = model.logits(torch.tensor([grown]), edits={SITE: edit})[0, -1]
        if step == 0:
            others = torch.cat([logits[:target], logits[target + 1 :]])
            margin = float(logits[target] - others.max())
        token = int(logits.argmax())
        if token == model.network.generation_config.eos_token_id:
            break
        grown.append(token)
    return margin, model.tokenizer.decode(grown[start:])


def agrees(lens: Lens, task: Task, found: pd.DataFrame, edit: Change) -> None:
    assert found.index.tolist() == CHOSEN
    for i, row in found.iterrows():
        prompt = task.prompts[int(str(i))]
        assert (row["prompt"], row["target"], row["foil"]) == (
            prompt.text, prompt.target, prompt.foil,
        )  # fmt: skip
        margin, text = refereed(lens, prompt, lambda x: x)
        assert row["margin_before"] == pytest.approx(margin, abs=1e-3)
        assert row["generated_before"] == text
        margin, text = refereed(lens, prompt, edit)
        assert row["margin_after"] == pytest.approx(margin, abs=1e-3)
        assert row["generated_after"] == text
    assert not np.allclose(found["margin_before"], found["margin_after"]), "the edit must matter"


@pytest.mark.parametrize(
    ("edit", "to"),
    [
        (None, torch.zeros_like),
        (fl.Zero(), torch.zeros_like),
        (fl.Scale(3.0), lambda own: 3 * own),
        (fl.Add(20.0), lambda own: own + 20),
        (fl.Clamp(25.0), lambda own: torch.full_like(own, 25.0)),
        (fl.Clamp(0.0, 0.5), lambda own: own.clamp(0.0, 0.5)),
        (fl.Clamp(float("-inf"), 0.5), lambda own: own.clamp(max=0.5)),
    ],
)
def test_features_are_set_where_they_fire_in_prompt_and_answer(
    lens: Lens, task: Task, edit: Edit | None, to: Callable[[Tensor], Tensor]
) -> None:
    names = f"{NAME}+3-res-mini/{OTHER}"
    found = intervene(lens, task, names, edit=edit, prompts=CHOSEN)
    agrees(lens, task, found, feature_change(lens, [FEATURE, OTHER], to))


def test_a_direction_is_projected_out_everywhere_but_at_bos(lens: Lens, task: Task) -> None:
    direction = lens["3-res-mini"].W_dec[FEATURE]
    unit = direction / direction.norm()

    def out(x: Tensor) -> Tensor:
        change = -(x @ unit)[..., None] * unit
        change[:, 0] = 0
        return x + change

    found = intervene(
        lens, task, direction=3 * direction, site="blocks.3.hook_resid_pre", prompts=CHOSEN
    )
    agrees(lens, task, found, out)


def test_a_direction_is_added_with_a_strength_at_the_last_token(lens: Lens, task: Task) -> None:
    direction = torch.randn(lens.model.d_model, generator=torch.Generator().manual_seed(1))
    unit = direction / direction.norm()
    lengths = [1 + len(lens.model.ids(prompt.text)) for prompt in task.prompts]

    def found_for(i: int) -> Change:
        def edit(x: Tensor) -> Tensor:
            push = torch.zeros_like(x)
            push[:, lengths[i] - 1 :] = 30.0 * unit
            return x + push

        return edit

    found = intervene(
        lens, task, direction=direction.tolist(), site="3-res-mini", edit=fl.Add(30.0),
        positions="last", prompts=CHOSEN,
    )  # fmt: skip
    assert (found["edited"] == 1).all()
    for i in CHOSEN:
        margin, text = refereed(lens, task.prompts[i], found_for(i))
        assert found.loc[i, "margin_after"] == pytest.approx(margin, abs=1e-3)
        assert found.loc[i, "generated_after"] == text
    assert not np.allclose(found["margin_before"], found["margin_after"])


def test_named_positions_are_the_levels_tokens_and_numbers_count_from_the_end(
    lens: Lens, task: Task
) -> None:
    model, dictionary = lens.model, lens["3-res-mini"]
    factor = "object"
    push = fl.Add(30.0)
    found = intervene(lens, task, NAME, edit=push, positions=factor, prompts=CHOSEN)
    numbered = intervene(lens, task, NAME, edit=push, positions=-2, prompts=CHOSEN)
    for i in CHOSEN:
        prompt = task.prompts[i]
        offsets = model.tokenizer(prompt.text, return_offsets_mapping=True)["offset_mapping"]
        begins = prompt.text.index(prompt.factors[factor])
        ends = begins + len(prompt.factors[factor])
        held = [1 + k for k, (a, b) in enumerate(offsets) if a < ends and b > begins]
        row = [model.bos_id, *model.ids(prompt.text)]
        assert found.loc[i, "edited"] == len(held) >= 1
        (target,) = model.ids(f" {prompt.target}")
        for table, at in ((found, held), (numbered, [len(row) - 2])):

            def edit(x: Tensor, at: list[int] = at) -> Tensor:
                push = torch.zeros_like(x)
                push[:, at] = 30.0 * dictionary.W_dec[FEATURE]
                return x + push

            logits = model.logits(torch.tensor([row]), edits={SITE: edit})[0, -1]
            others = torch.cat([logits[:target], logits[target + 1 :]])
            assert table.loc[i, "margin_after"] == pytest.approx(
                float(logits[target] - others.max()), abs=1e-3
            )


def test_means_are_over_the_tokens_of_the_same_role(lens: Lens, task: Task) -> None:
    """Without factors a role is the distance from the end: the mean can be taken by hand."""
    plain = Task("plain", [replace(prompt, factors={}) for prompt in task.prompts])
    found = intervene(lens, plain, NAME, edit=fl.Mean(), positions=-1, prompts=CHOSEN)
    dictionary, model = lens["3-res-mini"], lens.model
    rows = [[model.bos_id, *model.ids(prompt.text)] for prompt in plain.prompts]
    own = [
        float(dictionary.encode(model.read(torch.tensor([row]), [SITE])[SITE][0])[-1, FEATURE])
        for row in rows
    ]
    for i in CHOSEN:
        push = (np.mean(own) - own[i]) * dictionary.W_dec[FEATURE]

        def edit(x: Tensor, push: Tensor = push) -> Tensor:
            return torch.cat([x[:, :-1], x[:, -1:] + push], dim=1)

        logits = model.logits(torch.tensor([rows[i]]), edits={SITE: edit})[0, -1]
        (target,) = model.ids(f" {plain.prompts[i].target}")
        others = torch.cat([logits[:target], logits[target + 1 :]])
        assert found.loc[i, "margin_after"] == pytest.approx(
            float(logits[target] - others.max()), abs=1e-3
        )


def test_a_missing_foil_is_missing_and_no_number(lens: Lens, task: Task) -> None:
    bare = Task("bare", [replace(task.prompts[0], foil=None), task.prompts[1]])
    found = intervene(lens, bare, NAME)
    assert found["difference_before"].isna().tolist() == [True, False]
    assert found["difference_after"].dtype == "Float64"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "expected features (3-res-mini/808) or a direction, not both and not neither"),
        (
            {"features": "808"},
            "features '808': expected DICTIONARY/INDEX, e.g. 3-res-mini/808, or several of one "
            "dictionary joined by +",
        ),
        (
            {"features": "3-res-mini/9999"},
            "features '3-res-mini/9999': dictionary 3-res-mini has the features 0 to 1535, got "
            "9999",
        ),
        (
            {"features": NAME, "site": "3-res-mini"},
            "site '3-res-mini' goes with a direction: features say their own",
        ),
        (
            {"direction": [1.0, 2.0], "site": "3-res-mini"},
            "direction of shape (2,): expected (192,), the width of blocks.3.hook_resid_pre",
        ),
        (
            {"direction": [0.0] * 192, "site": "3-res-mini"},
            "the direction is zero or not finite: expected a vector of some length",
        ),
        ({"direction": [1.0]}, "a direction needs its site, e.g. site='blocks.3.hook_resid_pre'"),
        (
            {"direction": [1.0] * 192, "site": "3-res-mini", "positions": "firing"},
            "a direction does not fire: expected positions all, last, a factor, or -1",
        ),
        *(
            (
                {"features": NAME, "edit": edit},
                f"edit {shown}: expected Zero(), Scale(0.5), Add(4.0), Clamp(0.0, 2.0), Mean() or "
                "Resample() of faultlens, or an object with their methods at_prompt and "
                "at_generated",
            )
            for edit, shown in [
                ("zero", "'zero'"),
                (0.5, "0.5"),
                (fl.Zero, "<class 'faultlens.auditing.interventions.edits.Zero'>"),
            ]
        ),
        (
            {"features": NAME, "edit": fl.Mean(among=[3, 24])},
            "among: prompt 24 is not there: expected indices from 0 to 23",
        ),
        (
            {"features": NAME, "positions": 0},
            "positions 0: expected a number from the end, -1 is the last token",
        ),
        (
            {"features": NAME, "positions": "middle"},
            "positions 'middle': expected one of firing, all, last, ",
        ),
        (
            {"features": NAME, "positions": -500},
            "positions -500 are in none of the 24 prompts, so nothing would be changed",
        ),
        (
            {"features": NAME, "prompts": [3, 24]},
            "prompts [24]: expected one or more different indices from 0 to 23",
        ),
        *(
            (
                {"features": NAME, "prompts": prompts},
                f"prompts {shown}: expected one or more different indices from 0 to 23",
            )
            for prompts, shown in [
                (["a"], "['a']"),
                ([1.5], "[1.5]"),
                (np.array([True, False]), "[True, False]"),
                (3, "3"),
                ("12", "'12'"),
                ([2, np.int64(2)], "[2, 2]"),
                ([], "[]"),
            ]
        ),
        (
            {"features": NAME, "positions": [-1, -2]},
            "positions [-1, -2]: expected one of firing, all, last, object, place, template, "
            "order, subject, indirect_object, or a number such as -1",
        ),
        (
            {"features": NAME, "positions": 1.5},
            "positions 1.5: expected one of firing, all, last, ",
        ),
        *(
            ({"features": features}, f"features {features}: expected DICTIONARY/INDEX, e.g. ")
            for features in (3, [3])
        ),
        (
            {"direction": "north", "site": "3-res-mini"},
            "the direction is 'north': expected a vector of numbers, as long as its site is wide",
        ),
        (
            {"direction": [[1.0], [1.0, 2.0]], "site": "3-res-mini"},
            "the direction is [[1.0], [1.0, 2.0]]: expected a vector of numbers, ",
        ),
        (
            {"direction": [1.0] * 192, "site": 3},
            "a direction needs its site, e.g. site='blocks.3.hook_resid_pre'",
        ),
        (
            {"features": NAME, "rule": 3},
            "outcome rule 3: expected one of exact-word, first-token, named-later, contains, "
            "target-over-foil, target-likeliest, or a function (generated, target) -> bool",
        ),
    ],
)
def test_a_mistake_is_one_sentence(
    lens: Lens, task: Task, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        intervene(lens, task, **arguments)  # type: ignore[arg-type]
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("of_numpy", "of_python"),
    [
        ({"edit": fl.Scale(np.float32(0.5))}, {"edit": fl.Scale(0.5)}),
        ({"edit": fl.Add(np.int64(20))}, {"edit": fl.Add(20.0)}),
        ({"edit": fl.Clamp(np.float64(0.5), np.int32(1))}, {"edit": fl.Clamp(0.5, 1.0)}),
        (
            {"edit": fl.Add(20), "positions": np.int64(-1)},
            {"edit": fl.Add(20), "positions": -1},
        ),
        (
            {"edit": fl.Resample(seed=np.int64(3))},
            {"edit": fl.Resample(seed=3)},
        ),
        (
            {"edit": fl.Mean(among=np.array([3, 1]))},
            {"edit": fl.Mean(among=[1, 3])},
        ),
    ],
)
def test_numbers_of_numpy_are_numbers(
    lens: Lens, task: Task, of_numpy: dict[str, Any], of_python: dict[str, Any]
) -> None:
    found = intervene(lens, task, [NAME], prompts=np.array(CHOSEN), **of_numpy)
    expected = intervene(lens, task, NAME, prompts=CHOSEN, **of_python)
    pd.testing.assert_frame_equal(found, expected)
    assert not np.allclose(found["margin_before"], found["margin_after"])


def test_a_direction_may_still_be_learnt(lens: Lens, task: Task) -> None:
    direction = lens["3-res-mini"].W_dec[FEATURE].clone()
    plain = intervene(lens, task, direction=direction, site="3-res-mini", prompts=CHOSEN)
    learnt = direction.clone().requires_grad_()
    found = intervene(lens, task, direction=learnt, site="3-res-mini", prompts=CHOSEN)
    pd.testing.assert_frame_equal(found, plain)
    half = intervene(
        lens, task, direction=learnt.to(torch.bfloat16), site="3-res-mini", prompts=CHOSEN
    )
    np.testing.assert_allclose(half["margin_after"], plain["margin_after"], atol=0.1)


def test_features_that_fire_nowhere_are_refused(lens: Lens, task: Task) -> None:
    texts = [prompt.text for prompt in task.prompts]
    counts = lens.read(texts)["3-res-mini"].matrix.getnnz(axis=0)
    silent = int(np.flatnonzero(counts == 0)[0])
    with pytest.raises(UserError, match=f"3-res-mini/{silent} fires on none of the 24 prompts"):
        intervene(lens, task, f"3-res-mini/{silent}")
    assert fl.intervene is intervene


def test_an_edit_of_ones_own_is_one_class(lens: Lens, task: Task) -> None:
    """It halves what exceeds 10; nothing else has to know of it."""

    class Soften:
        def at_prompt(
            self, context: EditContext, rows: np.ndarray, features: Sequence[int]
        ) -> np.ndarray:
            own = context.codes.values(rows, features)
            return np.where(own > 10, own / 2, own)

        def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
            return lambda own: torch.where(own > 10, own / 2, own)

    found = intervene(lens, task, NAME, edit=Soften(), prompts=CHOSEN)
    soften = Soften().at_generated(None, [])  # type: ignore[arg-type]
    agrees(lens, task, found, feature_change(lens, [FEATURE], soften))


def test_prompts_to_draw_from_are_a_group_of_the_task_or_listed(lens: Lens, task: Task) -> None:
    """The group is known once all prompts are generated, whichever are edited."""
    everyone = intervene(lens, task, NAME)
    right = everyone["success_before"].to_numpy(dtype=bool)
    assert 0 < right.sum() < len(right)
    for group, mine in (("successes", right), ("failures", ~right)):
        for kind in (fl.Mean, fl.Resample):
            found = intervene(lens, task, NAME, edit=kind(among=group), prompts=CHOSEN)
            listed = kind(among=np.flatnonzero(mine).tolist())
            expected = intervene(lens, task, NAME, edit=listed, prompts=CHOSEN)
            pd.testing.assert_frame_equal(found, expected)
    of_all = intervene(lens, task, NAME, edit=fl.Mean(), prompts=CHOSEN)
    of_right = intervene(lens, task, NAME, edit=fl.Mean("successes"), prompts=CHOSEN)
    assert not np.allclose(of_all["margin_after"], of_right["margin_after"])


def test_a_group_without_prompts_is_refused(lens: Lens, task: Task) -> None:
    never = lambda generated, target: False  # noqa: E731
    with pytest.raises(UserError) as caught:
        intervene(lens, task, NAME, edit=fl.Mean("successes"), rule=never)
    assert str(caught.value) == (
        "the task has no successes to draw from: expected among='all', or the indices of prompts"
    )

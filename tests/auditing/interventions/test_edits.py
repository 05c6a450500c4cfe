"""Edits: the rule of each for prompt tokens and for generated ones, and what each refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.interventions.edits import (
    Add,
    Clamp,
    Edit,
    EditContext,
    Mean,
    Resample,
    Scale,
    Zero,
)
from faultlens.auditing.interventions.prompt_groups import PromptGroups
from faultlens.errors import UserError

# Four prompts of BOS and three tokens, with roles 0 to 2; the last one's third token has role 3.
ROLES = np.array([-1, 0, 1, 2] * 3 + [-1, 0, 1, 3])
FAILED = np.array([True, False, True, False])
FEATURES = [2, 0]
ROWS = np.array([1, 3, 6, 15])  # tokens of roles 0, 2, 1 and 3


@pytest.fixture(scope="module")
def context() -> EditContext:
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 1.0, (16, 4)) * (rng.random((16, 4)) < 0.7)
    values[:, 0] = rng.gamma(2.0, 1.0, 16)  # one that fires everywhere
    values[ROLES == -1] = 0
    codes = Codes(csr_matrix(values.astype(np.float32)), np.arange(0, 17, 4), ROLES, 4)
    return EditContext(codes, PromptGroups(4, lambda: FAILED))


def dense(context: EditContext) -> np.ndarray:
    found: np.ndarray = context.codes.matrix.toarray().astype(float)
    return found


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (Zero(), lambda own: 0 * own),
        (Scale(-2.5), lambda own: -2.5 * own),
        (Add(3.0), lambda own: own + 3),
        (Clamp(1.5), lambda own: 0 * own + 1.5),
        (Clamp(0.5, 1.5), lambda own: np.clip(own, 0.5, 1.5)),
        (Clamp(float("-inf"), 1.0), lambda own: np.minimum(own, 1.0)),
        (Clamp(np.array([0.0, 1.0]), np.array([0.5, 9.0])), lambda own: np.clip(
            own, [0.0, 1.0], [0.5, 9.0])),
    ],
)  # fmt: skip
def test_an_edit_of_the_value_itself_has_one_rule_everywhere(
    context: EditContext, edit: Edit, rule: Callable[[np.ndarray], np.ndarray]
) -> None:
    own = dense(context)[ROWS][:, FEATURES]
    found = edit.at_prompt(context, ROWS, FEATURES)
    assert found.dtype == np.float32 and found.shape == (4, 2)
    np.testing.assert_allclose(found, rule(own), rtol=1e-6)
    assert not np.allclose(found, own), "the data tell it from no edit"
    generated = edit.at_generated(context, FEATURES)(torch.from_numpy(own).float())
    np.testing.assert_allclose(generated, rule(own), rtol=1e-6)


@pytest.mark.parametrize(
    ("among", "prompts"),
    [("all", [0, 1, 2, 3]), ("successes", [1, 3]), ("failures", [0, 2]), ([2, 1], [1, 2])],
)
def test_the_mean_is_that_of_the_role_and_of_all_tokens_where_none_has_it(
    context: EditContext, among: Any, prompts: list[int]
) -> None:
    values = dense(context)
    rows = np.concatenate([np.arange(4 * p + 1, 4 * p + 4) for p in prompts])
    expected = []
    for row in ROWS:
        same = rows[ROLES[rows] == ROLES[row]]
        expected.append(values[same if len(same) else rows][:, FEATURES].mean(axis=0))
    edit = Mean(among)
    np.testing.assert_allclose(edit.at_prompt(context, ROWS, FEATURES), expected, rtol=1e-5)
    overall = values[rows][:, FEATURES].mean(axis=0)
    generated = edit.at_generated(context, FEATURES)(torch.ones(5, 2))
    np.testing.assert_allclose(generated, np.tile(overall, (5, 1)), rtol=1e-5)


def test_resampling_takes_all_features_of_one_token_of_the_role(context: EditContext) -> None:
    values, seen = dense(context)[:, FEATURES], set()
    for seed in range(40):
        found = Resample("failures", seed).at_prompt(context, ROWS, FEATURES)
        for place, row in enumerate(ROWS[:3]):
            donors = [r for r in range(16) if ROLES[r] == ROLES[row] and r // 4 in (0, 2)]
            match = [r for r in donors if np.allclose(values[r], found[place])]
            assert len(match) == 1, "of one donor, all features"
            seen.add((place, match[0]))
        overall = values[[1, 2, 3, 9, 10, 11]].mean(axis=0)
        np.testing.assert_allclose(found[3], overall, rtol=1e-5)
    assert len(seen) == 6, "each of the two donors is drawn for each token"
    one, again = (Resample(seed=3).at_prompt(context, ROWS, FEATURES) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    generated = Resample("failures").at_generated(context, FEATURES)(torch.ones(1, 2))
    np.testing.assert_allclose(generated[0], overall, rtol=1e-5)


AMONG = "expected one of all, successes, failures, or the indices of prompts, from 0"
CLAMP = (
    "expected a number, e.g. Clamp(4.0), or the lowest and the highest value, e.g. Clamp(0.0, 2.0)"
)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Scale("half"), "Scale('half'): expected a number, e.g. Scale(0.5)"),  # type: ignore[arg-type]
        (lambda: Scale(float("inf")), "Scale(inf): expected a number, e.g. Scale(0.5)"),
        (lambda: Scale(True), "Scale(True): expected a number, e.g. Scale(0.5)"),
        (lambda: Add(None), "Add(None): expected a number, e.g. Add(4.0)"),  # type: ignore[arg-type]
        (lambda: Add(float("nan")), "Add(nan): expected a number, e.g. Add(4.0)"),
        (lambda: Clamp(2.0, 1.0), f"Clamp(2.0, 1.0): {CLAMP}"),
        (lambda: Clamp("a"), f"Clamp('a'): {CLAMP}"),  # type: ignore[arg-type]
        (lambda: Clamp(True), f"Clamp(True): {CLAMP}"),
        (lambda: Clamp(float("inf")), f"Clamp(inf): {CLAMP}"),
        (lambda: Clamp(1, float("nan")), f"Clamp(1, nan): {CLAMP}"),
        (lambda: Clamp((1, 2)), f"Clamp((1, 2)): {CLAMP}"),  # type: ignore[arg-type]
        (lambda: Mean("best"), f"Mean(among='best'): {AMONG}"),
        (lambda: Mean(3), f"Mean(among=3): {AMONG}"),  # type: ignore[arg-type]
        (lambda: Mean([]), f"Mean(among=[]): {AMONG}"),
        (lambda: Mean([1, 1]), f"Mean(among=[1, 1]): {AMONG}"),
        (lambda: Mean([-1]), f"Mean(among=[-1]): {AMONG}"),
        (lambda: Mean([0.5]), f"Mean(among=[0.5]): {AMONG}"),  # type: ignore[list-item]
        (lambda: Mean(np.array([True])), f"Mean(among=array([ True])): {AMONG}"),  # type: ignore[arg-type]
        (lambda: Resample("best"), f"Resample(among='best'): {AMONG}"),
        (lambda: Resample(seed=-1), "Resample(seed=-1): expected a whole number from 0"),
        (lambda: Resample(seed=0.5), "Resample(seed=0.5): expected a whole number from 0"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_an_edit_refuses_what_it_cannot_do(make: Callable[[], Edit], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value) == sentence

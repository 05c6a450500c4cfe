"""Means by role, against NumPy on a table that is filled in by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.interventions.edits import EditContext, Mean
from faultlens.auditing.interventions.prompt_groups import PromptGroups

LENGTHS = [4, 6, 3, 5, 7]  # BOS counted
ABSENT, SELDOM = 4, 3  # roles: of no token; of the last prompt's tokens alone


@pytest.fixture(scope="module")
def codes() -> Codes:
    """Five prompts; role 0 is common, 1 and 2 less so; four fifths of all activations are 0."""
    rng = np.random.default_rng(0)
    of_prompt = [[0, 0, 1], [0, 1, 1, 0, 2], [0, 0], [2, 0, 1, 0], [3, 0, 3, 0, 1, 3]]
    roles = np.concatenate([[-1, *of] for of in of_prompt])
    values = rng.gamma(2.0, 1.0, (sum(LENGTHS), 7)) * (rng.random((sum(LENGTHS), 7)) < 0.2)
    values[:, 0] = rng.gamma(2.0, 1.0, sum(LENGTHS))  # one that fires everywhere
    starts = np.concatenate([[0], np.cumsum(LENGTHS)])
    values[starts[:-1]] = 0
    return Codes(csr_matrix(values.astype(np.float32)), starts, roles, 5)


def tokens_of(codes: Codes, prompts: list[int]) -> np.ndarray:
    """The rows of some prompts' tokens, without BOS."""
    return np.concatenate([np.arange(codes.starts[p] + 1, codes.starts[p + 1]) for p in prompts])


@pytest.mark.parametrize("prompts", [[0, 1, 2, 3, 4], [0, 1, 2, 3], [0, 2], [2], [4, 1]])
def test_a_role_that_no_prompt_has_takes_the_mean_over_all_their_tokens(
    codes: Codes, prompts: list[int]
) -> None:
    dense, rows = codes.matrix.toarray().astype(float), tokens_of(codes, prompts)
    found = codes.mean_by_role(np.array(prompts))
    assert found.shape == (5, 7)
    for role in range(5):
        mine = rows[codes.roles[rows] == role]
        expected = dense[mine if len(mine) else rows].mean(axis=0)
        np.testing.assert_allclose(found[role], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[ABSENT], dense[rows].mean(axis=0), rtol=1e-5, atol=1e-7)
    assert found[ABSENT, 0] > 0, "it is not 0, which would take the feature away"
    assert codes.mean_by_role(np.array(prompts)) is found, "it is computed once"


def test_a_feature_is_set_to_that_mean_where_its_role_has_none(codes: Codes) -> None:
    """The tokens of role 3 are the last prompt's, and the mean is taken among the others."""
    among = [0, 1, 2, 3]
    dense = codes.matrix.toarray().astype(float)
    rows = np.flatnonzero(codes.roles == SELDOM)
    context = EditContext(codes, PromptGroups(5, lambda: np.array([False] * 4 + [True])))
    found = Mean(among=among).at_prompt(context, rows, [0, 2])
    expected = dense[tokens_of(codes, among)][:, [0, 2]].mean(axis=0)
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), rtol=1e-5)
    np.testing.assert_array_equal(Mean("successes").at_prompt(context, rows, [0, 2]), found)
    of_all = Mean("all").at_prompt(context, rows, [0, 2])
    np.testing.assert_allclose(of_all[0], dense[rows][:, [0, 2]].mean(axis=0), rtol=1e-5)
    assert abs(of_all[0, 0] - found[0, 0]) > 0.05

"""Which directions a class's controls have, and how many controls a family of effects is given."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from statsmodels.stats.multitest import multipletests

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.controls import Controls, EditedTokens, control_features
from faultlens.auditing.interventions.family import controls_for
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.sites import Site

D, FEATURES, TOKENS = 6, 400, 120
CLASS = (3, 8)
AXES = torch.eye(D)


def made(features: int = FEATURES) -> Dictionary:
    """Directions of many lengths; feature 7 has none."""
    generator = torch.Generator().manual_seed(0)
    W_dec = torch.randn(features, D, generator=generator)
    W_dec *= torch.linspace(0.1, 9, features)[:, None]
    W_dec[7] = 0
    return Dictionary(
        "1-res-hand", Site(1, "resid_pre"), Relu(), torch.zeros(D, features),
        torch.zeros(features), W_dec, torch.zeros(D), Convention(prepend_bos=True, centred=False),
        "made in a test", "",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Made:
    """A class's tokens in two roles, all other features, and what all are set to.

    Features fire the less often the higher their index; feature 9 is silent, in the mean too, and
    10 is moved by next to nothing.
    """

    dictionary: Dictionary
    codes: Codes
    means: np.ndarray
    placed: PlacedEdit

    @classmethod
    def of(cls, features: int = FEATURES, scale: bool = False) -> Made:
        rng = np.random.default_rng(0)
        roles = np.concatenate([[-1], np.arange(TOKENS) % 2])
        now = rng.uniform(1, 4, (TOKENS + 1, features))
        now *= rng.random((TOKENS + 1, features)) < np.linspace(1, 0.05, features)
        now[0] = now[:, [9, 10]] = 0
        means = rng.uniform(0, 2, (2, features))
        means[:, 9], means[:, 10] = 0, 1e-4
        of_site = rng.uniform(0.5, 3, TOKENS + 1).astype(np.float32) if scale else None
        codes = Codes(
            csr_matrix(now.astype(np.float32)), np.array([0, TOKENS + 1]), roles, 2, of_site
        )
        rows = np.arange(1, TOKENS + 1)
        wanted = means[roles[rows]][:, CLASS].astype(np.float32)
        placed = PlacedEdit(rows, FeatureSet("1-res-hand", CLASS), wanted)
        return cls(made(features), codes, means.astype(np.float32), placed)

    def features(self, planned: int = 199, seed: int = 0) -> np.ndarray:
        return control_features(
            self.codes, self.dictionary, self.placed, self.means, 50.0, planned, seed
        )

    def controls(
        self, values: torch.Tensor | None = None, length: float = 50.0, seed: int = 0
    ) -> Controls:
        rows, values = self.placed.rows, spread() if values is None else values
        wanted = torch.tensor([[4.0, 6, 0, 0, 0, 0], [7.0, 5, 0, 0, 0, 0]])
        edited = EditedTokens(rows, values, wanted[self.codes.roles[rows]], length)
        features = self.features(seed=seed)
        return Controls(self.dictionary, self.codes, self.means, edited, features, seed)


def spread() -> torch.Tensor:
    """Values that differ along two axes only, three times as much along the first."""
    drawn = torch.randn(TOKENS, 2, generator=torch.Generator().manual_seed(1))
    return (5 + drawn * torch.tensor([3.0, 1.0])) @ AXES[:2]


def test_control_features_fire_at_the_edited_tokens_more_often_than_any_others() -> None:
    case = Made.of()
    found = case.features(planned=100).tolist()
    assert sorted(found) == sorted(set(range(FEATURES)) - {*CLASS, 7, 9, 10})
    share = case.codes.matrix[case.placed.rows].getnnz(axis=0)
    assert share[found[:60]].min() >= share[found[60:]].max(), "three of each five of the planned"
    assert list(found[:60]) != sorted(found[:60], key=lambda f: -share[f]), "in random order"
    assert list(found[60:]) == sorted(found[60:], key=lambda f: -share[f])
    assert case.features(100).tolist() == found != case.features(100, seed=1).tolist()


def test_three_of_each_five_controls_are_features_wherever_a_test_ends() -> None:
    controls = Made.of().controls()
    found = controls.are_features(199)
    for n in range(5, 199, 5):
        assert found[:n].sum() == n // 5 * 3
        assert (controls.are_features(n) == found[:n]).all(), "the same, however many are drawn"
    places = found[:195].reshape(-1, 5).sum(axis=0)
    assert (places > 10).all(), "in random places of the five"
    assert (Made.of().controls(seed=1).are_features(199) != found).any()


def test_where_the_features_run_out_directions_take_their_places() -> None:
    few = Made.of(features=20).controls()
    found = few.are_features(199)
    assert found.sum() == 15, "all others that have a direction and are moved"
    directions, steps = few.drawn(range(199))
    assert torch.isfinite(directions).all() and torch.isfinite(steps).all()


@pytest.mark.parametrize("scale", [False, True])
def test_a_feature_is_set_to_its_mean_as_far_as_the_class_moves(scale: bool) -> None:
    """By hand, token by token: in the site's units, times one number for all tokens."""
    case = Made.of(scale=scale)
    controls = case.controls(length=50.0)
    directions, steps = controls.drawn(range(60))
    are_features = controls.are_features(60)
    torch.testing.assert_close(steps.abs().sum(dim=1), torch.full((60,), 50.0))
    now, W_dec = case.codes.matrix.toarray(), case.dictionary.W_dec.numpy()
    for place, feature in zip(np.flatnonzero(are_features), controls.features, strict=False):
        expected = np.array([
            (case.means[case.codes.roles[row], feature] - now[row, feature])
            * (1 if case.codes.scale is None else case.codes.scale[row])
            for row in case.placed.rows
        ])  # fmt: skip
        expected *= 50 / np.abs(expected).sum()
        np.testing.assert_allclose(steps[place], expected, rtol=1e-3, atol=1e-5)
        unit = W_dec[feature] / np.linalg.norm(W_dec[feature])
        np.testing.assert_allclose(directions[place], unit, rtol=1e-4, atol=1e-6)
    again = controls.drawn([41, 7])
    torch.testing.assert_close(again, (directions[[41, 7]], steps[[41, 7]]))


def test_the_other_family_sets_values_to_their_mean_along_directions_in_which_they_differ() -> None:
    """Its referee draws from NumPy's normal distribution with the same covariance."""
    values = spread()
    controls = Made.of().controls(values, length=7.0)
    numbers = np.flatnonzero(~controls.are_features(2500))
    directions, steps = (part.numpy() for part in controls.drawn(numbers.tolist()))
    assert np.abs(directions[:, 2:]).max() < 1e-5, "nothing differs there"
    rng = np.random.default_rng(0)
    expected = rng.multivariate_normal(np.zeros(D), np.cov(values.numpy().T), len(directions))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    moments = (directions[:, :2] ** 2).mean(axis=0), (expected[:, :2] ** 2).mean(axis=0)
    np.testing.assert_allclose(*moments, atol=0.04)
    assert moments[0][0] > 0.65, "isotropic directions would have a half"
    away = (controls.edited.wanted - values).numpy() @ directions[5]
    np.testing.assert_allclose(steps[5], away * 7 / np.abs(away).sum(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("value", [2.3, 0.0])
def test_where_the_values_do_not_differ_every_direction_is_as_likely(value: float) -> None:
    controls = Made.of().controls(torch.full((TOKENS, D), value))
    numbers = np.flatnonzero(~controls.are_features(2500))
    directions, steps = controls.drawn(numbers.tolist())
    found = (directions.numpy() ** 2).mean(axis=0)
    np.testing.assert_allclose(found, np.full(D, 1 / D), atol=0.03)
    torch.testing.assert_close(steps.abs().sum(dim=1), torch.full((len(numbers),), 50.0))


@pytest.mark.parametrize("alpha", ["0.05", "0.01", "0.1"])
def test_a_large_family_is_given_as_many_controls_as_its_least_p_needs(alpha: str) -> None:
    """Holm multiplies the least p, 1 / (controls + 1), by the number of effects; a quarter more."""
    for effects in range(1, 120):
        planned = controls_for(effects, float(alpha))
        bare = Fraction(effects) / Fraction(alpha)
        assert planned >= 199
        assert planned + 1 >= bare * 5 / 4
        assert planned == 199 or planned + 1 < bare * 5 / 4 + 100, "no more than it takes"


def test_199_controls_could_show_nothing_in_a_family_of_twelve() -> None:
    """The referee: one effect beyond every control, the others nil."""
    for planned, adjusted in ((199, 0.06), (controls_for(12, 0.05), 0.04)):
        p_values = [1 / (planned + 1)] + [1.0] * 11
        assert multipletests(p_values, method="holm")[1][0] == pytest.approx(adjusted)
    assert [controls_for(effects, 0.05) for effects in (1, 8, 9, 12, 13, 40)] == [
        199, 199, 299, 299, 399, 999,
    ]  # fmt: skip

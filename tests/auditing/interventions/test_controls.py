"""Which features are a class's controls, and how many controls a family of effects is given."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from statsmodels.stats.multitest import multipletests

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.controls import matching_features
from faultlens.auditing.interventions.family import controls_for
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.sites import Site

TOKENS = 20  # edited; two roles in turn
CLASS = [0, 1]  # their changes are 3 and 4 long and at right angles: together 5, not 7
MEANS = np.array([2.0, 6.0])  # by role, of every feature


def planted(
    *features: tuple[float, float, int],
) -> tuple[Codes, Dictionary, PlacedEdit, np.ndarray]:
    """The class, and after it other features.

    Args:
        features: of each one the mean length of its change, the length of its decoder direction,
            and on how many of the edited tokens it fires.

    Returns:
        the codes, the dictionary, the class's change, and the means by role.
    """
    roles = np.concatenate([[-1], np.arange(TOKENS) % 2])
    means = np.tile(MEANS[:, None], (1, 2 + len(features)))
    now = means[roles] + [3.0, 4.0, *np.zeros(len(features))]
    now[0] = 0.0
    for column, (size, length, firing) in enumerate(features, start=2):
        fires, silent = slice(1, 1 + firing), slice(1 + firing, None)
        now[silent, column] = 0.0
        if firing:  # the silent ones change by the whole mean, the others by what is left
            now[fires, column] += (size / length * TOKENS - means[roles[silent], 0].sum()) / firing
        else:
            means[:, column] = size / length
    assert (now >= 0).all()
    W_dec = torch.zeros(now.shape[1], 8)
    W_dec[0, 0] = W_dec[1, 1] = 1.0
    for column, (_, length, _) in enumerate(features, start=2):
        W_dec[column, 2:] = torch.full((6,), length / 6**0.5)
    dictionary = Dictionary(
        "1-res-hand", Site(1, "resid_pre"), Relu(), torch.zeros(8, len(W_dec)),
        torch.zeros(len(W_dec)), W_dec, torch.zeros(8),
        Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip
    codes = Codes(csr_matrix(now.astype(np.float32)), np.array([0, TOKENS + 1]), roles, 2)
    rows = np.arange(1, TOKENS + 1)
    wanted = means[roles[rows]][:, CLASS].astype(np.float32)
    placed = PlacedEdit(rows, FeatureSet("1-res-hand", tuple(CLASS)), wanted)
    return codes, dictionary, placed, means.astype(np.float32)


CASES = [
    (5.0, 1.0, 20),  # 2
    (5.0, 2.0, 20),  # 3: a small step along a long direction
    (5.0, 1.0, 18),  # 4: nine tenths of the tokens
    (5.0, 1.0, 17),  # 5
    (5.0, 1.0, 0),  # 6: silent there, and pushes as hard
    (4.95, 1.5, 0),  # 7
    (5.95, 1.0, 20),  # 8: 19 % more
    (6.05, 1.0, 20),  # 9: 21 % more
    (4.05, 1.0, 20),  # 10
    (3.95, 1.0, 20),  # 11
    (7.0, 1.0, 20),  # 12: the sum of the members' lengths
    (3.95, 1.0, 0),  # 13
]
FIRING, SILENT = {2, 3, 4, 8, 10}, {5, 6, 7}


def by_hand(
    codes: Codes, dictionary: Dictionary, placed: PlacedEdit, means: np.ndarray
) -> dict[int, tuple[float, float]]:
    """Of each feature beside the class: the length of its change over the class's, and how often it
    fires; token by token."""
    now, W_dec = codes.matrix.toarray().astype(float), dictionary.W_dec.numpy().astype(float)
    sizes = np.zeros((len(placed.rows), len(W_dec)))
    of_class = np.zeros(len(placed.rows))
    for place, row in enumerate(placed.rows):
        steps = means[codes.roles[row]] - now[row]
        sizes[place] = [np.linalg.norm(steps[f] * W_dec[f]) for f in range(len(W_dec))]
        of_class[place] = np.linalg.norm(sum(steps[f] * W_dec[f] for f in CLASS))
    if codes.scale is not None:
        sizes, of_class = (
            sizes * codes.scale[placed.rows, None],
            of_class * codes.scale[placed.rows],
        )
    ratio = sizes.mean(axis=0) / of_class.mean()
    fires = (now[placed.rows] > 0).mean(axis=0)
    return {f: (ratio[f], fires[f]) for f in range(len(W_dec)) if f not in CLASS}


def test_a_control_feature_pushes_as_hard_and_fires_there() -> None:
    codes, dictionary, placed, means = planted(*CASES)
    found = by_hand(codes, dictionary, placed, means)
    order = np.random.default_rng(0).permutation(len(CASES) + 2)
    for firing, planned in ((True, FIRING), (False, FIRING | SILENT)):
        expected = {
            f for f, (ratio, fires) in found.items()
            if abs(ratio - 1) <= 0.2 and (fires >= 0.9 or not firing)
        }  # fmt: skip
        assert expected == planned
        features = matching_features(codes, dictionary, placed, means, firing=firing, order=order)
        assert features == [f for f in order if f in expected], "in the order of the draw"


def test_hard_is_meant_in_the_units_of_the_site() -> None:
    """Where each token is normalised by itself, a step counts by the token's scale."""
    codes, dictionary, placed, means = planted(*CASES)
    now = codes.matrix.toarray()  # the first feature takes all its steps in the first half
    now[1 : 1 + TOKENS // 2, 2] += 5
    now[1 + TOKENS // 2 :, 2] -= 5
    scale = np.where(np.arange(TOKENS + 1) > TOKENS // 2, 8.0, 0.5).astype(np.float32)
    scaled = replace(codes, matrix=csr_matrix(now), scale=scale)
    order = np.arange(len(CASES) + 2)
    expected = [
        f for f, (ratio, _) in by_hand(scaled, dictionary, placed, means).items()
        if abs(ratio - 1) <= 0.2
    ]  # fmt: skip
    found = matching_features(scaled, dictionary, placed, means, firing=False, order=order)
    assert found == expected
    assert set(expected) == (FIRING | SILENT) - {2}, "its steps are where they count least"
    unscaled = replace(scaled, scale=None)
    found = matching_features(unscaled, dictionary, placed, means, firing=False, order=order)
    assert set(found) == FIRING | SILENT


def test_features_that_only_push_as_hard_are_no_controls() -> None:
    """All ten match in length; none fires where the class does, and they would prove nothing."""
    codes, dictionary, placed, means = planted(*[(5.0, 1.0 + i / 4, 0) for i in range(10)])
    ratios = [ratio for ratio, _ in by_hand(codes, dictionary, placed, means).values()]
    np.testing.assert_allclose(ratios, 1.0, rtol=1e-5)
    order = np.arange(12)
    assert matching_features(codes, dictionary, placed, means, firing=True, order=order) == []
    assert matching_features(
        codes, dictionary, placed, means, firing=False, order=order
    ) == list(range(2, 12))  # fmt: skip


@pytest.mark.parametrize("alpha", ["0.05", "0.01", "0.1"])
def test_a_large_family_is_given_as_many_controls_as_its_least_p_needs(alpha: str) -> None:
    """Holm multiplies the least p, 1 / (controls + 1), by the number of effects; a quarter more."""
    for effects in range(1, 120):
        controls = controls_for(effects, float(alpha))
        bare = Fraction(effects) / Fraction(alpha)
        assert controls >= 199
        assert controls + 1 >= bare * 5 / 4
        assert controls == 199 or controls + 1 < bare * 5 / 4 + 100, "no more than it takes"


def test_199_controls_could_show_nothing_in_a_family_of_twelve() -> None:
    """The referee: one effect beyond every control, the others nil."""
    for controls, adjusted in ((199, 0.06), (controls_for(12, 0.05), 0.04)):
        p_values = [1 / (controls + 1)] + [1.0] * 11
        assert multipletests(p_values, method="holm")[1][0] == pytest.approx(adjusted)
    assert [controls_for(effects, 0.05) for effects in (1, 8, 9, 12, 13, 40)] == [
        199, 199, 299, 299, 399, 999,
    ]  # fmt: skip

"""Planted sets hold what they say they hold, and are the same from the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.api import Logit, add_constant

from faultlens.errors import UserError
from faultlens.testing.effects import FIRING, GRADED
from faultlens.testing.kinds import KINDS, plant
from faultlens.testing.planted_set import Planted, calibrated


def column(found: Planted, place: int = 0) -> np.ndarray:
    dense = found.table.matrix.toarray()
    return np.asarray(dense[:, found.features[place]], dtype=float)


def levels(found: Planted, factor: str) -> np.ndarray:
    return np.array(found.answers.task.factors[factor])


def odds(active: np.ndarray, failed: np.ndarray) -> float:
    rates = [np.clip(failed[k].mean(), 1e-3, 1 - 1e-3) for k in (active, ~active)]
    return float(np.log(rates[0] / (1 - rates[0])) - np.log(rates[1] / (1 - rates[1])))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_same_from_the_same_seed_and_fails_about_as_often(kind: str) -> None:
    first, again, other = (plant(kind, n=240, rate=0.25, seed=seed) for seed in (3, 3, 4))
    assert first.answers == again.answers
    assert (first.table.matrix != again.table.matrix).nnz == 0
    assert (first.table.matrix != other.table.matrix).nnz > 0
    assert first.failed.mean() == pytest.approx(0.25, abs=0.2)
    assert first.table.matrix.shape == (240, 150)
    assert first.table.matrix.min() >= 0


@pytest.mark.parametrize("strength", ["strong", "weak"])
def test_a_cause_by_firing_has_the_odds_that_it_is_given(strength: str) -> None:
    found = plant("firing", n=20_000, strength=strength, seed=1)  # type: ignore[arg-type]
    assert odds(column(found) > 0, found.failed) == pytest.approx(FIRING[strength], abs=0.2)


def test_a_graded_cause_has_the_slope_that_it_is_given() -> None:
    found = plant("dense", n=20_000, strength="medium", seed=1)
    z = column(found)
    z = (z - z.mean()) / z.std()
    fitted = Logit(found.failed.astype(float), add_constant(z)).fit(disp=0)
    assert fitted.params[1] == pytest.approx(GRADED["medium"], abs=0.15)


def test_a_proxy_says_nothing_where_its_factor_is_held_and_a_cause_does() -> None:
    for kind, expected in (("noisy_proxy", 0.0), ("beside_factor", FIRING["strong"])):
        found = plant(kind, n=20_000, seed=2)
        objects, failed = levels(found, "object"), found.failed
        fails_most = max(np.unique(objects), key=lambda o: failed[objects == o].mean())
        rest = objects != fails_most
        within = odds(column(found)[rest] > 0, failed[rest])
        assert within == pytest.approx(expected, abs=0.4)
        assert odds(column(found) > 0, failed) > 1


def test_an_artefact_goes_with_the_scoring_and_not_with_real_failure() -> None:
    found = plant("scoring_artefact", n=20_000, seed=2)
    real = np.array(["They" in str(text) for text in found.answers.generated])
    active = column(found) > 0
    assert odds(active, found.failed) > 1
    assert abs(real[active].mean() - real[~active].mean()) < 0.03


def test_groups_and_near_duplicates_are_what_they_are_called() -> None:
    grouped = plant("null_grouped", n=300, seed=0)
    assert len(set(grouped.answers.task.groups["document"])) == 50
    twice = plant("null_near_duplicates", n=300, seed=0)
    texts = [prompt.text for prompt in twice.answers.task.prompts]
    assert [text + " then" for text in texts[:150]] == texts[150:]
    assert (twice.failed[:150] == twice.failed[150:]).all()


def test_probabilities_are_shifted_to_the_rate() -> None:
    logits = np.random.default_rng(0).normal(size=500)
    found = calibrated(logits, 0.07)
    assert found.mean() == pytest.approx(0.07)
    np.testing.assert_allclose(np.diff(np.log(found / (1 - found))), np.diff(logits), atol=1e-8)
    assert expit(0) == 0.5


def test_an_unknown_kind_is_one_sentence() -> None:
    with pytest.raises(UserError) as caught:
        plant("fring", seed=0)
    assert str(caught.value) == (
        f"no kind of planted set 'fring': expected one of {', '.join(KINDS)}"
    )

"""Audits read through dictionaries whose directions are not simply the site's: planted causes.

Of a transcoder a feature's change goes to its target site, of a dictionary that normalises each
token it is multiplied by that token's scale. Were either forgotten, the cause would not be found.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from by_hand import CLEAR, FAILING, asked, axes, dictionary, made

import faultlens as fl
from faultlens.features.lens import Lens
from faultlens.models.model import Model
from faultlens.models.normalisation import PerTokenNorm
from faultlens.models.sites import Site

KINDS = {
    "normalised by token": {"normalisation": PerTokenNorm()},
    "a transcoder": {"site": Site(1, "resid_mid"), "site_out": Site(1, "mlp_out")},
}
PUSH, COPY = "1-res-hand/0", "1-res-hand/1"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("clear"), CLEAR)


@pytest.fixture(scope="module", params=KINDS)
def audit(request: pytest.FixtureRequest, model: Model) -> fl.Audit:
    plain = dictionary(1, {name: axes()[name] for name in ("push", "copy")})
    lens = Lens(model, (replace(plain, **KINDS[request.param]),))
    return fl.audit(lens, asked(), permutations=500, baselines=False, fit_check=False)


def test_the_trial_finds_the_cause_and_clears_the_copy(audit: fl.Audit) -> None:
    by_feature = {reading.features[0]: reading for _, reading in audit.classes}
    cause, copy = by_feature[PUSH], by_feature[COPY]
    assert cause.verdict.label == "CAUSE"
    assert cause.intervention is not None
    assert cause.intervention.necessity.turned_share == 1.0
    assert cause.intervention.flips.failure_to_success == cause.intervention.flips.prompts == 80
    assert copy.verdict.label == "PROXY of object = keys"
    assert copy.intervention is not None
    assert copy.intervention.flips.failure_to_success == 0
    assert copy.intervention.null is not None
    assert copy.intervention.null.within


def test_attribution_names_the_cause_first(audit: fl.Audit) -> None:
    first = audit.attribution["1-res-hand"].top[0]
    assert first.feature == PUSH
    assert first.effect is not None and first.effect.shown


def test_patching_the_cause_carries_the_swap(audit: fl.Audit) -> None:
    assert audit.counterfactuals is not None
    assert {swap.level for swap in audit.counterfactuals.swaps} == set(FAILING)
    for swap in audit.counterfactuals.swaps:
        shares = {tuple(p.features): p.denoise.value for p in swap.patches if p.denoise is not None}
        assert 0.5 < shares[PUSH,] < 1.0, "the threshold leaves at most 1.3 of 3.5"
        assert abs(shares[COPY,]) < 0.05

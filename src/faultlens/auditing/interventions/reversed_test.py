"""Reversed test: what is done to features that go with success, whose absence may cause failure.

A class that fires on successes and is silent on failures cannot be taken away from failures. It is
*brought in* on failures where it is silent, at the roles at which it fires in at least half of the
successes that have it, at its mean there (necessity, upwards); and *taken away* on successes where
it fires, to its mean over the failures where it is silent (sufficiency, downwards).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import fisher_exact

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import EVERY, LEAST_PROMPTS, NO_FLIPS, Ablation
from faultlens.auditing.interventions.deciding_test import NOTHING, DecidingTest
from faultlens.auditing.interventions.edits import Edit, Mean
from faultlens.auditing.interventions.effects import NECESSITY, SUFFICIENCY, Measured
from faultlens.auditing.interventions.flips import count_flips
from faultlens.auditing.interventions.placed_edit import (
    PlacedEdit,
    edit_where_firing,
    place_edit,
)
from faultlens.auditing.interventions.sensitivity import WHERE_IT_FIRES, measured_variant
from faultlens.auditing.result import Intervention, Variant
from faultlens.progress import Tick
from faultlens.stats.sequential import SequentialTest

IN_SUCCESSES = "in the places where the class fires in successes"
SHARES = (0.5, 1.0, 1.5, 2.0)  # of its mean where it fires: dose and response


def run_reversed(
    ablation: Ablation,
    features: FeatureSet,
    progress: Tick | None = None,
    test: SequentialTest = EVERY,
    begun: Mapping[str, Measured] = NOTHING,
) -> Intervention | str:
    """All tests of a feature set that goes with success; or the reason why there can be none.

    The arguments are those of `Ablation.run`.
    """
    fires = ablation.codes.fires(features.indices)
    silent = np.flatnonzero(ablation.failed & ~fires)
    with_it = np.flatnonzero(~ablation.failed & fires)
    if len(with_it) < LEAST_PROMPTS:
        return f"it fires on {len(with_it)} successes: at least {LEAST_PROMPTS} are needed"
    able = with_roles(ablation, features, silent)
    if len(able) < LEAST_PROMPTS:
        return (
            f"it goes with success, and is silent on {len(able)} failures that have a token in the "
            f"place where it fires: at least {LEAST_PROMPTS} are needed"
        )
    tested = ablation.drawn(able)
    necessity, sufficiency = (
        ablation.effect(one, progress, test, begun)
        for one in (brought_in(ablation, features, tested), taken_away(ablation, features))
    )
    if ablation.deciding_alone:
        return Intervention(necessity, sufficiency, None, NO_FLIPS, [], None, reversed=True)
    everywhere = with_roles(ablation, features, np.flatnonzero(~fires))
    placed = _placed(ablation, features, everywhere, usual(ablation, features))
    return Intervention(
        necessity,
        sufficiency,
        None,
        count_flips(
            ablation.runner,
            placed,
            everywhere,
            ablation.failed,
            ablation.succeeds,
            ablation.generated,
        ),
        variants(ablation, features, tested),
        None,
        reversed=True,
    )


def goes_with_success(fires: np.ndarray, failed: np.ndarray, alpha: float) -> bool:
    """Whether features fire on fewer failures than successes, beyond chance (Fisher's exact test).

    Args:
        fires: the prompts on which they do, boolean `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
    """
    table = np.array([[(fires & of).sum(), (~fires & of).sum()] for of in (failed, ~failed)])
    return bool(fisher_exact(table, alternative="less").pvalue <= alpha)


def deciding_tests(ablation: Ablation, features: FeatureSet) -> list[DecidingTest]:
    """The deciding tests; none where it could not be tested."""
    fires = ablation.codes.fires(features.indices)
    silent = with_roles(ablation, features, np.flatnonzero(ablation.failed & ~fires))
    if min(len(silent), int((~ablation.failed & fires).sum())) < LEAST_PROMPTS:
        return []
    return [
        brought_in(ablation, features, ablation.drawn(silent)),
        taken_away(ablation, features),
    ]


def cost(ablation: Ablation, features: FeatureSet) -> int:
    """On how many prompts each control of a feature set is run, both effects together."""
    fires = ablation.codes.fires(features.indices)
    silent = with_roles(ablation, features, np.flatnonzero(ablation.failed & ~fires))
    with_it = np.flatnonzero(~ablation.failed & fires)
    return len(ablation.drawn(silent)) + len(ablation.drawn(with_it))


def brought_in(ablation: Ablation, features: FeatureSet, prompts: np.ndarray) -> DecidingTest:
    """Set the features to their mean over the successes where they fire, on failures without."""
    fires = ablation.codes.fires(features.indices)
    return DecidingTest(
        _placed(ablation, features, prompts, usual(ablation, features)),
        prompts,
        np.flatnonzero(~ablation.failed & fires),
        claim=NECESSITY,
        kind="set to the mean of the successes where it fires",
        on="failures where the class is silent",
        positions=IN_SUCCESSES,
    )


def taken_away(ablation: Ablation, features: FeatureSet) -> DecidingTest:
    """Set the features to their mean over the failures without them, on successes where they fire.

    That is 0, but for the rounding of a role's mean.
    """
    fires = ablation.codes.fires(features.indices)
    prompts = ablation.drawn(np.flatnonzero(~ablation.failed & fires))
    silent = np.flatnonzero(ablation.failed & ~fires)
    return DecidingTest(
        edit_where_firing(Mean(among=tuple(silent.tolist())), ablation.context, features, prompts),
        prompts,
        silent,
        claim=SUFFICIENCY,
        kind="set to the mean of the failures where it is silent",
        on="successes where the class fires",
        positions=WHERE_IT_FIRES,
    )


def usual(ablation: Ablation, features: FeatureSet) -> Edit:
    """Sets features to their mean over the successes where they fire."""
    fires = ablation.codes.fires(features.indices)
    return Mean(among=tuple(np.flatnonzero(~ablation.failed & fires).tolist()))


def with_roles(ablation: Ablation, features: FeatureSet, prompts: np.ndarray) -> np.ndarray:
    """Those of some prompts that have a token of a role at which it fires in successes."""
    if not len(prompts):
        return prompts
    codes = ablation.codes
    rows = ablation.tokens_of_roles(prompts, _roles(ablation, features))
    has: np.ndarray = prompts[
        np.isin(prompts, np.searchsorted(codes.starts, rows, side="right") - 1)
    ]
    return has


def edited_rows(ablation: Ablation, features: FeatureSet, prompts: np.ndarray) -> np.ndarray:
    """Where the features are brought in, as rows of the codes."""
    return ablation.tokens_of_roles(prompts, _roles(ablation, features))


def variants(ablation: Ablation, features: FeatureSet, prompts: np.ndarray) -> list[Variant]:
    """The failures of the necessity test under other doses of what is brought in."""
    full = _placed(ablation, features, prompts, usual(ablation, features))
    found = []
    for share in SHARES:
        placed = PlacedEdit(full.rows, features, np.float32(share) * full.wanted)
        kind = f"brought in at {share:g} of its mean"
        found.append(measured_variant(ablation.runner, placed, prompts, kind, IN_SUCCESSES, share))
    return found


def _roles(ablation: Ablation, features: FeatureSet) -> np.ndarray:
    return ablation.firing_roles(features, among=~ablation.failed)


def _placed(
    ablation: Ablation, features: FeatureSet, prompts: np.ndarray, edit: Edit
) -> PlacedEdit:
    rows = ablation.tokens_of_roles(prompts, _roles(ablation, features))
    return place_edit(edit, ablation.context, features, rows, "none")

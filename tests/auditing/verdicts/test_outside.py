"""Where the cause passes outside the dictionary: by attribution, by patching, and where not."""

from __future__ import annotations

from dataclasses import replace

import cause_samples

from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.result import (
    Counterfactual,
    Counterfactuals,
    Interval,
    JointTest,
    OutsideDictionary,
    Patch,
    SiteAttribution,
    SiteAudit,
)
from faultlens.auditing.verdicts.outside import outside_dictionaries

SITE = "3-res-mini"
SITES = {SITE: SiteAudit(3, 64, 20, {}, {}, [])}


def attributed(error: float, features: float) -> CausalFindings:
    found = SiteAttribution(SITE, 10, 8, 0.0, None, 0.0, None, [], 0, None, None)
    found = replace(found, error_from_normal=error, features_from_normal=features)
    return CausalFindings(attribution={SITE: found})


def patched(whole: int, best: int | None, restorable: int = 14) -> CausalFindings:
    change = Interval(2.0, 1.0, 3.0)
    patches = [_patch([], whole, restorable)]
    if best is not None:
        patches.append(_patch([f"{SITE}/7"], best, restorable))
    swap = Counterfactual("object", "keys", "pen", 20, 0, 18, 4, 14, 0, 1e-4, change, patches)
    return CausalFindings(counterfactuals=Counterfactuals([swap], None))


def _patch(features: list[str], restored: int, restorable: int) -> Patch:
    return Patch(features, SITE, 20, None, None, None, None, 0.0, 0.0, restored, restorable)


def test_most_of_the_difference_on_the_error_term_is_said() -> None:
    assert outside_dictionaries(SITES, attributed(-3.0, -1.0)) == [
        OutsideDictionary(
            SITE, 0.75, None, None, None,
            "the cause passes 3-res-mini outside what the dictionary describes: of how failures "
            "differ from successes there, 75% of what lowers the margin is attributed to the error "
            "term; nothing was changed there",
        )
    ]  # fmt: skip


def test_less_than_half_on_it_or_a_push_towards_success_is_not() -> None:
    for error, features in ((-1.0, -1.5), (1.0, -3.0), (-1.0, 4.0)):
        assert outside_dictionaries(SITES, attributed(error, features)) == []


def test_a_whole_value_that_restores_what_no_class_does_is_said() -> None:
    (found,) = outside_dictionaries(SITES, patched(12, 1))
    assert (found.whole_restored, found.restorable, found.best_restored) == (12, 14, 1)
    assert found.sentence == (
        "the cause passes 3-res-mini outside what the dictionary describes: putting in the whole "
        "value restores 12 of 14 failures, and no class more than 1; nothing was changed there"
    )
    for whole, best in ((12, 7), (3, 0), (4, 0), (12, None)):
        assert outside_dictionaries(SITES, patched(whole, best)) == []


def test_nothing_is_said_where_a_change_is_shown_to_matter_at_that_site() -> None:
    shown = cause_samples.cause()
    assert shown.shown
    outside = attributed(-3.0, -1.0)
    here = JointTest([f"{SITE}/1", f"{SITE}/2"], [f"{SITE}/1", f"{SITE}/2"], shown, None, None)
    assert outside_dictionaries(SITES, replace(outside, together=[here])) == []
    there = replace(here, features=["4-res-mini/1", "4-res-mini/2"])
    assert len(outside_dictionaries(SITES, replace(outside, together=[there]))) == 1
    nothing = replace(here, intervention=cause_samples.inconclusive())
    (found,) = outside_dictionaries(SITES, replace(outside, together=[nothing]))
    assert found.sentence.endswith("; none of 1 change of its features is shown to matter")

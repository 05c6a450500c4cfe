"""The audit's options: checked where they are set, each default in one place."""

from __future__ import annotations

from typing import Any

import pytest

from faultlens.auditing.config import AuditConfig, LadderConfig
from faultlens.errors import UserError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_support": 0}, "min_support 0: expected a whole number of at least 1"),
        ({"min_support": 2.5}, "min_support 2.5: expected a whole number of at least 1"),
        ({"min_support": True}, "min_support True: expected a whole number of at least 1"),
        ({"permutations": 98}, "permutations 98: expected a whole number of at least 99"),
        ({"strata": "object"}, "strata 'object': expected a list of names, e.g. ['object']"),
        ({"strata": (1,)}, "strata (1,): expected a list of names, e.g. ['object']"),
        ({"strata": 3}, "strata 3: expected a list of names, e.g. ['object']"),
        ({"folds": "ten"}, "unknown folds 'ten': expected one of repeated, study"),
        ({"repeats": 0}, "repeats 0: expected a whole number of at least 1"),
        ({"left_out": "all"}, "unknown left_out 'all': expected one of quick, strict"),
        ({"test_classes": -1}, "test_classes -1: expected a whole number of at least 0"),
        ({"test_attributed": -2}, "test_attributed -2: expected a whole number of at least 0"),
        (
            {"test_features": "3-res-mini/808"},
            "test_features '3-res-mini/808': expected a list of names, e.g. ['3-res-mini/808']",
        ),
        ({"baselines": "no"}, "baselines 'no': expected True or False"),
        ({"seed": -1}, "seed -1: expected a whole number from 0 to 2147483647"),
        ({"seed": 2**31}, "seed 2147483648: expected a whole number from 0 to 2147483647"),
        ({"alpha": 0.0}, "alpha 0.0: expected a number between 0 and 1, e.g. 0.05"),
        ({"alpha": 1.0}, "alpha 1.0: expected a number between 0 and 1, e.g. 0.05"),
        (
            {"rule": 3},
            "rule 3: expected a rule's name, or a function (generated, target) -> bool",
        ),
        (
            {"pooling": "median"},
            "unknown pooling 'median': expected max, mean, sum, last or last-K (e.g. last-3)",
        ),
        (
            {"tried": 2},
            "an audit has no option 'tried': expected one of rule, groups, alpha, seed, "
            "chat, system, pooling, "
            "fit_check, min_support, permutations, strata, baselines, folds, repeats, "
            "left_out, test_classes, test_attributed, stop_early, random_decoder, test_features, "
            "with_answer",
        ),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        AuditConfig.of(**options)
    assert str(raised.value) == message


def test_a_stage_checks_itself() -> None:
    with pytest.raises(UserError, match="repeats 0"):
        LadderConfig(repeats=0)


def test_flat_keywords_reach_their_stages() -> None:
    built = AuditConfig.of(
        seed=7, pooling="last-3", strata=["object"], baselines=False, test_attributed=0
    )
    assert built.seed == 7
    assert built.reading.pooling == "last-3"
    assert built.tests.strata == ("object",)
    assert not built.ladder.baselines
    assert built.interventions.test_attributed == 0
    assert AuditConfig.of() == AuditConfig()

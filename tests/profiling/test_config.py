"""The profile's options: checked where they are set."""

from __future__ import annotations

from typing import Any

import pytest

from faultlens.errors import UserError
from faultlens.profiling.config import ChanceConfig, ProfileConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"permutations": 98}, "permutations 98: expected a whole number of at least 99"),
        ({"length_strata": 1}, "length_strata 1: expected a whole number of at least 2"),
        ({"top_k": 0}, "top_k 0: expected a whole number of at least 1"),
        ({"threshold": "5"}, "threshold '5': expected a number >= 0"),
        ({"threshold": float("nan")}, "the threshold is nan: expected a finite number >= 0"),
        ({"threshold": -0.5}, "the threshold is -0.5: expected a finite number >= 0"),
        ({"long": "cut"}, "unknown long 'cut': expected one of error, split, truncate"),
        ({"alpha": 1}, "alpha 1: expected a number between 0 and 1, e.g. 0.05"),
        ({"seed": 2**31}, "seed 2147483648: expected a whole number from 0 to 2147483647"),
        ({"fit_check": "no"}, "fit_check 'no': expected True or False"),
        ({"multiverse": 1}, "multiverse 1: expected True or False"),
        (
            {"multiverse": True, "long": "split"},
            "the method study pads every text to the longest of its batch: expected --long error "
            "or truncate, got split",
        ),
        (
            {"pooling": "median"},
            "unknown pooling 'median': expected max, mean, sum, last or last-K (e.g. last-3)",
        ),
        (
            {"poolings": "max"},
            "a profile has no option 'poolings': expected one of long, alpha, seed, multiverse, "
            "pooling, fit_check, threshold, top_k, permutations, length_strata",
        ),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as told:
        ProfileConfig.of(**options)
    assert str(told.value) == message


def test_a_stage_checks_itself() -> None:
    with pytest.raises(UserError, match="permutations 3"):
        ChanceConfig(permutations=3)

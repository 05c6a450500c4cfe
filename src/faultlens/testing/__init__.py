"""Planted truth: data sets of which it is known what causes failure, to score an audit by.

`plant("firing", n=300, seed=0)` makes one; `faultlens bench` makes many, audits each, and counts
how often the audit is right, beside four simpler procedures. Extensions can be tried on them too.
`planted_models` holds models with a cause planted in their weights.
"""

from faultlens.testing.bench import Case, quick_cases, run_bench, whole_cases
from faultlens.testing.kinds import KINDS, plant
from faultlens.testing.planted_set import Planted
from faultlens.testing.scores import score

__all__ = [
    "KINDS",
    "Case",
    "Planted",
    "plant",
    "quick_cases",
    "run_bench",
    "score",
    "whole_cases",
]

"""FaultLens reads a language model's failures off its sparse features, and says what they mean.

    import faultlens as fl

    lens = fl.load("mini")                              # a model and its dictionaries
    profile = fl.profile(lens, fl.seven_categories())   # features that go with kinds of text
    audit = fl.audit(lens, fl.tasks.mini_ioi(n=300))    # features that go with failure

Importing this package loads neither torch nor transformers; the first use of a name does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from faultlens.api import audit, figures, load, profile
from faultlens.errors import UserError

if TYPE_CHECKING:
    from faultlens.auditing.behaviour.outcomes import outcome_rule
    from faultlens.auditing.interventions.edits import Add, Clamp, Mean, Resample, Scale, Zero
    from faultlens.auditing.interventions.experiment import intervene
    from faultlens.auditing.result.audit import Audit
    from faultlens.corpus import tasks
    from faultlens.corpus.answers import Answers, read_answers
    from faultlens.corpus.pairs import PairSet, minimal_pairs, read_pairs
    from faultlens.corpus.task import Prompt, Task, read_task
    from faultlens.corpus.texts import Corpus, read_corpus, seven_categories
    from faultlens.features.lens import Lens
    from faultlens.features.table import FeatureTable
    from faultlens.profiling.result import Profile

__version__ = "0.1.0"
__all__ = [
    "Add",
    "Answers",
    "Audit",
    "Clamp",
    "Corpus",
    "FeatureTable",
    "Lens",
    "Mean",
    "PairSet",
    "Profile",
    "Prompt",
    "Resample",
    "Scale",
    "Task",
    "UserError",
    "Zero",
    "audit",
    "figures",
    "intervene",
    "load",
    "minimal_pairs",
    "outcome_rule",
    "profile",
    "read_answers",
    "read_corpus",
    "read_pairs",
    "read_task",
    "seven_categories",
    "tasks",
]

_EDITS = "faultlens.auditing.interventions.edits"
_HOMES = {
    **dict.fromkeys(("Add", "Clamp", "Mean", "Resample", "Scale", "Zero"), _EDITS),
    "Answers": "faultlens.corpus.answers",
    "Audit": "faultlens.auditing.result.audit",
    "Corpus": "faultlens.corpus.texts",
    "FeatureTable": "faultlens.features.table",
    "Lens": "faultlens.features.lens",
    "PairSet": "faultlens.corpus.pairs",
    "Profile": "faultlens.profiling.result",
    "Prompt": "faultlens.corpus.task",
    "Task": "faultlens.corpus.task",
    "intervene": "faultlens.auditing.interventions.experiment",
    "minimal_pairs": "faultlens.corpus.pairs",
    "outcome_rule": "faultlens.auditing.behaviour.outcomes",
    "read_answers": "faultlens.corpus.answers",
    "read_corpus": "faultlens.corpus.texts",
    "read_pairs": "faultlens.corpus.pairs",
    "read_task": "faultlens.corpus.task",
    "seven_categories": "faultlens.corpus.texts",
}


def __getattr__(name: str) -> Any:
    if name == "tasks":
        return import_module("faultlens.corpus.tasks")
    if name not in _HOMES:
        raise AttributeError(f"module 'faultlens' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""FaultLens reads a language model's failures off its sparse features, and says what they mean.

    import faultlens as fl

    lens = fl.load("mini")                              # a model and its dictionaries
    profile = fl.profile(lens, fl.seven_categories())   # features that go with kinds of text
    audit = fl.audit(lens, fl.tasks.mini_ioi(n=300))    # features that go with failure

What a user starts from is here; everything else is one import deeper, where its noun lives:
`faultlens.corpus.task.Prompt`, `faultlens.features.table.FeatureTable`. Importing this package
loads neither torch nor transformers; the first use of a name does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from faultlens.api import audit, audit_tasks, load, profile, train
from faultlens.auditing.config import AuditConfig
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig
from faultlens.profiling.config import ProfileConfig
from faultlens.training.config import TrainConfig

if TYPE_CHECKING:
    from faultlens.auditing.interventions.edits import Add, Clamp, Mean, Resample, Scale, Zero
    from faultlens.auditing.interventions.experiment import intervene
    from faultlens.auditing.result.audit import Audit
    from faultlens.corpus import tasks
    from faultlens.corpus.answers import read_answers
    from faultlens.corpus.task import read_task
    from faultlens.corpus.texts import read_corpus, seven_categories
    from faultlens.profiling.result import Profile

__version__ = "0.1.0"
__all__ = [
    "Add",
    "Audit",
    "AuditConfig",
    "Clamp",
    "LensConfig",
    "Mean",
    "Profile",
    "ProfileConfig",
    "Resample",
    "Scale",
    "TrainConfig",
    "UserError",
    "Zero",
    "audit",
    "audit_tasks",
    "intervene",
    "load",
    "profile",
    "read_answers",
    "read_corpus",
    "read_task",
    "seven_categories",
    "tasks",
    "train",
]

_EDITS = "faultlens.auditing.interventions.edits"
_HOMES = {
    **dict.fromkeys(("Add", "Clamp", "Mean", "Resample", "Scale", "Zero"), _EDITS),
    "Audit": "faultlens.auditing.result.audit",
    "Profile": "faultlens.profiling.result",
    "intervene": "faultlens.auditing.interventions.experiment",
    "read_answers": "faultlens.corpus.answers",
    "read_corpus": "faultlens.corpus.texts",
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

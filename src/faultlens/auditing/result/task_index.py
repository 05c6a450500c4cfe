"""The index of several audits: which tasks there are, and what was found of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.verdict import CAUSE
from faultlens.runs.results import Saved


@dataclass(frozen=True)
class TaskFinding:
    """One task, and what its audit comes to; all but `refused` is null where it was refused."""

    task: str
    """The task, as it was named."""
    run: str | None
    """Its run folder, beside the index."""
    n: int | None
    """Number of prompts."""
    failures: int | None
    """Number of prompts that fail."""
    significant: int | None
    """Number of classes of features that a deciding test finds; null where none was tested, too."""
    causes: list[str] | None
    """The first feature of each class that is a CAUSE; null where none was tested, too."""
    leading: str | None
    """The first feature of the class to look at first; null where no feature was tested, too."""
    verdict: str | None
    """On that class; on the audit as a whole where it could not be carried out. Null where neither
    is there, too."""
    sentence: str | None
    """Why, with the numbers that decided."""
    refused: str | None = None
    """Why the task could not be audited; null where it was."""

    @classmethod
    def of(cls, task: str, run: str, audit: Audit) -> TaskFinding:
        """What an audit comes to."""
        leading = audit.leading
        verdict = audit.verdict if leading is None else leading.verdict
        tested = audit.verdict is None and bool(audit.sites)
        causes = [c.features[0] for _, c in audit.classes if c.verdict.kind == CAUSE]
        return cls(
            task=task,
            run=run,
            n=audit.n,
            failures=audit.failures,
            significant=len(audit.significant) if tested else None,
            causes=causes if tested else None,
            leading=None if leading is None else leading.features[0],
            verdict=None if verdict is None else verdict.label,
            sentence=None if verdict is None else verdict.sentence,
        )

    @classmethod
    def of_refused(cls, task: str, why: str) -> TaskFinding:
        """That a task could not be audited."""
        return cls(task, None, None, None, None, None, None, None, None, why)


@dataclass(frozen=True)
class TaskIndex(Saved):
    """Which tasks were audited into one folder, and what was found."""

    FORMAT_VERSION: ClassVar[int] = 1
    FILE: ClassVar[str] = "audits.json"

    tasks: list[TaskFinding]
    """In the order in which they were named."""

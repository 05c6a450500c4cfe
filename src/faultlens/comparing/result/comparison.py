"""Comparison: runs side by side, each with the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faultlens.comparing.result.audits import AuditPair
from faultlens.comparing.result.profiles import ProfilePair
from faultlens.runs.results import Versioned


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs, and what it is of."""

    run: str
    """Its folder, as it was named."""
    model: str | None
    """The model's name; null where the run has none, or no manifest."""
    dictionaries: list[str]
    """Names of its dictionaries."""
    task: str | None
    """Name of the task; null without an audit."""
    n: int | None
    """Number of prompts; null without an audit."""
    failures: int | None
    """Number of prompts that fail; null without an audit."""
    corpus: str | None
    """Name of the corpus; null without a profile."""
    finished: str | None
    """When it was finished, by its manifest; null where it is not recorded."""


@dataclass(frozen=True)
class Setting:
    """Something in which two runs differ, by their manifests."""

    setting: str
    """What it is: the keys of the manifest that lead to it."""
    first: str
    """Its value in the first run; `nothing` where it has none."""
    second: str
    """Its value in the second run; `nothing` where it has none."""


@dataclass(frozen=True)
class RunPair:
    """The first run and one of the others."""

    first: str
    """Folder of the first run."""
    second: str
    """Folder of the other."""
    settings: list[Setting]
    """In what they differ: arguments, inputs, conventions, versions."""
    audits: AuditPair | None
    """Their audits; null where one of them has none."""
    profiles: ProfilePair | None
    """Their profiles; null where one of them has none."""


@dataclass(frozen=True)
class Comparison(Versioned):
    """Runs side by side: each but the first is compared with the first."""

    FORMAT_VERSION: ClassVar[int] = 1

    runs: list[ComparedRun]
    """All runs, in the order in which they were named."""
    pairs: list[RunPair]
    """One a run but the first."""

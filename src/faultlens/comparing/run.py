"""A run folder as a comparison reads it: its results, its manifest, and what it kept of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from faultlens.auditing.result.audit import Audit
from faultlens.errors import UserError
from faultlens.profiling.result import Profile
from faultlens.report.prompt_readings import read_factors
from faultlens.runs.folder import AUDIT, MANIFEST, PROFILE, read_result


@dataclass(frozen=True)
class StudiedRun:
    """A run with its results.

    Attributes:
        named: its folder, as the user named it.
        folder: the same as a path.
        manifest: what `manifest.json` says; empty where there is none.
        audit, profile: its results; at least one is there.
    """

    named: str
    folder: Path
    manifest: Mapping[str, Any]
    audit: Audit | None
    profile: Profile | None

    @classmethod
    def read(cls, named: str) -> StudiedRun:
        """Raises UserError for a folder that holds no run, and for files that are not the run's."""
        folder = Path(named)
        found = {name: read_result(folder, name) for name in (MANIFEST, AUDIT, PROFILE)}
        if found[AUDIT] is None and found[PROFILE] is None:
            raise UserError(
                f"{folder} holds neither {PROFILE} nor {AUDIT}: expected the folder of a run"
            )
        return cls(
            named,
            folder,
            found[MANIFEST] or {},
            _read(Audit, found[AUDIT], folder / AUDIT),
            _read(Profile, found[PROFILE], folder / PROFILE),
        )

    @property
    def holds(self) -> str:
        """What is in it, in words."""
        there = [name for name, of in (("an audit", self.audit), ("a profile", self.profile)) if of]
        return " and ".join(there)

    @property
    def audited(self) -> Audit:
        """The audit of a run that is known to hold one."""
        assert self.audit is not None
        return self.audit

    @property
    def profiled(self) -> Profile:
        """The profile of a run that is known to hold one."""
        assert self.profile is not None
        return self.profile

    def input(self, name: str) -> Mapping[str, Any]:
        """What the manifest says of one of the inputs (`model`, `dictionaries` …), if it does."""
        inputs = self.manifest.get("inputs")
        found = inputs.get(name) if isinstance(inputs, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def digest(self, dictionary: str) -> str | None:
        """The digest of a dictionary; None where the manifest has none."""
        of = self.input("dictionaries").get(dictionary)
        found = of.get("digest") if isinstance(of, Mapping) else None
        return found if isinstance(found, str) else None

    @cached_property
    def factors(self) -> Mapping[str, Sequence[str]]:
        """By factor, the level of each prompt of the audit; empty where the run did not keep it."""
        found = read_factors(self.folder)
        return {name: levels for name, levels in found.items() if len(levels) == self.audited.n}


def _read(kind: Any, data: dict[str, Any] | None, path: Path) -> Any:
    """A result from its JSON. Raises UserError, naming the file, for one of another format."""
    try:
        return None if data is None else kind.from_dict(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def same_dictionary(first: StudiedRun, second: StudiedRun, name: str) -> bool:
    """Whether a name stands for the same dictionary in both: its features are the same then."""
    return first.digest(name) is not None and first.digest(name) == second.digest(name)

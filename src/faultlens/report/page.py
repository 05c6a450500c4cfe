"""A run folder's page: read the results, build the tree, write `report.html`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from faultlens.auditing.result.argument import named_features
from faultlens.auditing.result.audit import Audit
from faultlens.errors import UserError
from faultlens.profiling.result import Profile
from faultlens.report.document import document
from faultlens.report.feature_names import read_feature_names
from faultlens.report.html import build_page
from faultlens.report.prompt_readings import read_prompts
from faultlens.runs.files import write_text
from faultlens.runs.folder import AUDIT, MANIFEST, PAGE, PROFILE, read_result

Result = TypeVar("Result", Profile, Audit)


def write_page(folder: Path) -> Path:
    """Write a run's `report.html` from its results; returns the file's path.

    Raises UserError if the folder holds no result, or one that cannot be read.
    """
    profile, audit = read_result(folder, PROFILE), read_result(folder, AUDIT)
    if profile is None and audit is None:
        raise UserError(
            f"{folder} holds neither {PROFILE} nor {AUDIT}: expected the folder of a run"
        )
    manifest = read_result(folder, MANIFEST)
    found = (
        None if profile is None else _read(Profile, profile, folder / PROFILE),
        None if audit is None else _read(Audit, audit, folder / AUDIT),
    )
    readings = None if found[1] is None else read_prompts(folder, named_features(found[1]))
    names = read_feature_names(folder, manifest)
    try:
        page = build_page(document(*found, manifest, readings, names))
    except Exception as error:
        there = [name for name, data in ((PROFILE, profile), (AUDIT, audit)) if data is not None]
        if manifest is not None and set(there) <= set(manifest["files"]):
            raise  # they are as the run wrote them: the fault is ours
        raise UserError(
            f"the results in {folder} contradict each other, and no {MANIFEST} says that a run "
            f"wrote them ({type(error).__name__}: {error}): run the study again"
        ) from error
    write_text(folder / PAGE, page)
    return folder / PAGE


def _read(kind: type[Result], data: dict[str, Any], path: Path) -> Result:
    """A result from its JSON. Raises UserError, naming the file, for one of another format."""
    try:
        return kind.from_dict(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error

"""A run as a tree: the audit before the profile, then how it was run."""

from __future__ import annotations

import json
from typing import Any

from faultlens.auditing.result.audit import Audit
from faultlens.profiling.result import Profile
from faultlens.report.audit.study import audit_study
from faultlens.report.feature_names import FeatureNames, with_names
from faultlens.report.profile.study import profile_study
from faultlens.report.prompt_readings import PromptReadings
from faultlens.report.tree import Document

HEADED_PACKAGES = ("faultlens", "torch", "transformers", "python")


def document(
    profile: Profile | None,
    audit: Audit | None,
    manifest: dict[str, Any] | None,
    readings: PromptReadings | None = None,
    names: FeatureNames | None = None,
) -> Document:
    """All that is said of a run; the studies that it does not hold are left out.

    `readings` is what the run folder holds of the audit's prompts; None where there is no folder.
    `names` are what is known of features beside it.
    """
    corpus = None if profile is None else profile.tokens
    studies = [] if audit is None else [audit_study(audit, readings, corpus)]
    studies += [] if profile is None else [profile_study(profile)]
    name = ", ".join(study.name for study in studies)
    whole = Document(
        name=name,
        studies=tuple(studies),
        facts=tuple(_facts(manifest)),
        manifest=None if manifest is None else json.dumps(manifest, indent=2, ensure_ascii=False),
    )
    return whole if names is None else with_names(whole, names)


def _facts(manifest: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What was run: those of the manifest's entries that it has."""
    if manifest is None:
        return [("Run", "not recorded: the folder holds no manifest")]
    arguments, versions = manifest.get("arguments") or {}, manifest.get("versions") or {}
    inputs = manifest.get("inputs") or {}
    command = manifest.get("command")
    facts = {
        "Command": command if isinstance(command, str) else " ".join(map(str, command or [])),
        "Model": _fact(arguments.get("model")),
        "Dictionaries": _fact(arguments.get("sae")) or ("none" if inputs.get("sites") else ""),
        "Fit check": "left out: --no-fit-check" if arguments.get("fit_check") == "False" else "",
        "Versions": ", ".join(f"{p} {versions[p]}" for p in HEADED_PACKAGES if p in versions),
        "Finished": str(manifest.get("finished") or "").replace("T", " ").replace("+00:00", " UTC"),
    }
    return [(name, fact) for name, fact in facts.items() if fact]


def _fact(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)

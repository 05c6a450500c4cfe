"""Run folders made by hand: a few prompts, a few features, every number known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import audit_samples
import pandas as pd

from faultlens.auditing.result import ClassReading, LevelReading, PromptOutcome, Proxy, SiteAudit
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.verdict import Verdict, VerdictKind
from faultlens.profiling.result import Profile
from faultlens.runs.folder import Manifest

PROMPTS = [f"{who} gave {what} to" for who in ("Ann", "Bob", "Cid", "Dan", "Eve") for what in
           ("the keys", "a card")]  # fmt: skip
OBJECTS = ["the keys", "a card"] * 5


def outcome(prompt: str, success: bool, margin: float | None = None) -> PromptOutcome:
    kind = "success" if success else "pronoun"
    return PromptOutcome(prompt, " Tom", " Tom" if success else " him", success, kind, None, margin)


def reading(
    *features: str,
    rank: int = 0,
    p: float = 0.001,
    kind: VerdictKind = "CORRELATE",
    level: str | None = None,
    proxy: Proxy | None = None,
    **more: Any,
) -> ClassReading:
    """A class that fires on four failures and no success."""
    return ClassReading(
        rank=rank, features=list(features), size=len(features), fail_active=4, success_active=0,
        cohens_d=1.0, auroc=0.9, p_fisher=p, p_holm=p, p_min_p=p, p_max_t=p, p_deciding=p,
        p_conditional=more.pop("p_conditional", None), proxy=proxy,
        intervention=more.pop("intervention", None),
        verdict=Verdict(kind, level, f"fires on 4 failures; adjusted p = {p}"), **more,
    )  # fmt: skip


def site(*classes: ClassReading, layer: int = 4) -> SiteAudit:
    return SiteAudit(layer, 16, 5, {"min_p": len(classes)}, {"pooling": "max"}, list(classes))


def level(n: int, failures: int, p: float) -> LevelReading:
    return LevelReading(n, failures, failures / n, 0.1, 0.9, p, p, None)


def audit(
    successes: Sequence[bool],
    sites: Mapping[str, SiteAudit] | None = None,
    prompts: Sequence[str] = PROMPTS,
    margins: Sequence[float | None] | None = None,
    **more: Any,
) -> Audit:
    """An audit of these outcomes, whose one factor is the object."""
    shown = [
        outcome(prompt, success, None if margins is None else margins[i])
        for i, (prompt, success) in enumerate(zip(prompts, successes, strict=True))
    ]
    failed = [not success for success in successes]
    keys = sum(failed[::2])
    return dataclasses.replace(
        audit_samples.underpowered(), verdict=None, n=len(shown), failures=sum(failed),
        outcomes=shown, sites=dict(sites or {}),
        factors={"object": {
            "the keys": level(len(failed[::2]), keys, 0.01),
            "a card": level(len(failed[1::2]), sum(failed[1::2]), 0.5),
        }},
        **more,
    )  # fmt: skip


def write(
    folder: Path,
    audit: Audit | None = None,
    *,
    profile: Profile | None = None,
    firings: Mapping[str, Sequence[tuple[int, int, int, float]]] | None = None,
    tested: Sequence[tuple[str, int, float]] = (),
    digests: Mapping[str, str] | None = None,
    corpus: str | None = None,
    pooled: Mapping[str, Sequence[tuple[int, int, float]]] | None = None,
    **arguments: str,
) -> Path:
    """Write a run folder as a command does.

    Args:
        folder: where.
        audit, profile: its results.
        firings: by dictionary, `(prompt, position, feature, activation)` rows.
        tested: `(site, feature, p_deciding)` rows of the table of features.
        digests: by dictionary.
        corpus: digest of a profile's corpus.
        pooled: by dictionary, `(text, feature, activation)` rows.
        arguments: in force.
    """
    (folder / "tables").mkdir(parents=True)
    if audit is not None:
        audit.save(folder)
        objects = [f"{'the keys' if i % 2 == 0 else 'a card'}" for i in range(audit.n)]
        pd.DataFrame(
            {"prompt": [one.prompt for one in audit.outcomes], "object": objects}
        ).to_parquet(folder / "tables" / "prompts.parquet")
        table = pd.DataFrame(list(tested), columns=["site", "feature", "p_deciding"])
        table.to_parquet(folder / "tables" / "features.parquet")
    if profile is not None:
        profile.save(folder)
    for name, rows in (firings or {}).items():
        (folder / "activations" / "task").mkdir(parents=True, exist_ok=True)
        columns = ["text_id", "position", "feature", "activation"]
        kinds = dict.fromkeys(columns[:3], "int32") | {"activation": "float32"}
        pd.DataFrame(list(rows), columns=columns).astype(kinds).to_parquet(
            folder / "activations" / "task" / f"{name}.parquet"
        )
    for name, of in (pooled or {}).items():
        pd.DataFrame(list(of), columns=["text_id", "feature", "activation"]).to_parquet(
            folder / "tables" / f"pooled-{name}.parquet"
        )
    manifest = Manifest(
        ["faultlens", "audit"], dict(arguments), "2026-01-01", {"faultlens": "1"}, ""
    )
    manifest.inputs["model"] = {"digest": "m"}
    manifest.inputs["dictionaries"] = {n: {"digest": d} for n, d in (digests or {}).items()}
    if corpus is not None:
        manifest.inputs["corpus"] = {"name": "texts", "digest": corpus}
    manifest.write(folder)
    return folder

"""Level 2 of the bench: planted models, audited and scored, and how often the audit was right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from faultlens.progress import SILENT, Progress
from faultlens.testing.bench import FORMAT_VERSION, cell, keep_results, kept_results, rate
from faultlens.testing.planted_models.recipes import RECIPES, plant_model
from faultlens.testing.planted_models.scoring import OFF_PATH, PROCEDURE, score_model

PRESENT = ("single", "two causes", "attention head", "compensated", "fine-tuned")
"""Kinds whose cause is that features fire, each by itself."""
HARDER = ("absence", "AND", "overlapping OR")
"""Kinds that an audit missed before it looked for them."""


def run_model_bench(
    names: Iterable[str] | None = None, out: Path | None = None, progress: Progress = SILENT
) -> dict[str, Any]:
    """Plant, audit and score models; go on where an earlier run left off.

    Models that an older procedure scored are audited again.

    Args:
        names: of `RECIPES`; None: all.
        out: JSON file of the bench, which keeps both levels; models that it holds already are not
            done again. None: nothing is kept.
        progress: told of the models done.

    Returns:
        `{"format_version", …, "models": {name: score}, "model_rates"}`.

    Raises:
        UserError: an unknown name, a file that no bench wrote.
    """
    kept = kept_results(out) or {"format_version": FORMAT_VERSION}
    models: dict[str, Any] = dict(kept.get("models", {}))
    wanted = list(RECIPES if names is None else names)
    tick = progress.start("Planted models", len(wanted))
    for name in wanted:
        if models.get(name, {}).get("procedure") != PROCEDURE:
            models[name] = asdict(score_model(plant_model(name)))
            keep_results(out, {**kept, "models": models, "model_rates": model_rates(models)})
        tick(1)
    return {**kept, "models": models, "model_rates": model_rates(models)}


def model_rates(models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """How often the audit was right, with Clopper–Pearson intervals; null where nothing counts."""
    scores = list(models.values())
    present = [s for s in scores if s["kind"] in PRESENT and _carried(s)]
    harder = [s for s in scores if s["kind"] in HARDER and _carried(s)]
    tried = [one for score in scores for one in score["tried"]]
    causes = [one for one in tried if one["verdict"] == "CAUSE" and one["mediated"] is not None]
    off_path = [o for o in tried if o["mediated"] is not None and o["mediated"] < OFF_PATH]
    return {
        "models": len(scores),
        "presence found": _rate_of(s["found"] for s in present),
        "presence CAUSE": _rate_of(s["cause"] for s in present),
        "absence, AND, overlapping OR found": _rate_of(s["found"] for s in harder),
        "false CAUSE": rate(sum(s["false_cause"] for s in scores), len(causes)) if causes else None,
        "off-path shown": _rate_of(one["verdict"] != "none" for one in off_path),
        "outside said, error term": _rate_of(
            s["outside"] for s in scores if s["kind"] == "error term"
        ),
        "outside said, others": _rate_of(
            s["outside"] for s in scores if s["kind"] in (*PRESENT, *HARDER)
        ),
    }


def model_table(result: Mapping[str, Any]) -> list[str]:
    """The models in lines of Markdown, a row each, and the rates over them."""
    lines = [
        "| model | cause | failures | found | CAUSE | false CAUSE | tried (share that passes) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, score in result["models"].items():
        tried = ", ".join(
            f"{_short(one['features'])} {one['verdict']} {_share(one['mediated'])}"
            for one in score["tried"]
        )
        cells = [
            name,
            ", ".join(score["card"]["causes"]) or "none",
            str(score["failures"]),
            _yes(score["found"]),
            _yes(score["cause"]),
            str(score["false_cause"]),
            tried,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| rate | |", "| --- | --- |"]
    for name, value in result["model_rates"].items():
        said = str(value) if isinstance(value, int) else cell(value)
        lines.append(f"| {name} | {said} |")
    return [*lines, "", *missed(result["models"])]


def missed(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The models whose cause was not found, and at which step it was lost, a line each."""
    lines = []
    for name, score in models.items():
        if score["found"] is not False:
            continue
        causes = " and ".join(score["card"]["causes"])
        tried = [one for one in score["tried"] if one["planted"]]
        step = "no planted feature was in a tested class, and the causal search chose another"
        if tried:
            step = "it was tried, and no effect was shown"
        if not _carried(score):
            step += "; less than half of what was planted passes through it"
        lines.append(f"- Missed: {name} ({causes}): {step}.")
    return lines or ["No cause was missed."]


def _carried(score: Mapping[str, Any]) -> bool:
    """Whether the planted features do pass at least half of what was planted."""
    shares = list(score["card"]["mediated"].values())
    return bool(shares) and max(shares) >= 0.5


def _rate_of(said: Iterable[bool]) -> list[float] | None:
    values = [bool(one) for one in said]
    return rate(sum(values), len(values)) if values else None


def _short(features: Sequence[str]) -> str:
    return features[0] if len(features) == 1 else f"{features[0]} +{len(features) - 1}"


def _share(mediated: float | None) -> str:
    return "" if mediated is None else f"({mediated:.2f})"


def _yes(said: bool | None) -> str:
    return "" if said is None else "yes" if said else "no"

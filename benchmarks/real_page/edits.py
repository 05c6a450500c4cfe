"""What was changed in a model that shows a behaviour, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from real_page.tables import table


def edits(one: Mapping[str, Any]) -> list[str]:
    """What was changed in the model with the dictionaries of each seed, and what came of it."""
    lines = []
    for seed, record in one["seeds"].items():
        lines += [
            f"Dictionaries of {seed}, the first {record['prompts']} prompts "
            f"({record['failures']} fail): {counted(record)}",
            "",
        ]
    found = changed_classes(one)
    if not found:
        return [*lines, "No class was changed: none is significant on so few prompts.", ""]
    heads = (
        "seed, class changed", "edit", "on", "margin beyond the controls, nats", "should",
        "replies mended, broken", "cost elsewhere",
    )  # fmt: skip
    shown = sum(is_shown(of["changed"]) for _, of in found)
    said = f"Classes changed, 95 % intervals; an effect is shown of {shown} of {len(found)}:"
    return [*lines, said, "", *table(heads, *(row for pair in found for row in edit(*pair)))]


def edit(seed: str, of: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A class that was changed: a row for the edit of failures, and one for that of successes."""
    changed = of["changed"]
    flips = changed["flips"]
    turned = f"{flips['failure_to_success']}, {flips['success_to_failure']} of {flips['prompts']}"
    cost = ", ".join(
        f"{on['text']} {on['kl']:.2g} nats (controls {on['control_kl']:.2g})"
        for on in changed["off_task"]
    )
    first = f"{seed}, {class_name(of)}, {of['verdict']}"
    necessity = (first, *effect(changed["necessity"], "rise"), turned, cost or "not measured")
    return [necessity, ("", *effect(changed["sufficiency"], "fall"), "", "")]


def effect(side: Mapping[str, Any] | None, should: str) -> tuple[str, str, str, str]:
    """What was done to which prompts, the margin's change with its p, and what was expected."""
    if side is None:
        return "not tested", "", "", ""
    value = side["p_value"] if side["p_holm"] is None else side["p_holm"]
    within = "" if side["low"] is None else f" [{side['low']:.3f}, {side['high']:.3f}]"
    shown = ", shown" if side["shown"] else ""
    by = "" if side["least"] is None else f" by {side['least']:.2f}"
    return (
        side["kind"], f"{side['prompts']} {side['on']}",
        f"{side['adjusted']:+.3f}{within} (p {value:.2g}{shown})", should + by,
    )  # fmt: skip


def counted(record: Mapping[str, Any]) -> str:
    """Features tested, classes by verdict, and what it took."""
    tested = sum(of["tested"] for of in record["sites"].values())
    kinds: dict[str, int] = {}
    for verdict, count in record["verdicts"].items():
        kind = "PROXY of levels of a factor" if verdict.startswith("PROXY of ") else verdict
        kinds[kind] = kinds.get(kind, 0) + count
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return (
        f"{tested:,} features tested; classes by verdict: {said or 'none'} "
        f"({record['processor_seconds']:.0f} processor seconds)."
    )


def class_name(of: Mapping[str, Any]) -> str:
    return of["features"][0] + (f" + {of['size'] - 1}" if of["size"] > 1 else "")


def changed_classes(one: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """By seed of the dictionaries, the classes that were changed."""
    return [
        (seed, of)
        for seed, record in one["seeds"].items()
        for of in record["classes"]
        if of["changed"] is not None
    ]


def is_shown(changed: Mapping[str, Any]) -> bool:
    """Whether an effect of a class is shown."""
    return any((changed.get(side) or {}).get("shown") for side in ("necessity", "sufficiency"))

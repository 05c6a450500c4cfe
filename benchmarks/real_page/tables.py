"""How the page of the study writes tables, counts, intervals and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NAMES = {"gemma-3-270m": "Gemma 3 270M", "SmolLM2-135M-Instruct": "SmolLM2-135M"}
"""The models as the page calls them, by the name in the results' files."""
GEMMA, SMOLLM = NAMES
KEYS = "the keys"
Results = Mapping[str, Any]


def table(heads: Sequence[str], *rows: Sequence[str]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in (heads, *rows)]
    return [lines[0], "| " + " | ".join("---" for _ in heads) + " |", *lines[1:], ""]


def listed(words: Iterable[str]) -> str:
    found = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


def quoted(text: str) -> str:
    """What a model said, as code, so that no sign of it is read as Markdown."""
    return "`" + text.replace("`", "'").replace("|", "/") + "`"


def failed(level: Mapping[str, Any]) -> float:
    """Share of the prompts at a level that fail."""
    return float(level["failures"] / level["n"])


def ratio(level: Mapping[str, Any]) -> str:
    return f"{level['failures']} of {level['n']}"


def ends(one: Mapping[str, Any]) -> str:
    """An interval's ends; nothing where there is none."""
    return "" if one.get("low") is None else f"[{one['low']:.2f}, {one['high']:.2f}]"


def estimate(one: Mapping[str, Any], name: str) -> str:
    if one.get(name) is None:
        return one.get("reason") or "–"
    return f"{one[name]:.2f} {ends(one)}".rstrip()


def p_value(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def minutes(cost: Mapping[str, Any] | None) -> str:
    """Processor time and memory of a command."""
    if cost is None:
        return "–"
    return f"{cost['processor_seconds'] / 60:.1f} min, {cost['peak_mb'] / 1000:.1f} GB"


def missing(step: str, model: str) -> list[str]:
    """What stands where results are not there."""
    command = f"python benchmarks/real_study.py --steps {step} --models {model}"
    return [f"**Not run yet** ({NAMES[model]}): `{command}`.", ""]


def short_site(name: str) -> str:
    """`blocks.3.hook_attn_out` as `3 attention`; `3-att-seed-0` likewise."""
    words = {"resid_pre": "residual", "attn_out": "attention", "mlp_out": "MLP",
             "res": "residual", "att": "attention", "mlp": "MLP"}  # fmt: skip
    if name.startswith("blocks."):
        _, layer, point = name.split(".")
        return f"{layer} {words[point.removeprefix('hook_')]}"
    layer, point, *_ = name.split("-")
    return f"{layer} {words[point]}"


def depth(site: str) -> tuple[int, str]:
    """Sorts sites by depth: `blocks.3.hook_attn_out`."""
    _, layer, point = site.split(".")
    return int(layer), point


def order(name: str) -> tuple[int, str]:
    """Sorts names of dictionaries by depth: `3-att-seed-0`."""
    layer, point, *_ = name.split("-")
    return int(layer), point

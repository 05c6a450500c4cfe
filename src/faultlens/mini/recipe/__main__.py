"""Make `mini` from nothing: tokenizer, language model, dictionaries, model card.

    python -m faultlens.mini.recipe                # into the package, checkpoints in build/mini
    python -m faultlens.mini.recipe --only card    # measure again what is there

Every step that is finished is kept, each dictionary for itself; the language model goes on from its
last checkpoint. Remove the build folder and the files to start anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoTokenizer

from faultlens.mini import CARD, FITS, LANGUAGE_MODEL, SAES
from faultlens.mini.recipe.card import write_card, write_fits
from faultlens.mini.recipe.dictionaries import train_sets
from faultlens.mini.recipe.language_model import TrainingPlan, device, train_language_model
from faultlens.mini.recipe.tokenizer import train_tokenizer
from faultlens.models.load import load_model

STEPS = ("tokenizer", "language-model", "dictionaries", "fits", "card")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m faultlens.mini.recipe", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--build", type=Path, default=Path("build/mini"), help="checkpoints")
    parser.add_argument("--only", choices=STEPS, help="do one step only")
    options = parser.parse_args()
    steps = (options.only,) if options.only else STEPS
    options.build.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)  # part of what makes two runs give the same weights on a CPU

    if "tokenizer" in steps and not (LANGUAGE_MODEL / "tokenizer.json").exists():
        print(f"tokenizer: {len(train_tokenizer(LANGUAGE_MODEL))} entries", flush=True)
    plan = TrainingPlan()
    if "language-model" in steps and not (LANGUAGE_MODEL / "model.safetensors").exists():
        tokenizer = AutoTokenizer.from_pretrained(LANGUAGE_MODEL)
        train_language_model(tokenizer, plan, options.build, LANGUAGE_MODEL)
    if "dictionaries" in steps:
        train_sets(load_model("mini", str(device())), options.build, SAES)
    if "fits" in steps:
        write_fits(FITS)
    if "card" in steps:
        write_card(CARD)


if __name__ == "__main__":
    main()

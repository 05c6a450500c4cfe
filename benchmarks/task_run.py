"""What running a task costs at GPT-2's shape: `python benchmarks/task_run.py TOKENIZER`.

Target: 300 prompts of `ioi`, decoded and scored, and one site of 24,576 features read, in under
20 s on two quiet cores. The rival does the decoding alone: Hugging Face's `generate`, prompt by
prompt, on a part of the prompts, in the same run; both must give the same tokens. Weights are
random, which costs the same time. TOKENIZER is a folder with GPT-2's vocab.json and merges.txt.

On a machine that has other work, seconds on the clock say little: the processor's seconds of this
process, and the load when it began, are printed beside them. There use `--threads 1`: two threads
spend most of their time on waiting for each other.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

import faultlens as fl
from faultlens.auditing.activations.task_tokens import NEW_TOKENS, tokenize
from faultlens.auditing.behaviour.answer_scores import answer_scores
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import exact_word
from faultlens.features.lens import Lens

RIVALS_SHARE = 10  # one prompt in ten: the rival takes too long for all
Found = TypeVar("Found")


def random_gpt2(folder: Path, tokenizer: Path) -> Lens:
    """A random model of GPT-2's shape and an SAE at layer 8, through a hub's cache of their own."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "models"))
    from hub_cache import RELEASE, put_gpt2, put_saes
    from huggingface_hub import constants

    put_gpt2(folder, tokenizer, width=768, heads=12)
    put_saes(folder, [8], width=768, features=24_576)
    constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = str(folder), True
    return fl.load("gpt2", RELEASE, layers=[8])


def timed(name: str, work: Callable[[], Found]) -> tuple[Found, float]:
    """What the work gives, and its seconds on the processor, over all threads."""
    clock, processor = time.perf_counter(), time.process_time()
    found = work()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"{name:<48} {clock:6.1f} s on the clock, {processor:6.1f} s on the processor")
    return found, processor


def rival(lens: Lens, rows: list[list[int]]) -> list[list[int]]:
    """Hugging Face's greedy decoding of one prompt after the other."""
    return [
        lens.model.network.generate(
            torch.tensor([row]),
            attention_mask=torch.ones(1, len(row), dtype=torch.long),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=lens.model.bos_id,
        )[0, len(row) :].tolist()
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        lens = random_gpt2(Path(folder), options.tokenizer)
        task = fl.tasks.ioi(n=options.prompts, seed=42)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"{len(task)} prompts, {torch.get_num_threads()} threads of torch, load {load}")
        lens.model.generate([[0, 1]], 2)  # first calls load kernels
        tokens = tokenize(task, lens.model)
        _, ran = timed("run_task", lambda: run_task(lens, task, tokens, exact_word))
        texts = [prompt.text for prompt in task.prompts]
        _, read = timed("lens.read, one site of 24,576", lambda: lens.read(texts))
        timed("(the scores by a pass of their own, as a check)",
              lambda: answer_scores(lens.model, tokens))  # fmt: skip
        some = tokens.rows[::RIVALS_SHARE]
        theirs, slow = timed(f"rival: generate, {len(some)} prompts", lambda: rival(lens, some))
        assert lens.model.generate(some, NEW_TOKENS) == theirs, "the two decode differently"
    slow *= len(task) / len(some)
    print(
        f"together {ran + read:.1f} s on the processor (target: 40, two cores for 20 s); decoding "
        f"alone prompt by prompt {slow:.1f}: {slow / ran:.1f}x of run_task"
    )


if __name__ == "__main__":
    main()

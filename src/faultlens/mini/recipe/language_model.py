"""Train the language model: GPT-2's architecture, 3.3 M parameters, rows of packed documents.

Each row starts with a fresh document after the end-of-text token, as a text does when it is read,
and is filled up with further documents. Training is deterministic given the seed and the number of
threads, and goes on from the last checkpoint when it was cut off.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from faultlens.mini.recipe.text import Split, documents
from faultlens.mini.recipe.tokenizer import CONTEXT


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides the trained weights, besides the text."""

    tokens: int = 8_000_000
    rows_per_step: int = 8  # of 256 tokens each; copying is learnt after some 1,000 steps
    learning_rate: float = 2e-3
    warm_up_share: float = 0.03
    weight_decay: float = 0.05
    seed: int = 0
    checkpoint_every: int = 200  # steps

    @property
    def steps(self) -> int:
        return self.tokens // (self.rows_per_step * CONTEXT)

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then linear decay to zero."""
        warm_up = max(1, int(self.steps * self.warm_up_share))
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        return self.learning_rate * (self.steps - step) / (self.steps - warm_up)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def packed_rows(tokenizer: PreTrainedTokenizerFast, split: Split, start: int = 0) -> Iterator[Any]:
    """Endless rows `[CONTEXT]` of int64 token ids: documents, each after an end-of-text token."""
    row: list[int] = []
    stream = documents(split, start)
    while True:
        texts = [next(stream) for _ in range(256)]
        for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]:
            row += [tokenizer.bos_token_id, *ids]
            if len(row) >= CONTEXT:
                yield np.array(row[:CONTEXT], dtype=np.int64)
                row = []


def training_rows(tokenizer: PreTrainedTokenizerFast, plan: TrainingPlan, build: Path) -> Any:
    """All rows of the plan, `[steps * rows_per_step, CONTEXT]` uint16, tokenized once and kept."""
    wanted = plan.steps * plan.rows_per_step
    path = build / "rows.npy"
    if path.exists() and len(rows := np.load(path, mmap_mode="r")) == wanted:
        return rows
    source = packed_rows(tokenizer, "train")
    rows = np.stack([next(source).astype(np.uint16) for _ in range(wanted)])
    part = build / "rows.part.npy"
    np.save(part, rows)
    os.replace(part, path)
    return rows


def new_model(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=CONTEXT,
            n_ctx=CONTEXT,
            n_embd=192,
            n_layer=6,
            n_head=6,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def train_language_model(
    tokenizer: PreTrainedTokenizerFast, plan: TrainingPlan, build: Path, folder: Path
) -> None:
    """Train by `plan`, with checkpoints in `build`, and save fp16 weights in `folder`."""
    rows = training_rows(tokenizer, plan, build)
    torch.manual_seed(plan.seed)
    model = new_model(tokenizer).to(device()).train()
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": plan.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    checkpoint = build / "language_model.pt"
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device())
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    began = time.monotonic()
    for step in range(first, plan.steps):
        batch = rows[step * plan.rows_per_step : (step + 1) * plan.rows_per_step]
        ids = torch.from_numpy(batch.astype(np.int64)).to(device())
        for group in optimizer.param_groups:
            group["lr"] = plan.rate_at(step)
        with torch.autocast(device().type, torch.bfloat16):
            loss = model(ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % 50 == 0:
            rate = (step + 1 - first) * ids.numel() / (time.monotonic() - began)
            print(json.dumps({"step": step + 1, "of": plan.steps, "loss": round(loss.item(), 4),
                              "tokens_per_s": round(rate)}), flush=True)  # fmt: skip
        if (step + 1) % plan.checkpoint_every == 0 or step + 1 == plan.steps:
            part = build / "language_model.part.pt"
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                        "step": step + 1}, part)  # fmt: skip
            os.replace(part, checkpoint)
    model.half().cpu().save_pretrained(folder)

"""What a model means where it fails on "the keys": longer replies, and the same in other words.

Plain transformers, greedy; the rule that decides success is FaultLens's exact word.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import torch

OBJECT = "the keys"
WORDINGS = ("the keys", "the key", "some keys", "the keys back", "the hammer")
LONGER = 24  # tokens
BATCH = 32


@torch.no_grad()
def replies(model: Any, tokenizer: Any, prompts: list[str], tokens: int) -> list[str]:
    """What is said after each prompt, greedily, read alone in rows of one length."""
    rows = [tokenizer(prompt)["input_ids"] for prompt in prompts]
    said = [""] * len(prompts)
    by_length: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(place)
    for length, places in by_length.items():
        for begin in range(0, len(places), BATCH):
            mine = places[begin : begin + BATCH]
            ids = torch.tensor([rows[place] for place in mine])
            made = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens,
                do_sample=False, pad_token_id=0,
            )  # fmt: skip
            for place, out in zip(mine, made, strict=True):
                said[place] = tokenizer.decode(out[length:], skip_special_tokens=True)
    return said


def first_named(text: str, names: list[str]) -> str | None:
    """Which of some names stands first in a text."""
    places = [(match.start(), name) for name in names
              if (match := re.search(rf"\b{re.escape(name)}\b", text))]  # fmt: skip
    return min(places)[1] if places else None


def keys_findings(folder: Path, n: int, seed: int) -> dict[str, Any]:
    """Of the prompts with "the keys": who is named in the end, and accuracy by wording."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    import faultlens as fl
    from faultlens.auditing.behaviour.outcomes import exact_word as right

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = [one for one in fl.tasks.ioi(n=n, seed=seed).prompts if one.factors["object"] == OBJECT]
    wordings = {}
    for wording in WORDINGS:
        texts = [one.text.replace(OBJECT, wording) for one in asked]
        said = replies(model, tokenizer, texts, 8)
        wins = sum(right(text, one.target) for text, one in zip(said, asked, strict=True))
        wordings[wording] = {"prompts": len(asked), "right": wins}
    long = replies(model, tokenizer, [one.text for one in asked], LONGER)
    failing = [
        (one, text) for one, text in zip(asked, long, strict=True) if not right(text, one.target)
    ]
    named: Counter[str] = Counter()
    openings: Counter[str] = Counter()
    for one, text in failing:
        who = first_named(text, [one.target, str(one.foil)])
        named["nobody" if who is None else "target" if who == one.target else "foil"] += 1
        words = text.split()
        openings[" ".join(words[:1] if words[:1] != ["the"] else words[:2])] += 1
    return {
        "prompts": len(asked),
        "failures": len(failing),
        "tokens": LONGER,
        "first_named": dict(named),
        "openings": dict(openings.most_common(8)),
        "examples": [" ".join(text.split()[:6]) for _, text in failing[:8]],
        "wordings": wordings,
    }

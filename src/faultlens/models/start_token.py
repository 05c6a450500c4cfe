"""Start token: what a model reads in front of a text: BOS, another token, or nothing.

A tokenizer that names a BOS need not put it there. SmolLM2's is `<|im_start|>`, which opens the
turns of a chat and no plain text: with it in front the model answers worse. A model answers under
its own start token; a dictionary is read under the one that it was trained with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import cross_entropy

from faultlens.errors import UserError
from faultlens.models.fit import at_least, sample_rows
from faultlens.models.model import Model
from faultlens.models.start_ids import BOS, NONE, shown, token_ids

TOKENS = 256  # of the fit check's sample, on which start tokens are compared
CLEARLY = 0.1  # nats a token; two readings of SmolLM2 that answer 10 % apart are 0.01 to 0.02 apart
_TURNS = (
    {"role": "user", "content": "A"}, {"role": "assistant", "content": "B"},
    {"role": "user", "content": "C"},
)  # fmt: skip


@dataclass(frozen=True)
class StartToken:
    """What is put in front of a text, and why.

    Attributes:
        ids: its token ids; empty: nothing.
        shown: how a reader sees it: `<s>`, or `nothing`.
        reason: why it was chosen, a clause.
        losses: nats a token on natural text under what was compared, by what a reader sees; empty
            where nothing was compared.
    """

    ids: tuple[int, ...]
    shown: str
    reason: str
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What it is, and why, with the losses that were compared."""
        said = f"In front of a text the model expects {self.shown}: {self.reason}"
        if not self.losses:
            return said
        losses = ", ".join(f"{shown} {loss:.2f}" for shown, loss in self.losses.items())
        return f"{said} (loss on natural text, nats a token: {losses})"


def start_of(model: Model) -> StartToken:
    """The model's own start token; worked out once a model.

    What was asked for; else what its tokenizer puts in front of a text by default; else BOS, if the
    chat template opens a conversation with it and no turn, or if it also ends texts, so that every
    text in training but the first came after it; else nothing. Where the tokenizer decides nothing
    and the loss on natural text is clearly less under another of these (nothing, BOS, EOS), that.

    Raises:
        UserError: what was asked for is no token, or the model has no embedding of it.
    """
    if model not in _KNOWN:
        _KNOWN[model] = _chosen(model)
    return _KNOWN[model]


_KNOWN: WeakKeyDictionary[Model, StartToken] = WeakKeyDictionary()


def _chosen(model: Model) -> StartToken:
    asked = model.start
    if asked is not None:
        named = [] if asked == NONE else [model.bos_id] if asked == BOS else token_ids(model, asked)
        return StartToken(tuple(named), shown(model, named), "it was asked for (--start)")
    default = by_default(model)
    if default:
        reason = "its tokenizer puts it in front of every text"
        return StartToken(tuple(default), shown(model, default), reason)
    ids, reason = _declared(model)
    losses = _losses(model)
    by_shown = {shown(model, tried): loss for tried, loss in losses.items()}
    best = min(losses, key=lambda tried: losses[tried], default=ids)
    if losses and losses[best] < losses[ids] - CLEARLY:
        less = losses[ids] - losses[best]
        ids, reason = best, f"natural text costs {less:.2f} nats a token less behind it"
    return StartToken(ids, shown(model, ids), reason, by_shown)


def by_default(model: Model) -> list[int]:
    """What the tokenizer puts in front of a text when nothing is said."""
    text = "a"
    whole, own = list(model.tokenizer(text)["input_ids"]), model.ids(text)
    for start in range(len(whole) - len(own) + 1):
        if whole[start : start + len(own)] == own:
            return whole[:start]
    return []


def _declared(model: Model) -> tuple[tuple[int, ...], str]:
    """What follows from the tokens that the tokenizer names, and why."""
    tokenizer = model.tokenizer
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    if bos is None or bos >= model.embedded:
        return (), "its tokenizer puts nothing there, and names no BOS"
    in_chat = _conversation(tokenizer).count(bos)
    if in_chat == 1 and _conversation(tokenizer)[0] == bos:
        return (bos,), "its chat template opens a conversation with it"
    if bos == eos:
        return (bos,), "it ends texts too, so that each text in training came after one"
    named = f"although it names {tokenizer.bos_token} BOS"
    turns = ", which opens each turn of its chat template" if in_chat > 1 else ""
    return (), f"its tokenizer puts nothing there, {named}{turns}"


def _conversation(tokenizer: Any) -> list[int]:
    """The ids of a short conversation; empty where there is no template, or it takes none."""
    if not getattr(tokenizer, "chat_template", None):
        return []
    try:
        text = tokenizer.apply_chat_template(list(_TURNS), tokenize=False)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    except Exception:  # a template is a program of its own, and raises what it likes
        return []


@torch.no_grad()
def _losses(model: Model) -> dict[tuple[int, ...], float]:
    """By what stands in front, the loss on natural text, of the same tokens each time.

    Empty where the model knows the language no better than a guess: then it tells nothing.
    """
    tokenizer = model.tokenizer
    named = [i for i in (tokenizer.bos_token_id, tokenizer.eos_token_id) if i is not None]
    tried = [(), *dict.fromkeys((int(i),) for i in named if i < model.embedded)]
    try:
        rows = at_least(sample_rows(model, TOKENS), TOKENS)
    except UserError:
        return {}
    losses = {
        before: _loss(model, [[*before, *row] for row in rows], len(before)) for before in tried
    }
    return losses if min(losses.values()) < math.log(model.vocabulary) - 1 else {}


def _loss(model: Model, rows: Sequence[Sequence[int]], before: int) -> float:
    """Nats a token after the first one of each row's text, which begins at column `before`."""
    ids = model.pad(rows)
    predicting = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        predicting[i, before : len(row) - 1] = True
    logits = model.logits(ids, at=predicting)
    return float(cross_entropy(logits, ids.roll(-1, dims=1)[predicting]))

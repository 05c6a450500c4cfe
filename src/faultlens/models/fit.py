"""How well a dictionary reconstructs its model: unexplained variance, L0, firing, loss recovered.

All figures are over real tokens with BOS left out. Loss is the model's mean cross-entropy for the
next token, in nats; the reconstruction (or ablation) replaces the site's value everywhere but at
BOS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Edit, Model
from faultlens.models.sites import Site

ROWS = 16  # texts in a batch
SAMPLE = Path(__file__).parent / "fit_sample.txt"
"""Natural text of many kinds, about 2,500 words: templated text has too little variance."""


def sample_rows(model: Model) -> list[list[int]]:
    """The bundled sample in the model's tokens, without BOS, each passage in pieces that fit."""
    room = model.context - 1
    passages = SAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    rows = [model.ids(passage) for passage in passages]
    return [row[start : start + room] for row in rows for start in range(0, len(row), room)]


@dataclass(frozen=True)
class Fit:
    """What a dictionary does to a model on some text."""

    tokens: int
    fvu: float  # Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ over these tokens
    l0: float  # mean number of features firing on a token
    firing_share: float  # features that fire on any of the tokens
    loss: float  # of the model as it is
    loss_reconstructed: float
    loss_zero_ablated: float
    loss_mean_ablated: float

    def to_dict(self) -> dict[str, float]:
        """The figures and the two shares of loss recovered, as JSON takes them."""
        shares = {
            "recovered_from_mean": self.recovered_from_mean,
            "recovered_from_zero": self.recovered_from_zero,
        }
        return {**asdict(self), **shares}

    @property
    def recovered_from_mean(self) -> float:
        """(CE_mean − CE_sae) / (CE_mean − CE_clean)."""
        return _recovered(self.loss_mean_ablated, self.loss_reconstructed, self.loss)

    @property
    def recovered_from_zero(self) -> float:
        """(CE_zero − CE_sae) / (CE_zero − CE_clean)."""
        return _recovered(self.loss_zero_ablated, self.loss_reconstructed, self.loss)


def _recovered(floor: float, reconstructed: float, clean: float) -> float:
    return (floor - reconstructed) / (floor - clean)


@torch.no_grad()
def measure_fit(
    model: Model,
    dictionary: Dictionary,
    rows: Sequence[Sequence[int]],
    loss_rows: int | None = None,
) -> Fit:
    """Measure a dictionary on texts.

    Args:
        model: the model that it was trained on.
        dictionary: the SAE.
        rows: token ids of each text, without BOS; at least two tokens in all.
        loss_rows: measure the losses on the first so many texts only; None for all.
    """
    site = dictionary.site
    count, total, squares = 0, torch.zeros(dictionary.d_in), 0.0
    error, fired = 0.0, 0.0
    seen = torch.zeros(dictionary.d_sae, dtype=torch.bool)
    for ids, real in _batches(model, rows):
        x = dictionary.prepare(model.read(ids, [site])[site][real]).double()
        activations = dictionary.encode(x.float())
        count += len(x)
        total += x.sum(dim=0).float()
        squares += float((x**2).sum())
        error += float(((x - dictionary.decode(activations)) ** 2).sum())
        fired += float((activations > 0).sum())
        seen |= (activations > 0).any(dim=0)
    mean = total / count
    variance = squares - count * float((mean.double() ** 2).sum())
    some = rows[:loss_rows]
    return Fit(
        tokens=count,
        fvu=error / variance,
        l0=fired / count,
        firing_share=float(seen.float().mean()),
        loss=mean_loss(model, some),
        loss_reconstructed=mean_loss(model, some, site, lambda x: _reconstructed(dictionary, x)),
        loss_zero_ablated=mean_loss(model, some, site, torch.zeros_like),
        loss_mean_ablated=mean_loss(model, some, site, lambda x: mean.expand_as(x)),
    )


@torch.no_grad()
def mean_loss(
    model: Model, rows: Sequence[Sequence[int]], site: Site | None = None, edit: Edit | None = None
) -> float:
    """Mean next-token cross-entropy in nats over all tokens of `rows`, each predicted from BOS on.

    With `site` and `edit`, the value there is replaced at every position but BOS.
    """
    loss, count = 0.0, 0
    for ids, real in _batches(model, rows):
        edits = {} if site is None or edit is None else {site: _after_bos(edit)}
        logits = model.logits(ids, edits=edits)[:, :-1][real[:, 1:]]
        loss += float(cross_entropy(logits, ids[:, 1:][real[:, 1:]], reduction="sum"))
        count += int(real.sum())
    return loss / count


def _reconstructed(dictionary: Dictionary, x: Tensor) -> Tensor:
    """The site's value with the dictionary's input replaced by its reconstruction."""
    flat = x.reshape(-1, x.shape[-1])
    prepared = dictionary.prepare(flat)
    return (flat - prepared + dictionary.decode(dictionary.encode(flat))).reshape(x.shape)


def _after_bos(edit: Edit) -> Edit:
    def protected(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], edit(x)[:, 1:]], dim=1)

    return protected


def _batches(model: Model, rows: Sequence[Sequence[int]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Right-padded ids with BOS, and which positions hold a real token; texts of like length."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    for start in range(0, len(order), ROWS):
        batch = [[model.bos_id, *rows[i]] for i in order[start : start + ROWS]]
        ids = model.pad(batch)
        lengths = torch.tensor([len(row) for row in batch], device=ids.device)
        position = torch.arange(ids.shape[1], device=ids.device)
        yield ids, (position > 0) & (position < lengths[:, None])

"""How well a dictionary reconstructs its model: unexplained variance, L0, firing, loss recovered.

All figures are over real tokens after position 0: BOS, or without it the first token, which takes
its part. Losses are those of `losses`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import Dictionary
from faultlens.models.losses import CachedTexts, Replacement, held_at, padded_texts, zeroed
from faultlens.models.losses import mean_loss as mean_loss
from faultlens.models.model import Model
from faultlens.models.sites import Site

SAMPLE = Path(__file__).parent / "fit_sample.txt"
"""Natural text of many kinds, about 2,500 words: templated text has too little variance."""


CONSTANT = 1e-12  # a variance below this share of the mean square is rounding
TILE = 512  # tokens whose activations are held at once: 50 MB at 24,576 features
PIECE = 128  # tokens: the context that published dictionaries were often trained with


def sample_rows(model: Model, least: int | None = None) -> list[list[int]]:
    """The bundled sample in the model's tokens, without BOS, each passage in pieces.

    Args:
        model: whose tokens and context.
        least: stop at so many tokens, taken from passages spread over the whole; None for all.
    """
    room = min(model.context - 1, PIECE)
    passages = SAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    chosen: list[list[int]] = []
    for index in sorted(range(len(passages)), key=lambda i: (i % 3, i)):
        if least is not None and sum(map(len, chosen)) >= least:
            break
        row = model.ids(passages[index])
        chosen.extend(row[start : start + room] for start in range(0, len(row), room))
    return chosen


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

    def to_dict(self) -> dict[str, Any]:
        """The figures and the two shares of loss recovered, as JSON takes them."""
        shares = {
            "recovered_from_mean": self.recovered_from_mean,
            "recovered_from_zero": self.recovered_from_zero,
        }
        return {**asdict(self), **shares}

    @property
    def recovered_from_mean(self) -> float | None:
        """(CE_mean − CE_sae) / (CE_mean − CE_clean); None where ablation costs nothing."""
        return recovered(self.loss_mean_ablated, self.loss_reconstructed, self.loss)

    @property
    def recovered_from_zero(self) -> float | None:
        """(CE_zero − CE_sae) / (CE_zero − CE_clean); None where ablation costs nothing."""
        return recovered(self.loss_zero_ablated, self.loss_reconstructed, self.loss)


def recovered(floor: float, reconstructed: float, clean: float) -> float | None:
    """(CE_ablated − CE_rebuilt) / (CE_ablated − CE_clean); None where ablation costs nothing."""
    if floor == clean:
        return None
    return (floor - reconstructed) / (floor - clean)


class Reconstruction:
    """Accumulates, some tokens at a time, how a dictionary rebuilds its target site's values."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self.tokens = 0
        self._total: Tensor | None = None  # of the values as they are, for mean ablation
        self._sums: Tensor | None = None  # of the values as they are to be rebuilt
        self._squares = self._error = 0.0
        self._fired = 0
        device = dictionary.W_enc.device
        self._seen = torch.zeros(dictionary.d_sae, dtype=torch.bool, device=device)

    @torch.no_grad()
    def add(self, x: Tensor, target: Tensor) -> None:
        """Take in tokens: the site's values `[tokens, d_in]`, and the target site's."""
        for start in range(0, len(x), TILE):
            part = slice(start, start + TILE)
            self.add_encoded(x[part], target[part], self._dictionary.encode(x[part]))

    @torch.no_grad()
    def add_encoded(self, x: Tensor, target: Tensor, activations: Tensor) -> None:
        """The same with their activations, `[tokens, d_sae]`."""
        dictionary = self._dictionary
        wanted = dictionary.centred(target)
        rebuilt = dictionary.rebuilt_of(activations, x, target)
        error = (target.float() - rebuilt).double()
        self.tokens += len(x)
        self._total = _plus(self._total, target.double().sum(dim=0))
        self._sums = _plus(self._sums, wanted.double().sum(dim=0))
        self._squares += float((wanted.double() ** 2).sum())
        self._error += float((error**2).sum())
        firing = activations.nonzero(as_tuple=True)[1]  # none is negative
        self._fired += len(firing)
        self._seen[firing] = True

    @property
    def mean(self) -> Tensor:
        """Of the target site's values, `[d_out]`."""
        assert self._total is not None
        return (self._total / self.tokens).float()

    @property
    def fvu(self) -> float:
        """Σ‖x − x̂‖² / Σ‖x − x̄‖²: a ratio of sums.

        Raises UserError where the value to be rebuilt is the same at every token.
        """
        assert self._sums is not None
        variance = self._squares - float((self._sums**2).sum()) / self.tokens
        if variance <= CONSTANT * self._squares:
            raise UserError(
                f"dictionary {self._dictionary.name} cannot be judged: what it is to rebuild at "
                f"{self._dictionary.target.name} is the same at all {self.tokens} tokens read; "
                "choose another site or layer, or give --no-fit-check to go on"
            )
        return self._error / variance

    @property
    def l0(self) -> float:
        return self._fired / self.tokens

    @property
    def firing_share(self) -> float:
        return float(self._seen.float().mean())


def _plus(total: Tensor | None, more: Tensor) -> Tensor:
    return more if total is None else total + more


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
        dictionary: the SAE or transcoder.
        rows: token ids of each text, without BOS; at least two tokens in all.
        loss_rows: measure the losses on the first so many texts only; None for all.
    """
    site, target, bos = dictionary.site, dictionary.target, dictionary.convention.prepend_bos
    seen = Reconstruction(dictionary)
    for texts in padded_texts(model, rows, bos):
        values = model.read(texts.ids, list({site, target}))
        seen.add(values[site][texts.real], values[target][texts.real])
    cached = CachedTexts.of(model, rows[:loss_rows], [site, target], bos)
    losses = cached.replaced(
        target, [zeroed(target), held_at(target, seen.mean), rebuilt_by(dictionary)]
    )
    return fit_of(seen, cached.loss, losses)


def rebuilt_by(dictionary: Dictionary) -> Replacement:
    """The target site's value as the dictionary rebuilds it."""

    def replacement(number: int, values: Mapping[Site, Tensor]) -> Tensor:
        x, target = values[dictionary.site], values[dictionary.target]
        return dictionary.reconstruct(x.flatten(0, 1), target.flatten(0, 1)).view_as(target)

    return replacement


def fit_of(seen: Reconstruction, loss: float, losses: Sequence[float]) -> Fit:
    """Put together what was seen of a dictionary and the losses: clean; zero, mean, rebuilt."""
    zero, mean, rebuilt = losses
    return Fit(
        tokens=seen.tokens,
        fvu=seen.fvu,
        l0=seen.l0,
        firing_share=seen.firing_share,
        loss=loss,
        loss_reconstructed=rebuilt,
        loss_zero_ablated=zero,
        loss_mean_ablated=mean,
    )

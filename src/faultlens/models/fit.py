"""How well a dictionary fits its model: unexplained variance, L0, firing, loss recovered.

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
from faultlens.models.massive import MassiveLimits
from faultlens.models.model import Model
from faultlens.models.reconstruction import Reconstruction
from faultlens.models.sites import Site
from faultlens.models.start_ids import ids_in_front

SAMPLE = Path(__file__).parent / "fit_sample.txt"
"""Natural text of many kinds, about 2,500 words: templated text has too little variance."""
PIECE = 128  # tokens: the context that published dictionaries were often trained with
MEDIAN_TOKENS = 4_096  # of a longer text, the tokens that the median norm is taken from


def sample_rows(model: Model, least: int | None = None) -> list[list[int]]:
    """The bundled sample in the model's tokens, without BOS, each passage in pieces.

    Args:
        model: whose tokens and context.
        least: stop at so many tokens, taken from passages spread over the whole; None for all.

    Raises:
        UserError: the tokenizer makes one token of every passage, of which nothing can be told.
    """
    room = min(model.context - 1, PIECE)
    passages = SAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    chosen: list[list[int]] = []
    for index in sorted(range(len(passages)), key=lambda i: (i % 3, i)):
        if least is not None and sum(map(len, chosen)) >= least:
            break
        row = model.ids(passages[index])
        chosen.extend(row[start : start + room] for start in range(0, len(row), room))
    chosen = [row for row in chosen if len(row) > 1]
    if not chosen:
        raise UserError(
            f"model {model.name} cannot be checked: its tokenizer makes one token of every passage "
            "of natural text; give --no-fit-check to go on"
        )
    return chosen


def at_least(rows: Sequence[Sequence[int]], tokens: int) -> list[Sequence[int]]:
    """The first rows, as many as it takes, the last one cut; pieces of two tokens or more."""
    chosen: list[Sequence[int]] = []
    for row in rows:
        missing = tokens - sum(map(len, chosen))
        if missing <= 0:
            break
        chosen.append(row[: max(missing, 2)])
    return chosen


@dataclass(frozen=True)
class Fit:
    """What a dictionary does to a model on some text.

    Attributes:
        tokens: how many there were.
        massive: of them, those beyond ten times the median norm, which `fvu` and `l0` leave out.
        fvu: Σ‖x − x̂‖² / Σ‖x − x̄‖², x̄ over the same tokens.
        l0: mean number of features firing on a token.
        fvu_all: the same over all tokens.
        l0_all: the same over all tokens.
        firing_share: features that fire on any of the tokens.
        loss: of the model as it is, in nats.
        loss_reconstructed: with the dictionary's reconstruction in the value's place.
        loss_zero_ablated: with zero there.
        loss_mean_ablated: with the mean over the tokens there.
    """

    tokens: int
    massive: int
    fvu: float
    l0: float
    fvu_all: float
    l0_all: float
    firing_share: float
    loss: float
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
    site, target = dictionary.site, dictionary.target
    before = ids_in_front(model, dictionary.convention)
    sites = list({site, target})
    limits = MassiveLimits.of(read_tokens(model, at_least(rows, MEDIAN_TOKENS), sites, before))
    seen = Reconstruction(dictionary)
    for texts in padded_texts(model, rows, before):
        read = model.read(texts.ids, sites)
        values = {site: value[texts.real] for site, value in read.items()}
        seen.add(values[site], values[target], limits.typical(values))
    cached = CachedTexts.of(model, rows[:loss_rows], [site, target], before)
    losses = cached.replaced(
        target, [zeroed(target), held_at(target, seen.mean), rebuilt_by(dictionary)]
    )
    return fit_of(seen, cached.loss, losses)


def read_tokens(
    model: Model, rows: Sequence[Sequence[int]], sites: Sequence[Site], before: Sequence[int]
) -> dict[Site, Tensor]:
    """The sites' values at the real tokens after position 0, `[tokens, d]` each.

    The ids in `before` stand in front of each row.
    """
    parts: dict[Site, list[Tensor]] = {site: [] for site in sites}
    for texts in padded_texts(model, rows, before):
        for site, value in model.read(texts.ids, sites).items():
            parts[site].append(value[texts.real])
    return {site: torch.cat(values) for site, values in parts.items()}


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
        massive=seen.massive,
        fvu=seen.fvu,
        l0=seen.l0,
        fvu_all=seen.fvu_all,
        l0_all=seen.l0_all,
        firing_share=seen.firing_share,
        loss=loss,
        loss_reconstructed=rebuilt,
        loss_zero_ablated=zero,
        loss_mean_ablated=mean,
    )

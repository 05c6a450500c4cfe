"""The fit check: does each dictionary fit the model as it is read, or would another convention fit?

Everything is measured on a bundled sample of natural text: the convention in force on all of it,
the rivals on part of it, where all conventions are compared with each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from faultlens.models.convention import Rival, rivals, sites_read
from faultlens.models.dictionary import Dictionary
from faultlens.models.examination import Alternative, Examination
from faultlens.models.fit import Reconstruction, fit_of, recovered, sample_rows
from faultlens.models.losses import CachedTexts, Replacement, held_at, padded_texts, zeroed
from faultlens.models.model import Model
from faultlens.models.scales import without_scales
from faultlens.models.sites import Site
from faultlens.progress import SILENT, Progress

TOKENS, RIVAL_TOKENS, LOSS_TOKENS = 2_000, 300, 64
"""So many or more for the fit in force; so many for comparing conventions, and for the losses."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The sample as the model holds it, with BOS or without.

    Attributes:
        whole: by site, the tokens after position 0, `[tokens, d]`; None where this state of BOS is
            in force for no dictionary.
        compared: by site, those on which conventions are compared: the same with BOS and without.
        loss_texts: those on which losses are measured.
    """

    whole: Mapping[Site, Tensor] | None
    compared: Mapping[Site, Tensor]
    loss_texts: CachedTexts

    @classmethod
    def of(cls, model: Model, sites: Sequence[Site], bos: bool, in_force: bool) -> Reading:
        """Read the sample once; all of it only where it is `in_force`."""
        rows = sample_rows(model, TOKENS)
        few = [len(row) for row in at_least(rows, RIVAL_TOKENS)]
        lengths = [*few, *[0] * (len(rows) - len(few))]
        read_here = rows if in_force else at_least(rows, RIVAL_TOKENS)
        whole, compared = read(model, read_here, sites, bos, lengths)
        loss_texts = CachedTexts.of(model, at_least(rows, LOSS_TOKENS), sites, bos)
        return cls(whole if in_force else None, compared, loss_texts)


def examine(
    model: Model, dictionaries: Sequence[Dictionary], progress: Progress = SILENT
) -> list[Examination]:
    """Check every dictionary on the bundled sample of natural text.

    The sample is read once for all dictionaries, and in part once more with BOS the other way.
    """
    sites = sorted({s for d in dictionaries for s in sites_read(d)}, key=lambda site: site.depth)
    states = {dictionary.convention.prepend_bos for dictionary in dictionaries}
    readings = {bos: Reading.of(model, sites, bos, bos in states) for bos in (True, False)}
    tick = progress.start("Checking the fit", len(dictionaries))
    found = []
    for dictionary in dictionaries:
        found.append(_examine(model, dictionary, readings))
        tick(1)
    return found


def read(
    model: Model,
    rows: Sequence[Sequence[int]],
    sites: Sequence[Site],
    bos: bool,
    compared: Sequence[int] = (),
) -> tuple[dict[Site, Tensor], dict[Site, Tensor]]:
    """The sites' values after position 0, `[tokens, d]`: at all tokens, and at those compared.

    Args:
        model: what reads.
        rows: token ids without BOS.
        sites: where.
        bos: whether BOS is prepended.
        compared: of each row, how many of its tokens are compared; its first token never is, so
            that the tokens are the same with BOS and without.
    """
    whole: dict[Site, list[Tensor]] = {site: [] for site in sites}
    some: dict[Site, list[Tensor]] = {site: [] for site in sites}
    for texts in padded_texts(model, rows, bos):
        limits = torch.tensor([compared[i] if compared else 0 for i in texts.rows])
        token = torch.arange(texts.ids.shape[1]) - int(bos)
        chosen = (token > 0) & (token < limits[:, None])
        for site, value in model.read(texts.ids, sites).items():
            whole[site].append(value[texts.real])
            some[site].append(value[chosen.to(value.device)])
    return _together(whole), _together(some)


def _together(parts: Mapping[Site, list[Tensor]]) -> dict[Site, Tensor]:
    return {site: torch.cat(values) for site, values in parts.items()}


def at_least(rows: Sequence[Sequence[int]], tokens: int) -> list[Sequence[int]]:
    """The first rows, as many as it takes, the last one cut; pieces of two tokens or more."""
    chosen: list[Sequence[int]] = []
    for row in rows:
        missing = tokens - sum(map(len, chosen))
        if missing <= 0:
            break
        chosen.append(row[: max(missing, 2)])
    return chosen


def _examine(model: Model, dictionary: Dictionary, readings: Mapping[bool, Reading]) -> Examination:
    """Measure the convention in force on the whole sample, and all conventions on part of it."""
    reading = readings[dictionary.convention.prepend_bos]
    assert reading.whole is not None, "read for the states of BOS that are in force"
    seen = Reconstruction(dictionary)
    seen.add(reading.whole[dictionary.site], reading.whole[dictionary.target])
    mean_norm = float(dictionary.plain_input(reading.compared[dictionary.site]).norm(dim=-1).mean())
    tried = list(rivals(dictionary, mean_norm))
    plain = without_scales(dictionary)
    found: dict[int, Alternative] = {}
    losses: list[float] = []
    for bos, state in readings.items():
        chosen = [i for i, r in enumerate(tried) if r.dictionary.convention.prepend_bos == bos]
        trial = _Trial(plain, state)
        compared = {i: trial.compared(tried[i].dictionary) for i in chosen}
        target = dictionary.target
        mean = seen.mean if state is reading else next(iter(compared.values())).mean
        rebuilt = [trial.rebuilt_by(tried[i].dictionary) for i in chosen]
        zero, held, *rest = state.loss_texts.replaced(
            target, [zeroed(target), held_at(target, mean), *rebuilt]
        )
        for i, loss in zip(chosen, rest, strict=True):
            found[i] = _alternative(
                tried[i], compared[i], (state.loss_texts.loss, zero, held, loss)
            )
        if state is reading:
            losses = [zero, held, rest[0]]
    in_force, *others = (found[i] for i in range(len(tried)))
    return Examination(
        name=dictionary.name,
        model=model.name,
        site=dictionary.site.name,
        fit=fit_of(seen, reading.loss_texts.loss, losses),
        compared_tokens=len(reading.compared[dictionary.target]),
        loss_tokens=reading.loss_texts.tokens,
        in_force=in_force,
        others=tuple(others),
        published=dictionary.published,
        knows_language=reading.loss_texts.loss < 0.9 * math.log(model.vocabulary),
    )


class _Trial:
    """One reading through the tensors that all conventions share, projected once a site."""

    def __init__(self, plain: Dictionary, reading: Reading) -> None:
        self._plain, self._reading = plain, reading
        self._projected: dict[tuple[Site, int | None], Tensor] = {}

    def _encoded(self, dictionary: Dictionary, x: Tensor, part: int | None) -> Tensor:
        """Activations of a part of the reading: the tokens compared, or some loss texts."""
        place = dictionary.site, part
        if place not in self._projected:
            self._projected[place] = x.float() @ self._plain.W_enc
        return dictionary.encode_from(x, self._projected[place])

    def compared(self, dictionary: Dictionary) -> Reconstruction:
        """How a dictionary of these tensors rebuilds the tokens that are compared."""
        seen = Reconstruction(dictionary)
        x, target = (self._reading.compared[s] for s in (dictionary.site, dictionary.target))
        seen.add_encoded(x, target, self._encoded(dictionary, x, None))
        return seen

    def rebuilt_by(self, dictionary: Dictionary) -> Replacement:
        """What it puts in the place of the target site's values."""

        def replacement(number: int, values: Mapping[Site, Tensor]) -> Tensor:
            x, target = values[dictionary.site].flatten(0, 1), values[dictionary.target]
            activations = self._encoded(dictionary, x, number)
            return dictionary.rebuilt_of(activations, x, target.flatten(0, 1)).view_as(target)

        return replacement


def _alternative(
    rival: Rival, under: Reconstruction, losses: tuple[float, float, float, float]
) -> Alternative:
    clean, zero, mean, rebuilt = losses
    return Alternative(
        words=rival.words,
        said=rival.said,
        fvu=under.fvu,
        l0=under.l0,
        firing_share=under.firing_share,
        recovered_from_mean=recovered(mean, rebuilt, clean),
        recovered_from_zero=recovered(zero, rebuilt, clean),
        given=rival.dictionary.convention.given,
    )

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
from faultlens.models.examination import Alternative, Examination, Language
from faultlens.models.fit import at_least, fit_of, recovered, sample_rows
from faultlens.models.losses import CachedTexts, Replacement, held_at, padded_texts, zeroed
from faultlens.models.massive import MassiveLimits
from faultlens.models.model import Model
from faultlens.models.reconstruction import Reconstruction
from faultlens.models.scales import without_scales
from faultlens.models.sites import Site
from faultlens.models.start_ids import ids_in_front
from faultlens.progress import SILENT, Progress

TOKENS, RIVAL_TOKENS, LOSS_TOKENS = 2_000, 1_000, 256
"""So many or more for the fit in force; so many for comparing conventions, and for the losses."""

Values = Mapping[Site, Tensor]
"""By site, the values at some tokens, `[tokens, d]` each."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The sample as the model holds it, behind BOS or another token, or behind nothing.

    Attributes:
        whole: the tokens after position 0; None where what is in front is in force for no
            dictionary.
        compared: those on which conventions are compared: the same whatever is in front.
        limits: the norm at each site beyond which a token's value is massive.
        loss_texts: those on which losses are measured.
    """

    whole: Values | None
    compared: Values
    limits: MassiveLimits
    loss_texts: CachedTexts

    @classmethod
    def of(
        cls, model: Model, sites: Sequence[Site], before: Sequence[int], in_force: bool
    ) -> Reading:
        """Read the sample once; all of it only where it is `in_force`."""
        rows = sample_rows(model, TOKENS)
        few = len(at_least(rows, RIVAL_TOKENS))
        values, later = read(model, rows[:few], sites, before)
        compared = {site: value[later] for site, value in values.items()}
        whole = None
        if in_force:
            rest = read(model, rows[few:], sites, before)[0] if rows[few:] else {}
            whole = {s: torch.cat([values[s], *([rest[s]] if rest else [])]) for s in values}
        loss_texts = CachedTexts.of(model, at_least(rows, LOSS_TOKENS), sites, before)
        return cls(whole, compared, MassiveLimits.of(whole or compared), loss_texts)

    def typical(self, values: Values, sites: set[Site]) -> Tensor:
        """Which of the tokens have a massive activation at none of the sites."""
        return self.limits.typical({site: values[site] for site in sites})


def examine(
    model: Model, dictionaries: Sequence[Dictionary], progress: Progress = SILENT
) -> list[Examination]:
    """Check every dictionary on the bundled sample of natural text.

    The sample is read once for all dictionaries, and in part once more with BOS the other way,
    where the model has a BOS.

    Raises UserError where a dictionary asks for a start token that the model lacks.
    """
    sites = sorted({s for d in dictionaries for s in sites_read(d)}, key=lambda site: site.depth)
    in_force = {_before(model, dictionary) for dictionary in dictionaries}
    states = in_force | {()} | ({(model.bos_id,)} if model.has_bos else set())
    readings = {
        before: Reading.of(model, sites, before, before in in_force) for before in sorted(states)
    }
    tick = progress.start("Checking the fit", len(dictionaries))
    found = []
    for dictionary in dictionaries:
        found.append(_examine(model, dictionary, readings))
        tick(1)
    return found


def read(
    model: Model, rows: Sequence[Sequence[int]], sites: Sequence[Site], before: Sequence[int]
) -> tuple[dict[Site, Tensor], Tensor]:
    """The sites' values at the tokens after position 0, and which of those to compare.

    Args:
        model: what reads.
        rows: token ids without BOS.
        sites: where.
        before: the ids that stand in front of each row: BOS, or nothing.

    Returns:
        by site `[tokens, d]`; and boolean `[tokens]`, false at the first token of each row, so that
        what is true are the same tokens, in the same order, whatever is in front.
    """
    parts: dict[Site, list[Tensor]] = {site: [] for site in sites}
    later = []
    for texts in padded_texts(model, rows, before):
        token = torch.arange(texts.ids.shape[1], device=texts.ids.device) - len(before)
        later.append((token > 0).expand_as(texts.real)[texts.real])
        for site, value in model.read(texts.ids, sites).items():
            parts[site].append(value[texts.real])
    return {site: torch.cat(values) for site, values in parts.items()}, torch.cat(later)


def _examine(
    model: Model, dictionary: Dictionary, readings: Mapping[tuple[int, ...], Reading]
) -> Examination:
    """Measure the convention in force on the whole sample, and all conventions on part of it."""
    reading = readings[_before(model, dictionary)]
    assert reading.whole is not None, "read behind whatever is in force"
    sites = {dictionary.site, dictionary.target}
    seen = Reconstruction(dictionary)
    x, target = reading.whole[dictionary.site], reading.whole[dictionary.target]
    seen.add(x, target, reading.typical(reading.whole, sites))
    seen.check_varies()  # some of the rivals divide by how much it varies
    mean_norm = float(dictionary.plain_input(reading.compared[dictionary.site]).norm(dim=-1).mean())
    every = rivals(dictionary, mean_norm)
    tried = [r for r in every if model.has_bos or not r.dictionary.convention.prepend_bos]
    fronts = [_before(model, rival.dictionary) for rival in tried]
    plain = without_scales(dictionary)
    typical = torch.stack([r.typical(r.compared, sites) for r in readings.values()]).all(dim=0)
    compared: dict[int, Reconstruction] = {}
    losses: dict[int, tuple[float, float, float, float]] = {}
    for before, state in readings.items():
        trial = _Trial(plain, state)
        chosen = [i for i, front in enumerate(fronts) if front == before]
        if not chosen:
            continue
        compared |= {i: trial.compared(tried[i].dictionary, typical) for i in chosen}
        mean = seen.mean if state is reading else compared[chosen[0]].mean
        fixed = [zeroed(dictionary.target), held_at(dictionary.target, mean)]
        rebuilt = [trial.rebuilt_by(tried[i].dictionary) for i in chosen]
        zero, held, *rest = state.loss_texts.replaced(dictionary.target, [*fixed, *rebuilt])
        clean = state.loss_texts.loss
        losses |= {i: (clean, zero, held, loss) for i, loss in zip(chosen, rest, strict=True)}
    in_force, *others = (
        _alternative(
            rival,
            compared[i],
            # What is rebuilt elsewhere has a variance of its own.
            compared[0 if rival.dictionary.target == dictionary.target else i],
            losses[i],
        )
        for i, rival in enumerate(tried)
    )
    return Examination(
        name=dictionary.name,
        model=model.name,
        site=dictionary.site.name,
        fit=fit_of(seen, reading.loss_texts.loss, losses[0][1:]),
        compared_tokens=int(typical.sum()),
        loss_tokens=reading.loss_texts.tokens,
        in_force=in_force,
        others=tuple(others),
        published=dictionary.published,
        language=_language(model, readings),
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

    def compared(self, dictionary: Dictionary, typical: Tensor) -> Reconstruction:
        """How a dictionary of these tensors rebuilds the tokens that are compared."""
        seen = Reconstruction(dictionary)
        x, target = (self._reading.compared[s] for s in (dictionary.site, dictionary.target))
        seen.add_encoded(x, target, typical, self._encoded(dictionary, x, None))
        return seen

    def rebuilt_by(self, dictionary: Dictionary) -> Replacement:
        """What it puts in the place of the target site's values."""

        def replacement(number: int, values: Mapping[Site, Tensor]) -> Tensor:
            x, target = values[dictionary.site].flatten(0, 1), values[dictionary.target]
            activations = self._encoded(dictionary, x, number)
            return dictionary.rebuilt_of(activations, x, target.flatten(0, 1)).view_as(target)

        return replacement


def _before(model: Model, dictionary: Dictionary) -> tuple[int, ...]:
    return tuple(ids_in_front(model, dictionary.convention))


def _alternative(
    rival: Rival,
    under: Reconstruction,
    in_force: Reconstruction,
    losses: tuple[float, float, float, float],
) -> Alternative:
    clean, zero, mean, rebuilt = losses
    return Alternative(
        words=rival.words,
        said=rival.said,
        fvu=under.fvu,
        relative_error=under.error_over(in_force),
        error_as_it_is=under.error_as_it_is,
        l0=under.l0,
        firing_share=under.firing_share,
        recovered_from_mean=recovered(mean, rebuilt, clean),
        recovered_from_zero=recovered(zero, rebuilt, clean),
        given=rival.dictionary.convention.given,
    )


def _language(model: Model, readings: Mapping[tuple[int, ...], Reading]) -> Language:
    """How well the model predicts the sample, behind whatever it does best."""
    loss = min(reading.loss_texts.loss for reading in readings.values())
    return Language(loss, math.log(model.vocabulary), model.is_mini)

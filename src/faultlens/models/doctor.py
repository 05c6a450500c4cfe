"""The fit check: does each dictionary fit the model as it is read, or would another convention fit?

Unexplained variance decides, since it needs no good model: loss recovered says little of a model
that does not know the sample's language, and is then not given. A convention is better if under it
clearly less variance is unexplained, or if only under it the published L0 comes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from faultlens.models.convention import Rival, rivals
from faultlens.models.dictionary import Dictionary, Published
from faultlens.models.fit import Fit, Reconstruction, fit_of, sample_rows
from faultlens.models.losses import LossAssay, batches
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import SILENT, Progress

MOST_UNEXPLAINED = 0.5
TOKENS, RIVAL_TOKENS, LOSS_TOKENS = 2_000, 300, 128
"""So many or more for the fit in force; so many for comparing conventions, and for the losses."""
CLEARLY = 0.8  # a better convention's FVU is below this share of the one in force, and less by
LEAST_GAIN, LEAST_GAIN_OF_BOS = 0.02, 0.03  # so much; more where the model itself reads otherwise
L0_AGREES, L0_DISAGREES = 1.25, 2.0  # factors between a measured and a published L0


@dataclass(frozen=True)
class Alternative:
    """A convention, and what comes out under it on the tokens that conventions are compared on."""

    words: tuple[str, ...]  # those that change it to this; none for the one in force
    said: str
    fvu: float
    l0: float
    given: tuple[str, ...] = ()  # all that --convention then has to say

    def to_dict(self) -> dict[str, Any]:
        return {"convention": " ".join(self.words), "fvu": self.fvu, "l0": self.l0}


@dataclass(frozen=True)
class Examination:
    """How one dictionary fits, under the convention in force and under the others.

    Attributes:
        name: the dictionary's.
        model: the model's name.
        site: its site's name.
        fit: the figures under the convention in force.
        loss_tokens: how many tokens the losses are over.
        in_force: the same convention on the tokens that conventions are compared on.
        others: the rival conventions.
        published: what the registry says.
        knows_language: whether the model predicts the sample clearly better than a guess.
    """

    name: str
    model: str
    site: str
    fit: Fit
    loss_tokens: int
    in_force: Alternative
    others: tuple[Alternative, ...]
    published: Published
    knows_language: bool

    @property
    def better(self) -> Alternative | None:
        """The convention that fits better than the one in force; None if none does."""
        now = self.in_force
        clear = [
            other
            for other in self.others
            if other.fvu <= MOST_UNEXPLAINED
            and other.fvu < CLEARLY * now.fvu
            and now.fvu - other.fvu > _least_gain(other)
        ]
        if clear:
            return min(clear, key=lambda other: other.fvu)
        published = self.published.l0
        if published is None or _apart(now.l0, published) <= L0_DISAGREES:
            return None
        agreeing = [
            other
            for other in self.others
            if _apart(other.l0, published) <= L0_AGREES and other.fvu <= 1.05 * now.fvu
        ]
        return min(agreeing, key=lambda other: other.fvu, default=None)

    @property
    def complaint(self) -> str | None:
        """Why a run should stop, in one sentence with the next step; None if nothing is wrong."""
        better = self.better
        if better is not None:
            l0 = "" if self.published.l0 is None else f" (published L0 {self.published.l0:g})"
            return (
                f"dictionary {self.name} does not fit {self.model} as it is read: with "
                f"{better.said} it leaves {better.fvu:.1%} of the variance at {self.site} "
                f"unexplained and has L0 {better.l0:.1f}, now {self.in_force.fvu:.1%} and "
                f"{self.in_force.l0:.1f}{l0}; give --convention {','.join(better.given)}, or "
                "--no-fit-check to go on"
            )
        if not self.fit.fvu <= MOST_UNEXPLAINED:
            return (
                f"dictionary {self.name} leaves {self.fit.fvu:.0%} of the variance of {self.model} "
                f"at {self.site} unexplained, expected at most {MOST_UNEXPLAINED:.0%}: it was "
                "trained on another model or site, or in a way that no convention tried here "
                "accounts for; choose another, or give --no-fit-check to go on"
            )
        return None

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them; losses recovered are None where they say nothing."""
        figures = self.fit.to_dict()
        if not self.knows_language:
            figures.update(recovered_from_mean=None, recovered_from_zero=None)
        return {
            **figures,
            "loss_tokens": self.loss_tokens,
            "published": {
                "l0": self.published.l0,
                "variance_explained": self.published.variance_explained,
            },
            "in_force": self.in_force.to_dict(),
            "other_conventions": [other.to_dict() for other in self.others],
        }


def examine(
    model: Model, dictionaries: Sequence[Dictionary], progress: Progress = SILENT
) -> list[Examination]:
    """Check every dictionary on the bundled sample of natural text.

    The sample is read once for all dictionaries, and once more, in part, with BOS the other way.
    """
    rows = sample_rows(model, TOKENS)
    few = _at_least(rows, RIVAL_TOKENS)
    sites = sorted({s for d in dictionaries for s in (d.site, d.target)}, key=lambda s: s.depth)
    states = {dictionary.convention.prepend_bos for dictionary in dictionaries}
    whole = {bos: _read(model, rows, sites, bos) for bos in states}
    compared = {bos: _read(model, few, sites, bos, skip_first=True) for bos in (True, False)}
    assays = {
        bos: LossAssay.of(
            model,
            _at_least(rows, LOSS_TOKENS),
            [d.site.layer for d in dictionaries if d.convention.prepend_bos == bos],
            bos,
        )
        for bos in states
    }
    tick = progress.start("Checking the fit", len(dictionaries))
    found = []
    for dictionary in dictionaries:
        bos = dictionary.convention.prepend_bos
        found.append(_examine(model, dictionary, whole[bos], compared, assays[bos]))
        tick(1)
    return found


def _examine(
    model: Model,
    dictionary: Dictionary,
    whole: dict[Site, Tensor],
    compared: dict[bool, dict[Site, Tensor]],
    assay: LossAssay,
) -> Examination:
    seen = _seen(dictionary, whole)
    fit = fit_of(seen, assay, dictionary)
    here = compared[dictionary.convention.prepend_bos]
    prepared = dictionary.prepare(here[dictionary.site])
    mean_norm = float(prepared.norm(dim=-1).mean())
    tried = [Rival((), dictionary), *rivals(dictionary, mean_norm)]
    alternatives = []
    for rival in tried:
        under = _seen(rival.dictionary, compared[rival.dictionary.convention.prepend_bos])
        alternatives.append(_alternative(rival, under))
    guess = math.log(model.vocabulary)
    return Examination(
        name=dictionary.name,
        model=model.name,
        site=dictionary.site.name,
        fit=fit,
        loss_tokens=assay.tokens,
        in_force=alternatives[0],
        others=tuple(alternatives[1:]),
        published=dictionary.published,
        knows_language=assay.loss < 0.9 * guess,
    )


def _alternative(rival: Rival, under: Reconstruction) -> Alternative:
    given = rival.dictionary.convention.given
    return Alternative(rival.words, rival.said, under.fvu, under.l0, given)


def _seen(dictionary: Dictionary, values: dict[Site, Tensor]) -> Reconstruction:
    seen = Reconstruction(dictionary)
    seen.add(values[dictionary.site], values[dictionary.target])
    return seen


def _read(
    model: Model,
    rows: Sequence[Sequence[int]],
    sites: Sequence[Site],
    bos: bool,
    skip_first: bool = False,
) -> dict[Site, Tensor]:
    """The sites' values at the rows' tokens after position 0, `[tokens, d]`.

    `skip_first` leaves out each row's first token with BOS too, so that the tokens are the same
    with and without it.
    """
    parts: dict[Site, list[Tensor]] = {site: [] for site in sites}
    for ids, real in batches(model, rows, bos):
        if skip_first and bos:
            real = real & (torch.arange(ids.shape[1], device=ids.device) > 1)
        for site, value in model.read(ids, sites).items():
            parts[site].append(value[real])
    return {site: torch.cat(values) for site, values in parts.items()}


def _at_least(rows: Sequence[Sequence[int]], tokens: int) -> list[Sequence[int]]:
    """The first rows, as many as it takes, the last one cut; pieces of two tokens or more."""
    chosen: list[Sequence[int]] = []
    for row in rows:
        missing = tokens - sum(map(len, chosen))
        if missing <= 0:
            break
        chosen.append(row[: max(missing, 2)])
    return chosen


def _least_gain(other: Alternative) -> float:
    return LEAST_GAIN_OF_BOS if {"bos", "no-bos"} & set(other.words) else LEAST_GAIN


def _apart(measured: float, published: float) -> float:
    """The factor between two numbers, at least 1."""
    if measured <= 0:
        return math.inf
    return max(measured / published, published / measured)

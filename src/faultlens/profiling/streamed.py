"""A profile from streaming statistics: no text, table or activation is held.

What needs a number for every text (ranks, thresholds found from the data, labels shuffled many
times) cannot be had from them. What can: maxima, and on how many texts of each category a feature
fires. The best feature of a category is tested by Fisher's exact test and corrected for all
features that it was chosen among, whatever their dependence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from faultlens.errors import UserError
from faultlens.features.streaming import FeatureStatistics
from faultlens.profiling.result.sites import MostFrequent
from faultlens.profiling.result.streamed import (
    FiringSpecialist,
    StreamedCategory,
    StreamedProfile,
    StreamedSite,
    StrongestToken,
)
from faultlens.stats.effects import gini


def streamed_profile(
    corpus: str,
    statistics: Mapping[str, FeatureStatistics],
    conventions: Mapping[str, Mapping[str, Any]],
    top_k: int,
    alpha: float,
    warnings: Sequence[str] = (),
) -> StreamedProfile:
    """The profile.

    Args:
        corpus: its name.
        statistics: by dictionary, over the same texts, a group a category.
        conventions: how each was read.
        top_k: maxima in the top-k measures.
        alpha: level after Bonferroni.
        warnings: what a reader should know.

    Raises UserError where nothing fires.
    """
    sites = {name: _Site(name, kept) for name, kept in statistics.items()}
    for name, site in sites.items():
        if not len(site.columns):
            raise UserError(f"no feature of {name} fires on any text of {corpus}")
    groups = next(iter(statistics.values())).groups
    hypotheses = len(groups) * sum(len(site.columns) for site in sites.values())
    return StreamedProfile(
        corpus,
        int(next(iter(statistics.values())).texts.sum()),
        top_k,
        alpha,
        {n: site.reading(dict(conventions[n]), top_k, hypotheses) for n, site in sites.items()},
        list(warnings),
    )


@dataclass(frozen=True, eq=False)
class _Site:
    """One dictionary's statistics."""

    name: str
    kept: FeatureStatistics

    @property
    def columns(self) -> np.ndarray:
        """The features that fire on any text."""
        return np.flatnonzero(self.kept.texts_firing.sum(axis=0))

    def reading(self, convention: dict[str, Any], top_k: int, hypotheses: int) -> StreamedSite:
        kept, columns = self.kept, self.columns
        strongest = kept.maximum[:, columns].max(axis=0)
        group = int(np.argmax(kept.maximum[:, columns[np.argmax(strongest)]]))
        return StreamedSite(
            d_sae=kept.texts_firing.shape[1],
            firing=len(columns),
            convention=convention,
            most_frequent=self._frequent(
                kept.texts_firing.sum(axis=0), int(kept.texts.sum()), kept.maximum.max(axis=0)
            ),
            strongest=self._token(group, int(columns[np.argmax(strongest)])),
            categories={
                category: self._category(place, top_k, hypotheses)
                for place, category in enumerate(kept.groups)
            },
        )

    def _category(self, group: int, top_k: int, hypotheses: int) -> StreamedCategory:
        kept = self.kept
        maxima = kept.maximum[group]
        fires = bool(kept.texts_firing[group].any())
        peaks = np.sort(maxima[self.columns].astype(np.float64))[::-1]
        top = np.pad(peaks[:top_k], (0, max(0, top_k - len(peaks))))
        within = kept.texts_firing[group]
        outside = kept.texts_firing.sum(axis=0) - within
        inside_texts = int(kept.texts[group])
        others = int(kept.texts.sum()) - inside_texts
        auroc = (1 + within / max(inside_texts, 1) - outside / max(others, 1)) / 2
        return StreamedCategory(
            texts=inside_texts,
            tokens=int(kept.tokens[group]) if kept.tokens.any() else None,
            peak=self._token(group, int(np.argmax(maxima))) if fires else None,
            top_sum=float(top.sum()),
            top_share=float(top.sum() / peaks.sum()) if fires else None,
            gini=gini(top) if fires else None,
            most_frequent=self._frequent(within, inside_texts, maxima) if fires else None,
            specialist=self._best(within - outside, group, auroc, hypotheses),
            selective=self._best(auroc, group, auroc, hypotheses),
        )

    def _best(
        self, measure: np.ndarray, group: int, auroc: np.ndarray, hypotheses: int
    ) -> FiringSpecialist:
        """The feature with the largest measure; ties: larger maximum inside, then lower index."""
        kept, columns = self.kept, self.columns
        tied = columns[np.isclose(measure[columns], measure[columns].max(), rtol=0, atol=1e-9)]
        best = int(tied[np.argmax(kept.maximum[group, tied])])
        inside = int(kept.texts_firing[group, best])
        fires = int(kept.texts_firing[:, best].sum())
        p = float(hypergeom.sf(inside - 1, int(kept.texts.sum()), fires, int(kept.texts[group])))
        return FiringSpecialist(
            feature=f"{self.name}/{best}",
            score=2 * inside - fires,
            inside=inside,
            outside=fires - inside,
            auroc=float(auroc[best]),
            p_value=p,
            p_bonferroni=min(1.0, p * hypotheses),
            ties=len(tied),
        )

    def _frequent(self, fires: np.ndarray, texts: int, maxima: np.ndarray) -> MostFrequent:
        tied = np.flatnonzero(fires == fires.max())
        winner = int(tied[np.argmax(maxima[tied])])
        count = int(fires[winner])
        return MostFrequent(f"{self.name}/{winner}", count, count / texts, len(tied))

    def _token(self, group: int, feature: int) -> StrongestToken:
        kept = self.kept
        return StrongestToken(
            f"{self.name}/{feature}",
            float(kept.example_activation[group, feature, 0]),
            int(kept.example_text[group, feature, 0]),
            int(kept.example_position[group, feature, 0]),
        )

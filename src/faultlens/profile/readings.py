"""From measures to readings: what a result says of one category, one site, and text length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.features.table import FeatureTable
from faultlens.profile.chance import Tested
from faultlens.profile.measures import SiteMeasures
from faultlens.profile.result import (
    CategoryReading,
    Length,
    MostFrequent,
    MostSelective,
    Peak,
    Selectivity,
    ShortlistSpecialist,
    SiteReading,
    Specialist,
    Strongest,
)
from faultlens.stats.effects import auroc, midranks


def category_reading(
    table: FeatureTable,
    site: SiteMeasures,
    inside: np.ndarray,
    top_k: int,
    selective: Tested,
    specialist: Tested,
) -> CategoryReading:
    """One category at one site; `inside` is boolean `[texts]`."""
    total, share, inequality = site.geometry(inside, top_k)
    counts = _counts(site, specialist.best.column, inside)
    short = site.shortlist(inside, top_k)
    short_counts = _counts(site, short, inside)
    return CategoryReading(
        texts=int(inside.sum()),
        peak=_peak(table, site, inside),
        top_sum=total,
        top_share=share,
        gini=inequality,
        selectivity=Selectivity(
            feature=site.feature(table, selective.best.column),
            auroc=selective.best.value,
            p_value=selective.p_value,
            p_holm=selective.p_holm,
            ties=selective.best.ties,
        ),
        specialist=Specialist(
            feature=site.feature(table, specialist.best.column),
            score=counts[0] - counts[1],
            inside=counts[0],
            outside=counts[1],
            p_value=specialist.p_value,
            p_holm=specialist.p_holm,
            ties=specialist.best.ties,
        ),
        shortlist_specialist=ShortlistSpecialist(
            site.feature(table, short), short_counts[0] - short_counts[1], *short_counts
        ),
    )


def site_reading(
    table: FeatureTable, site: SiteMeasures, categories: dict[str, CategoryReading]
) -> SiteReading:
    """One dictionary over the whole corpus."""
    fires = (site.values > 0).sum(axis=0)
    frequent = int(np.argmax(fires))
    text, column = np.unravel_index(int(np.argmax(site.values)), site.values.shape)
    return SiteReading(
        layer=table.layer,
        d_sae=table.d_sae,
        firing=len(site.columns),
        threshold=site.threshold,
        residual_norm=_residual_norm(table),
        convention=table.convention,
        most_frequent=MostFrequent(
            site.feature(table, frequent),
            int(fires[frequent]),
            float(fires[frequent] / table.n_texts),
        ),
        most_selective=_most_selective(table, site),
        strongest=Strongest(
            site.feature(table, int(column)),
            float(site.values[text, column]),
            str(table.rows["text"].iloc[int(text)]),
        ),
        categories=categories,
    )


def lengths_by_category(tables: Mapping[str, FeatureTable], corpus: Corpus) -> dict[str, Length]:
    """Length by category: in tokens where the tables know them, otherwise in characters."""
    rows = next(iter(tables.values())).rows
    unit = "tokens" if "tokens" in rows else "characters"
    length = np.array(rows["tokens"] if unit == "tokens" else [len(text) for text in corpus.texts])
    ranks = midranks(length[:, None].astype(float))
    labels = np.array(corpus.labels)
    return {
        category: Length(
            float(length[labels == category].mean()),
            unit,
            float(auroc(ranks, labels == category)[0]),
        )
        for category in corpus.categories
    }


def _counts(site: SiteMeasures, column: int, inside: np.ndarray) -> tuple[int, int]:
    """Texts above the threshold inside the category, and outside."""
    above = site.above[:, column]
    return int(above[inside].sum()), int(above[~inside].sum())


def _peak(table: FeatureTable, site: SiteMeasures, inside: np.ndarray) -> Peak:
    maxima = site.values[inside].max(axis=0)
    column = int(np.argmax(maxima))
    height = float(maxima[column])
    norm = _residual_norm(table)
    return Peak(site.feature(table, column), height, None if norm is None else height / norm)


def _residual_norm(table: FeatureTable) -> float | None:
    """Mean norm of the site's values over all pooled tokens."""
    if "residual_norm" not in table.rows:
        return None
    return float(np.average(table.rows["residual_norm"], weights=table.rows["tokens"]))


def _most_selective(table: FeatureTable, site: SiteMeasures) -> MostSelective | None:
    """Among features above the threshold anywhere, one with the fewest texts; None if none is."""
    counts = site.above.sum(axis=0)
    if not counts.any():
        return None
    least = counts[counts > 0].min()
    tied = np.flatnonzero(counts == least)
    winner = int(tied[np.argmax(site.values[:, tied].max(axis=0))])
    return MostSelective(site.feature(table, winner), int(least), len(tied))

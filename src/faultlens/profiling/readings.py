"""From measures to readings: what the result says of one category at a site, and of the site."""

from __future__ import annotations

import numpy as np

from faultlens.features.table import FeatureTable
from faultlens.profiling.chance import Tested
from faultlens.profiling.measures import SiteMeasures
from faultlens.profiling.result import (
    CategoryReading,
    MostFrequent,
    MostSelective,
    Peak,
    Selectivity,
    ShortlistSpecialist,
    SiteReading,
    Specialist,
    Strongest,
    Tail,
    TailCurve,
)
from faultlens.stats.concentration import cumulative_share, features_for, participation_ratio

CURVE_POINTS = 60  # of a long-tail curve, evenly spaced by the logarithm of the rank


def category_reading(
    table: FeatureTable,
    site: SiteMeasures,
    inside: np.ndarray,
    top_k: int,
    selective: Tested,
    specialist: Tested,
) -> CategoryReading:
    """One category at one site; `inside` is boolean `[texts]`."""
    total, share, inequality = site.top_peaks(inside, top_k)
    counts = _counts(site, specialist.best.column, inside)
    fires = bool((site.values[inside] > 0).any())
    short = site.shortlist(inside, top_k)
    short_counts = _counts(site, short, inside)
    return CategoryReading(
        texts=int(inside.sum()),
        peak=_peak(table, site, inside) if fires else None,
        top_sum=total,
        top_share=share if fires else None,
        gini=inequality if fires else None,
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
        )
        if fires
        else None,
        most_frequent=_most_frequent(table, site, inside) if fires else None,
        most_selective=_most_selective(table, site, inside),
        tail=_tail(site.values[inside])[0] if fires else None,
    )


def site_reading(
    table: FeatureTable, site: SiteMeasures, categories: dict[str, CategoryReading]
) -> SiteReading:
    """One dictionary over the whole corpus."""
    everywhere = np.ones(table.n_texts, dtype=bool)
    text, column = np.unravel_index(int(np.argmax(site.values)), site.values.shape)
    tail, curve = _tail(site.values)
    return SiteReading(
        layer=table.layer,
        d_sae=table.d_sae,
        firing=len(site.columns),
        threshold=site.threshold,
        residual_norm=_residual_norm(table),
        convention=table.convention,
        most_frequent=_most_frequent(table, site, everywhere),
        most_selective=_most_selective(table, site, everywhere),
        strongest=Strongest(
            site.feature(table, int(column)),
            float(site.values[text, column]),
            str(table.rows["text"].iloc[int(text)]),
        ),
        tail=tail,
        curve=curve,
        categories=categories,
    )


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


def _most_frequent(table: FeatureTable, site: SiteMeasures, texts: np.ndarray) -> MostFrequent:
    """The feature that fires on the most of `texts`, boolean `[texts]`."""
    fires = (site.values[texts] > 0).sum(axis=0)
    winner, ties = _first(site, texts, fires == fires.max())
    count = int(fires[winner])
    return MostFrequent(site.feature(table, winner), count, count / int(texts.sum()), ties)


def _most_selective(
    table: FeatureTable, site: SiteMeasures, texts: np.ndarray
) -> MostSelective | None:
    """Among features above the threshold on any of `texts`, one with the fewest; None if none is.

    For a category the fewest are counted over its own texts.
    """
    counts = site.above[texts].sum(axis=0)
    if not counts.any():
        return None
    least = counts[counts > 0].min()
    winner, ties = _first(site, texts, counts == least)
    return MostSelective(site.feature(table, winner), int(least), ties)


def _first(site: SiteMeasures, texts: np.ndarray, tied: np.ndarray) -> tuple[int, int]:
    """Of tied columns the one with the largest maximum over `texts`, then the lower; how many."""
    columns = np.flatnonzero(tied)
    winner = columns[np.argmax(site.values[texts][:, columns].max(axis=0))]
    return int(winner), len(columns)


def _tail(values: np.ndarray) -> tuple[Tail, TailCurve]:
    """How the texts' activation `[texts, features]` spreads over features."""
    totals = values.sum(axis=0, dtype=np.float64)
    cumulative = cumulative_share(totals)
    ranks = np.unique(np.geomspace(1, len(totals), CURVE_POINTS).round().astype(int))
    fifty, ninety, ninety_nine = (features_for(cumulative, share) for share in (0.5, 0.9, 0.99))
    return (
        Tail(participation_ratio(totals), fifty, ninety, ninety_nine),
        TailCurve(ranks.tolist(), cumulative[ranks - 1].tolist()),
    )

"""The profile study: read, measure every site, test against random labels, correct, freeze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.profile.measures import Best, SiteMeasures
from faultlens.profile.result import (
    CategoryReading,
    Length,
    MostFrequent,
    MostSelective,
    Peak,
    Profile,
    Selectivity,
    ShortlistSpecialist,
    SiteReading,
    Specialist,
    Strongest,
)
from faultlens.progress import SILENT, Progress
from faultlens.stats.effects import auroc, midranks
from faultlens.stats.label_null import max_null, permutation_p, random_groups
from faultlens.stats.multiplicity import holm

ALPHA = 0.05


def profile_tables(
    tables: Mapping[str, FeatureTable],
    corpus: Corpus,
    *,
    threshold: float | None = None,
    top_k: int = 5,
    permutations: int = 10_000,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Profile:
    """Profile tables whose rows are the corpus's texts, in its order.

    Args:
        tables: one a dictionary.
        corpus: the texts and their categories.
        threshold: τ of the specialist score; None takes each site's 99.5th percentile of the
            positive pooled values.
        top_k: k of the top-k sum, its share and Gini, and of the shortlist rule.
        permutations: random labellings behind each p-value.
        seed: of the random labellings.
        progress: told of the stages.

    Raises:
        UserError: a table does not fit the corpus, or nothing fires in it.
    """
    for name, table in tables.items():
        if table.n_texts != len(corpus):
            raise UserError(
                f"table {name} has {table.n_texts} rows, the corpus has {len(corpus)} texts"
            )
        if not table.matrix.nnz:
            raise UserError(f"no feature of {name} fires on any text of {corpus.name}")
    measures = {name: SiteMeasures.of(table, threshold) for name, table in tables.items()}
    labels = np.array(corpus.labels)
    tick = progress.start("Shuffling labels", len(tables))
    nulls = {}
    for name, site in measures.items():
        nulls[name] = _nulls(site, corpus, permutations, seed)
        tick(1)
    by_auroc: dict[Cell, Tested] = {}
    by_score: dict[Cell, Tested] = {}
    for name, site in measures.items():
        for category, size in corpus.sizes.items():
            inside = labels == category
            null = nulls[name][size]
            selective = site.best(site.selectivity(inside), inside)
            specialist = site.best(site.score(inside), inside)
            by_auroc[name, category] = Tested(selective, permutation_p(null.auroc, selective.value))
            by_score[name, category] = Tested(
                specialist, permutation_p(null.score, specialist.value)
            )
    holm_auroc, holm_score = _holm(by_auroc), _holm(by_score)

    def category_reading(name: str, category: str) -> CategoryReading:
        inside, cell = labels == category, (name, category)
        table, site = tables[name], measures[name]
        total, share, inequality = site.geometry(inside, top_k)
        selective, specialist = by_auroc[cell], by_score[cell]
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
                site.feature(table, selective.best.column),
                selective.best.value,
                selective.p,
                holm_auroc[cell],
                selective.best.ties,
            ),
            specialist=Specialist(
                site.feature(table, specialist.best.column),
                counts[0] - counts[1],
                *counts,
                specialist.p,
                holm_score[cell],
                specialist.best.ties,
            ),
            shortlist_specialist=ShortlistSpecialist(
                site.feature(table, short), short_counts[0] - short_counts[1], *short_counts
            ),
        )

    return Profile(
        corpus=corpus.name,
        n_texts=len(corpus),
        pooling=", ".join(sorted({str(t.convention.get("pooling")) for t in tables.values()})),
        top_k=top_k,
        permutations=permutations,
        seed=seed,
        alpha=ALPHA,
        lengths=_lengths(tables, corpus),
        sites={
            name: _site_reading(
                tables[name],
                site,
                {category: category_reading(name, category) for category in corpus.categories},
            )
            for name, site in measures.items()
        },
    )


Cell = tuple[str, str]
"""A site's name and a category."""


@dataclass(frozen=True)
class Tested:
    """A category's best feature by one measure, and its p under random labels."""

    best: Best
    p: float


@dataclass(frozen=True, eq=False)
class Null:
    """The best of all features under each random labelling, `[permutations]`."""

    auroc: np.ndarray
    score: np.ndarray


def _nulls(site: SiteMeasures, corpus: Corpus, permutations: int, seed: int) -> dict[int, Null]:
    """One null for each size that a category has: it serves all categories of that size."""
    n, features = site.values.shape
    nulls = {}
    for size in sorted(set(corpus.sizes.values())):
        rng = np.random.default_rng([seed, size])
        groups = random_groups(n, size, permutations, rng)
        pairs = size * (n - size)
        nulls[size] = Null(
            auroc=max_null(
                site.ranks, 1 / pairs, np.full(features, -(size + 1) / (2 * (n - size))), groups
            ),
            score=max_null(site.above, 2.0, -site.above.sum(axis=0), groups),
        )
    return nulls


def _holm(tested: Mapping[Cell, Tested]) -> dict[Cell, float]:
    """Holm over one family: a measure's claims for all categories at all sites."""
    adjusted = holm(np.array([claim.p for claim in tested.values()]))
    return dict(zip(tested, adjusted.tolist(), strict=True))


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


def _site_reading(
    table: FeatureTable, site: SiteMeasures, categories: dict[str, CategoryReading]
) -> SiteReading:
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


def _most_selective(table: FeatureTable, site: SiteMeasures) -> MostSelective | None:
    """Among features above the threshold anywhere, one with the fewest texts; None if none is."""
    counts = site.above.sum(axis=0)
    if not counts.any():
        return None
    least = counts[counts > 0].min()
    tied = np.flatnonzero(counts == least)
    winner = int(tied[np.argmax(site.values[:, tied].max(axis=0))])
    return MostSelective(site.feature(table, winner), int(least), len(tied))


def _lengths(tables: Mapping[str, FeatureTable], corpus: Corpus) -> dict[str, Length]:
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

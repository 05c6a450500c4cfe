"""The profile study: measure every site, test against random labels, correct, freeze."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable, check_values
from faultlens.profiling.chance import against_chance, draw_nulls
from faultlens.profiling.layers import compare_layers, difficulties
from faultlens.profiling.lengths import length_strata as strata_of
from faultlens.profiling.lengths import lengths_by_category, text_lengths
from faultlens.profiling.measures import SiteMeasures, check_threshold
from faultlens.profiling.readings import category_reading, site_reading
from faultlens.profiling.result import Profile
from faultlens.progress import SILENT, Progress

ALPHA = 0.05


def profile_tables(
    tables: Mapping[str, FeatureTable],
    corpus: Corpus,
    *,
    threshold: float | None = None,
    top_k: int = 5,
    permutations: int = 10_000,
    seed: int = 0,
    length_strata: int | None = None,
    decoders: Mapping[str, np.ndarray] | None = None,
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
        length_strata: shuffle labels only among texts of like length, in so many strata; None
            shuffles them among all.
        decoders: the features' directions `[d_sae, d_in]`, by dictionary, where they are known:
            they tell whether a feature persists from layer to layer.
        progress: told of the stages.

    Raises:
        UserError: a table does not fit the corpus, nothing fires in it, or the threshold is no
            finite number >= 0.
    """
    check_threshold(threshold)
    for name, table in tables.items():
        if table.n_texts != len(corpus):
            raise UserError(
                f"table {name} has {table.n_texts} rows, the corpus has {len(corpus)} texts"
            )
    check_values(tables, f"any text of {corpus.name}")
    measures = {name: SiteMeasures.of(table, threshold) for name, table in tables.items()}
    lengths, unit = text_lengths(tables, corpus)
    strata = None if length_strata is None else strata_of(lengths, length_strata)
    nulls = draw_nulls(measures, corpus, permutations, seed, progress, strata)
    chance = against_chance(measures, corpus, nulls)
    labels = np.array(corpus.labels)
    sites = {}
    for name, table in tables.items():
        categories = {
            category: category_reading(
                table,
                measures[name],
                labels == category,
                top_k,
                chance.auroc[name, category],
                chance.score[name, category],
            )
            for category in corpus.categories
        }
        sites[name] = site_reading(table, measures[name], categories)
    return Profile(
        corpus=corpus.name,
        n_texts=len(corpus),
        pooling=", ".join(sorted({str(t.convention.get("pooling")) for t in tables.values()})),
        top_k=top_k,
        permutations=permutations,
        seed=seed,
        alpha=ALPHA,
        lengths=lengths_by_category(lengths, unit, corpus),
        sites=sites,
        difficulty=difficulties(sites, ALPHA),
        length_strata=None if strata is None else int(strata.max()) + 1,
        warnings=[
            *corpus.warnings,
            *_fewer_strata(length_strata, strata),
            *_too_few_permutations(len(sites) * len(corpus.categories), permutations),
        ],
        layers=compare_layers(sites, decoders or {}),
    )


def _fewer_strata(asked: int | None, strata: np.ndarray | None) -> list[str]:
    """That equal lengths left fewer strata than were asked for, if they did."""
    found = 0 if strata is None else int(strata.max()) + 1
    if asked is None or found == asked:
        return []
    return [f"of {asked} length strata asked for, {found} came about: many texts are equally long"]


def _too_few_permutations(cells: int, permutations: int) -> list[str]:
    """That no p can be at most α after Holm, where the least, 1/(permutations + 1), is too large.

    Holm multiplies the least p of all by the number of hypotheses, categories × sites.
    """
    if cells / (permutations + 1) <= ALPHA:
        return []
    enough = next(b for b in count(int(cells / ALPHA) - 2) if cells / (b + 1) <= ALPHA)
    return [
        f"with {permutations:,} permutations nothing can be beyond chance after Holm over "
        f"{cells:,} hypotheses (categories × sites): at least {enough:,} are needed"
    ]

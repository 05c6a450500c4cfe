"""Minimal pairs: does what fires follow the meaning of a text, or its surface?"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from faultlens.corpus.pairs import PairSet
from faultlens.features.table import FeatureTable
from faultlens.profiling.result import Contrast, MinimalPairs, PairSite
from faultlens.stats.label_null import permutation_p
from faultlens.stats.multiplicity import holm
from faultlens.stats.pair_contrast import (
    PairContrast,
    comparable_forms,
    jaccard_matrix,
    pair_contrast,
)

TOP_FEATURES = 20  # of each text
_WORD = re.compile(r"\w+|[^\w\s]")


def contrast_pairs(
    tables: Mapping[str, FeatureTable],
    pairs: PairSet,
    permutations: int,
    seed: int,
) -> MinimalPairs:
    """Whether texts of one meaning share more top features across forms than other texts do.

    A text is represented by its `TOP_FEATURES` features with the largest pooled activation; by
    those that fire, where fewer do. Similarity is the Jaccard index of two texts' features.

    Args:
        tables: the pairs' texts read through each dictionary, rows in their order.
        pairs: the texts, what they mean, and in which form.
        permutations: of the meanings within each form.
        seed: of the permutations.
    """
    meanings = np.unique(np.array(pairs.topics), return_inverse=True)[1]
    forms = np.unique(np.array(pairs.forms), return_inverse=True)[1]

    def contrasted(similarity: np.ndarray) -> PairContrast:
        rng = np.random.default_rng(seed)
        return pair_contrast(similarity, meanings, forms, permutations, rng)

    similarities = {name: jaccard_matrix(_top_features(table)) for name, table in tables.items()}
    found = {name: contrasted(similarity) for name, similarity in similarities.items()}
    contrasts = {name: _contrast(of_site) for name, of_site in found.items()}
    adjusted = holm(np.array([c.p_value for c in contrasts.values()]))
    sites = {}
    for (name, contrast), p_holm in zip(contrasts.items(), adjusted.tolist(), strict=True):
        matrix, within = _by_meaning(similarities[name], pairs, meanings, forms)
        sites[name] = PairSite(contrast, p_holm, within, matrix)
    return MinimalPairs(
        name=pairs.name,
        texts=len(pairs),
        pairs=pairs.pairs,
        forms=list(dict.fromkeys(pairs.forms)),
        top_k=TOP_FEATURES,
        permutations=permutations,
        words=_contrast(contrasted(jaccard_matrix(_words(pairs)))),
        sites=sites,
    )


def _contrast(found: PairContrast) -> Contrast:
    p_value = permutation_p(found.null, found.difference)
    return Contrast(found.within, found.between, found.difference, p_value)


def _top_features(table: FeatureTable) -> np.ndarray:
    """The features that represent each text, boolean `[texts, d_sae]`; ties: the lower index."""
    members = np.zeros(table.matrix.shape, dtype=bool)
    for row in range(table.n_texts):
        of_row = slice(*table.matrix.indptr[row : row + 2])
        columns, values = table.matrix.indices[of_row], table.matrix.data[of_row]
        members[row, columns[np.lexsort((columns, -values))[:TOP_FEATURES]]] = True
    return members


def _words(pairs: PairSet) -> np.ndarray:
    """Which words, numbers and signs each text holds, boolean `[texts, words]`."""
    held = [set(_WORD.findall(text.lower())) for text in pairs.texts]
    vocabulary = sorted(set().union(*held))
    return np.array([[word in of_text for word in vocabulary] for of_text in held])


def _by_meaning(
    similarity: np.ndarray, pairs: PairSet, meanings: np.ndarray, forms: np.ndarray
) -> tuple[list[list[float | None]], dict[str, float]]:
    """Mean similarity for every two meanings over comparable forms, in the order of the topics.

    Returns the matrix and its diagonal by topic.
    """
    compared = np.zeros((len(pairs), len(pairs)))
    for first, second in comparable_forms(meanings, forms):
        a, b = forms == first, forms == second
        compared += np.outer(a, b) + np.outer(b, a)
    topics = list(dict.fromkeys(pairs.topics))
    member = np.array([[topic == t for t in pairs.topics] for topic in topics], dtype=float)
    counts = member @ compared @ member.T
    sums = member @ (compared * similarity) @ member.T
    matrix: list[list[float | None]] = [
        [
            round(float(total / count), 4) if count else None
            for total, count in zip(*row, strict=True)
        ]
        for row in zip(sums, counts, strict=True)
    ]
    diagonal = (np.diag(sums) / np.diag(counts)).tolist()
    return matrix, dict(zip(topics, diagonal, strict=True))

"""Text length, a rival explanation of every category: described, and held fixed on demand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.profiling.result import Length
from faultlens.stats.effects import auroc, midranks


def text_lengths(tables: Mapping[str, FeatureTable], corpus: Corpus) -> tuple[np.ndarray, str]:
    """Each text's length and its unit: tokens where the tables know them, otherwise characters."""
    rows = next(iter(tables.values())).rows
    if "tokens" in rows:
        return rows["tokens"].to_numpy(), "tokens"
    return np.array([len(text) for text in corpus.texts]), "characters"


def lengths_by_category(lengths: np.ndarray, unit: str, corpus: Corpus) -> dict[str, Length]:
    """Mean length of each category's texts, and the AUROC of length alone."""
    ranks = midranks(lengths[:, None].astype(float))
    labels = np.array(corpus.labels)
    return {
        category: Length(
            float(lengths[labels == category].mean()),
            unit,
            float(auroc(ranks, labels == category)[0]),
        )
        for category in corpus.categories
    }


def length_strata(lengths: np.ndarray, strata: int) -> np.ndarray:
    """The stratum of each text, whole numbers `[n]`: `strata` ranges of length, equally full.

    Equally long texts share a stratum, so that with many ties there are fewer strata than asked.

    Raises UserError for fewer than 2 strata or more than half as many as texts, and where the
    lengths are so tied that fewer than two come about.

    >>> length_strata(np.array([5, 9, 5, 30, 12, 5]), 3).tolist()
    [0, 1, 0, 2, 2, 0]
    """
    if not 2 <= strata <= len(lengths) // 2:
        most = len(lengths) // 2
        expected = f"2 to {most}" if most >= 2 else "at least 4 texts"
        raise UserError(f"{strata} length strata for {len(lengths)} texts: expected {expected}")
    edges = np.quantile(lengths, np.arange(1, strata) / strata)
    found: np.ndarray = np.unique(
        np.searchsorted(edges, lengths, side="left"), return_inverse=True
    )[1]
    if found.max() < 1:
        raise UserError(
            f"{strata} length strata for {len(lengths)} texts: so many are equally long that fewer "
            "than two come about; leave the strata out"
        )
    return found

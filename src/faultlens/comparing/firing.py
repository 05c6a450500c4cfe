"""Firing on the same texts: how alike the features of two runs fire, text by text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.sparse import csc_matrix

from faultlens.feature_name import taken_apart
from faultlens.runs.files import file_name
from faultlens.runs.folder import written_file

TIES = 50  # features that fire equally alike, among which the correlation chooses


@dataclass(frozen=True, eq=False)
class TextFirings:
    """What each feature of some dictionaries does on some texts.

    Attributes:
        by_dictionary: the largest activation of each feature on each text, `[texts, features]`,
            zero where it is silent; features beyond the last that fires have no column.
    """

    by_dictionary: Mapping[str, csc_matrix]

    def of(self, feature: str) -> np.ndarray | None:
        """One feature's activation on each text, `[texts]`; None if its dictionary is not here."""
        dictionary, column = taken_apart(feature)
        if dictionary not in self.by_dictionary:
            return None
        matrix = self.by_dictionary[dictionary]
        if column >= matrix.shape[1]:
            return np.zeros(matrix.shape[0])
        dense: np.ndarray = matrix[:, [column]].toarray()[:, 0]
        return dense

    def most_alike(self, activation: np.ndarray) -> str | None:
        """The feature that fires most like one with these activations `[texts]`, by Jaccard.

        Of several the one whose activations correlate most. None where none fires with it at all.
        """
        fires = activation > 0
        best: tuple[float, float, str] | None = None
        for name, matrix in self.by_dictionary.items():
            binary = matrix.astype(bool).astype(np.int64)
            together = np.asarray(binary.T @ fires.astype(np.int64)).ravel()
            either = np.asarray(binary.sum(axis=0)).ravel() + fires.sum() - together
            likeness = together / np.maximum(either, 1)
            if not len(likeness) or likeness.max() == 0:
                continue
            for column in np.flatnonzero(likeness == likeness.max())[:TIES].tolist():
                other = matrix[:, [column]].toarray()[:, 0]
                found = (float(likeness[column]), correlation(activation, other) or 0.0)
                if best is None or found > best[:2]:
                    best = (*found, f"{name}/{column}")
        return None if best is None else best[2]


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Of the texts on which two features fire, `[texts]` each; 0 where neither ever does.

    >>> jaccard(np.array([1.0, 0.0, 2.0]), np.array([0.5, 0.0, 0.0]))
    0.5
    """
    one, other = first > 0, second > 0
    return float((one & other).sum() / max((one | other).sum(), 1))


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's, of two features' activations, `[texts]` each; None where one does not vary.

    >>> correlation(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])).__round__(6)
    1.0
    """
    if len(first) < 2 or first.std() == 0 or second.std() == 0:
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))


def prompt_firings(
    folder: Path, dictionaries: Sequence[str], prompts: np.ndarray
) -> TextFirings | None:
    """What a run kept of its features on some prompts, in this order; None if it kept nothing.

    Raises UserError for a file that the manifest lists and that is gone, or another.
    """
    return _firings(
        folder, prompts, {n: f"activations/task/{file_name(n)}.parquet" for n in dictionaries}
    )


def pooled_firings(
    folder: Path, dictionaries: Sequence[str], texts: np.ndarray
) -> TextFirings | None:
    """What a profile kept of its features on some texts of the corpus, pooled; likewise."""
    return _firings(
        folder, texts, {n: f"tables/{file_name(f'pooled-{n}')}.parquet" for n in dictionaries}
    )


def _firings(folder: Path, texts: np.ndarray, files: Mapping[str, str]) -> TextFirings | None:
    written = {name: written_file(folder, file) for name, file in files.items()}
    there = {name: path for name, path in written.items() if path is not None}
    if not there:
        return None
    return TextFirings({name: _largest(path, texts) for name, path in there.items()})


def _largest(path: Path, texts: np.ndarray) -> csc_matrix:
    """The largest activation of each feature on each of some texts, `[texts, features]`."""
    table = pq.read_table(path, columns=["text_id", "feature", "activation"])
    text, feature, activation = (column.to_numpy() for column in table.columns)
    rows = np.full(max(int(text.max(initial=-1)), int(texts.max(initial=-1))) + 1, -1)
    rows[texts] = np.arange(len(texts))
    kept = (rows[text] >= 0) & (activation > 0)
    row, feature, activation = rows[text][kept], feature[kept].astype(np.int64), activation[kept]
    width = int(feature.max(initial=-1)) + 1
    order = np.lexsort((row, feature))
    key = (feature * len(texts) + row)[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    largest = np.maximum.reduceat(activation[order], starts) if len(starts) else activation
    at = order[starts]
    return csc_matrix((largest, (row[at], feature[at])), shape=(len(texts), width))

"""Corpus: texts with a label each, read from a table, a folder or a data set, row by row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from faultlens.corpus.folder import folder_records
from faultlens.corpus.hub_dataset import PREFIX, dataset_records
from faultlens.corpus.levels import one_spelling
from faultlens.corpus.records import (
    Placed,
    label_field,
    name_of,
    printable,
    read_records,
    shown,
    text_field,
)
from faultlens.errors import UserError

LABEL, TEXT = "category", "text"
"""Columns of a table, where nothing else is said."""
BUILT_IN = Path(__file__).parent / "seven_categories.jsonl"


@dataclass(frozen=True)
class Corpus:
    """Texts and their categories, in order.

    Attributes:
        name: what the corpus is called in the report.
        texts: the texts.
        labels: the category of each text; at least two categories in all.
        places: where each text was found, as a sentence names it; empty if they were not read.
        notes: what a reader should know of how it was read, a sentence each.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    places: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise UserError(
                f"{len(self.texts)} texts but {len(self.labels)} labels: expected pairs"
            )
        if not self.texts:
            raise UserError(f"corpus {self.name} is empty: expected at least one text a category")
        if len(self.categories) < 2:
            raise UserError(
                f"corpus {self.name} has only the category {self.categories[0]!r}: a profile "
                "compares at least two"
            )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, in order of first appearance."""
        return tuple(dict.fromkeys(self.labels))

    @property
    def sizes(self) -> dict[str, int]:
        """Texts in each category."""
        counts = Counter(self.labels)
        return {category: counts[category] for category in self.categories}

    @property
    def warnings(self) -> list[str]:
        """What a reader should know of the corpus: texts that repeat, categories of one text."""
        rows: dict[str, list[int]] = {}
        for row, text in enumerate(self.texts):
            rows.setdefault(text, []).append(row)
        repeated = {text: found for text, found in rows.items() if len(found) > 1}
        torn = {
            text: found
            for text, found in repeated.items()
            if len({self.labels[row] for row in found}) > 1
        }
        found = [*self.notes]
        if repeated:
            found.append(f"{_texts(repeated)} more than once: {self._example(repeated)}")
        if torn:
            found.append(
                f"{_texts(torn)} under more than one category, and no feature can tell them apart: "
                f"{self._example(torn)}"
            )
        lone = [category for category, size in self.sizes.items() if size == 1]
        if lone:
            found.append(
                f"{'category' if len(lone) == 1 else 'categories'} {', '.join(lone)} "
                f"{'has' if len(lone) == 1 else 'have'} one text: one text does not show what its "
                "category has in common"
            )
        return found

    def _example(self, repeated: dict[str, list[int]]) -> str:
        text, rows = next(iter(repeated.items()))
        places = self.places or tuple(f"text {row + 1}" for row in range(len(self)))
        listed = " and ".join(places[row] for row in rows[:2])
        return f"{shown(text)} at {listed}" + (f" and {len(rows) - 2} more" * (len(rows) > 2))

    @property
    def digest(self) -> str:
        """SHA-256 over all texts and labels, in order."""
        digest = hashlib.sha256()
        for text, label in zip(self.texts, self.labels, strict=True):
            digest.update(json.dumps([text, label], ensure_ascii=False).encode())
        return digest.hexdigest()


def seven_categories() -> Corpus:
    """The built-in corpus: 40 texts each of seven kinds, none of them in `mini`'s training text."""
    return replace(read_corpus(BUILT_IN), name="seven-categories")


def read_corpus(source: str | Path, label: str = LABEL, text: str = TEXT) -> Corpus:
    """Read a corpus and check it row by row.

    Args:
        source: a table (JSONL, CSV, TSV, Parquet); a folder with a folder of text files for each
            category; or `hf:NAME[@CONFIG][:SPLIT]`, a Hugging Face data set in the local cache.
        label: the column of the category; of no effect on a folder.
        text: the column of the text; likewise.

    Raises UserError naming the file and row for anything that is not as expected. An empty text is
    such a thing and not left out in silence: tables that somebody else computed have a row for it.
    """
    name, records, of_folder = found_records(source)
    return _corpus(name, records, *((LABEL, TEXT) if of_folder else (label, text)))


def read_texts(source: str | Path, text: str = TEXT) -> tuple[str, ...]:
    """The texts alone of anything that `read_corpus` reads, whether they have categories or not.

    Raises UserError naming the file and row for anything that is not as expected.
    """
    name, records, of_folder = found_records(source)
    column = TEXT if of_folder else text
    texts = tuple(text_field(where, record, column) for where, record in records)
    if not texts:
        raise UserError(f"corpus {name} is empty: expected at least one text")
    return texts


def found_records(source: str | Path) -> tuple[str, Iterable[Placed], bool]:
    """A corpus's name, its records one after the other, and whether they are of a folder of files.

    Raises UserError where there is no such thing.
    """
    if str(source).startswith(PREFIX):
        return str(source), dataset_records(str(source)), False
    path = Path(source)
    if _is_folder(path):
        return printable(path.resolve().name), folder_records(path), True
    return name_of(path), read_records(path), False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # its name is too long, or what it lies in cannot be looked into
        return False


def _corpus(name: str, records: Iterable[Placed], label: str, text: str) -> Corpus:
    texts, labels, places = [], [], []
    for where, record in records:
        texts.append(text_field(where, record, text))
        labels.append(label_field(where, record, label))
        places.append(where)
    merged, notes = one_spelling({label: labels}, "column")
    return Corpus(name, tuple(texts), tuple(merged[label]), tuple(places), tuple(notes))


def _texts(of: dict[str, list[int]]) -> str:
    return "1 text stands" if len(of) == 1 else f"{len(of)} texts stand"

"""Corpus: texts with a label each, read from a table and checked row by row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from faultlens.corpus.records import read_records, text_field
from faultlens.errors import UserError

BUILT_IN = Path(__file__).parent / "seven_categories.jsonl"


@dataclass(frozen=True)
class Corpus:
    """Texts and their categories, in order.

    Attributes:
        name: what the corpus is called in the report.
        texts: the texts.
        labels: the category of each text; at least two categories in all.
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]

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
    def digest(self) -> str:
        """SHA-256 over all texts and labels, in order."""
        digest = hashlib.sha256()
        for text, label in zip(self.texts, self.labels, strict=True):
            digest.update(json.dumps([text, label], ensure_ascii=False).encode())
        return digest.hexdigest()


def seven_categories() -> Corpus:
    """The built-in corpus: 40 texts each of seven kinds, none of them in `mini`'s training text."""
    return read_corpus(BUILT_IN)


def read_corpus(path: Path, label: str = "category") -> Corpus:
    """Read a table (JSONL, CSV, TSV, Parquet) with `text` and a label column in every row.

    Raises UserError naming the file and row for anything that is not as expected.
    """
    texts, labels = [], []
    for where, record in read_records(path):
        texts.append(text_field(where, record, "text"))
        labels.append(text_field(where, record, label))
    return Corpus(path.stem, tuple(texts), tuple(labels))

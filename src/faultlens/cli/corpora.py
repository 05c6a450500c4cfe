"""The corpora that a command names: built in, or in a file or folder of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultlens.corpus.texts import LABEL, TEXT

if TYPE_CHECKING:
    from faultlens.corpus.text_source import Texts
    from faultlens.corpus.texts import Corpus

BUILT_IN = "seven-categories"
CORPORA = f"JSONL, CSV, TSV or Parquet, a folder of CATEGORY/text files, hf:NAME, or {BUILT_IN}"
"""What can be named, for the help."""


@dataclass(frozen=True)
class TextColumn:
    """Where the texts are in a table."""

    text: str = TEXT
    """Column that holds the text."""


@dataclass(frozen=True)
class CorpusColumns:
    """Where the texts and categories are in a table."""

    text: str = TEXT
    """Column that holds the text."""
    label: str = LABEL
    """Column that holds the category."""


def read_named_corpus(name: str, columns: CorpusColumns) -> Corpus:
    """The built-in corpus, or one of the user's."""
    from faultlens.corpus.texts import read_corpus, seven_categories

    return (
        seven_categories() if name == BUILT_IN else read_corpus(name, columns.label, columns.text)
    )


def read_named_texts(name: str, column: TextColumn) -> tuple[str, ...]:
    """The texts alone, whether they have categories or not."""
    from faultlens.corpus.texts import read_texts, seven_categories

    return seven_categories().texts if name == BUILT_IN else read_texts(name, column.text)


def open_named_texts(name: str, column: TextColumn) -> Texts:
    """The same, read again each time they are gone through: a corpus may be larger than memory."""
    from faultlens.corpus.text_source import TextSource
    from faultlens.corpus.texts import seven_categories

    return seven_categories().texts if name == BUILT_IN else TextSource.open(name, column.text)

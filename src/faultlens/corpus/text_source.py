"""Text source: the texts of a corpus, read from its file each time they are gone through.

None of them is held, so that a corpus may be larger than memory. (Of CSV and of a hub data set
whatever their readers hold is held.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faultlens.corpus.records import label_field, text_field
from faultlens.corpus.texts import LABEL, TEXT, found_records
from faultlens.errors import UserError


class Texts(Protocol):
    """Texts that can be counted, and gone through any number of times: a list is such a thing."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


@dataclass(frozen=True)
class TextSource:
    """The texts of anything that `read_corpus` reads.

    Attributes:
        source: a table, a folder or a data set.
        text, label: the columns of the texts and of their categories.
        size: how many there are.
        categories: in order of first appearance; empty where they were not asked for.
    """

    source: str | Path
    text: str
    label: str
    size: int
    categories: tuple[str, ...] = ()

    @classmethod
    def open(
        cls, source: str | Path, text: str = TEXT, label: str = LABEL, labelled: bool = False
    ) -> TextSource:
        """Go through all of it once.

        Args:
            source: as `read_corpus` has it.
            text, label: columns; of no effect on a folder.
            labelled: whether every text must have a category.

        Raises UserError naming the file and row for anything that is not as expected.
        """
        name, _, of_folder = found_records(source)
        text, label = (TEXT, LABEL) if of_folder else (text, label)
        opened = cls(source, text, label, 0)
        size, seen = 0, dict[str, None]()
        for given in opened.labelled() if labelled else ((one, "") for one in opened):
            size += 1
            seen[given[1]] = None
        if not size:
            raise UserError(f"corpus {name} is empty: expected at least one text")
        return cls(source, text, label, size, tuple(seen) if labelled else ())

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[str]:
        _, records, _ = found_records(self.source)
        for where, record in records:
            yield text_field(where, record, self.text)

    def labelled(self) -> Iterator[tuple[str, str]]:
        """Each text with its category."""
        _, records, _ = found_records(self.source)
        for where, record in records:
            yield text_field(where, record, self.text), label_field(where, record, self.label)

"""Text source: the texts of a corpus, read from its file each time they are gone through.

None of them is held, so that a corpus may be larger than memory. (Of CSV and of a hub data set
whatever their readers hold is held.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from faultlens.corpus.levels import one_spelling
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
        name: of the corpus.
        source: a table, a folder or a data set.
        text, label: the columns of the texts and of their categories.
        size: how many there are.
        sizes: texts in each category, in order of first appearance; empty where categories were not
            asked for.
        spelling: how each category is spelt that is written in several ways.
        notes: what a reader should know of how it was read, a sentence each.
    """

    name: str
    source: str | Path
    text: str
    label: str
    size: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def open(
        cls, source: str | Path, text: str = TEXT, label: str = LABEL, labelled: bool = False
    ) -> TextSource:
        """Go through all of it once.

        Args:
            source: as `read_corpus` has it.
            text, label: columns; of no effect on a folder.
            labelled: whether every text must have a category, and there must be two.

        Raises UserError naming the file and row for anything that is not as expected.
        """
        name, _, of_folder = found_records(source)
        opened = cls(name, source, *((TEXT, LABEL) if of_folder else (text, label)))
        if not labelled:
            size, written = sum(1 for _ in opened), Counter[str]()
        else:
            written = Counter(opened.labels())
            size = sum(1 for _ in opened)
        if not size:
            raise UserError(f"corpus {name} is empty: expected at least one text")
        merged, notes = one_spelling({label: list(written)}, "column")
        spelling = dict(zip(written, merged[label], strict=True))
        sizes: dict[str, int] = {}
        for category, count in written.items():
            sizes[spelling[category]] = sizes.get(spelling[category], 0) + count
        if labelled and len(sizes) < 2:
            raise UserError(
                f"corpus {name} has only the category {next(iter(sizes))!r}: a profile compares "
                "at least two"
            )
        return replace(opened, size=size, sizes=sizes, spelling=spelling, notes=tuple(notes))

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, in order of first appearance."""
        return tuple(self.sizes)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[str]:
        for where, record in found_records(self.source)[1]:
            yield text_field(where, record, self.text)

    def labels(self) -> Iterator[str]:
        """The category of each text."""
        for where, record in found_records(self.source)[1]:
            written = label_field(where, record, self.label)
            yield self.spelling.get(written, written)

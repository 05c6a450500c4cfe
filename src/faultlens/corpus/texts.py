"""Corpus: texts with a label each, read from JSONL and checked line by line."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Read a JSONL file with `text` and a label column on every line.

    Raises UserError naming the file and line for anything that is not as expected.
    """
    texts, labels = [], []
    for where, record in read_jsonl(path):
        texts.append(text_field(where, record, "text"))
        labels.append(text_field(where, record, label))
    return Corpus(path.stem, tuple(texts), tuple(labels))


def read_jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSONL file, each with its place ("FILE line N"); blank lines are skipped.

    Raises UserError if the file cannot be read, or a line is not a JSON object.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise UserError(f"no file {path}: expected a JSONL file, one object a line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UserError(f"{where} is not JSON ({error}): expected one object a line") from error
        if not isinstance(record, dict):
            raise UserError(f"{where} holds {shown(record)}: expected a JSON object")
        yield where, record


def text_field(where: str, record: dict[str, Any], field: str) -> str:
    """A non-empty string field of a record. Raises UserError saying what was found instead."""
    if field not in record:
        raise UserError(
            f"{where} has no {field!r}: it has {', '.join(map(repr, record)) or 'nothing'}"
        )
    value = record[field]
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {field!r} is {shown(value)}, expected a text that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: {field!r} holds half of a character (a lone surrogate) at {error.start}"
        ) from error
    return value


def shown(value: Any, limit: int = 40) -> str:
    """A value as an error message shows it: as JSON, cut at `limit` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"

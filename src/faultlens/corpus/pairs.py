"""PairSet: texts that say the same in several surface forms, for telling meaning from syntax."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from faultlens.corpus.records import read_records, text_field
from faultlens.errors import UserError

BUILT_IN_PAIRS = Path(__file__).parent / "minimal_pairs.jsonl"


@dataclass(frozen=True)
class PairSet:
    """Texts with a topic (what they say) and a form (how they say it), in order.

    Attributes:
        name: what the set is called in the report.
        texts: the texts.
        topics: what each text says; texts of one topic mean the same.
        forms: how each says it, e.g. "symbols"; a topic has each form at most once.
    """

    name: str
    texts: tuple[str, ...]
    topics: tuple[str, ...]
    forms: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.topics) == len(self.forms):
            raise UserError(
                f"{len(self.texts)} texts, {len(self.topics)} topics, {len(self.forms)} forms: "
                "expected as many of each"
            )
        cells = Counter(zip(self.topics, self.forms, strict=True))
        for (topic, form), count in cells.items():
            if count > 1:
                raise UserError(
                    f"pairs {self.name}: topic {topic!r} has {count} texts of the form {form!r}, "
                    "expected one"
                )
        for topic, count in Counter(self.topics).items():
            if count < 2:
                raise UserError(
                    f"pairs {self.name}: topic {topic!r} has one form, expected at least two"
                )
        if max(Counter(self.forms).values(), default=0) < 2:
            raise UserError(
                f"pairs {self.name}: no form has two topics, expected the same forms for several "
                "topics, or there is nothing to compare a topic with"
            )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def pairs(self) -> int:
        """Pairs of texts of one topic."""
        return sum(count * (count - 1) // 2 for count in Counter(self.topics).values())

    @property
    def digest(self) -> str:
        """SHA-256 over all texts, topics and forms, in order."""
        digest = hashlib.sha256()
        for record in zip(self.topics, self.forms, self.texts, strict=True):
            digest.update(json.dumps(record, ensure_ascii=False).encode())
        return digest.hexdigest()


def minimal_pairs() -> PairSet:
    """The built-in set: 80 meanings in three forms each, so 240 texts and 240 pairs of them."""
    return read_pairs(BUILT_IN_PAIRS)


def read_pairs(path: Path) -> PairSet:
    """Read a table (JSONL, CSV, TSV, Parquet) with `topic`, `form` and `text` in every row.

    Raises UserError naming the file and row for anything that is not as expected.
    """
    rows = [
        tuple(text_field(where, record, field) for field in ("text", "topic", "form"))
        for where, record in read_records(path)
    ]
    if not rows:
        raise UserError(f"{path} holds no pairs: expected topic, form and text in every row")
    texts, topics, forms = zip(*rows, strict=True)
    return PairSet(path.stem, texts, topics, forms)

"""Survey: what has to be known of a corpus before its first shard, from one pass over the texts.

No text is held but the first few, from which the way of encoding is chosen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faultlens.corpus.text_source import Texts
from faultlens.errors import UserError
from faultlens.features.encoding_choice import TRIED
from faultlens.features.lens import Lens
from faultlens.features.reading_config import Long
from faultlens.features.text_tokens import TextTokens, tokenized
from faultlens.progress import SILENT, Progress
from faultlens.runs.files import file_name


@dataclass(frozen=True)
class Shard:
    """Texts `first` to `last − 1` of the corpus, in one file a dictionary."""

    number: int
    first: int
    last: int
    tokens: int

    def path(self, folder: Path, name: str) -> Path:
        """The file of the dictionary called `name`."""
        return folder / file_name(name) / f"{self.number:05d}.parquet"


@dataclass(frozen=True, eq=False)
class Survey:
    """A corpus, measured.

    Attributes:
        digest: SHA-256 over all texts, in order.
        texts, tokens: how many.
        shards: ranges of texts, without a gap.
        first: some of the first texts in tokens, enough to try an encoding on.
    """

    digest: str
    texts: int
    tokens: int
    shards: tuple[Shard, ...]
    first: tuple[TextTokens, ...]

    @classmethod
    def of(
        cls, lens: Lens, texts: Texts, long: Long, shard_tokens: int, progress: Progress = SILENT
    ) -> Survey:
        """Measure the texts.

        Args:
            lens: what they are to be read through.
            long: what becomes of a text longer than the context.
            shard_tokens: of a shard, at most, unless one text has more.
            progress: told of the texts.

        Raises UserError for a text that cannot be read, or if there are none.
        """
        if isinstance(texts, str) or not len(texts):
            raise UserError("nothing to read: expected a list of at least one text")
        tick = progress.start("Splitting the texts", len(texts))
        digest, counts, first = hashlib.sha256(), _Shards(shard_tokens), list[TextTokens]()
        model, dictionaries = lens.model, lens.dictionaries
        for tokens in tokenized(model, dictionaries, _hashed(texts, digest), long, tick):
            counts.add(len(tokens))
            if len(first) < TRIED:
                first.append(tokens)
        shards = counts.result()
        total = sum(shard.tokens for shard in shards)
        return cls(digest.hexdigest(), shards[-1].last, total, shards, tuple(first))

    @staticmethod
    def digest_of(texts: Texts) -> str:
        """The digest alone."""
        digest = hashlib.sha256()
        for _ in _hashed(texts, digest):
            pass
        return digest.hexdigest()


def _hashed(texts: Iterable[str], digest: hashlib._Hash) -> Iterator[str]:
    for text in texts:
        digest.update(json.dumps(text, ensure_ascii=True).encode())
        yield text


class _Shards:
    """Ranges of texts of at most so many tokens, or of one text."""

    def __init__(self, most: int) -> None:
        self._most, self._done = most, list[Shard]()
        self._first = self._next = self._held = 0

    def add(self, tokens: int) -> None:
        """One more text."""
        if self._held and self._held + tokens > self._most:
            self._close()
        self._held += tokens
        self._next += 1

    def result(self) -> tuple[Shard, ...]:
        """All of them."""
        self._close()
        return tuple(self._done)

    def _close(self) -> None:
        self._done.append(Shard(len(self._done), self._first, self._next, self._held))
        self._first, self._held = self._next, 0

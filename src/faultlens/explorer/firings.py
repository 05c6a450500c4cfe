"""Firings on disk, asked through DuckDB: one feature among millions of rows.

The files are sorted by feature, so that a row group or two a file is read for a feature.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from faultlens.errors import UserError
from faultlens.runs.location import is_local

if TYPE_CHECKING:
    import duckdb

BINS = 12
MEMORY, THREADS = "1GB", 2


@dataclass(frozen=True)
class Example:
    """A text on which a feature fires, with its activation at each position where it does."""

    text: int
    largest: float
    at: Mapping[int, float]


@dataclass(frozen=True)
class FeatureSummary:
    """One feature over all texts.

    Attributes:
        tokens: on how many it fires.
        texts: in how many of them there is one.
        largest: its largest activation; 0 where it fires nowhere.
        median: of its activation, over the tokens on which it fires.
        histogram: tokens by range of the activation, from 0 to the largest in `BINS` equal steps.
        examples: the texts on which it is strongest, the strongest first.
    """

    tokens: int
    texts: int
    largest: float
    median: float
    histogram: tuple[int, ...]
    examples: tuple[Example, ...]


@final
class FiringTable:
    """The firings of some dictionaries in Parquet files, here or at URLs.

    Several threads may ask at once.

    Raises UserError where DuckDB is not installed.
    """

    def __init__(self, files: Mapping[str, Sequence[Path]]) -> None:
        try:
            import duckdb
        except ImportError as error:
            raise UserError(
                "faultlens explore needs DuckDB: pip install 'faultlens[explore]'"
            ) from error
        self._files = {name: [_literally(path) for path in paths] for name, paths in files.items()}
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": THREADS,
                "memory_limit": MEMORY,
                "autoinstall_known_extensions": False,  # it would ask the network
                "autoload_known_extensions": False,
            },
        )
        remote: list[Any] = [p for paths in files.values() for p in paths if not is_local(p)]
        for system in {id(path.fs): path.fs for path in remote}.values():
            self._connection.register_filesystem(system)
        self._frequent: dict[str, list[tuple[int, int, float]]] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The dictionaries."""
        return list(self._files)

    def feature(self, name: str, index: int, top: int) -> FeatureSummary:
        """What one feature does, with the `top` texts on which it is strongest."""
        with self._asking() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE fired AS SELECT text_id, position, "
                "CAST(activation AS FLOAT) AS activation "
                "FROM read_parquet(?) WHERE feature = ?",
                [self._files[name], index],
            )
            tokens, texts, largest, median = _row(
                cursor.execute(
                    "SELECT count(*), count(DISTINCT text_id), max(activation), "
                    "median(activation) FROM fired"
                )
            )
            if not tokens:
                return FeatureSummary(0, 0, 0.0, 0.0, (0,) * BINS, ())
            bins = cursor.execute(
                "SELECT least(CAST(floor(activation / ? * ?) AS INTEGER), ?) AS bin, count(*) "
                "FROM fired GROUP BY bin",
                [largest, BINS, BINS - 1],
            ).fetchall()
            strongest = cursor.execute(
                "WITH chosen AS (SELECT text_id, max(activation) AS largest FROM fired "
                "GROUP BY text_id ORDER BY largest DESC, text_id LIMIT ?) "
                "SELECT text_id, position, activation FROM fired JOIN chosen USING (text_id) "
                "ORDER BY largest DESC, text_id, position",
                [top],
            ).fetchall()
        counts = dict(bins)
        return FeatureSummary(
            tokens, texts, largest, median,
            tuple(counts.get(place, 0) for place in range(BINS)), _examples(strongest),
        )  # fmt: skip

    def frequent(self, name: str) -> list[tuple[int, int, float]]:
        """Every feature that fires, with the tokens on which it does and its largest activation.

        Those that fire most stand first. All files of the dictionary are read, once.
        """
        with self._lock:
            if name not in self._frequent:
                with self._asking() as cursor:
                    self._frequent[name] = cursor.execute(
                        "SELECT feature, count(*) AS tokens, CAST(max(activation) AS FLOAT) "
                        "FROM read_parquet(?) GROUP BY feature ORDER BY tokens DESC, feature",
                        [self._files[name]],
                    ).fetchall()
            return self._frequent[name]

    @contextmanager
    def _asking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of one's own. Raises UserError for a file that cannot be read."""
        import duckdb

        cursor = self._connection.cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"the firings cannot be read: {reason}; make them again") from error
        finally:
            cursor.close()


def _row(asked: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = asked.fetchone()
    return found


def _examples(rows: Sequence[tuple[int, int, float]]) -> tuple[Example, ...]:
    """Rows of text, position and activation by text, in the order in which they come."""
    found: dict[int, dict[int, float]] = {}
    for text, position, activation in rows:
        found.setdefault(text, {})[position] = activation
    return tuple(Example(text, max(at.values()), at) for text, at in found.items())


def _literally(path: Path) -> str:
    """A path in which DuckDB finds no pattern.

    >>> _literally(Path("runs[1]/what?.parquet"))
    'runs[[]1]/what[?].parquet'
    """
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", str(path))

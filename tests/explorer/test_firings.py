"""Firings asked through DuckDB: the numbers are NumPy's, the paths are taken as they are."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from faultlens.errors import UserError
from faultlens.explorer.firings import BINS, FiringTable
from faultlens.features.dataset.shard import write_shard
from faultlens.features.store import Firings


def written(folder: Path, rows: int, features: int, texts: int, seed: int = 0) -> Firings:
    """A file of so many firings, those of low features the most."""
    rng = np.random.default_rng(seed)
    feature = (features * rng.random(rows, dtype=np.float32) ** 3).astype(np.int32)
    text = rng.integers(0, texts, rows, dtype=np.int32)
    position = rng.integers(0, 64, rows, dtype=np.int32)
    order = np.argsort(feature, kind="stable")
    values = (rng.random(rows, dtype=np.float32) * 8 + 0.01).astype(np.float16).astype(np.float32)
    firings = Firings(text[order], position[order], feature[order], values)
    write_shard(folder / "00000.parquet", firings, "float16")
    return firings


@pytest.mark.parametrize("index", [0, 3, 17])
def test_a_feature_is_summarised_as_numpy_does(tmp_path: Path, index: int) -> None:
    folder = tmp_path / "an[odd]*name?"
    every = written(folder, rows=4_000, features=20, texts=300)
    table = FiringTable({"3-res": [folder / "00000.parquet"]})
    found = table.feature("3-res", index, top=5)
    mine = every.of(index)
    assert found.tokens == len(mine.activation)
    assert found.texts == len(np.unique(mine.text))
    assert found.largest == pytest.approx(float(mine.activation.max()))
    assert found.median == pytest.approx(float(np.median(mine.activation)), rel=1e-3)
    expected = np.histogram(mine.activation, BINS, (0, float(mine.activation.max())))[0]
    assert sum(found.histogram) == found.tokens
    assert np.abs(np.array(found.histogram) - expected).max() <= 2, "edges are rounded otherwise"
    largest = {text: mine.activation[mine.text == text].max() for text in np.unique(mine.text)}
    order = sorted(largest, key=lambda text: (-largest[text], text))[:5]
    assert [example.text for example in found.examples] == order
    first = found.examples[0]
    here = mine.text == first.text
    assert set(first.at) == set(mine.position[here].tolist())


def test_a_silent_feature_fires_nowhere_and_the_frequent_ones_come_first(tmp_path: Path) -> None:
    every = written(tmp_path, rows=4_000, features=20, texts=300)
    table = FiringTable({"3-res": [tmp_path / "00000.parquet"]})
    silent = table.feature("3-res", 99, top=5)
    assert (silent.tokens, silent.texts, silent.largest, silent.examples) == (0, 0, 0.0, ())
    counts = np.bincount(every.feature)
    frequent = table.frequent("3-res")
    assert [tokens for _, tokens, _ in frequent] == sorted(counts[counts > 0].tolist())[::-1]
    assert frequent[0][0] == counts.argmax()


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "00000.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UserError, match="^the firings cannot be read: .*; make them again$"):
        FiringTable({"3-res": [path]}).feature("3-res", 1, top=5)


def test_a_feature_among_three_million_firings_takes_less_than_a_second(tmp_path: Path) -> None:
    written(tmp_path, rows=3_000_000, features=24_576, texts=100_000)
    table = FiringTable({"8-res": [tmp_path / "00000.parquet"]})
    for index in (0, 11, 5_000):
        started = time.process_time()
        found = table.feature("8-res", index, top=20)
        assert time.process_time() - started < 1.0  # of processor time, over all threads
        assert found.tokens > 0 and len(found.examples) == min(20, found.texts)

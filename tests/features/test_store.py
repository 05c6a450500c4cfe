"""The token-level activations on disk hold what was read, and plain Parquet tools open them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from faultlens.features.lens import Lens
from faultlens.features.store import ActivationStore


def test_pooling_the_file_again_gives_the_table(lens: Lens, tmp_path: Path) -> None:
    store = ActivationStore()
    texts = ["abcabc", "jihgf", "b", "ddddddd"]
    tables = lens.read(texts, store=store)
    paths = store.write(tmp_path / "activations")
    assert sorted(path.stem for path in paths) == sorted(tables)
    for name, table in tables.items():
        frame = pd.read_parquet(tmp_path / "activations" / f"{name}.parquet")
        assert list(frame.columns) == ["text_id", "position", "feature", "activation"]
        assert frame.equals(frame.sort_values(["feature", "text_id", "position"]))
        dense = np.zeros(table.matrix.shape, dtype=np.float32)
        np.maximum.at(dense, (frame["text_id"], frame["feature"]), frame["activation"])
        assert np.array_equal(dense, table.matrix.toarray())
        assert (frame["position"] < frame["text_id"].map(lambda i: len(texts[i]))).all()
    assert not list(tmp_path.rglob("*.part"))

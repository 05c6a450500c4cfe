"""What cannot be explored, a sentence each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_samples

from faultlens.errors import UserError
from faultlens.explorer.source import open_source
from faultlens.features.dataset.shard import write_shard
from faultlens.features.store import Firings


def opened(folder: Path) -> Any:
    return open_source(folder, lambda manifest: None, lambda digest: [])


def test_folders_that_are_no_run_and_no_store(tmp_path: Path, mini_store: Path) -> None:
    with pytest.raises(UserError) as raised:
        opened(tmp_path / "none")
    assert str(raised.value) == (
        f"no folder {tmp_path / 'none'}: expected the folder of a run or of a store"
    )
    with pytest.raises(UserError, match="holds no store: expected one of faultlens read"):
        opened(tmp_path)
    bare = tmp_path / "bare"
    run_samples.audit([True] * 10).save(bare)
    with pytest.raises(UserError, match="has no manifest.json, which says what its activations"):
        opened(bare)


def test_a_store_without_firings_or_with_a_file_gone(tmp_path: Path, mini_store: Path) -> None:
    silent, gone = tmp_path / "silent", tmp_path / "gone"
    for folder in (silent, gone):
        shutil.copytree(mini_store, folder)
    (file,) = (silent / "3-res-mini").glob("*.parquet")
    none = np.zeros(0, dtype=np.int32)
    write_shard(file, Firings(none, none, none, none.astype(np.float32)), "float16")
    with pytest.raises(UserError) as raised:
        opened(silent)
    assert str(raised.value) == f"{silent} holds no firings: there is nothing to explore"
    (file,) = (gone / "3-res-mini").glob("*.parquet")
    file.unlink()
    with pytest.raises(UserError, match="is missing, and the store's manifest lists it"):
        opened(gone)


def test_a_run_without_model_and_activations(tmp_path: Path) -> None:
    folder = run_samples.write(tmp_path / "run", run_samples.audit([True] * 10))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["inputs"]["model"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="holds no activations and was made without a model"):
        opened(folder)
    path = folder / "audit.json"
    path.write_text(path.read_text().replace('"n": 10', '"n": 11'))
    with pytest.raises(UserError, match="is not the file that the run wrote"):
        opened(folder)

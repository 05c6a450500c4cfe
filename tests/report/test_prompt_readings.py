"""What is read of a run's prompts: the named features alone, as the run wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from faultlens.errors import UserError
from faultlens.report.prompt_readings import read_prompts
from faultlens.runs.folder import Manifest

ROWS = [  # text, position, feature, activation: not in order
    (2, 1, 7, 0.5), (0, 3, 7, 2.0), (0, 1, 7, 1.0), (1, 0, 9, 4.0), (0, 0, 8, 3.0),
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "activations" / "task").mkdir(parents=True)
    pd.DataFrame(
        {
            "prompt": ["a b", "c", "d e"], "success": [True, False, True],
            "object": ["x", None, "y"], "factor kind": ["1", "2", "3"],
        }
    ).to_parquet(tmp_path / "tables" / "prompts.parquet")  # fmt: skip
    pd.DataFrame(
        [(0, 0, "a"), (0, 1, " b"), (1, 0, "c"), (2, 0, "d"), (2, 1, " e")],
        columns=["text_id", "position", "token"],
    ).to_parquet(tmp_path / "tables" / "prompt-tokens.parquet")
    frame = pd.DataFrame(ROWS, columns=["text_id", "position", "feature", "activation"])
    frame.to_parquet(tmp_path / "activations" / "task" / "3-res.parquet")
    Manifest.begin({}).write(tmp_path)
    return tmp_path


def test_factors_tokens_and_the_named_features_are_read(run: Path) -> None:
    found = read_prompts(run, ["3-res/7", "3-res/5", "4-res/7"])
    assert found.factors == {"object": ["x", "", "y"], "kind": ["1", "2", "3"]}
    assert found.tokens == [["a", " b"], ["c"], ["d", " e"]]
    assert set(found.firings) == {"3-res/7", "3-res/5"}, "4-res was not kept"
    seven = found.firings["3-res/7"]
    assert seven.prompt.tolist() == [0, 0, 2] and seven.position.tolist() == [1, 3, 1]
    assert seven.largest(3).tolist() == [2.0, 0.0, 0.5]
    assert seven.on(0) == {1: 1.0, 3: 2.0} and seven.on(1) == {}
    assert not np.any(found.firings["3-res/5"].largest(3))


def test_a_run_that_kept_nothing_has_nothing_to_show(tmp_path: Path) -> None:
    Manifest.begin({}).write(tmp_path)
    found = read_prompts(tmp_path, ["3-res/7"])
    assert (found.factors, found.tokens, found.firings) == ({}, [], {})


def test_a_table_that_the_run_did_not_write_is_refused(run: Path) -> None:
    path = run / "tables" / "prompt-tokens.parquet"
    pd.DataFrame({"text_id": [0], "position": [0], "token": ["z"]}).to_parquet(path)
    with pytest.raises(UserError) as caught:
        read_prompts(run, [])
    assert str(caught.value) == (
        f"{path} is not the file that the run wrote (its hash is not that of the manifest): "
        "restore it, or run it again"
    )
    path.unlink()
    with pytest.raises(UserError) as caught:
        read_prompts(run, [])
    assert str(caught.value) == (
        f"{path} is missing, and the manifest beside it lists it: run it again"
    )

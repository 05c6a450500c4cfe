"""Labels of features: Neuronpedia's batches and plain tables; what is wrong is one sentence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from faultlens.corpus.labels import read_labels
from faultlens.errors import UserError


def explanation(index: int, text: str, layer: str = "8-res-jb") -> dict[str, Any]:
    """A line of `explanations/batch-N.jsonl`, whose `index` is a text."""
    return {"modelId": "gpt2-small", "layer": layer, "index": str(index), "description": text,
            "explanationModelName": "gpt-4o-mini", "typeName": "oai_token-act-pair"}  # fmt: skip


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


BATCH = [
    explanation(7, " names of\npeople "),
    explanation(7, "a second reading"),
    explanation(9, "numbers", "6-res-jb"),
    explanation(11, ""),
]


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_of_neuronpedia(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("batch-0.jsonl.gz" if packed else "batch-0.jsonl")
    text = jsonl(BATCH).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    assert read_labels(path, ["8-res-jb"]) == {"8-res-jb/7": "names of people"}
    assert read_labels(path, ["8-res-jb", "6-res-jb"])["6-res-jb/9"] == "numbers"


def test_a_table_of_features(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('feature,label\n3-res-mini/5,"keys, mostly"\n')
    (tmp_path / "a.jsonl").write_text(jsonl([{"feature": "3-res-mini/5", "label": "x" * 300}]))
    assert read_labels(tmp_path / "a.csv", ["3-res-mini"]) == {"3-res-mini/5": "keys, mostly"}
    (cut,) = read_labels(tmp_path / "a.jsonl", ["3-res-mini"]).values()
    assert cut == "x" * 199 + "…"


REFUSED = [
    ([], "FILE holds no labels: expected at least one row"),
    ([{"feature": "3-res-mini/5", "name": "x"}],
     "FILE line 1 has feature, name: expected feature and label, or layer, index, description as "
     "Neuronpedia publishes them"),
    ([{"feature": "five", "label": "x"}],
     'FILE line 1: "five" is no feature: expected DICTIONARY/INDEX, e.g. 8-res-jb/17491'),
    ([{"feature": "3-res-mini/5", "label": 4}],
     "FILE line 1: the label is 4, expected a text"),
    ([{"feature": "4-res-mini/5", "label": "x"}],
     "FILE has labels of 4-res-mini, and the dictionaries are 3-res-mini: expected labels of one "
     "of them"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "said"), REFUSED)
def test_what_is_no_label(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(jsonl(rows))
    with pytest.raises(UserError) as refused:
        read_labels(path, ["3-res-mini"])
    assert str(refused.value) == said.replace("FILE", str(path))


def test_a_packed_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "batch-0.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(BATCH).encode())[:40])
    with pytest.raises(UserError, match="cannot be read as UTF-8 text: Compressed file ended"):
        read_labels(path, ["8-res-jb"])

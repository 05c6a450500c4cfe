"""Corpora from folders and from cached data sets, and what is reported of any corpus."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from faultlens.corpus.texts import Corpus, read_corpus
from faultlens.errors import UserError


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_a_folder_is_read_by_category_and_name(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "mine",
        {
            "Formal/b.txt": "Dear Sir,\n",
            "Formal/deep/a.md": "Whereas\n  the parties\n\n",
            "Chat/z": "hé",
            "Chat/.hidden": "no",
            ".git/x": "no",
        },
    )
    corpus = read_corpus(folder)
    assert corpus.name == "mine"
    assert corpus.texts == ("hé", "Dear Sir,", "Whereas\n  the parties")
    assert corpus.labels == ("Chat", "Formal", "Formal")
    assert corpus.places[0] == str(folder / "Chat" / "z")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"A/x": "a", "stray.txt": "b"}, r"stray\.txt lies in no category: expected .*/CATEGORY/"),
        ({"A/x": "a", "B/.keep": ""}, r"B holds no file: expected a text file for each text"),
        ({"A/x": "a", "B/y": " \n"}, r"B/y: 'text' is \"\", expected a text that is not empty"),
        ({"A/x": "a", "B/y": b"\xff\xfe"}, r"B/y cannot be read as UTF-8 text"),
        ({"A/x": "a"}, "has only the category 'A'"),
    ],
)
def test_what_a_folder_must_not_hold(
    tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_corpus(write(tmp_path / "mine", files))


def test_columns_are_chosen_by_name_and_whole_numbers_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"body": "a", "y": 0}, {"body": "b", "y": 1}, {"body": "c", "y": True}]
    path.write_text("\n".join(map(json.dumps, rows)))
    corpus = read_corpus(path, label="y", text="body")
    assert (corpus.texts, corpus.labels) == (("a", "b", "c"), ("0", "1", "true"))
    path.write_text('{"body": "a", "y": 1.5}')
    with pytest.raises(UserError, match=r"line 1: 'y' is 1\.5, expected a text"):
        read_corpus(path, label="y", text="body")


def test_whole_numbers_are_labels_where_a_table_holds_them_as_floats(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    frame = pd.DataFrame({"text": ["a", "b", "c", "d"], "category": [1.0, 2.0, -3.0, 1e15]})
    frame.to_parquet(path)
    assert read_corpus(path).labels == ("1", "2", "-3", "1000000000000000")
    for bad in (1.5, float("inf"), None):
        pd.DataFrame({"text": ["a", "b"], "category": [1.0, bad]}).to_parquet(path)
        with pytest.raises(UserError, match="row 2"):
            read_corpus(path)


def test_repeats_and_categories_of_one_are_reported_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [("hi", "A"), ("x", "A"), ("hi", "A"), ("y", "B"), ("x", "B"), ("hi", "A"), ("z", "C")]
    lines = [json.dumps({"text": text, "category": category}) for text, category in rows]
    path.write_text("\n\n".join(lines))
    corpus = read_corpus(path)
    assert corpus.warnings == [
        f'2 texts stand more than once: "hi" at {path} line 1 and {path} line 5 and 1 more',
        "1 text stands under more than one category, and no feature can tell them apart: "
        f'"x" at {path} line 3 and {path} line 9',
        "category C has one text: one text does not show what its category has in common",
    ]
    assert (
        Corpus("made", ("a", "a", "b"), ("A", "A", "B"))
        .warnings[0]
        .endswith('"a" at text 1 and text 2')
    )
    assert Corpus("good", ("a", "b", "c", "d"), ("A", "A", "B", "B")).warnings == []


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`owner/toy` with a class label, as the library leaves it in its cache."""
    import datasets

    cache = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    source = tmp_path / "rows.jsonl"
    rows = [{"text": f"text {i}", "label": i % 2, "topic": "abc"[i % 3]} for i in range(6)]
    source.write_text("\n".join(map(json.dumps, rows)))
    kinds = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["calm", "angry"]),
            "topic": datasets.Value("string"),
        }
    )
    datasets.disable_progress_bars()
    datasets.load_dataset(
        "json", data_files=str(source), split="train", features=kinds, cache_dir=str(cache)
    )
    (made,) = cache.glob("json/*/*/*/dataset_info.json")
    home = cache / "owner___toy" / "default" / "0.0.0" / "abc123"
    shutil.copytree(made.parent, home)
    shutil.rmtree(cache / "json")
    (home / "json-train.arrow").rename(home / "toy-train.arrow")
    info = json.loads((home / "dataset_info.json").read_text())
    info.update(dataset_name="toy", config_name="default")
    info["splits"]["train"]["dataset_name"] = "toy"
    (home / "dataset_info.json").write_text(json.dumps(info))


@pytest.mark.usefixtures("cached")
def test_a_cached_data_set_is_read_without_a_network() -> None:
    import datasets

    corpus = read_corpus("hf:owner/toy:train", label="label")
    assert corpus.labels == ("calm", "angry") * 3
    assert corpus.texts[4] == "text 4"
    assert corpus.places[1] == "hf:owner/toy:train row 2"
    assert read_corpus("hf:owner/toy@default", label="topic").categories == ("a", "b", "c")
    assert not datasets.config.HF_HUB_OFFLINE, "the library's own setting is put back"


@pytest.mark.usefixtures("cached")
def test_rows_without_a_label_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden labels are −1 in a data set: no category of that name must come about."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    whole = datasets.load_dataset("owner/toy", split="train")
    hidden = whole.map(lambda row, i: {"label": -1 if i == 4 else row["label"]}, with_indices=True)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: hidden)
    with pytest.raises(
        UserError, match=r"hf:owner/toy row 5 has no 'label': it has 'text', 'topic'"
    ):
        read_corpus("hf:owner/toy", label="label")


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf:owner/toy:test", r"data set 'owner/toy', split 'test', is not in the local cache"),
        ("hf:owner/toy@other", r"'owner/toy' \(other\), split 'train', is not in the local cache"),
        ("hf:nobody/nothing", r"'nobody/nothing', split 'train', .*load it once with the library"),
        ("hf:a/b/c", "names no data set: expected hf:NAME, hf:NAME:SPLIT or"),
        ("hf:", "names no data set"),
    ],
)
def test_a_data_set_that_is_not_there(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_corpus(source, label="label")
    assert "\n" not in str(caught.value)


def test_without_the_library_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"needs the library datasets: .*'faultlens\[hub\]'"):
        read_corpus("hf:owner/toy")

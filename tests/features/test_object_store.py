"""Stores at `s3://`, on a real S3 server in this process: written, gone on with, read, explored."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from upath import UPath

from faultlens.corpus.text_source import TextSource
from faultlens.errors import CannotWrite, UserError
from faultlens.explorer.source import open_source
from faultlens.features.dataset.reading import ActivationDataset
from faultlens.features.dataset.writing import Written, write_dataset
from faultlens.features.lens import Lens
from faultlens.runs.location import located
from tests.cli.calling import run
from tests.features.cut_off import cut_off_after_three_shards

TEXTS = ["abcabc", "jihgf", "b", "ddddddd", "hgabd", "cc", "ihgfedc", "abababab", "j", "eebbe"]
RELU = "1-res-relu"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of an empty bucket; what finds the server are Amazon's own variables."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "anybody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        UPath("s3://stores").fs.mkdir("stores")
        yield "s3://stores"
    server.stop()


def write(lens: Lens, folder: Path) -> Written:
    return write_dataset(lens, TEXTS, folder, shard_tokens=12)


def hashes(folder: Any) -> dict[str, str]:
    """By file, what a plain client finds there."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = [path.path.rpartition("/store/")[2] if isinstance(path, UPath)
             and not isinstance(path, Path) else path.relative_to(folder).as_posix()
             for path in files]  # fmt: skip
    of = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return dict(zip(names, of, strict=True))


@pytest.fixture(scope="module")
def stored(bucket: str) -> str:
    return f"{bucket}/mine/store"


def test_a_store_that_was_cut_off_goes_on_there(lens: Lens, stored: str, tmp_path: Path) -> None:
    cut_off_after_three_shards(lambda: write(lens, located(stored)))
    with pytest.raises(UserError, match="holds a store that is not finished"):
        ActivationDataset.open(located(stored))
    assert write(lens, located(stored)).kept == 3
    write(lens, tmp_path / "store")
    assert hashes(UPath(stored)) == hashes(tmp_path / "store")


def test_it_is_read_as_a_folder_is(lens: Lens, stored: str, tmp_path: Path) -> None:
    write(lens, located(stored))
    write(lens, tmp_path / "store")
    here = ActivationDataset.open(tmp_path / "store")
    there = ActivationDataset.open(located(stored))
    assert there.damaged() == []
    for feature in range(0, 64, 7):
        one, other = here.feature(RELU, feature), there.feature(RELU, feature)
        assert np.array_equal(one.text, other.text)
        assert np.array_equal(one.activation, other.activation)
    system: Any = UPath(stored).fs
    system.rm_file(f"stores/mine/store/{RELU}/00002.parquet")
    assert [path.name for path in there.damaged()] == ["00002.parquet"]
    with pytest.raises(UserError, match=r"00002\.parquet is missing, and the store's manifest"):
        open_source(located(stored), lambda manifest: lens, lambda digest: TEXTS)
    assert len(write(lens, located(stored)).rebuilt) == 1


def test_it_is_explored_as_a_folder_is(lens: Lens, stored: str, tmp_path: Path) -> None:
    write(lens, located(stored))
    write(lens, tmp_path / "store")
    (one,), (other,) = (
        open_source(folder, lambda manifest: lens, lambda digest: TEXTS).collections
        for folder in (tmp_path / "store", located(stored))
    )
    every = one.firings.frequent(RELU)
    assert every and other.firings.frequent(RELU) == every
    feature = every[0][0]
    assert other.firings.feature(RELU, feature, 3) == one.firings.feature(RELU, feature, 3)
    assert one.firings.feature(RELU, feature, 3).tokens > 0


def test_a_profile_of_it_is_that_of_a_folder(
    capsys: pytest.CaptureFixture[str], lens: Lens, bucket: str, tmp_path: Path
) -> None:
    """From the command line; no model is loaded."""
    rows = [{"text": text, "category": "one" if i % 2 else "two"} for i, text in enumerate(TEXTS)]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = TextSource.open(tmp_path / "texts.jsonl", labelled=True)
    said = []
    for place in (str(tmp_path / "store"), f"{bucket}/profiled/store"):
        write_dataset(lens, source, located(place), shard_tokens=12)
        code, out, error = run(
            capsys, "profile", tmp_path / "texts.jsonl", "--store", place, "--json"
        )
        assert code == 0, error
        said.append(json.loads(out))
    assert said[0]["sites"] and said[0] == said[1]


def test_what_is_not_there_is_one_sentence(lens: Lens, bucket: str) -> None:
    with pytest.raises(UserError, match=r"^s3://stores/none/store holds no store: expected one"):
        ActivationDataset.open(located(f"{bucket}/none/store"))
    with pytest.raises(UserError, match=r"^no folder s3://stores/none: expected the folder of a"):
        open_source(located(f"{bucket}/none"), lambda manifest: lens, lambda digest: TEXTS)
    with pytest.raises(CannotWrite, match="The specified bucket does not exist"):
        write(lens, located("s3://nobody/store"))


def test_a_server_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    UPath("s3://stores").fs.clear_instance_cache()
    with pytest.raises(UserError, match=r"^s3://stores/x cannot be used: .*127\.0\.0\.1:1"):
        located("s3://stores/x")
    UPath("s3://stores").fs.clear_instance_cache()

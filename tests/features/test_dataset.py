"""The dataset on disk: what was read, to the byte, whatever happened while it was written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import torch

from faultlens.errors import CannotWrite, UserError
from faultlens.features.dataset import shard as shards
from faultlens.features.dataset import shard_work, writing
from faultlens.features.dataset.reading import ActivationDataset
from faultlens.features.dataset.shard import read_groups, stored, write_shard
from faultlens.features.dataset.writing import Written, write_dataset
from faultlens.features.lens import Lens
from faultlens.features.reading import Reader, ReadTexts
from faultlens.features.shapes import Shapes
from faultlens.features.store import Firings
from faultlens.features.text_tokens import TextTokens
from faultlens.features.token_choice import TokenChoice
from faultlens.runs.files import file_digest
from faultlens.runs.location import located
from tests.features.cut_off import cut_off_after_three_shards

TEXTS = ["abcabc", "jihgf", "b", "ddddddd", "hgabd", "cc", "ihgfedc", "abababab", "j", "eebbe"]
RELU, TOPK = "1-res-relu", "1-mlp-topk-centred"


def files(folder: Path) -> dict[str, str]:
    """The hash of every file there is."""
    return {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(lens: Lens, folder: Path, **options: object) -> Written:
    return write_dataset(lens, TEXTS, folder, shard_tokens=12, **options)  # type: ignore[arg-type]


def write_three_shards(lens: Lens, folder: Any) -> None:
    """The same, cut off by Ctrl-C after three shards."""
    cut_off_after_three_shards(lambda: write(lens, folder))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_it_holds_what_was_read_and_plain_tools_open_it(
    lens: Lens, tmp_path: Path, precision: str
) -> None:
    written = write(lens, tmp_path / "store", precision=precision)
    assert (written.shards, written.kept, written.rebuilt) == (5, 0, ())
    for name, table in lens.read(TEXTS, "sum").items():
        frame = pd.concat(
            pd.read_parquet(path) for path in sorted((tmp_path / "store" / name).iterdir())
        )
        assert list(frame.columns) == ["text_id", "position", "feature", "activation"]
        assert frame["activation"].dtype == precision
        sums = np.zeros(table.matrix.shape)
        np.add.at(sums, (frame["text_id"], frame["feature"]), frame["activation"])
        tolerance = 1e-5 if precision == "float32" else 2e-3
        np.testing.assert_allclose(sums, table.matrix.toarray(), rtol=tolerance, atol=1e-5)
        for text, position in zip(frame["text_id"], frame["position"], strict=True):
            assert 0 <= position < len(TEXTS[text])
        asked = "SELECT sum(CAST(activation AS DOUBLE)), count(*) FROM read_parquet(?)"
        files = [str(path) for path in sorted((tmp_path / "store" / name).iterdir())]
        total, rows = duckdb.execute(asked, [files]).fetchone() or (None, None)
        assert rows == len(frame)
        assert total == pytest.approx(float(frame["activation"].astype(float).sum()))


def test_a_feature_and_a_text_are_found_without_reading_the_rest(
    lens: Lens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP", 40)
    write(lens, tmp_path / "store")
    store = ActivationDataset.open(tmp_path / "store")
    paths = sorted((tmp_path / "store" / RELU).iterdir())
    frame = pd.concat(pd.read_parquet(path) for path in paths)
    groups = sum(len(range(0, len(pd.read_parquet(path)), 40)) for path in paths)
    feature = int(frame["feature"].mode()[0])
    found = store.feature(RELU, feature)
    expected = frame[frame["feature"] == feature]
    assert found.text.tolist() == expected["text_id"].tolist()
    assert found.position.tolist() == expected["position"].tolist()
    assert found.activation.tolist() == expected["activation"].tolist()
    assert 5 <= store.row_groups_read <= 10 < groups, "one or two of each shard's"
    store.row_groups_read = 0
    of_text = store.text(RELU, 3)
    assert sorted(of_text.feature.tolist()) == sorted(frame[frame["text_id"] == 3]["feature"])
    in_shard = len(pd.read_parquet(paths[1]))
    assert store.row_groups_read == len(range(0, in_shard, 40)) < groups / 3, "one shard of five"
    silent = sorted(set(range(64)) - set(frame["feature"]))
    assert not silent or len(store.feature(RELU, silent[0]).text) == 0


SERVER = """
import os, sys
from pathlib import Path
from typing import Any
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from conftest import tiny_lens
from faultlens.features.dataset.writing import write_dataset
lens = tiny_lens()
write_dataset(lens, {texts!r}[:2], Path({warm!r}), shard_tokens=12)  # what is loaded at first use
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            write_dataset(lens, {texts!r}, Path(line.strip()), shard_tokens=12)
            code = 0
        finally:
            os._exit(code)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


def begin(server: subprocess.Popen[str], folder: Path) -> int:
    """A process of its own begins to write the store; its id."""
    assert server.stdin is not None and server.stdout is not None
    print(folder, file=server.stdin, flush=True)
    return int(server.stdout.readline())


def ended(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    return int(server.stdout.readline())


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """kill -9 at twelve random moments of the writing; then a process is let through."""
    here, warm = str(Path(__file__).parent), str(tmp_path / "warm")
    code = SERVER.format(tests=here, texts=TEXTS * 12, warm=warm)
    drawn, killed, there = random.Random(0), 0, []
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        begin(server, tmp_path / "whole")
        began = time.perf_counter()
        assert ended(server) == 0
        took = time.perf_counter() - began
        for _ in range(12):
            process = begin(server, tmp_path / "killed")
            time.sleep(drawn.uniform(0, took / 4))
            with suppress(ProcessLookupError):  # it came through already
                os.kill(process, signal.SIGKILL)
            killed += ended(server) == signal.SIGKILL
            there.append(len(list((tmp_path / "killed").rglob("*.parquet"))))
        assert killed >= 3 and len(set(there)) >= 3, there
        begin(server, tmp_path / "killed")
        assert ended(server) == 0
        assert server.stdin is not None
        server.stdin.close()
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_ctrl_c_leaves_what_was_read_and_the_next_call_goes_on(
    lens: Lens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lens, tmp_path / "whole")
    own, calls = shard_work.write_shard, []

    def interrupted(*given: object) -> str:
        calls.append(given)
        if len(calls) == 6:  # the second file of the third shard
            raise KeyboardInterrupt
        return own(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_work, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(lens, tmp_path / "cut")
    with pytest.raises(UserError, match="not finished: run the command that began it again"):
        ActivationDataset.open(tmp_path / "cut")
    written = write(lens, tmp_path / "cut")
    assert written.kept == 2 and len(calls) == 6 + 2 * 3
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    assert write(lens, tmp_path / "cut").kept == 5, "a third call reads nothing"


@pytest.mark.parametrize("how", ["truncated", "changed", "missing"])
def test_a_damaged_file_is_named_and_rebuilt(lens: Lens, tmp_path: Path, how: str) -> None:
    store = tmp_path / "store"
    write(lens, store)
    before = files(store)
    path = store / TOPK / "00002.parquet"
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(UserError) as unreadable:
            ActivationDataset.open(store).feature(TOPK, 3)
        assert str(unreadable.value).startswith(f"{path} cannot be read as Parquet (")
        assert str(unreadable.value).endswith("): run the command that made the store again, "
                                              "which rebuilds it")  # fmt: skip
    elif how == "changed":
        path.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
    else:
        path.unlink()
    assert ActivationDataset.open(store).damaged() == [path]
    written = write(lens, store)
    said = {"missing": "is missing and was rebuilt"}.get(
        how, "was damaged (its hash is not that of the manifest) and was rebuilt"
    )
    assert written.rebuilt == (f"{path} {said}",)
    assert written.kept == 4
    assert files(store) == before, (files(store), before)
    assert ActivationDataset.open(store).damaged() == []


def test_a_store_of_something_else_is_refused_with_both_named(lens: Lens, tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(lens, store)

    def refused(other: Lens, texts: list[str] = TEXTS, **options: object) -> str:
        with pytest.raises(UserError) as error:
            write_dataset(other, texts, store, **options)  # type: ignore[arg-type]
        return str(error.value)

    relu, topk = lens.dictionaries
    end = ": give what it was made with, or choose another --out"
    model = replace(lens.model, name="other", digest="0123456789abcdef")
    assert refused(replace(lens, model=model)) == (
        f"{store} holds a store made with model tiny (tiny, float32, on cpu), not other "
        f"(0123456789ab, float32, on cpu){end}"
    )
    assert refused(replace(lens, dictionaries=(relu,))) == (
        f"{store} holds a store made with dictionaries {RELU}, {TOPK}, not {RELU}{end}"
    )
    retrained = replace(relu, digest="retrained")
    assert refused(replace(lens, dictionaries=(retrained, topk))) == (
        f"{store} holds a store made with {RELU} digest {RELU}, not retrained{end}"
    )
    raw = replace(topk, convention=replace(topk.convention, centred=False))
    assert refused(replace(lens, dictionaries=(relu, raw))) == (
        f"{store} holds a store made with {TOPK} convention prepend_bos True, centred True, not "
        f"prepend_bos True, centred False{end}"
    )
    assert "made with the corpus 10 texts (" in refused(lens, TEXTS[:-1])
    assert "made with the corpus 10 texts (" in refused(lens, [*TEXTS[:-1], "eebbf"])
    assert refused(lens, precision="float16").endswith(f"--precision float32, not float16{end}")
    assert refused(lens, long="split").endswith(f"--long error, not split{end}")


def test_a_worker_with_other_dictionaries_is_refused(lens: Lens, tmp_path: Path) -> None:
    relu, topk = lens.dictionaries
    other = replace(lens, dictionaries=(relu, replace(topk, digest="retrained")))
    with pytest.raises(UserError) as refused:
        write(lens, tmp_path / "store", open_lens=lambda: other)
    assert str(refused.value) == (
        f"dictionary {TOPK} is another one on the worker {socket.gethostname()} (retrained, not "
        f"{TOPK[:12]}): expected the same files on every machine"
    )


def test_a_corpus_that_changes_while_it_is_read_is_refused(lens: Lens, tmp_path: Path) -> None:
    class Changing(list[str]):
        passes = 0

        def __iter__(self) -> Iterator[str]:
            self.passes += 1
            return iter([*TEXTS[:-1], "ee"] if self.passes > 1 else TEXTS)

    with pytest.raises(UserError) as refused:
        write_dataset(lens, Changing(TEXTS), tmp_path / "store", shard_tokens=12)
    assert str(refused.value) == (
        "texts 10 to 10 are not those that the plan was made of: expected 5 tokens, got 2; the "
        "corpus was changed while it was read, or a worker has another tokenizer"
    )


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_store_at_a_url_is_that_of_a_folder(lens: Lens, tmp_path: Path, scheme: str) -> None:
    """Object stores have no folders, locks or renames; a store there goes on all the same."""
    write(lens, tmp_path / "folder")
    url = located(f"{scheme}://{tmp_path / 'url'}")
    write_three_shards(lens, url)
    assert write(lens, url).kept == 3
    found = {
        name: hashlib.sha256((url / name).read_bytes()).hexdigest()
        for name in files(tmp_path / "folder")
    }
    assert found == files(tmp_path / "folder")
    assert not [path for path in url.rglob("*") if path.name.endswith(".part")]
    here, there = ActivationDataset.open(tmp_path / "folder"), ActivationDataset.open(url)
    assert there.damaged() == []
    for feature in range(0, 64, 7):
        assert np.array_equal(there.feature(RELU, feature).text, here.feature(RELU, feature).text)
    (url / TOPK / "00002.parquet").unlink()
    assert [path.name for path in there.damaged()] == ["00002.parquet"]
    assert write(lens, url).rebuilt == (
        f"{url / TOPK / '00002.parquet'} is missing and was rebuilt",
    )
    with pytest.raises(UserError, match=r"^nosuch://x/y cannot be used: .*nosuch"):
        located("nosuch://x/y")


def test_a_folder_that_is_no_store_is_left_alone(lens: Lens, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="exists and holds no store: choose another --out"):
        write(lens, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "manifest.json").write_text('{"command": []}')
    with pytest.raises(UserError, match="manifest.json is not the plan of a store"):
        write(lens, tmp_path)
    with pytest.raises(UserError, match="holds no store: expected one of faultlens read"):
        ActivationDataset.open(tmp_path)


def test_two_processes_do_not_write_one_store(lens: Lens, tmp_path: Path) -> None:
    with writing._held(tmp_path / "store"):
        with pytest.raises(UserError, match="is being written by another process: wait for it"):
            write(lens, tmp_path / "store")
    assert write(lens, tmp_path / "store").shards == 5


def test_unknown_names_are_one_sentence(lens: Lens, tmp_path: Path) -> None:
    write(lens, tmp_path / "store")
    store = ActivationDataset.open(tmp_path / "store")
    with pytest.raises(UserError, match=f"no dictionary 'x': expected one of {RELU}, {TOPK}"):
        store.feature("x", 0)
    with pytest.raises(UserError, match=f"{RELU} has the features 0 to 63, and no 64"):
        store.feature(RELU, 64)
    with pytest.raises(UserError, match="has the texts 0 to 9"):
        store.text(RELU, 10)


def test_float16_keeps_what_fires_and_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    small = stored(np.array([1e-9, 0.1, 65504], np.float32), "float16")
    assert (small > 0).all() and small[2] == 65504
    with pytest.raises(UserError, match="70000 does not fit into float16, .* choose --precision"):
        stored(np.array([70000], np.float32), "float16")
    empty = np.empty(0, np.int32)
    write_shard(tmp_path / "a.parquet", Firings(empty, empty, empty, empty), "float16")
    found, groups = read_groups(tmp_path / "a.parquet", "feature", 0, 0)
    assert len(found.text) == 0 and groups <= 1


def test_it_keeps_the_shapes_and_threads_that_it_was_begun_with(
    lens: Lens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another budget would be found, and another number of threads is set, when it goes on."""
    threads = torch.get_num_threads()
    used: list[tuple[Shapes, int]] = []
    own = Reader.read

    def noting(reader: Reader, texts: Sequence[TextTokens]) -> Iterator[ReadTexts]:
        used.append((reader.shapes, torch.get_num_threads()))
        if len(used) == 3:
            raise KeyboardInterrupt
        return own(reader, texts)

    monkeypatch.setattr(Reader, "read", noting)
    torch.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lens, "shapes", lambda *_: Shapes(30, 24))
        with pytest.raises(KeyboardInterrupt):
            write(lens, tmp_path / "store")
    torch.set_num_threads(1)
    write(lens, tmp_path / "store")
    assert torch.get_num_threads() == 1
    torch.set_num_threads(threads)
    assert used == [(Shapes(30, 24, "plain"), 2)] * 6
    assert Shapes.suited_to(lens.model, lens.dictionaries) != Shapes(30, 24)


def test_a_store_of_other_releases_is_refused(lens: Lens, tmp_path: Path) -> None:
    write(lens, tmp_path / "store")
    path = tmp_path / "store" / "manifest.json"
    path.write_text(path.read_text().replace(torch.__version__.split("+")[0], "2.0.0"))
    with pytest.raises(UserError, match=r"made with torch 2\.0\.0.*, not 2\."):
        write(lens, tmp_path / "store")


def test_stores_with_other_tokens_left_out_are_not_mixed(lens: Lens, tmp_path: Path) -> None:
    write(lens, tmp_path / "store")
    for other, said in (
        (replace(lens, choice=TokenChoice(massive="keep")), "massive activations drop, not keep"),
        (replace(lens, choice=TokenChoice(special="keep")), "special tokens drop, not keep"),
        (
            replace(lens, model=replace(lens.model, split_special_tokens=True)),
            "what looks like a special token read as one, not plain text",
        ),
    ):
        with pytest.raises(UserError) as refused:
            write(other, tmp_path / "store")
        assert str(refused.value) == (
            f"{tmp_path / 'store'} holds a store made with {said}: give what it was made with, or "
            "choose another --out"
        )


DAMAGE = {
    "its plan to be an object, got a list": {"plan": []},
    "its format is 1, and this version reads 2": {"format": 1},
    "it has no shards": {"shards": []},
    "its shard 0 does not go on where the one before it ends": {"shards": [{"first": 3}]},
    "expected first to be a whole number from 0 on, got -5": {"shards": [{"first": -5}]},
    "expected last to be a whole number from 0 on, got 1.5": {"shards": [{"last": 1.5}]},
    "expected tokens to be a whole number from 0 on, got True": {"shards": [{"tokens": True}]},
    "expected a shard to be an object, got a number": {"shards": [7]},
    "its shards do not hold the texts of its corpus": {"corpus": {"texts": 12}},
    "expected threads to be a whole number from 1 on, got 0": {"threads": 0},
    "expected budget to be a whole number from 1 on, got None": {"shapes": {"budget": None}},
    "expected encoding to be plain or bfloat16 or int8, got 'x'": {"shapes": {"encoding": "x"}},
    "expected long to be error or split or truncate, got 'x'": {"long": "x"},
    "expected special to be drop or keep, got 1": {"choice": {"special": 1}},
    "it names no dictionary": {"dictionaries": None},
    "expected d_sae to be a whole number from 1 on, got '64'": {"dictionaries": {RELU: {
        "d_sae": "64"}}},
    "expected digest to be a text, got None": {"corpus": {"digest": None}},
    "expected torch to be a text, got 2": {"versions": {"torch": 2}},
}  # fmt: skip


def damaged(record: dict[str, Any], change: Any) -> dict[str, Any]:
    """A record with some of its values put in the place of others, and None in that of a whole."""
    if "plan" in change:
        return record | change
    plan = record["plan"]
    for key, value in change.items():
        if key == "dictionaries" and value is None:
            plan[key] = {}
        elif isinstance(value, dict):
            for inner, new in value.items():
                if isinstance(new, dict):
                    plan[key][inner] |= new
                else:
                    plan[key][inner] = new
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            plan[key][0] |= value[0]
        else:
            plan[key] = value
    return record


@pytest.mark.parametrize(("complaint", "change"), DAMAGE.items())
def test_a_plan_that_cannot_be_is_never_believed(
    lens: Lens, tmp_path: Path, complaint: str, change: Any
) -> None:
    """Neither of a finished store nor of one that was begun."""
    store = tmp_path / "store"
    write(lens, store)
    path = store / "manifest.json"
    whole = json.loads(path.read_text())
    record = json.dumps(damaged(whole, change))
    path.write_text(record)
    with pytest.raises(UserError) as refused:
        ActivationDataset.open(store)
    assert str(refused.value).startswith(f"{path} is not the manifest of a store: ")
    assert complaint in str(refused.value)
    with pytest.raises(UserError) as refused:
        write(lens, store)
    assert str(refused.value).startswith(f"{path} is not the plan of a store: ")
    assert str(refused.value).endswith(f"{complaint}; choose another --out")
    begun = store / "unfinished" / "plan.json"
    begun.parent.mkdir(exist_ok=True)
    path.replace(begun)
    with pytest.raises(UserError) as refused:
        write(lens, store)
    assert str(refused.value).startswith(f"{begun} is not the plan of a store: ")


@pytest.mark.parametrize("cut", [0, 1, 20, 500])
def test_a_plan_that_is_cut_off_is_a_sentence(lens: Lens, tmp_path: Path, cut: int) -> None:
    store = tmp_path / "store"
    write(lens, store)
    path = store / "manifest.json"
    path.write_bytes(path.read_bytes()[:cut])
    for attempt in (lambda: ActivationDataset.open(store), lambda: write(lens, store)):
        with pytest.raises(UserError, match="of a store: it cannot be read as JSON: "):
            attempt()
    path.write_bytes(b"[" * 100_000)
    for attempt in (lambda: ActivationDataset.open(store), lambda: write(lens, store)):
        with pytest.raises(UserError, match="of a store: it cannot be read as JSON: "):
            attempt()


@pytest.mark.parametrize("bad", ["", "{", "[]", "{}", '{"hashes": 3}', '{"hashes": {}}', None])
def test_a_damaged_record_of_a_shard_only_has_it_made_again(
    lens: Lens, tmp_path: Path, bad: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that was cut off after three shards, of which one's record is damaged."""
    write(lens, tmp_path / "whole")
    write_three_shards(lens, tmp_path / "store")
    record = tmp_path / "store" / "unfinished" / "00001.json"
    if bad is None:
        content = json.loads(record.read_text())
        content["left_out"][RELU] = {"special": {"x": "many"}}
        bad = json.dumps(content)
    record.write_text(bad)
    written = write(lens, tmp_path / "store")
    assert (written.shards, written.kept, written.rebuilt) == (5, 2, ())
    assert files(tmp_path / "store") == files(tmp_path / "whole")


@pytest.mark.parametrize("key", ["files", "left_out"])
def test_a_manifest_without_its_hashes_has_all_files_made_again(
    lens: Lens, tmp_path: Path, key: str
) -> None:
    store = tmp_path / "store"
    write(lens, store)
    before, path = files(store), store / "manifest.json"
    record = json.loads(path.read_text())
    record[key].pop(next(iter(record[key])) if key == "files" else 0)
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match="is not the manifest of a store: expected"):
        ActivationDataset.open(store)
    written = write(lens, store)
    assert written.kept == 0
    assert written.rebuilt == (f"{path} was damaged, and all files were rebuilt",)
    assert files(store) == before


def test_a_dictionary_that_never_fires_is_named(lens: Lens, tmp_path: Path) -> None:
    relu, topk = lens.dictionaries
    silent = replace(relu, b_enc=relu.b_enc - 1e6)
    written = write(replace(lens, dictionaries=(silent, topk)), tmp_path / "store")
    assert written.silent == (RELU,)
    assert write(lens, tmp_path / "other").silent == ()


@pytest.mark.parametrize(
    ("columns", "held"),
    [
        ({"text_id": ["a"], "position": [1]}, "text_id large_string, position int64"),
        ({}, "nothing"),
        (
            {key: ["x"] for key in shards.COLUMNS},
            ", ".join(f"{key} large_string" for key in shards.COLUMNS),
        ),
    ],
)
def test_a_parquet_file_of_something_else_is_one_sentence(
    lens: Lens, tmp_path: Path, columns: dict[str, list[Any]], held: str
) -> None:
    write(lens, tmp_path / "store")
    path = tmp_path / "store" / RELU / "00000.parquet"
    pd.DataFrame(columns).to_parquet(path, index=False)
    store = ActivationDataset.open(tmp_path / "store")
    for look_up in (lambda: store.feature(RELU, 3), lambda: store.text(RELU, 0)):
        with pytest.raises(UserError) as refused:
            look_up()
        assert str(refused.value) == (
            f"{path} is no file of a store: it holds {held}, expected text_id, position, feature, "
            "activation; run the command that made the store again, which rebuilds it"
        )


def test_where_there_is_no_room_what_was_finished_is_kept(
    lens: Lens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the third shard is written, and when the manifest is."""
    write(lens, tmp_path / "whole")
    own = os.fsync
    for fails_at in (7, 17):
        store, done = tmp_path / f"store-{fails_at}", []

        def full(handle: int, done: list[int] = done, fails_at: int = fails_at) -> None:
            done.append(handle)
            if len(done) == fails_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            own(handle)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CannotWrite, match=r"cannot be written: No space left on device"):
                write(lens, store)
        assert not list(store.rglob("*.part")) and not (store / "manifest.json").exists()
        assert write(lens, store).kept > 0
        assert files(store) == files(tmp_path / "whole")

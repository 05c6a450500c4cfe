"""Odd run folders, stores and unfinished work: damaged, edited, planted, half-written."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import audit_samples
import samples
from attempts import Case, Content, attempt
from odd_folders import NO_CONFIG, VALUES
from odd_tables import READ, TASK, TEXTS, jsonl
from odd_values import damaged

PROFILE = (*TEXTS.arguments("texts.jsonl"), "--out", "run", "--overwrite")
AUDIT = (*TASK.arguments("task.jsonl"), "--out", "run")
STORE = ("read", "texts.jsonl", *READ, "--out", "store")
Change = Callable[[Path], object]


def run_cases() -> Iterator[Case]:
    """All of them."""
    drawn = random.Random(4)
    yield _report("right", lambda run: None, "done")
    yield from _records(drawn)
    yield from _fields()
    yield from _overwritten()
    yield from _stores(drawn)
    yield from _unfinished(drawn)


@cache
def sample_run() -> Path:
    """A run folder with both studies, as a run writes it."""
    run = Path(tempfile.mkdtemp(prefix="fuzz-")) / "run"
    (run / "tables").mkdir(parents=True)
    samples.profile().save(run)
    audit_samples.audit().save(run)
    (run / "tables" / "levels.parquet").write_bytes(b"PAR1")
    (run / "report.html").write_text("page")
    names = ("profile.json", "audit.json", "tables/levels.parquet")
    files = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names}
    (run / "manifest.json").write_text(json.dumps({**samples.manifest(), "files": files}))
    return run


@cache
def sample_store() -> Path:
    """A store of four texts in one shard."""
    here = Path(tempfile.mkdtemp(prefix="fuzz-"))
    case = Case("store", STORE, {"texts.jsonl": jsonl(TEXTS.rows)})
    assert attempt(case, here).code == 0
    return here / "store"


def _copied(of: Callable[[], Path], change: Change) -> Content:
    def make(path: Path) -> None:
        shutil.copytree(of(), path)
        change(path)

    return make


def _report(what: str, change: Change, expected: str) -> Case:
    files = {"run": _copied(sample_run, change)}
    return Case(f"report/{what}", ("report", "run"), files, expected)  # type: ignore[arg-type]


def _put(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def _instead(name: str, make: Change) -> Change:
    """Something else than a file stands in a file's place."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return change


PLANTED: dict[str, Change] = {
    "gone": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": lambda path: os.mkfifo(path),
}


def _records(drawn: random.Random) -> Iterator[Case]:
    """Each JSON file of a run, damaged or replaced."""
    for name in ("manifest.json", "profile.json", "audit.json"):
        whole = (sample_run() / name).read_bytes()
        for what, content in {**dict(damaged(whole, drawn)), **NO_CONFIG}.items():
            yield _report(f"{name} {what}", _put(name, content), "refused")
        for what, make in PLANTED.items():
            gone = what == "gone" and name == "manifest.json"
            expected = "done" if gone else "refused"
            yield _report(f"{name} {what}", _instead(name, make), expected)
    for what, make in PLANTED.items():
        expected = "refused" if what == "a folder" else "done"
        yield _report(f"report.html {what}", _instead("report.html", make), expected)
    edited = json.loads((sample_run() / "audit.json").read_text())
    edited["failures"] += 1
    yield _report("audit.json edited", _put("audit.json", json.dumps(edited).encode()), "refused")
    yield _report("without results", lambda run: [
        (run / name).unlink() for name in ("audit.json", "profile.json", "manifest.json")
    ], "refused")  # fmt: skip
    for what, files in {
        "a list": [], "climbing": {"../x": "0" * 64}, "no hashes": {"audit.json": "x"},
        "absolute": {"/etc/passwd": "0" * 64}, "null": None, "a number": {"audit.json": 3},
    }.items():  # fmt: skip
        record = {**samples.manifest(), "files": files}
        yield _report(
            f"manifest lists {what}", _put("manifest.json", json.dumps(record).encode()), "refused"
        )


def _fields() -> Iterator[Case]:
    """Results without a manifest that vouches for them, each field odd in turn."""

    def alone(name: str, content: bytes) -> Change:
        def change(run: Path) -> None:
            (run / "manifest.json").unlink()
            (run / name).write_bytes(content)

        return change

    for name in ("profile.json", "audit.json"):
        whole = json.loads((sample_run() / name).read_text())
        for field in whole:
            for what in ("nothing", "null", "negative", "text", "list", "object", "vast"):
                rest = {k: json.dumps(v) for k, v in whole.items() if k != field}
                if VALUES[what]:
                    rest[field] = VALUES[what]
                text = "{" + ", ".join(f'"{k}": {v}' for k, v in rest.items()) + "}"
                yield _report(f"{name} {field}={what}", alone(name, text.encode()), "either")
        more = json.dumps({**whole, "more": 1}).encode()
        yield _report(f"{name} with a field more", alone(name, more), "refused")
        for version in (0, 99, "1", None, 1.5, True):
            other = json.dumps({**whole, "format_version": version}).encode()
            yield _report(f"{name} of format {version!r}", alone(name, other), "refused")


def _overwritten() -> Iterator[Case]:
    """`--overwrite` on what is there: only what a manifest lists is ever replaced."""

    def over(what: str, content: Content, expected: str) -> Case:
        files = {"texts.jsonl": jsonl(TEXTS.rows), "run": content}
        return Case(f"overwrite/{what}", PROFILE, files, expected)  # type: ignore[arg-type]

    def run(change: Change) -> Content:
        return _copied(sample_run, change)

    yield over("a run", run(lambda run: None), "done")
    yield over("an empty folder", lambda path: path.mkdir(), "done")
    yield over("a link to a folder", _linked, "done")
    yield over("a file", b"x", "refused")
    for what, make in PLANTED.items():
        if what in ("gone", "a folder"):
            continue
        expected = "either" if what == "a link to nothing" else "refused"
        yield over(what, make, expected)
        yield over(f"a run with {what}", run(_instead("mine", make)), "refused")
        yield over(f"a run whose page is {what}", run(_instead("report.html", make)), "refused")
    for name in ("thesis.tex", "tables/mine.csv", ".git/config", "manifest.json.bak", "lock"):
        yield over(f"a run with {name}", run(_beside(name)), "refused")
    for what, content in NO_CONFIG.items():
        yield over(
            f"a run whose manifest is {what}", run(_put("manifest.json", content)), "refused"
        )
    for name in ("audit.json", "profile.json", "tables/levels.parquet", "report.html"):
        gone: Change = lambda run, name=name: (run / name).unlink()  # noqa: E731
        yield over(f"a run without {name}", run(gone), "done")
        yield over(f"a run with another {name}", run(_put(name, b"x")), "done")
    yield over("a store", _copied(sample_store, lambda store: None), "refused")
    yield over("a folder of somebody's", _copied(sample_run, _somebodys), "refused")


def _linked(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


def _beside(name: str) -> Change:
    def change(run: Path) -> None:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("years of work")

    return change


def _somebodys(run: Path) -> None:
    shutil.rmtree(run)
    run.mkdir()
    (run / "manifest.json").write_text('{"name": "my app"}')
    (run / "thesis.tex").write_text("years of work")


def _stores(drawn: random.Random) -> Iterator[Case]:
    """A store that is damaged: the same command rebuilds it, or says what it is."""

    def again(what: str, change: Change, expected: str = "either") -> Case:
        files = {"texts.jsonl": jsonl(TEXTS.rows), "store": _copied(sample_store, change)}
        return Case(f"store/{what}", STORE, files, expected)  # type: ignore[arg-type]

    yield again("right", lambda store: None, "done")
    whole = (sample_store() / "manifest.json").read_bytes()
    for what, content in {**dict(damaged(whole, drawn)), **NO_CONFIG}.items():
        yield again(f"manifest {what}", _put("manifest.json", content))
    record = json.loads(whole)
    for field in record["plan"]:
        for what in ("nothing", "null", "negative", "text", "list", "object"):
            plan = {k: json.dumps(v) for k, v in record["plan"].items() if k != field}
            if VALUES[what]:
                plan[field] = VALUES[what]
            inner = "{" + ", ".join(f'"{k}": {v}' for k, v in plan.items()) + "}"
            text = json.dumps({**record, "plan": "HERE"}).replace('"HERE"', inner)
            expected = "either" if field == "versions" else "refused"
            yield again(f"plan {field}={what}", _put("manifest.json", text.encode()), expected)
    for what, shards in _odd_shards(record["plan"]["shards"]):
        changed = json.dumps({**record, "plan": {**record["plan"], "shards": shards}}).encode()
        expected = "either" if what == "with a field more" else "refused"
        yield again(f"shards {what}", _put("manifest.json", changed), expected)
    shard = "3-res-mini/00000.parquet"
    for what, content in damaged((sample_store() / shard).read_bytes(), drawn):
        if not what.startswith("bytes changed") or what.endswith("0"):
            yield again(f"shard {what}", _put(shard, content), "done")
    for what, make in PLANTED.items():
        yield again(f"shard {what}", _instead(shard, make))
        if what not in ("gone", "a folder"):
            yield again(f"manifest {what}", _instead("manifest.json", make))
    yield again("without a manifest", lambda store: (store / "manifest.json").unlink())
    for name, content in (
        ("plan.json", b"{"),
        ("00000.json", b"[]"),
        ("lock", b"\xff"),
        ("x", b""),
    ):
        yield again(f"unfinished/{name}", _beside_bytes(f"unfinished/{name}", content))


def _odd_shards(right: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    first = right[0]
    yield "none", []
    odd: list[tuple[str, Any]] = [
        ("first", -5), ("first", 1), ("last", 0), ("last", 99), ("number", 7), ("tokens", -1),
        ("tokens", "x"), ("last", None), ("first", 2**70),
    ]  # fmt: skip
    for field, value in odd:
        yield f"{field}={value}", [{**first, field: value}]
    yield "twice", [first, first]
    yield "with a field more", [{**first, "more": 1}]
    yield "no objects", [3]


def _beside_bytes(name: str, content: bytes) -> Change:
    def change(store: Path) -> None:
        (store / name).parent.mkdir(exist_ok=True)
        (store / name).write_bytes(content)

    return change


def _unfinished(drawn: random.Random) -> Iterator[Case]:
    """Work of an interrupted audit that is damaged, planted or of another run: it is made again."""

    def begun(what: str, change: Change, expected: str = "done") -> Case:
        def make(path: Path) -> None:
            path.mkdir()
            change(path)

        files: dict[str, Content] = {"task.jsonl": jsonl(TASK.rows), ".run.unfinished": make}
        return Case(f"unfinished/{what}", AUDIT, files, expected)  # type: ignore[arg-type]

    yield begun("empty", lambda work: None)
    for what, content in list(NO_CONFIG.items())[:6]:
        yield begun(f"key {what}", _put("key.json", content))
        yield begun(f"stage {what}", _put("outcomes.json", content))
    yield begun("lock", _put("lock", b"\xff\xfe"))
    yield begun(
        "half a run", lambda work: (work / f".faultlens-{'0' * 16}" / "x").mkdir(parents=True)
    )
    for what in ("a link to nothing", "a link to itself", "a pipe", "a folder"):
        for name in ("key.json", "outcomes.json", "lock"):
            yield begun(f"{name} {what}", _instead(name, PLANTED[what]), "either")

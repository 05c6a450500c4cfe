"""Odd matrices: `.npy`, `.npz` and `.safetensors` in place of a model, and residuals."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from attempts import Case, Content
from odd_tables import OUTCOMES, TEXTS, jsonl
from odd_values import damaged
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, save_npz

ROWS = 4
RIGHT = np.array([[1.0, 0, 2], [0, 0, 1], [3, 1, 0], [0, 0, 0.5]], np.float32)


def matrix_cases() -> Iterator[Case]:
    """All of them: as features of texts, as features of outcomes, as residuals."""
    drawn = random.Random(2)
    for suffix, contents in (
        ("npy", dict(_npy(drawn))),
        ("npz", dict(_npz(drawn))),
        ("safetensors", dict(_safetensors(drawn))),
    ):
        for name, (content, expected) in contents.items():
            yield _features(f"{suffix}/{name}", f"m.{suffix}", content, expected)
            yield _of_outcomes(f"{suffix}/{name}", f"m.{suffix}", content, expected)
            signed = "either" if "negative" in name and "negative s" not in name else expected
            yield _residuals(f"{suffix}/{name}", f"m.{suffix}", content, signed)
    yield from _names()


def _features(what: str, file: str, content: Content, expected: str) -> Case:
    arguments = ("profile", "texts.jsonl", "--features", f"3-res-x={file}", "--pooled", "max",
                 "--permutations", "99")  # fmt: skip
    files: dict[str, Content] = {"texts.jsonl": jsonl(TEXTS.rows), file: content}
    return Case(f"features/{what}", arguments, files, expected)  # type: ignore[arg-type]


def _of_outcomes(what: str, file: str, content: Content, expected: str) -> Case:
    arguments = (*OUTCOMES.arguments("o.jsonl"), "--features", f"3-res-x={file}")
    files: dict[str, Content] = {"o.jsonl": jsonl(OUTCOMES.rows), file: content}
    return Case(f"outcomes' features/{what}", arguments, files, expected)  # type: ignore[arg-type]


def _residuals(what: str, file: str, content: Content, expected: str) -> Case:
    arguments = (*OUTCOMES.arguments("o.jsonl"), "--residuals", f"3={file}")
    files: dict[str, Content] = {"o.jsonl": jsonl(OUTCOMES.rows), file: content}
    return Case(f"residuals/{what}", arguments, files, expected)  # type: ignore[arg-type]


Named = Iterator[tuple[str, tuple[bytes, str]]]


def _arrays() -> Iterator[tuple[str, np.ndarray, str]]:
    """Arrays that NumPy writes, right and wrong."""
    yield "right", RIGHT, "done"
    for kind in ("float16", "float64", "int8", "int64", "uint64", "bool", ">f4", "longdouble"):
        expected = "either" if kind in ("longdouble",) else "done"
        yield f"of {kind}", RIGHT.astype(kind), expected
    yield "complex", RIGHT.astype(complex), "refused"
    yield "texts", RIGHT.astype("U3"), "refused"
    yield "bytes", RIGHT.astype("S3"), "refused"
    yield "dates", RIGHT.astype("int64").astype("datetime64[s]"), "refused"
    yield "records", np.zeros((ROWS, 3), [("a", "f4"), ("b", "i4")]), "refused"
    yield "no number", np.array(3.0), "refused"
    yield "one row", RIGHT[0], "refused"
    yield "three axes", RIGHT[None], "refused"
    yield "no columns", RIGHT[:, :0], "refused"
    yield "no rows", RIGHT[:0], "refused"
    yield "a row too few", RIGHT[:3], "refused"
    yield "a row too many", np.vstack([RIGHT, RIGHT[:1]]), "refused"
    yield "transposed", np.ascontiguousarray(RIGHT.T), "refused"
    yield "in Fortran's order", np.asfortranarray(RIGHT), "done"
    yield "one column", RIGHT[:, :1], "either"
    for name, value in (("NaN", np.nan), ("infinity", np.inf), ("minus infinity", -np.inf)):
        spoilt = RIGHT.copy()
        spoilt[2, 1] = value
        yield name, spoilt, "refused"
        yield f"all {name}", np.full_like(RIGHT, value), "refused"
    yield "negative", -RIGHT, "refused"
    yield "minus zero", np.where(RIGHT == 0, np.float32(-0.0), RIGHT), "either"
    yield "too large for float32", RIGHT.astype(float) * 1e300, "refused"
    yield "nearly too large", np.where(RIGHT > 0, np.float32(3e38), 0), "refused"
    yield "too small", RIGHT * np.float32(1e-40), "either"
    yield "all zero", np.zeros_like(RIGHT), "either"
    yield "all one", np.ones_like(RIGHT), "either"


def _npy(drawn: random.Random) -> Named:
    for name, array, expected in _arrays():
        file = io.BytesIO()
        np.save(file, array)
        yield name, (file.getvalue(), expected)
    file = io.BytesIO()
    np.save(file, np.array([[None, {}]] * ROWS, object), allow_pickle=True)
    yield "objects", (file.getvalue(), "refused")
    file = io.BytesIO()
    np.save(file, RIGHT)
    whole = file.getvalue()
    for name, content in damaged(whole, drawn):
        fine = ("bytes changed", "rubbish behind", "doubled", "tail changed")
        yield name, (content, "either" if name.startswith(fine) else "refused")
    for name, shape in (
        ("vast", f"({ROWS}, {2**60})"), ("negative", f"({ROWS}, -3)"), ("huge", f"({2**70}, 3)"),
        ("true", "(True, 3)"), ("words", "('a', 3)"), ("one", "(12,)"), ("nested", "((4, 3),)"),
        ("code", "(__import__('os').getpid(), 3)"), ("deep", "(" * 200 + ")" * 200),
    ):  # fmt: skip
        yield f"header of shape {name}", (_npy_header(f"'shape': {shape}"), "refused")
    for name, kind in (("object", "|O"), ("unknown", "x9"), ("empty", ""), ("void", "|V0")):
        content = _npy_header(f"'shape': ({ROWS}, 3)", kind)
        yield f"header of type {name}", (content, "refused")
    yield "header of version 9", (b"\x93NUMPY\x09\x00" + whole[8:], "refused")
    yield "header without end", (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(64), "refused")
    yield "pickled", (pickle.dumps(RIGHT), "refused")
    yield "pickled code", (b"cos\nsystem\n(S'touch pwned'\ntR.", "refused")


def _npy_header(shape: str, kind: str = "<f4") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, {shape}}}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + RIGHT.tobytes()


def _npz(drawn: random.Random) -> Named:
    def saved(**arrays: Any) -> bytes:
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    def sparse(matrix: Any) -> bytes:
        file = io.BytesIO()
        save_npz(file, matrix)
        return file.getvalue()

    for name, array, expected in _arrays():
        if name in ("right", "NaN", "negative", "texts", "all zero", "a row too few"):
            yield name, (saved(features=array), expected)
            if array.dtype.kind == "f":
                yield f"sparse {name}", (sparse(csr_matrix(array)), expected)
    yield "named otherwise", (saved(anything=RIGHT), "done")
    yield "two arrays", (saved(a=RIGHT, b=RIGHT), "refused")
    yield "features and residuals", (saved(features=RIGHT, residuals=RIGHT), "refused")
    yield "no arrays", (saved(), "refused")
    yield "objects", (saved(features=np.array([[{}]] * ROWS, object)), "refused")
    yield "CSC", (sparse(csc_matrix(RIGHT)), "done")
    yield "COO", (sparse(coo_matrix(RIGHT)), "refused")
    parts = {
        "data": np.array([1.0, 2.0, 3.0], np.float32), "indices": np.array([0, 2, 1]),
        "indptr": np.array([0, 1, 1, 2, 3]), "shape": np.array([ROWS, 3]),
    }  # fmt: skip
    yield "CSR parts", (saved(**parts), "done")
    wrong: Mapping[str, tuple[str, Any]] = {
        "a column beyond": ("indices", np.array([0, 3, 1])),
        "a negative column": ("indices", np.array([0, -1, 1])),
        "a column too large for a number": ("indices", np.array([0, 2**62, 1])),
        "columns too few": ("indices", np.array([0, 1])),
        "columns that are fractions": ("indices", np.array([0.5, 1, 1])),
        "rows that go back": ("indptr", np.array([0, 2, 1, 2, 3])),
        "rows beyond": ("indptr", np.array([0, 1, 1, 2, 9])),
        "rows too few": ("indptr", np.array([0, 1])),
        "rows that begin late": ("indptr", np.array([1, 1, 1, 2, 3])),
        "no values": ("data", np.array([], np.float32)),
        "values of objects": ("data", np.array([None, 1, 2], object)),
        "values that are texts": ("data", np.array(["a", "b", "c"])),
        "values on two axes": ("data", np.ones((3, 1), np.float32)),
        "a vast shape": ("shape", np.array([ROWS, 2**40])),
        "vaster": ("shape", np.array([2**40, 2**40])),
        "a negative shape": ("shape", np.array([ROWS, -3])),
        "a shape of one": ("shape", np.array([ROWS])),
        "a shape of three": ("shape", np.array([ROWS, 3, 1])),
        "a shape of fractions": ("shape", np.array([4.5, 3.0])),
        "a shape that is NaN": ("shape", np.array([np.nan, 3.0])),
        "a shape of texts": ("shape", np.array(["4", "3"])),
        "a shape too small": ("shape", np.array([ROWS, 1])),
    }
    for name, (part, value) in wrong.items():
        yield f"CSR with {name}", (saved(**{**parts, part: value}), "refused")
    for name, said in (("bsr", b"bsr"), ("nothing", b""), ("not UTF-8", b"\xff"), ("a list", [1])):
        yield f"CSR called {name}", (saved(**parts, format=np.array(said)), "refused")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "no matrix")
    yield "another archive", (file.getvalue(), "refused")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("../evil.npy", _npy_header(f"'shape': ({ROWS}, 3)"))
    yield "a name that climbs", (file.getvalue(), "either")
    for name, content in damaged(saved(features=RIGHT), drawn):
        fine = ("bytes changed", "rubbish behind", "doubled", "first byte gone")
        yield name, (content, "either" if name.startswith(fine) else "refused")


def _safetensors(drawn: random.Random) -> Named:
    def saved(tensors: Mapping[str, Any], data: bytes, metadata: object = None) -> bytes:
        record = dict(tensors) if metadata is None else {"__metadata__": metadata, **tensors}
        head = json.dumps(record).encode()
        return struct.pack("<Q", len(head)) + head + data

    def tensor(kind: str, shape: list[object], *ends: int) -> dict[str, object]:
        return {"dtype": kind, "shape": shape, "data_offsets": list(ends)}

    data = RIGHT.tobytes()
    right = {"features": tensor("F32", [ROWS, 3], 0, len(data))}
    yield "right", (saved(right, data), "done")
    yield "bfloat16", (saved({"a": tensor("BF16", [ROWS, 3], 0, 24)}, bytes(24)), "either")
    yield "no tensors", (saved({}, b""), "refused")
    two = {"a": tensor("F32", [ROWS, 3], 0, 48), "b": tensor("F32", [ROWS, 3], 48, 96)}
    yield "two tensors", (saved(two, data * 2), "refused")
    yield "NaN", (saved(right, np.full_like(RIGHT, np.nan).tobytes()), "refused")
    for name, changed in {
        "an unknown type": tensor("F31", [ROWS, 3], 0, 48),
        "a negative shape": tensor("F32", [ROWS, -3], 0, 48),
        "a vast shape": tensor("F32", [2**40, 2**40], 0, 48),
        "a shape of texts": tensor("F32", ["4", "3"], 0, 48),
        "ends beyond the file": tensor("F32", [ROWS, 3], 0, 4800),
        "ends in reverse": tensor("F32", [ROWS, 3], 48, 0),
        "too few bytes": tensor("F32", [ROWS, 3], 0, 44),
        "no fields": {},
    }.items():
        yield f"with {name}", (saved({"features": changed}, data), "refused")
    yield "with odd metadata", (saved(right, data, {"a": 1}), "either")
    yield "a header too long", (struct.pack("<Q", 2**60) + bytes(64), "refused")
    yield "a header of no JSON", (struct.pack("<Q", 8) + b"not json" + data, "refused")
    yield "a header nested deeply", (struct.pack("<Q", 5000) + b"[" * 5000, "refused")
    for name, content in damaged(saved(right, data), drawn):
        yield name, (content, "either" if name.startswith("bytes changed") else "refused")


def _names() -> Iterator[Case]:
    """`--features SITE=FILE` with odd sites, files and suffixes."""
    file = io.BytesIO()
    np.save(file, RIGHT)
    right = file.getvalue()
    for suffix in ("", ".txt", ".NPY", ".csv", ".pt", ".mat", ".npz", ".safetensors"):
        expected = "refused" if suffix == ".safetensors" else "either"
        yield _features(f"suffix/{suffix}", f"m{suffix}", right, expected)
    for given in (
        "m.npy", "=m.npy", "3=", "=", "a/b=m.npy", "a=b=m.npy", " =m.npy", "\x1b[2J=m.npy",
        "\u202e=m.npy", f"{'n' * 250}=m.npy", f"{'n' * 5000}=m.npy", "..=m.npy", ".=m.npy",
        "²-res-x=m.npy", "٣-res-x=m.npy", "99999999999999999999-res-x=m.npy", "-1=m.npy",
        "3-res-x=.", "3-res-x=no.npy", "3-res-x=texts.jsonl", "con=m.npy", "é=m.npy",
    ):  # fmt: skip
        for more in ((), ("--out", "run")):
            arguments = ("profile", "texts.jsonl", "--features", given, "--pooled", "max",
                         "--permutations", "99", *more)  # fmt: skip
            files: dict[str, Content] = {"texts.jsonl": jsonl(TEXTS.rows), "m.npy": right}
            wrong = given.startswith("=") or given.endswith("=") or "/" in given or "=" not in given
            expected = "refused" if wrong else "either"
            yield Case(
                f"features/name {given[:30]!a} of {len(given)} {len(more)}",
                arguments,
                files,
                expected,
            )  # type: ignore[arg-type]
    for pairs in (("a=m.npy", "a=m.npy"), ("a=m.npy", "b=m.npy")):
        arguments = ("profile", "texts.jsonl", "--pooled", "max", "--permutations", "99")
        for pair in pairs:
            arguments += ("--features", pair)
        files = {"texts.jsonl": jsonl(TEXTS.rows), "m.npy": right}
        expected = "refused" if pairs[0] == pairs[1] else "either"
        yield Case(f"features/twice {pairs}", arguments, files, expected)  # type: ignore[arg-type]

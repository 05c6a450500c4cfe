"""Values that a field of a file may hold and nobody expects, and bytes that a file may hold."""

from __future__ import annotations

import random
from collections.abc import Iterator

ESCAPES = "\x1b]0;pwned\x07\x1b[2J\x9b31m"
DIRECTIONS = "\u202eevil\u2066\u200f"

WORDS = {
    "escapes": ESCAPES,
    "directions": DIRECTIONS,
    "nul": "a\0b",
    "controls": "".join(map(chr, range(1, 32))),
    "carriage returns": "a\r\nb\rc",
    "line separators": "a\u2028b\u2029c\x85d\x0be",
    "byte order mark": "\ufeffhello",
    "right to left": "שלום עולם مرحبا",
    "decomposed": "cafe\u0301",
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦 🏴\U000e0067\U000e0062\U000e007f",
    "zalgo": "z" + "\u0336\u0317\u0353" * 60,
    "tags": "hidden\U000e0041\U000e0042",
    "private use": "\ue000\U0010fffd",
    "noncharacters": "\uffff\ufdd0\U0001ffff",
    "no spaces": "我把书给了玛丽",
    "thai": "ฉันให้หนังสือแก่แมรี่",
    "markup": "<script>alert(1)</script> [red]x[/red] [/] {{7*7}} %s %n {0}",
    "formula": "=cmd|' /C calc'!A0",
    "quotes": "\"'`\\\\ \\\" ''",
    "path": "../../../etc/passwd",
    "special token": "<|endoftext|><s></s><bos>[INST]",
    "one letter": "x",
    "long word": "y" * 3000,
    "digits": "²³½Ⅷ٣۳",
    "surrounded by spaces": "  Mary  ",
    "tab": "a\tb",
}
"""Strings that are odd and right: they are read, and shown so that they do no harm."""

NO_TEXT = {
    "null": "null", "true": "true", "number": "1", "fraction": "1.5", "NaN": "NaN",
    "Infinity": "Infinity", "minus Infinity": "-Infinity", "too large a number": "1e999",
    "list": "[]", "list of texts": '["a"]', "object": "{}", "object of texts": '{"a": "b"}',
    "empty": '""', "space": '" "', "white space": '"\\t\\n\\r\\u00a0\\u3000"',
    "lone high surrogate": '"a\\ud800b"', "lone low surrogate": '"\\udc80"',
    "surrogates the wrong way round": '"\\ude00\\ud83d"',
}  # fmt: skip
"""JSON that stands where a text is expected, and is none."""

NO_JSON = {
    "digits without end": b"9" * 5000,
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "single quotes": b"{'text': 'a'}",
    "comment": b'{"text": "a"} // b',
    "trailing comma": b'{"text": "a",}',
    "two objects": b'{"text": "a"}{"text": "b"}',
    "bare word": b"hello",
    "undefined": b'{"text": undefined}',
    "unfinished": b'{"text": "a',
    "control in a string": b'{"text": "a\x01b"}',
    "bad escape": b'{"text": "\\x41"}',
    "not UTF-8": b'{"text": "\xff\xfe"}',
    "an overlong sequence": b'{"text": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"text": "\xed\xa0\x80"}',
    "a number": b"3",
    "a text": b'"text"',
    "a list": b'["a", "b"]',
    "true": b"true",
    "null": b"null",
    "nul bytes": b"\0\0\0\0",
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}
"""A line of a JSONL file that is no JSON object, or none that can be read."""


def damaged(whole: bytes, drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    """A binary file in the ways in which files are damaged, each with its name."""
    size = len(whole)
    yield "empty", b""
    yield "one byte", whole[:1]
    for share in (0.1, 0.5, 0.9):
        yield f"cut at {share:.0%}", whole[: int(size * share)]
    yield "last byte gone", whole[:-1]
    yield "first byte gone", whole[1:]
    yield "doubled", whole + whole
    yield "zeros", bytes(size)
    yield "rubbish behind", whole + drawn.randbytes(64)
    yield "rubbish", drawn.randbytes(max(size, 64))
    yield "text", b"hello, this is a text\n" * 9
    for number in range(6):
        changed = bytearray(whole)
        for _ in range(1 + number):
            changed[drawn.randrange(size)] = drawn.randrange(256)
        yield f"bytes changed {number}", bytes(changed)
    yield "head changed", bytes([*drawn.randbytes(16), *whole[16:]])
    yield "tail changed", whole[:-16] + drawn.randbytes(16)

"""Pieces of split characters, against the bytes; and the class of each surface."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2TokenizerFast

from faultlens.features.token_classes import CLASSES, is_code, token_classes
from faultlens.features.token_text import token_texts

TEXTS = [
    "so happy 😀 today",
    "naïve café",
    "Привет мир",
    "東京タワー",
    "a👍🏽b ∑x→y",
    "x\n\n  y\tz",
]


def of_bytes(chunks: Sequence[bytes]) -> list[str]:
    """Pieces where token i is the i-th chunk of bytes."""
    return token_texts(
        lambda ids: b"".join(chunks[i] for i in ids).decode("utf-8", "replace"),
        range(len(chunks)),
    )


def from_bytes(chunks: Sequence[bytes]) -> list[str]:
    """The referee: characters by the bytes that they take up."""
    text = b"".join(chunks).decode()
    owners = [place for place, character in enumerate(text) for _ in character.encode()]
    found, start = [], 0
    for chunk in chunks:
        mine = owners[start : start + len(chunk)]
        found.append(text[mine[0] : mine[-1] + 1])
        start += len(chunk)
    return found


def test_each_token_of_a_split_character_shows_it() -> None:
    cut = [b"hi \xf0", b"\x9f\x98", b"\x80", b" ok\xc3", b"\xa9"]
    assert of_bytes(cut) == ["hi 😀", "😀", "😀", " oké", "é"]
    assert of_bytes([b"a", b"\xf0"]) == ["a", "\ufffd"], "what is no character stays so"
    assert of_bytes([b"\xff", b"a"]) == ["\ufffd", "a"]


def test_a_space_is_kept_where_the_decoder_drops_that_of_its_first_token() -> None:
    """As the decoders of SentencePiece's vocabularies do."""
    words = ["▁def", "▁f", "(", "x", "):", "▁é"]

    def decode(ids: Sequence[int]) -> str:
        return "".join(words[i] for i in ids).replace("▁", " ").removeprefix(" ")

    assert token_texts(decode, range(len(words))) == ["def", " f", "(", "x", "):", " é"]


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("ab é東😀👍🏽ж∑\n"), min_size=1, max_size=8), st.data())
def test_any_cut_of_any_text_agrees_with_its_bytes(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    cuts = data.draw(st.sets(st.integers(1, max(1, len(raw) - 1)), max_size=len(raw)))
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    chunks = [raw[a:b] for a, b in pairwise(edges)]
    assert of_bytes(chunks) == from_bytes(chunks)


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_agree_with_the_offsets_of_gpt2s_tokenizer(reference_data: Path, text: str) -> None:
    folder = reference_data / "gpt2_tokenizer"
    tokenizer = GPT2TokenizerFast(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    read = tokenizer(text, return_offsets_mapping=True)
    expected = [text[a:b] for a, b in read["offset_mapping"]]
    assert token_texts(tokenizer.decode, read["input_ids"]) == expected


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (" word", "letter words"),
        ("é", "letter words"),
        ("e\u0301", "letter words"),
        (" 42", "digits"),
        ("3.14", "digits"),
        ("://", "operators and punctuation"),
        (" ∑", "operators and punctuation"),
        ("→", "operators and punctuation"),
        ("…", "operators and punctuation"),
        ("\n  ", "whitespace"),
        ("\u00a0", "whitespace"),
        ("😀", "emoji"),
        (" 👍🏽", "emoji"),
        ("❤️", "emoji"),
        ("東京", "non-Latin script"),
        (" мир", "non-Latin script"),
        ("हिन्दी", "non-Latin script"),
        ("\u093f", "non-Latin script"),
    ],
)
def test_the_class_of_a_surface(piece: str, kind: str) -> None:
    assert token_classes("plain words only", [piece]) == [kind]
    assert kind in CLASSES


def test_reserved_words_count_only_in_code_and_only_whole() -> None:
    python = "for i in data:\n    print(i)"
    pieces = ["for", " i", " in", " data", ":", "\n   ", " pr", "in", "t", "(", "i", ")"]
    found = token_classes(python, pieces)
    assert [p for p, kind in zip(pieces, found, strict=True) if kind == "keywords"] == [
        "for",
        " in",
    ]
    assert found[7] == "letter words", "the in of print is part of a word"
    english = ["wait", " for", " me", " in", " town"]
    assert set(token_classes("wait for me in town", english)) == {"letter words"}
    assert token_classes("let x = 1;", ["let", " x", " =", " 1", ";"])[0] == "keywords"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", True),
        ("if (x) { y(); }", True),
        ("int main() {\n  return 0\n", True),
        ("Dear Sir, I write to complain.", False),
        ("x" * 10 + "(" * 300, False),
        ("null \x00 byte", False),
    ],
)
def test_what_is_taken_for_code(text: str, code: bool) -> None:
    assert is_code(text) is code

"""Minimal pairs: what is read, what is refused, and what the built-in set is."""

from __future__ import annotations

import ast
import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from faultlens.corpus.pairs import minimal_pairs, read_pairs
from faultlens.corpus.texts import seven_categories
from faultlens.errors import UserError
from faultlens.mini.recipe.text import documents

ROWS = [
    ("2 + 2", "symbols", "2 + 2 = 4"),
    ("2 + 2", "words", "two plus two equals four"),
    ("3 + 4", "symbols", "3 + 4 = 7"),
    ("3 + 4", "words", "three plus four equals seven"),
    ("3 + 4", "story", "Three and four sheep are seven sheep."),
]


def write(tmp_path: Path, rows: list[tuple[str, str, str]]) -> Path:
    path = tmp_path / "pairs.jsonl"
    records = [dict(zip(("topic", "form", "text"), row, strict=True)) for row in rows]
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def test_pairs_are_read_in_order(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, ROWS))
    assert (pairs.name, len(pairs), pairs.pairs) == ("pairs", 5, 1 + 3)
    assert pairs.topics == ("2 + 2", "2 + 2", "3 + 4", "3 + 4", "3 + 4")
    assert pairs.forms[4] == "story" and pairs.texts[0] == "2 + 2 = 4"
    other = read_pairs(write(tmp_path, [*ROWS[:4], ("3 + 4", "story", "Other.")]))
    assert other.digest != pairs.digest


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"pairs\.jsonl holds no pairs: expected topic, form and text in every row"),
        (ROWS[:1] + ROWS[2:], "topic '2 \\+ 2' has one form, expected at least two"),
        ([*ROWS, ROWS[0]], "topic '2 \\+ 2' has 2 texts of the form 'symbols', expected one"),
        (ROWS[:2], "no form has two topics, expected the same forms for several topics"),
        ([*ROWS, ("", "words", "x")], "line 6: 'topic' is \"\", expected a text"),
    ],
)
def test_what_cannot_be_compared_is_said(
    tmp_path: Path, rows: list[tuple[str, str, str]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_pairs(write(tmp_path, rows))


def test_a_missing_field_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"topic": "a", "text": "b"}')
    with pytest.raises(UserError, match=r"line 1 has no 'form': it has 'topic', 'text'"):
        read_pairs(path)


def test_the_built_in_set_is_what_it_says() -> None:
    pairs = minimal_pairs()
    assert (len(pairs), pairs.pairs, len(set(pairs.texts))) == (240, 240, 240)
    assert set(Counter(pairs.topics).values()) == {3}
    kinds = Counter(topic.split(":")[0] for topic in dict.fromkeys(pairs.topics))
    assert list(kinds) == list(seven_categories().categories)
    assert min(kinds.values()) >= 11
    for text, form in zip(pairs.texts, pairs.forms, strict=True):
        if form == "Python":
            ast.parse(text)


def test_no_text_of_the_built_in_set_is_in_the_training_text_or_the_corpus() -> None:
    texts = {text.strip().lower() for text in minimal_pairs().texts}
    assert not texts & {text.strip().lower() for text in seven_categories().texts}
    seen = [d for d in islice(documents("train"), 20_000) if d.strip().lower() in texts]
    assert seen == []

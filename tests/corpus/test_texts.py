"""Corpora: what is read, and the sentence for each thing that cannot be."""

from __future__ import annotations

import ast
from itertools import islice
from pathlib import Path

import pytest

from faultlens.corpus.texts import Corpus, read_corpus, seven_categories
from faultlens.errors import UserError
from faultlens.mini.recipe.text import documents

GOOD = '{"text": "x = 1", "category": "Python"}\n\n{"text": "hello", "category": "Chat"}\n'


def write(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_corpus_keeps_its_order_and_its_categories(tmp_path: Path) -> None:
    corpus = read_corpus(write(tmp_path, GOOD + '{"text": "y", "category": "Python"}'))
    assert corpus.texts == ("x = 1", "hello", "y")
    assert corpus.categories == ("Python", "Chat")
    assert corpus.sizes == {"Python": 2, "Chat": 1}
    assert corpus.name == "corpus"


def test_the_digest_tells_texts_labels_and_order_apart() -> None:
    digests = {
        Corpus("a", texts, labels).digest
        for texts, labels in [
            (("p", "q"), ("A", "B")),
            (("q", "p"), ("A", "B")),
            (("p", "q"), ("B", "A")),
            (("p", "qA"), ("A", "B")),
        ]
    }
    assert len(digests) == 4


def test_the_label_column_can_be_named(tmp_path: Path) -> None:
    content = GOOD.replace("category", "kind")
    assert read_corpus(write(tmp_path, content), label="kind").categories == ("Python", "Chat")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "corpus corpus is empty: expected at least one text a category"),
        ('{"text": "a", "category": "A"}', "has only the category 'A': a profile compares"),
        (GOOD + "{oops}", r"corpus\.jsonl line 4 is not JSON .* expected one object a line"),
        ("[1]", r"line 1 holds \[1\]: expected a JSON object"),
        ('{"category": "A"}', "line 1 has no 'text': it has 'category'"),
        ("{}", "line 1 has no 'text': it has nothing"),
        ('{"text": "a", "label": "A"}', "line 1 has no 'category': it has 'text', 'label'"),
        ('{"text": 5, "category": "A"}', "line 1: 'text' is 5, expected a text that is not empty"),
        ('{"text": " ", "category": "A"}', "line 1: 'text' is \" \", expected a text"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_corpus(write(tmp_path, content))


def test_missing_and_undecodable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="no file .*nowhere.jsonl: expected a JSONL file, one object a line, or"
    ):
        read_corpus(tmp_path / "nowhere.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "\xe9", "category": "A"}')
    with pytest.raises(UserError, match="cannot be read as UTF-8 text"):
        read_corpus(tmp_path / "latin.jsonl")


def test_the_built_in_corpus_is_what_it_says() -> None:
    corpus = seven_categories()
    assert set(corpus.sizes.values()) == {40}
    assert len(corpus.sizes) == 7
    assert len(set(corpus.texts)) == 280
    for text, label in zip(corpus.texts, corpus.labels, strict=True):
        if label == "Python":
            ast.parse(text)


def test_no_text_of_the_built_in_corpus_is_in_the_training_text() -> None:
    corpus = {text.strip().lower() for text in seven_categories().texts}
    seen = [d for d in islice(documents("train"), 20_000) if d.strip().lower() in corpus]
    assert seen == []

"""Statistics of a whole corpus: stretch by stretch, by whoever, the same bits; and from a store."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elsewhere import Elsewhere

from faultlens.corpus.text_source import TextSource
from faultlens.errors import UserError
from faultlens.features.dataset import statistics as module
from faultlens.features.dataset.reading import ActivationDataset
from faultlens.features.dataset.statistics import corpus_statistics, store_statistics
from faultlens.features.dataset.statistics_checkpoint import STATE
from faultlens.features.dataset.writing import write_dataset
from faultlens.features.lens import Lens
from faultlens.features.streaming import FeatureStatistics

WORDS = ["abcabc", "jihgf", "b", "ddddddd", "hgabd", "cc", "ihgfedc", "abababab", "j", "eebbe"]
TEXTS = [word + "abc"[: i % 3] for i in range(4) for word in WORDS]
LABELS = ["x" if i % 3 else "y" for i in range(len(TEXTS))]
EXACT = ("texts", "tokens", "texts_firing", "tokens_firing", "example_activation", "example_text",
         "example_position")  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TextSource:
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    rows = ({"text": t, "category": c} for t, c in zip(TEXTS, LABELS, strict=True))
    path.write_text("\n".join(map(json.dumps, rows)))
    return TextSource.open(path, labelled=True)


def same_bits(one: dict[str, FeatureStatistics], other: dict[str, FeatureStatistics]) -> bool:
    return all(
        np.array_equal(getattr(one[name], f.name), getattr(other[name], f.name))
        for name in one
        for f in fields(FeatureStatistics)
    )


def statistics(lens: Lens, corpus: TextSource, **options: Any) -> dict[str, FeatureStatistics]:
    return corpus_statistics(lens, corpus, shard_tokens=16, **options)


def test_one_pass_in_stretches_is_the_reading_in_memory(lens: Lens, corpus: TextSource) -> None:
    found = statistics(lens, corpus, top=2)
    expected = lens.statistics(TEXTS, LABELS, top=2)
    for name, whole in expected.items():
        assert found[name].groups == whole.groups == ("y", "x")
        for field in ("texts", "tokens", "texts_firing", "tokens_firing"):
            assert np.array_equal(getattr(found[name], field), getattr(whole, field)), field
        for field in ("total", "squares", "example_activation"):  # passes have other shapes
            np.testing.assert_allclose(
                getattr(found[name], field), getattr(whole, field), rtol=1e-4, atol=1e-5
            )


def test_workers_elsewhere_give_the_same_bits(lens: Lens, corpus: TextSource) -> None:
    many = statistics(lens, corpus, workers=Elsewhere(), open_lens=lambda: lens)
    assert same_bits(many, statistics(lens, corpus))


def test_a_store_gives_what_the_reading_gave(
    lens: Lens, corpus: TextSource, tmp_path: Path
) -> None:
    write_dataset(lens, corpus, tmp_path / "store", shard_tokens=16)
    store = ActivationDataset.open(tmp_path / "store")
    read, stored = statistics(lens, corpus), store_statistics(store, corpus)
    assert same_bits(stored, store_statistics(store, corpus, workers=Elsewhere()))
    for name in read:
        for field in EXACT:
            if field != "tokens":
                one, other = getattr(read[name], field), getattr(stored[name], field)
                assert np.array_equal(one, other), field
        np.testing.assert_allclose(stored[name].total, read[name].total, rtol=1e-12)
        assert not stored[name].tokens.any(), "a store does not hold how many tokens count"
    path = tmp_path / "other.jsonl"
    rows = [{"text": t, "category": c} for t, c in zip(TEXTS, LABELS, strict=True)][:-1]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UserError) as refused:
        store_statistics(store, TextSource.open(path, labelled=True))
    assert str(refused.value) == (
        f"{tmp_path / 'store'} is a store of 40 other texts: expected those of the corpus, 39 in "
        "the same order"
    )


def test_interrupted_it_goes_on_to_the_same_bits(
    lens: Lens, corpus: TextSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_EVERY", 0.0)
    own, read = module.tokens_of, []

    def stops(*args: Any) -> Any:
        if len(read) == 4:
            raise KeyboardInterrupt
        read.append(args[0].shard.number)
        return own(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "tokens_of", stops)
        with pytest.raises(KeyboardInterrupt):
            statistics(lens, corpus, work=tmp_path)
    again: list[int] = []
    monkeypatch.setattr(module, "tokens_of", lambda *a: again.append(a[0].shard.number) or own(*a))
    found = statistics(lens, corpus, work=tmp_path)
    assert not set(read) & set(again) and sorted(read + again) == list(range(len(read + again)))
    again.clear()
    assert same_bits(found, statistics(lens, corpus, work=tmp_path)) and not again
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:-99])
    assert same_bits(found, statistics(lens, corpus, work=tmp_path)) and len(again) > 4
    assert same_bits(found, statistics(lens, corpus))


def test_categories_are_read_as_a_corpus_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    rows = [("a", 1), ("b", "1.0"), ("c", "2 "), ("d", 1)]
    path.write_text("\n".join(json.dumps({"text": t, "category": c}) for t, c in rows))
    source = TextSource.open(path, labelled=True)
    assert list(source) == ["a", "b", "c", "d"] and list(source.labels()) == ["1", "1", "2", "1"]
    assert source.sizes == {"1": 3, "2": 1}
    assert source.notes == ('column category: "1" and "1.0" are one level, read as "1"',)
    path.write_text(json.dumps({"text": "a", "category": "x"}))
    with pytest.raises(UserError) as refused:
        TextSource.open(path, labelled=True)
    assert str(refused.value) == (
        "corpus texts has only the category 'x': a profile compares at least two"
    )

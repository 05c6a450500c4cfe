"""Which tokens count: special tokens and massive activations, against texts without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.median_norm import median_norms
from faultlens.features.reading_notes import reading_notes, sentences_of
from faultlens.features.shapes import Shapes
from faultlens.features.store import ActivationStore
from faultlens.features.token_choice import TokenChoice
from faultlens.models.convention import put_in_force

BOS = "<|endoftext|>"
SITE = "3-res-mini"
TEXTS = ["Mary gave the keys to Tom.", "The soup was on the table.", "total = sum(data[row])"]
POOLINGS = pytest.mark.parametrize("pooling", ["max", "mean", "sum", "last", "last-3"])


@pytest.fixture(scope="module")
def mini() -> Lens:
    return fl.load("mini", layers=[3])


def read(lens: Lens, texts: list[str], pooling: str = "max") -> np.ndarray:
    return lens.read(texts, pooling)[SITE].matrix.toarray()


@POOLINGS
def test_bos_goes_in_front_once(mini: Lens, pooling: str) -> None:
    """A text that begins with BOS, as rendered chat templates do, is the text without it."""
    with_bos = mini.read([BOS + text for text in TEXTS], pooling)[SITE]
    without = mini.read(TEXTS, pooling)[SITE]
    np.testing.assert_array_equal(with_bos.matrix.toarray(), without.matrix.toarray())
    assert with_bos.rows["tokens"].tolist() == without.rows["tokens"].tolist()
    assert with_bos.convention["texts_with_own_bos"] == 3
    assert "texts_with_own_bos" not in without.convention
    assert reading_notes({SITE: with_bos}) == [
        "3 texts begin with BOS, which is therefore not put in front again"
    ]
    assert reading_notes({SITE: without}) == []


def alone(lens: Lens, ids: list[int], at: list[int]) -> np.ndarray:
    """The referee: the model reads these ids, and each of these places is encoded densely."""
    dictionary = lens[SITE]
    x = lens.model.read(torch.tensor([ids]), [dictionary.site])[dictionary.site][0, at]
    return dictionary.encode(x).numpy()


@POOLINGS
def test_special_tokens_are_read_and_not_pooled(mini: Lens, pooling: str) -> None:
    """They change what comes after them, and the last tokens are those before them."""
    table = mini.read([f"Mary gave{BOS} the keys{BOS}{BOS}", TEXTS[1]], pooling)[SITE]
    before, after = mini.model.ids("Mary gave"), mini.model.ids(" the keys")
    ids = [0, *before, 0, *after, 0, 0]
    at = [*range(1, 1 + len(before)), *range(2 + len(before), 2 + len(before) + len(after))]
    tokens = alone(mini, ids, at)
    expected = {
        "max": tokens.max(0), "mean": tokens.mean(0), "sum": tokens.sum(0),
        "last": tokens[-1], "last-3": tokens[-3:].mean(0),
    }[pooling]  # fmt: skip
    np.testing.assert_allclose(table.matrix[0].toarray()[0], expected, rtol=1e-4, atol=1e-4)
    assert table.rows["tokens"].tolist() == [len(at), len(mini.model.ids(TEXTS[1]))]
    assert table.rows["special_tokens"].tolist() == [3, 0]
    assert table.convention["special_tokens"] == "left out"
    assert table.convention["special_left_out"] == {BOS: 3}
    assert reading_notes({SITE: table}) == [f'{SITE}: 3 special tokens were left out ("{BOS}" 3)']


def test_special_tokens_can_be_kept(mini: Lens) -> None:
    """The positive control: the feature of BOS is then pooled, as it was by mistake."""
    keeping = replace(mini, choice=TokenChoice(special="keep"))
    table = keeping.read([f"Mary gave{BOS} the keys"])[SITE]
    assert table.convention["special_tokens"] == "pooled"
    assert "special_left_out" not in table.convention and "special_tokens" not in table.rows
    before = mini.model.ids("Mary gave")
    of_bos = alone(mini, [0, *before, 0], [len(before) + 1])[0]
    without = mini.read([f"Mary gave{BOS} the keys"])[SITE].matrix.toarray()[0]
    top = int((of_bos - without).argmax())
    assert table.matrix[0, top] == pytest.approx(of_bos[top], rel=1e-4)
    assert of_bos[top] > 4 > without[top]


def test_what_looks_like_a_special_token_can_be_plain_text() -> None:
    lens = fl.load("mini", layers=[3], special_tokens="text")
    text = f"{BOS}Mary gave{BOS} the keys"
    ids = lens.model.ids(text)
    assert 0 not in ids and lens.model.tokenizer.decode(ids) == text
    table = lens.read([text])[SITE]
    assert table.convention["special_tokens"] == "read as plain text"
    assert table.rows["tokens"].tolist() == [len(ids)]
    assert "texts_with_own_bos" not in table.convention
    np.testing.assert_allclose(
        table.matrix.toarray()[0], alone(lens, [0, *ids], list(range(1, len(ids) + 1))).max(0),
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip


def test_without_bos_in_front_a_texts_own_is_read_and_left_out(mini: Lens) -> None:
    bare = replace(mini, dictionaries=(put_in_force(mini[SITE], ["no-bos"]),))
    bare = replace(bare, choice=TokenChoice(massive="keep"))
    ids = mini.model.ids(TEXTS[0])
    expected = alone(mini, [0, *ids], list(range(1, len(ids) + 1))).max(0)
    np.testing.assert_allclose(read(bare, [BOS + TEXTS[0]])[0], expected, rtol=1e-4, atol=1e-4)
    assert (read(bare, TEXTS[:1])[0] != read(bare, [BOS + TEXTS[0]])[0]).any()


@pytest.mark.parametrize(("text", "said"), [
    (BOS, "text 2 has no tokens but BOS: expected at least one; leave it out"),
    (2 * BOS, "text 2 holds special tokens alone: expected text; leave it out"),
    ("", "text 2 has no tokens: expected at least one; leave it out"),
    ("a\ud800b", "text 2: the text 'a\\\\ud800b' holds half a character (a lone surrogate, "
     "\\ud800) at its character 2: expected Unicode text; replace it"),
])  # fmt: skip
def test_a_text_without_tokens_that_count_is_named(mini: Lens, text: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        mini.read([TEXTS[0], text, TEXTS[1]])
    assert str(refused.value) == said


def test_the_store_the_statistics_and_the_view_leave_them_out_alike(mini: Lens) -> None:
    text = f"{BOS}Mary gave{BOS} the keys to Tom.{BOS}"
    store = ActivationStore()
    table = mini.read([TEXTS[1], text], store=store)[SITE]
    view, statistics = mini.tokens(text), mini.statistics([TEXTS[1], text])[SITE]
    assert [view.tokens[place] for place in view.left_out[SITE]] == [BOS, BOS]
    assert set(view.left_out[SITE].values()) == {"special"}
    np.testing.assert_allclose(
        view.activations[SITE].toarray().max(0), table.matrix[1].toarray()[0], rtol=1e-5
    )
    firings = store.firings(SITE)
    mine = firings.text == 1
    seen = np.zeros((len(view.tokens), 1536), np.float32)
    seen[firings.position[mine], firings.feature[mine]] = firings.activation[mine]
    np.testing.assert_allclose(seen, view.activations[SITE].toarray(), rtol=1e-5)
    assert statistics.tokens.tolist() == [table.rows["tokens"].sum()]
    top = int(table.matrix[1].toarray().argmax())
    where = statistics.example_position[0, top, list(statistics.example_text[0, top]).index(1)]
    assert where == seen[:, top].argmax()


def sink(lens: Lens, word: str, norm: float) -> Lens:
    """The same lens, its model giving one word an enormous value at every site."""
    network = lens.model.network
    (token,) = lens.model.ids(word)
    embedding = network.transformer.wte.weight
    direction = torch.zeros_like(embedding[token])
    direction[7] = norm
    with torch.no_grad():
        embedding[token] += direction
    return replace(lens, model=replace(lens.model, network=network))


@POOLINGS
def test_massive_activations_are_left_out_named_and_counted(pooling: str) -> None:
    """A word of 60 times the median norm; the same text without its token is the referee."""
    plain = fl.load("mini", layers=[2, 3])
    lens = sink(fl.load("mini", layers=[2, 3]), " keys", 2_000.0)
    texts = ["Mary gave the keys to Tom.", "The soup was on the table.", " keys and keys"]
    tables = lens.read(texts, pooling)
    for name, table in tables.items():
        assert table.convention["massive_left_out"] == {" keys": 3}, name
        assert table.rows["massive_activations"].tolist() == [1, 0, 2]
        assert table.convention["massive_activations"] == (
            "left out beyond 10 times the median norm"
        )
        assert table.rows["residual_norm"].max() < 100
    notes = reading_notes(tables)
    assert notes == [
        '2-res-mini, 3-res-mini: 3 tokens beyond 10 times the median norm were left out '
        '(" keys" 3)'
    ]  # fmt: skip
    ids = lens.model.ids(texts[0])
    at = [place for place, i in enumerate(ids, 1) if lens.model.pieces([i]) != [" keys"]]
    tokens = alone(lens, [0, *ids], at)
    expected = {
        "max": tokens.max(0), "mean": tokens.mean(0), "sum": tokens.sum(0),
        "last": tokens[-1], "last-3": tokens[-3:].mean(0),
    }[pooling]  # fmt: skip
    got = tables[SITE].matrix[0].toarray()[0]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3 * expected.max())
    assert "massive_left_out" not in plain.read(texts, pooling)[SITE].convention
    kept = replace(lens, choice=TokenChoice(massive="keep")).read(texts, pooling)[SITE]
    assert kept.convention["massive_activations"] == "pooled"
    if pooling in ("max", "mean", "sum"):
        assert kept.matrix[0].max() > 3 * got.max()
    assert [place for place, why in lens.tokens(texts[0]).left_out[SITE].items()] == [3]


def test_a_text_of_massive_activations_alone_is_named() -> None:
    lens = sink(fl.load("mini", layers=[3]), " keys", 2_000.0)
    with pytest.raises(UserError) as refused:
        lens.read([TEXTS[1], " keys keys"])
    assert str(refused.value) == (
        "text 2 has no token to pool at blocks.3.hook_resid_pre: each has more than 10 times the "
        "median norm there, or is special; leave the text out, or keep massive activations"
    )
    assert lens.statistics([TEXTS[1], " keys keys"])[SITE].tokens.tolist() == [
        len(lens.model.ids(TEXTS[1]))
    ]


def test_the_median_is_of_a_sample_and_of_no_text_that_is_read(mini: Lens) -> None:
    dictionary = mini[SITE]
    shapes = Shapes.suited_to(mini.model, mini.dictionaries)
    sites, bos = [d.site for d in mini.dictionaries], [mini.model.bos_id]
    medians = median_norms(mini.model, sites, bos, shapes)
    again = median_norms(fl.load("mini", layers=[3]).model, sites, bos, Shapes(40, 0))
    assert list(medians) == [dictionary.site]
    assert medians[dictionary.site] == pytest.approx(again[dictionary.site], rel=1e-5)
    norms = [
        mini.model.read(torch.tensor([[0, *mini.model.ids(text)]]), [dictionary.site])[
            dictionary.site
        ][0, 1:].norm(dim=-1)
        for text in fl.seven_categories().texts[:40]
    ]
    assert medians[dictionary.site] == pytest.approx(float(torch.cat(norms).median()), rel=0.25)


def test_what_was_left_out_is_said_in_one_sentence_a_reason() -> None:
    tokens = {"a": 9, "b": 8, "c": 7, "d": 1000, "e": 1, "f": 1}
    said = sentences_of({
        "2-res": {"special": {"<s>": 2}}, "3-res": {"special": {"<s>": 2}, "massive": tokens},
    })  # fmt: skip
    assert said == [
        '2-res, 3-res: 2 special tokens were left out ("<s>" 2)',
        '3-res: 1,026 tokens beyond 10 times the median norm were left out ("a" 9, "b" 8, "c" 7, '
        '"d" 1,000, 2 more kinds)',
    ]
    assert sentences_of({"2-res": {}}) == []

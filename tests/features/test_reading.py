"""Reading: a text's features depend on the text alone. The referee reads each text by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlens.errors import UserError
from faultlens.features import reading
from faultlens.features.lens import Lens
from faultlens.features.pooling import Pooling, pool
from faultlens.features.shapes import Shapes
from faultlens.models.model import Model

texts_strategy = st.lists(st.text("abcdefghij", min_size=1, max_size=20), min_size=1, max_size=8)


def alone(lens: Lens, text: str, name: str) -> np.ndarray:
    """The referee: Hugging Face's own hidden values of one text, encoded densely token by token."""
    dictionary = lens[name]
    ids = torch.tensor([[0, *lens.model.ids(text)]])
    x = lens.model.read(ids, [dictionary.site])[dictionary.site][0, 1:]
    prepared = x - x.mean(-1, keepdim=True) if dictionary.convention.centred else x
    return dictionary.activation(prepared @ dictionary.W_enc + dictionary.b_enc).numpy()


@settings(max_examples=25, deadline=None)
@given(texts=texts_strategy, how=st.sampled_from(["max", "mean", "sum", "last-2"]))
def test_texts_read_together_are_texts_read_alone(texts: list[str], how: str) -> None:
    lens = LENS[0]
    tables = lens.read(texts, pooling=how)
    for name, table in tables.items():
        for i, text in enumerate(texts):
            tokens = alone(lens, text, name)
            expected = {
                "max": tokens.max(0),
                "mean": tokens.mean(0),
                "sum": tokens.sum(0),
                "last-2": tokens[-2:].mean(0),
            }[how]
            got = table.matrix[[i]].toarray().ravel()
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
            assert table.rows["tokens"][i] == len(text)


LENS: list[Lens] = []  # hypothesis cannot take fixtures that pytest scopes by function


@pytest.fixture(autouse=True)
def _keep(lens: Lens) -> None:
    LENS[:] = [lens]


@pytest.mark.parametrize("shapes", [Shapes(1, 0), Shapes(40, 24), Shapes(10**6, 24)])
def test_order_and_shapes_change_nothing(
    lens: Lens, shapes: Shapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["abc", "a", "jihgfedcba", "aaaa", "bacab", "hhhhhhhhhhhhhhh"]
    order = np.array([3, 0, 5, 1, 4, 2])
    whole = lens.read(texts, shapes=Shapes(10**6, 0))
    monkeypatch.setattr(reading, "WINDOW", 17)
    single = lens.read([texts[i] for i in order], shapes=shapes)
    for name, table in whole.items():
        np.testing.assert_allclose(
            table.matrix[order].toarray(), single[name].matrix.toarray(), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            table.rows["residual_norm"].to_numpy()[order],
            single[name].rows["residual_norm"],
            rtol=1e-5,
        )


def test_a_token_that_shares_its_id_with_bos_and_padding_is_real(lens: Lens) -> None:
    """The letter a is id 0, as BOS and padding are: a mask by ids would drop it."""
    tokens = lens.tokenize(["aba", "ccccc"])
    (read,) = lens.reader(lens.shapes(tokens)).read(tokens)
    offsets = read.activations["1-res-relu"].offsets
    assert np.diff(offsets).tolist() == [len(["aba", "ccccc"][i]) for i in read.texts]
    table = lens.read(["aaa", "ccccc"])["1-res-relu"]
    np.testing.assert_allclose(
        table.matrix[[0]].toarray().ravel(), alone(lens, "aaa", "1-res-relu").max(0), atol=1e-5
    )


def test_encoding_comes_before_pooling(lens: Lens) -> None:
    """Negative control: encoding the mean of the tokens gives other numbers."""
    dictionary = lens["1-res-relu"]
    ids = torch.tensor([[0, *lens.model.ids("abcdefgh")]])
    x = lens.model.read(ids, [dictionary.site])[dictionary.site][0, 1:]
    wrong = dictionary.encode(x.mean(0, keepdim=True)).numpy().ravel()
    right = lens.read(["abcdefgh"], pooling="mean")["1-res-relu"].matrix.toarray().ravel()
    assert np.abs(wrong - right).max() > 0.1


def test_long_texts_are_refused_split_or_cut(lens: Lens) -> None:
    text = "abcdefghij" * 5  # 50 tokens; there is room for 23 after BOS
    with pytest.raises(UserError, match=r"text 2 has 50 tokens, .* room for 23: choose --long"):
        lens.read(["abc", text])
    cut = lens.read([text], long="truncate")["1-res-relu"]
    assert cut.rows["tokens"][0] == 23
    np.testing.assert_allclose(
        cut.matrix.toarray(), lens.read([text[:23]])["1-res-relu"].matrix.toarray(), atol=1e-5
    )
    split = lens.read(["b", text, "abc"], long="split", pooling="sum")["1-res-relu"]
    parts = [alone(lens, text[i : i + 23], "1-res-relu").sum(0) for i in (0, 23, 46)]
    assert split.rows["tokens"].tolist() == [1, 50, 3]
    np.testing.assert_allclose(split.matrix[[1]].toarray()[0], sum(parts), rtol=1e-4, atol=1e-4)


def test_a_text_longer_than_the_budget_takes_several_passes(
    lens: Lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, widest = "abcdefghij" * 5, []
    read = type(lens.model).read

    def noting(model: Model, ids: torch.Tensor, *rest: object) -> object:
        widest.append(ids.numel())
        return read(model, ids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(lens.model), "read", noting)
    whole = lens.read([text], long="split", shapes=Shapes(10**6, 24))["1-res-relu"]
    parts = lens.read([text], long="split", shapes=Shapes(30, 24))["1-res-relu"]
    assert widest == [72, 24, 24, 5]
    np.testing.assert_allclose(whole.matrix.toarray(), parts.matrix.toarray(), atol=1e-5)


def test_a_text_without_tokens_is_refused(lens: Lens) -> None:
    with pytest.raises(UserError, match="text 2 has no tokens: expected at least one"):
        lens.read(["abc", ""])


@pytest.mark.parametrize("nothing", [[], "abc"])
def test_nothing_to_read_is_refused(lens: Lens, nothing: list[str] | str) -> None:
    with pytest.raises(UserError, match="nothing to read: expected a list of at least one text"):
        lens.read(nothing)


def test_the_token_view_is_what_was_pooled(lens: Lens) -> None:
    view = lens.tokens("hello")
    assert view.tokens == list("hello")
    for name, table in lens.read(["hello"]).items():
        pooled = pool(view.activations[name], np.array([0, 5]), Pooling("max"))
        assert (pooled != table.matrix).nnz == 0


def test_the_convention_travels_with_the_table(lens: Lens) -> None:
    convention = lens.read(["abc"], pooling="last-2")["1-mlp-topk-centred"].convention
    assert convention["pooling"] == "last-2"
    assert convention["centred"] is True
    assert convention["prepend_bos"] is True
    assert convention["site"] == "blocks.1.hook_mlp_out"


def test_an_unknown_dictionary_is_named_with_those_there_are(lens: Lens) -> None:
    with pytest.raises(UserError, match="no dictionary '9-res-x' .* one of 1-res-relu"):
        lens["9-res-x"]

"""Where features fire, token by token: against what the lens shows of each text by itself."""

from __future__ import annotations

import numpy as np
import pytest

import faultlens as fl
from faultlens.corpus.texts import Corpus
from faultlens.features.lens import Lens
from faultlens.features.token_classes import CLASSES, token_classes
from faultlens.profiling.result import Profile
from faultlens.profiling.token_evidence import EXAMPLES


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[2, 4])


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Six texts of each category, so that the referee's token loop is short."""
    whole = fl.seven_categories()
    rows = [i for i in range(len(whole)) if i % 40 < 6]
    return Corpus(
        "six each", tuple(whole.texts[i] for i in rows), tuple(whole.labels[i] for i in rows)
    )


@pytest.fixture(scope="module")
def profile(lens: Lens, corpus: Corpus) -> Profile:
    return fl.profile(lens, corpus, permutations=99, fit_check=False)


@pytest.fixture(scope="module")
def by_hand(lens: Lens, corpus: Corpus) -> dict[str, np.ndarray]:
    """Total activation of each feature by class of token, from one text at a time."""
    sums = {d.name: np.zeros((len(CLASSES), d.d_sae)) for d in lens.dictionaries}
    for text in corpus.texts:
        view = lens.tokens(text)
        kinds = token_classes(text, view.tokens)
        for name, matrix in view.activations.items():
            for kind, row in zip(kinds, matrix.toarray(), strict=True):
                sums[name][CLASSES.index(kind)] += row
    return sums


def test_class_shares_and_a_random_firing_features(
    profile: Profile, by_hand: dict[str, np.ndarray]
) -> None:
    assert profile.tokens is not None
    for feature, seen in profile.tokens.features.items():
        name, _, index = feature.rpartition("/")
        totals = by_hand[name].sum(axis=0)
        alive = totals > 0
        shares = by_hand[name][:, alive] / totals[alive]
        mine = by_hand[name][:, int(index)] / totals[int(index)]
        assert seen.total == pytest.approx(totals[int(index)], rel=1e-4)
        for place, kind in enumerate(CLASSES):
            part = seen.classes[kind]
            assert part.share == pytest.approx(mine[place], abs=1e-4)
            assert part.random == pytest.approx(shares[place].mean(), abs=1e-4)
            assert part.at_least == pytest.approx(
                (shares[place] >= mine[place] - 1e-6).mean(), abs=0.01
            )
        assert sum(part.share for part in seen.classes.values()) == pytest.approx(1)


def test_examples_are_the_strongest_token_of_the_strongest_texts(
    profile: Profile, lens: Lens, corpus: Corpus
) -> None:
    assert profile.tokens is not None
    reading = profile.sites["4-res-mini"].categories["Math"].selectivity
    seen = profile.tokens.features[reading.feature]
    index = int(reading.feature.rpartition("/")[2])
    assert 1 < len(seen.examples) <= EXAMPLES
    pooled = lens.read(corpus.texts)["4-res-mini"].matrix[:, [index]].toarray().ravel()
    order = np.argsort(-pooled, kind="stable")[: len(seen.examples)]
    assert [e.text_id for e in seen.examples] == order.tolist()
    for example in seen.examples:
        view = lens.tokens(corpus.texts[example.text_id])
        of_text = view.activations["4-res-mini"][:, [index]].toarray().ravel()
        assert example.position == int(of_text.argmax())
        assert example.activation == pytest.approx(pooled[example.text_id], rel=1e-4)
        assert example.category == corpus.labels[example.text_id]
        assert example.token == view.tokens[example.position]
        text = corpus.texts[example.text_id]
        assert example.left in text and example.right in text
        assert (
            f"{example.left}{example.token}{example.right}" in text or not example.token.isascii()
        )


def test_every_top_feature_has_its_tokens(profile: Profile) -> None:
    assert profile.tokens is not None
    assert sum(profile.tokens.corpus.values()) == pytest.approx(1)
    for site in profile.sites.values():
        for reading in site.categories.values():
            for top in (reading.selectivity, reading.specialist, reading.peak):
                assert profile.tokens.features[top.feature].examples


def test_tables_that_were_brought_have_no_token_view(lens: Lens, corpus: Corpus) -> None:
    result = fl.profile(lens.read(corpus.texts), corpus, permutations=99)
    assert result.tokens is None and result.pairs is None and result.multiverse is None


def test_truncated_texts_are_counted_as_far_as_they_were_read(lens: Lens) -> None:
    long = "The keys are on the table. " * 60
    texts = ("x = 1", "y = [2]", long, "Mary met Tom.")
    corpus = Corpus("long", texts, ("A", "A", "B", "B"))
    for how in ("truncate", "split"):
        tokens = fl.profile(  # type: ignore[arg-type]
            lens, corpus, permutations=99, long=how, fit_check=False
        ).tokens
        assert tokens is not None
        positions = [e.position for f in tokens.features.values() for e in f.examples]
        assert max(positions) < (255 if how == "truncate" else len(lens.model.ids(long)))

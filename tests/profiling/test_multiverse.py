"""The method study: every way of reading against a plain one, every claim against the profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.corpus.pairs import minimal_pairs
from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.store import ActivationStore
from faultlens.models.convention import put_in_force
from faultlens.profiling.multiverse.choices import choices
from faultlens.profiling.multiverse.extraction import Pooled, extract
from faultlens.profiling.multiverse.specifications import (
    ENCODE_FIRST,
    POOL_FIRST,
    Way,
    is_default,
    specifications,
    ways,
)
from faultlens.profiling.multiverse.testing import BestFeatures
from faultlens.profiling.result import Multiverse, Profile, Specification

REDUCE = {
    "max": lambda x: x.max(0),
    "mean": lambda x: x.mean(0),
    "sum": lambda x: x.sum(0),
    "last": lambda x: x[-1],
    "last-3": lambda x: x[-3:].mean(0),
}
LAST_THREE = [way for way in ways("last-3", True) if way.pooling == "last-3"]


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3, 5]).checked()  # once for all profiles


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return small()


def small() -> Corpus:
    whole = fl.seven_categories()
    rows = [i for i in range(len(whole)) if i % 40 < 9 and i // 40 in (0, 1, 4)]
    return Corpus(
        "small", tuple(whole.texts[i] for i in rows), tuple(whole.labels[i] for i in rows)
    )


@pytest.fixture(scope="module")
def read(lens: Lens, corpus: Corpus) -> dict[Way, dict[str, Pooled]]:
    store, every = ActivationStore(), [*ways("max", True), *LAST_THREE]
    lens.read(corpus.texts, store=store)
    extraction = extract(lens, corpus.texts, store, every, "error", lambda done: None)
    return {way: extraction.pooled(way) for way in every}


def dense(pooled: Pooled, d_sae: int = 1536) -> np.ndarray:
    """`[texts, d_sae]`."""
    values = np.zeros((len(pooled.values), d_sae), dtype=np.float32)
    values[:, pooled.columns] = pooled.values
    return values


@pytest.fixture(scope="module")
def profile(lens: Lens, corpus: Corpus) -> Profile:
    return fl.profile(lens, corpus, permutations=999, multiverse=True)


@pytest.mark.parametrize("pooling", ["max", "mean", "sum", "last"])
def test_the_sound_way_is_the_lenses_own(
    lens: Lens, corpus: Corpus, read: dict[Way, dict[str, Pooled]], pooling: str
) -> None:
    mine = read[Way(pooling, False, False, ENCODE_FIRST)]
    for name, table in lens.read(corpus.texts, pooling).items():
        expected = table.matrix.toarray()
        np.testing.assert_allclose(dense(mine[name]), expected, atol=1e-4 * expected.max())
        np.testing.assert_allclose(mine[name].norms, table.rows["residual_norm"], rtol=1e-4)


@pytest.mark.parametrize("way", [*ways("max", True), *LAST_THREE], ids=str)
def test_every_way_pools_what_it_says(
    lens: Lens, corpus: Corpus, read: dict[Way, dict[str, Pooled]], way: Way
) -> None:
    """Against one text at a time, padded by hand to the longest of its eight, all encoded."""
    lengths = [1 + len(lens.model.ids(text)) for text in corpus.texts]
    dictionary = lens.dictionaries[1]
    for row in (0, 11, 20, 26):
        width = max(lengths[row // 8 * 8 : row // 8 * 8 + 8])
        ids = [lens.model.bos_id, *lens.model.ids(corpus.texts[row])]
        end = width if way.padding else len(ids)
        padded = torch.tensor([ids + [lens.model.bos_id] * (width - len(ids))])
        x = lens.model.read(padded, [dictionary.site])[dictionary.site][0]
        x = x[0 if way.bos else 1 : end]
        reduce = REDUCE[way.pooling]
        if way.order == POOL_FIRST:
            pooled = torch.from_numpy(np.asarray(reduce(x.numpy())))
            expected = dictionary.encode(pooled[None])[0].numpy()
        else:
            expected = reduce(dictionary.encode(x).numpy())
        found = dense(read[way][dictionary.name])[row]
        tolerance = 2e-4 * max(1.0, expected.max())
        assert np.quantile(abs(found - expected), 0.999) <= tolerance  # TopK may swap a near tie
        norm = np.linalg.norm(x.numpy(), axis=1).mean()
        assert read[way][dictionary.name].norms[row] == pytest.approx(norm, rel=1e-4)


def test_the_batches_pad_differently() -> None:
    """What the test above leans on: the rows it looks at stand in batches of other widths."""
    whole = fl.load("mini", layers=[3]).model
    texts = small().texts
    lengths = [len(whole.ids(text)) for text in texts]
    assert len({max(lengths[start : start + 8]) for start in range(0, 27, 8)}) > 1
    assert any(lengths[row] < max(lengths[row // 8 * 8 : row // 8 * 8 + 8]) for row in (0, 11, 20))


def test_ways_that_give_the_same_numbers_are_known(read: dict[Way, dict[str, Pooled]]) -> None:
    for way, by_site in read.items():
        for name, pooled in by_site.items():
            same = dense(read[way.canonical][name])
            assert abs(dense(pooled) - same).max() <= 1e-4 * same.max()
    assert len({way.canonical for way in read if way not in LAST_THREE}) == 26
    assert Way("last-3", True, False, POOL_FIRST).canonical.bos, "three tokens are pooled"


def test_without_bos_and_without_padding_there_is_nothing_of_them(lens: Lens) -> None:
    """Texts of one length, read by a dictionary that is said to need no BOS."""
    bare = replace(lens, dictionaries=tuple(put_in_force(d, ["no-bos"]) for d in lens.dictionaries))
    texts = [f"{name} met Tom." for name in ("Mary", "John", "Anna", "Paul")]
    assert len({len(lens.model.ids(text)) for text in texts}) == 1
    store, every = ActivationStore(), ways("max", False)
    tables = bare.read(texts, "mean", store=store)
    extraction = extract(bare, texts, store, every, "error", lambda done: None)
    for padding in (False, True):
        for name, pooled in extraction.pooled(Way("mean", False, padding, ENCODE_FIRST)).items():
            np.testing.assert_allclose(dense(pooled), tables[name].matrix.toarray(), atol=1e-4)


def test_errors_are_labelled_and_nothing_else() -> None:
    errors = {way: way.errors for way in ways("max", True)}
    assert errors[Way("max", True, False, ENCODE_FIRST)] == []
    assert errors[Way("mean", False, False, POOL_FIRST)] == [
        "pooled before it was encoded: a dictionary is not linear"
    ]
    assert errors[Way("last", False, False, POOL_FIRST)] == [], "there is nothing to pool"
    assert len(errors[Way("sum", False, True, POOL_FIRST)]) == 2
    assert len(ways("max", False)) == 16, "without BOS it cannot be pooled"
    assert {way.pooling for way in ways("last-3", True)} == {"max", "mean", "sum", "last", "last-3"}
    by = specifications(ways("max", True))
    assert {name: len(of_by) for name, of_by in by.items()} == {
        "selectivity": 52,
        "specialist": 312,
    }, "of the last token BOS and order change nothing: 26 ways, not 32"


@pytest.mark.parametrize("pooling", ["max", "last", "last-1", "last-3"])
def test_each_computation_is_one_specification_whatever_the_default(pooling: str) -> None:
    by = specifications(ways(pooling, True))
    counts = {"last-3": 34}
    default = {}
    for name, of_by in by.items():
        keys = [(s.pooling, s.bos, s.padding, s.order, s.relative) for s in of_by]
        assert len(set(keys)) == 2 * counts.get(pooling, 26)
        assert {key[:2] for key in keys if key[0] == "last"} == {("last", False)}
        found = [i for i, spec in enumerate(of_by) if is_default(spec, pooling, 99.5)]
        assert len(found) == 1
        default[name] = found[0]
    best = {
        name: [
            BestFeatures(np.zeros((2, 1)), np.full((2, 1), True), np.full((2, 1), i))
            for i in range(len(of_by))
        ]
        for name, of_by in by.items()
    }
    made = {(c.name, c.value): c for c in choices(by, best, default)}
    same = 1.0 if pooling in ("last", "last-1") else 0.0
    assert made["BOS", "pooled"].same_alone == same
    assert made["order", "pool, then encode"].same_alone == same
    assert made["padding", "pooled"].same_alone == 0.0


def study(profile: Profile) -> Multiverse:
    assert profile.multiverse is not None
    return profile.multiverse


def test_the_default_specification_is_the_profile(profile: Profile) -> None:
    found = study(profile)
    for claim in found.claims:
        readings = [getattr(s.categories[claim.category], claim.by) for s in profile.sites.values()]
        best = max(
            getattr(r, {"selectivity": "auroc", "specialist": "score"}[claim.by]) for r in readings
        )
        place = found.default[claim.by]
        assert claim.values[place] == pytest.approx(best)
        assert claim.holds[place] is claim.by_default
        assert claim.by_default is any(r.p_holm <= 0.05 for r in readings)


def test_claims_are_corrected_over_categories_and_sites(lens: Lens, corpus: Corpus) -> None:
    """A random labelling in which Social is at p = .03 by itself, and not after Holm."""
    labels = np.random.default_rng(10).permutation(np.array(corpus.labels)).tolist()
    shuffled = Corpus("shuffled", corpus.texts, tuple(labels))
    result = fl.profile(lens, shuffled, permutations=999, multiverse=True)
    readings = [site.categories["Social"].selectivity for site in result.sites.values()]
    assert min(r.p_value for r in readings) <= 0.05 < min(r.p_holm for r in readings)
    found = {(claim.category, claim.by): claim for claim in study(result).claims}
    assert not found["Social", "selectivity"].by_default


def test_shares_are_of_the_specifications_they_name(profile: Profile) -> None:
    found = study(profile)
    for claim in found.claims:
        specs = found.specifications[claim.by]
        assert len(claim.holds) == len(claim.values) == len(specs)
        assert claim.share == pytest.approx(np.mean(claim.holds))
        sound = [held for held, spec in zip(claim.holds, specs, strict=True) if not spec.errors]
        assert claim.share_sound == pytest.approx(np.mean(sound))


def test_choices_show_the_damage_of_each_error(profile: Profile) -> None:
    found = {(choice.name, choice.value): choice for choice in study(profile).choices}
    assert len(found) == 4 + 2 + 2 + 2 + 2 + 3 + 2
    default = found["order", "encode, then pool"]
    assert (default.error, default.same_alone) == ("", 1.0)
    wrong = found["order", "pool, then encode"]
    assert wrong.error.startswith("pooled before it was encoded")
    assert wrong.same_alone < 0.5, "mean-then-encode names other features"
    assert found["padding", "pooled"].error and not found["BOS", "pooled"].error
    assert found["padding", "pooled"].specifications == 26
    of_score = [c for c in found.values() if c.by == "specialist"]
    assert {c.name for c in of_score} == {"threshold", "rule"}


def test_shortlist_scores_never_pass_the_exhaustive_ones(profile: Profile) -> None:
    found = study(profile)
    specs = found.specifications["specialist"]
    rules: dict[str, dict[object, int]] = {"exhaustive": {}, "shortlist": {}}
    for place, spec in enumerate(specs):
        rules[str(spec.rule)][_without_rule(spec)] = place
    for claim in found.claims:
        if claim.by == "specialist":
            for key, place in rules["shortlist"].items():
                assert claim.values[place] <= claim.values[rules["exhaustive"][key]]


def _without_rule(spec: Specification) -> tuple[object, ...]:
    return (spec.pooling, spec.bos, spec.padding, spec.order, spec.relative, spec.percentile)


def test_texts_that_do_not_fit_are_refused_or_cut(lens: Lens) -> None:
    long = "The keys are on the table. " * 60
    corpus = Corpus("long", ("x = 1", "y = 2", long, "Mary met Tom."), ("A", "A", "B", "B"))
    with pytest.raises(UserError, match="expected --long error or truncate, got split"):
        fl.profile(lens, corpus, permutations=99, multiverse=True, long="split")
    cut = fl.profile(lens, corpus, permutations=99, multiverse=True, long="truncate")
    assert cut.multiverse is not None


def test_what_needs_a_model_is_not_asked_of_tables(lens: Lens, corpus: Corpus) -> None:
    tables = lens.read(corpus.texts)
    with pytest.raises(
        UserError, match="^minimal pairs need a model to read texts with, and tables"
    ):
        fl.profile(tables, corpus, pairs=minimal_pairs())
    with pytest.raises(UserError, match="^the method study needs a model to read texts with"):
        fl.profile(tables, corpus, multiverse=True)


def test_a_threshold_that_was_asked_for_is_the_default_and_tried(
    lens: Lens, corpus: Corpus
) -> None:
    result = fl.profile(lens, corpus, threshold=6.0, permutations=999, multiverse=True)
    found = study(result)
    specs = found.specifications["specialist"]
    assert len(specs) == 4 * 104 and len({s.percentile for s in specs}) == 4
    default = specs[found.default["specialist"]]
    assert (default.threshold, default.percentile) == (6.0, None)
    tables = lens.read(corpus.texts)
    labels = np.array(corpus.labels)
    for relative in (False, True):
        place = specs.index(replace(default, relative=relative))
        for claim in found.claims:
            if claim.by == "specialist":
                best = []
                for table in tables.values():
                    dense, norms = table.matrix.toarray(), table.rows["residual_norm"].to_numpy()
                    above = (dense / norms[:, None] > 6 / norms.mean()) if relative else dense > 6
                    inside = labels == claim.category
                    best.append((above[inside].sum(0) - above[~inside].sum(0)).max())
                assert claim.values[place] == max(best), (claim.category, relative)
    by_value = {c.value: c for c in found.choices if c.name == "threshold"}
    assert by_value["as asked for"].same_alone == 1.0
    assert by_value["99.5th percentile"].specifications == 104


def test_length_strata_are_kept_by_the_method_study(lens: Lens) -> None:
    """Length alone makes the categories: within strata of length nothing is left to claim."""
    words = ["Tom", "keys", "park", "met", "gave", "the"]
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(words, 4 if i < 12 else 30)) + "." for i in range(24)]
    corpus = Corpus("lengths", tuple(texts), ("short",) * 12 + ("long",) * 12)
    options: dict[str, Any] = {"permutations": 399, "multiverse": True, "pooling": "sum"}
    free = study(fl.profile(lens, corpus, **options))
    held = study(fl.profile(lens, corpus, length_strata=2, **options))
    assert all(c.by_default for c in free.claims if c.by == "selectivity")
    assert not any(any(c.holds) for c in held.claims), "every group is the observed one"


@pytest.mark.parametrize("pooling", ["max", "mean", "sum", "last", "last-3"])
def test_tokens_that_do_not_count_are_left_out_of_the_sound_way(pooling: str) -> None:
    """Special tokens in the texts, and at one site massive activations."""
    lens = fl.load("mini", layers=[5], sites=["resid_pre", "mlp_out"])
    bos = lens.model.tokenizer.bos_token
    texts = [
        f"{bos}Mary and Tom went{bos} to the park.{bos}",
        f"Once Ann and {bos}{bos} Tom sat down",
        "When Mary and John went to the store, John gave a drink to",
    ]
    store = ActivationStore()
    tables = lens.read(texts, pooling, store=store)
    assert tables["5-res-mini"].rows["special_tokens"].tolist() == [2, 2, 0]
    assert tables["5-mlp-mini"].rows["massive_activations"].sum() > 1
    sound = Way(pooling, False, False, ENCODE_FIRST)
    extraction = extract(lens, texts, store, [sound], "error", lambda done: None)
    for name, pooled in extraction.pooled(sound).items():
        expected = tables[name].matrix.toarray()
        np.testing.assert_allclose(dense(pooled), expected, atol=1e-4 * expected.max())
        np.testing.assert_allclose(pooled.norms, tables[name].rows["residual_norm"], rtol=1e-4)

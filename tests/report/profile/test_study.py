"""A profile as a study: one list of categories, and what only a model can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import samples
from scipy.sparse import csr_matrix
from tree_reading import captioned, figures, headed, rows, tables, titled

from faultlens.corpus.texts import Corpus
from faultlens.features.table import FeatureTable
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.result import ClassShare, Profile
from faultlens.profiling.study import profile_tables
from faultlens.report.document import document
from faultlens.report.html import build_page
from faultlens.report.parts import Figure, Table
from faultlens.report.profile import category_list
from faultlens.report.profile.study import profile_study
from faultlens.report.terminal.summary import summary
from faultlens.report.tree import parts_of


def listed(profile: Profile) -> Table:
    found = profile_study(profile).found
    assert found is not None
    return found


def lead(profile: Profile, title: str) -> str:
    return titled(profile_study(profile), title).lead


def test_each_category_has_one_row_the_easiest_first() -> None:
    found = listed(samples.profile())
    assert [row[0] for row in rows(found)] == list(samples.CATEGORIES)
    assert rows(found)[0] == [
        "Python", "2-res-mini/700", "0.990", "0.0014", "2 of 2 2 by score", "0.2 AUROC 0.990",
        "0.170 12.5 tokens",
    ]  # fmt: skip
    assert [row.cells[3].marked for row in found.rows] == [True] * 6 + [False]
    assert "10,000 random labellings, Holm over 7 categories × 2 sites." in found.caption
    assert "only within 4 strata of length" in listed(samples.whole_profile()).caption


def test_a_category_opens_every_site() -> None:
    telling, holding = tables(listed(samples.profile()).rows[0].opens)
    assert rows(telling)[1] == [
        "4-res-mini", "4-res-mini/700", "0.990", "0.0014", "4-res-mini/800 2 tied", "9 9 − 0",
        "0.0014", "4.25", "4-res-mini/900 2: 3 − 1",
    ]  # fmt: skip
    assert rows(holding)[1] == [
        "4-res-mini", "4-res-mini/600", "9.5 ÷ norm 0.288", "39.8", "5.32%", "0.081",
        "4-res-mini/16 10 of 10, 100%", "4-res-mini/50 1 text, 3 tied", "88.1 210 for 90 %",
    ]  # fmt: skip
    assert rows(holding)[0][2] == "9.5 norm not known"
    whole = listed(samples.whole_profile()).rows[0].opens
    assert rows(captioned(whole, "its strongest"))[0] == [
        "6.25", "Chat & <script>", "see⏎⟦<script>⟧ there",
    ]  # fmt: skip


def test_a_long_list_is_cut_and_says_where_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(category_list, "LISTED", 4)
    monkeypatch.setattr(category_list, "OPENED", 2)
    found = listed(samples.profile())
    assert found.caption.endswith(" 3 more stand in tables/categories.parquet.")
    assert [bool(row.opens) for row in found.rows] == [True, True, False, False]


def test_the_answer_says_what_is_found_what_else_and_what_not() -> None:
    found, other, limits = (
        part.text for part in profile_study(samples.whole_profile()).headline.sentences
    )
    assert found == (
        "for 6 of 7 categories of seven categories (70 texts) some feature tells its texts from "
        "the others beyond chance by AUROC, and for 6 by score (Holm over 7 categories × 2 sites, "
        "p ≤ 0.05); for Chat & <script> none does."
    )
    assert other.endswith(
        "features go with meaning or its shared words across forms at 1 of 2 sites."
    )
    assert limits.endswith(
        "12 of 14 claims that the default specification makes hold under every sound one."
    )
    bare = [part.text for part in profile_study(samples.profile()).headline.sentences]
    assert bare[1].endswith("whether features follow meaning or surface was not tested.")
    assert bare[2].endswith("whether it would be under another method was not tested.")


def test_what_only_a_model_can_tell_is_told_or_said_to_be_missing() -> None:
    bare = samples.profile()
    assert lead(bare, "Where they fire") == (
        "Not done: where a feature fires needs a model, and there was none."
    )
    assert lead(bare, "Meaning or surface").startswith("Not done: no minimal pairs were given")
    assert lead(bare, "Method study") == "Not done: it was not asked for (--multiverse)."
    whole = samples.whole_profile()
    assert "Python on operators and punctuation (18%, random 2%)" in lead(whole, "Where they fire")
    assert "1 keep the index" in lead(whole, "Across layers")
    assert "1 of 2 persist: they go to the feature that is nearest in direction" in (
        lead(whole, "Across layers")
    )
    assert "The words alone go with meaning as well (+0.15, p 0.003)" in (
        lead(whole, "Meaning or surface")
    )
    parts = titled(profile_study(whole), "Method study").parts
    choices = headed(parts, "Choice")
    assert "pooled ✗ padding is pooled as if it were text" in rows(choices)[1]
    assert "Padding goes up to the longest of 8 texts in the corpus's order" in choices.caption


def test_a_common_class_of_token_is_no_evidence_of_meaning() -> None:
    profile = samples.whole_profile()
    assert profile.tokens is not None
    usual = {
        name: replace(seen, classes={"operators and punctuation": ClassShare(1.0, 0.2, 0.06)})
        for name, seen in profile.tokens.features.items()
    }
    tokens = replace(profile.tokens, corpus={"operators and punctuation": 1.0}, features=usual)
    said = lead(replace(profile, tokens=tokens), "Where they fire")
    assert "more than nearly all random features do. That is no evidence of meaning" in said


def test_meaning_is_named_alone_where_words_alone_do_not_tell_it() -> None:
    whole = samples.whole_profile()
    assert whole.pairs is not None
    words = replace(whole.pairs.words, p_value=0.06)
    silent = replace(whole, pairs=replace(whole.pairs, words=words))
    assert (
        profile_study(silent)
        .headline.sentences[1]
        .text.endswith("features go with meaning across forms at 1 of 2 sites.")
    )
    assert "The words alone do not (p 0.06)" in lead(silent, "Meaning or surface")


def test_the_norm_is_not_said_to_grow_where_nobody_measured_it() -> None:
    captions = [
        part.caption
        for part in parts_of(profile_study(samples.whole_profile()))
        if isinstance(part, Figure | Table)
    ]
    assert not [c for c in captions if "norm" in c and "grows with depth by itself" in c]
    assert any("so peaks are also given relative to its mean norm" in c for c in captions)


def test_one_layer_draws_no_line() -> None:
    study = profile_study(samples.profile((4,)))
    assert sum(isinstance(part, Figure) for part in parts_of(study)) == 3
    assert "fewer than two layers" in lead(samples.profile((4,)), "Across layers")
    assert len(figures(titled(study, "Across layers").parts)) == 0


def brought(names: tuple[str, ...]) -> Profile:
    """Tables that were brought; on the texts of B nothing fires."""
    rng = np.random.default_rng(0)
    corpus = Corpus("own", tuple(f"text {i}" for i in range(24)), ("A",) * 8 + ("B",) * 16)
    tables = {}
    for name in names:
        dense = rng.gamma(2.0, size=(24, 30)) * (np.arange(24) < 8)[:, None]
        rows = pd.DataFrame({"text": corpus.texts})
        head = name.partition("-")[0]
        layer = int(head) if head.isdigit() else None
        tables[name] = FeatureTable(name, csr_matrix(dense), rows, {"pooling": "mean"}, layer)
    return profile_tables(tables, corpus, ProfileConfig.of(permutations=99))


def test_a_category_on_which_nothing_fires_is_said_to_be_one() -> None:
    result = brought(("6-res", "8-res"))
    row = next(row for row in listed(result).rows if row.cells[0].text == "B")
    telling, holding = tables(row.opens)
    assert [cells[-1] for cells in rows(telling)] == ["nothing fires"] * 2
    assert [cells[1] for cells in rows(holding)] == ["nothing fires"] * 2
    assert result.layers is not None and "B" not in result.layers.steps[0].peak
    assert build_page(document(result, None, {})) and summary(result, None)


def test_sites_without_a_layer_are_named_where_layers_are_not_compared() -> None:
    assert lead(brought(("one", "two")), "Across layers") == (
        "Not compared: the layers of one, two are not known. A site's name starts with its "
        "layer, and names that agree in the rest are compared: 6-res-jb, 8-res-jb."
    )

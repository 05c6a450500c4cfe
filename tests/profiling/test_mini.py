"""The built-in corpus on the bundled model: the whole profile, as a user gets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultlens.profiling.result import Profile


@pytest.fixture(scope="module")
def profile(demo: tuple[Path, str]) -> Profile:
    """The demo's: every dictionary, the built-in corpus and its minimal pairs, as by default."""
    folder, _ = demo
    return Profile.from_dict(json.loads((folder / "profile.json").read_text(encoding="utf-8")))


def test_at_least_five_categories_have_a_specialist_beyond_chance(profile: Profile) -> None:
    assert sum(bool(sites) for sites in profile.beyond_chance().values()) >= 5
    assert profile.warnings == []


def test_the_token_view_shows_where_specialists_fire(profile: Profile) -> None:
    """Surfaces that nobody would dispute: emoji in Social, script in Non-English, signs in Math."""
    assert profile.tokens is not None
    expected = {
        "Social": "emoji",
        "Non-English": "non-Latin script",
        "Math": "operators and punctuation",
    }
    for category, kind in expected.items():
        found = [
            profile.tokens.features[site.categories[category].selectivity.feature]
            for site in profile.sites.values()
        ]
        assert any(
            seen.classes[kind].at_least <= 0.05
            and seen.classes[kind].share > 2 * seen.classes[kind].random
            and seen.examples[0].category == category
            for seen in found
        ), category


def test_meanings_are_told_apart_across_forms_and_so_are_words(profile: Profile) -> None:
    pairs = profile.pairs
    assert pairs is not None
    assert (pairs.texts, pairs.pairs, len(pairs.forms)) == (240, 240, 21)
    for site in pairs.sites.values():
        assert site.p_holm <= 0.05
        assert site.similarity.within > site.similarity.between
        assert len(site.meanings) == len(site.matrix) == 80
        diagonal = [site.matrix[i][i] for i in range(80)]
        assert diagonal == pytest.approx(list(site.meanings.values()), abs=1e-4)
        mean = sum(site.meanings.values()) / 80  # each meaning has three forms: equal weights
        assert mean == pytest.approx(site.similarity.within)
        assert site.matrix[0][79] is None, "a program and a chat have no form in common"
    assert pairs.words.p_value <= 0.05, "the rival explanation is shown, not hidden"


def test_layers_are_compared_by_direction(profile: Profile) -> None:
    assert profile.layers is not None
    assert [step.later for step in profile.layers.steps] == [
        "3-res-mini",
        "4-res-mini",
        "5-res-mini",
    ]
    for step in profile.layers.steps:
        assert step.typical_cosine is not None and 0 < step.typical_cosine < 1
        assert all(found.rank is not None for found in step.peak.values())


def test_the_file_keeps_the_contract(profile: Profile) -> None:
    data = json.loads(json.dumps(profile.to_dict(), allow_nan=False))
    assert Profile.from_dict(data) == profile
    for site in data["sites"].values():
        assert {"feature", "texts", "coverage"} <= set(site["most_frequent"])
        assert {"feature", "activation", "text"} <= set(site["strongest"])
        for category in site["categories"].values():
            assert {"feature", "activation"} <= set(category["peak"])
            assert {"gini", "top_sum", "top_share"} <= set(category)
            assert {"feature", "auroc", "p_value", "p_holm"} <= set(category["selectivity"])
            keys = {"feature", "score", "inside", "outside"}
            assert keys <= set(category["shortlist_specialist"])
            assert keys | {"p_value", "p_holm"} <= set(category["specialist"])

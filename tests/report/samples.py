"""A small profile and a manifest, complete, built by hand: every None that may occur occurs."""

from __future__ import annotations

import dataclasses
from typing import Any

from faultlens.profiling.result import (
    CategoryReading,
    Choice,
    ClassShare,
    Contrast,
    Difficulty,
    Example,
    FeatureTokens,
    LayerComparison,
    LayerStep,
    Length,
    MinimalPairs,
    MostFrequent,
    MostSelective,
    Multiverse,
    MultiverseClaim,
    PairSite,
    Peak,
    Profile,
    Selectivity,
    ShortlistSpecialist,
    SiteReading,
    Specialist,
    Specification,
    Strongest,
    Successor,
    Tail,
    TailCurve,
    TokenEvidence,
    Trend,
)

CATEGORIES = ("Python", "URLs", "Math", "Non-English", "Social", "Formal", "Chat & <script>")
INJECTED = "<script>alert('https://evil.example/x')</script>"


def profile(layers: tuple[int, ...] = (2, 4)) -> Profile:
    """Seven categories, of which the last has nothing beyond chance."""
    return Profile(
        corpus="seven categories",
        n_texts=70,
        pooling="max",
        top_k=5,
        permutations=10_000,
        seed=3,
        alpha=0.05,
        lengths={
            name: Length(12.5 + 3 * place, "tokens", 0.17 + 0.11 * place)
            for place, name in enumerate(CATEGORIES)
        },
        sites={f"{layer}-res-mini": _site(layer) for layer in layers},
        difficulty={
            name: Difficulty(0.2 + 0.1 * place, place + 1, 2, 1, None, 0.97, 0.95)
            if place
            else Difficulty(0.2, 1, 2, 2, f"{layers[0]}-res-mini", 1.0, 0.99)
            for place, name in enumerate(CATEGORIES)
        },
    )


def whole_profile() -> Profile:
    """The same with everything that only a model, pairs or the method study can add."""
    bare = profile()
    return dataclasses.replace(
        bare,
        length_strata=4,
        warnings=[f"1 text stands more than once: {INJECTED} at text 1 and text 2"],
        layers=_layers(),
        tokens=_tokens(bare),
        pairs=_pairs(),
        multiverse=_multiverse(),
    )


def _layers() -> LayerComparison:
    known = Successor("2-res-mini/700", "4-res-mini/700", True, 0.83, 1, "4-res-mini/700", 0.83)
    lost = Successor("2-res-mini/701", "4-res-mini/9", False, -0.02, 917, "4-res-mini/5", 0.41)
    blind = Successor("2-res-mini/701", "4-res-mini/9", False, None, None, None, None)
    found = {name: (known, lost, blind)[min(place, 2)] for place, name in enumerate(CATEGORIES)}
    rising = Trend("peak", "res-mini", [2, 4], [9.5, 11.0], None, 11.0 / 9.5)
    silent = Trend("top sum", "res-mini", [2, 4, 5], [0.0, 2.0, 3.0], 1.0, None)
    step = LayerStep("2-res-mini", "4-res-mini", 0.456, found, found, found)
    return LayerComparison([step], {name: [rising, silent] for name in CATEGORIES})


def _tokens(bare: Profile) -> TokenEvidence:
    example = Example(3, "Chat & <script>", 5, "see\n", "<script>", " there", 6.25)
    parts = {
        "letter words": ClassShare(0.82, 0.57, 0.21),
        "operators and punctuation": ClassShare(0.18, 0.02, 0.01),
    }
    seen = FeatureTokens(12, 40.5, parts, [example, dataclasses.replace(example, text_id=4)])
    names = {
        feature
        for site in bare.sites.values()
        for reading in site.categories.values()
        for feature in (
            reading.selectivity.feature, reading.specialist.feature, reading.peak.feature
        )
    }  # fmt: skip
    return TokenEvidence(
        window=8,
        corpus={"letter words": 0.6, "operators and punctuation": 0.4},
        features=dict.fromkeys(sorted(names), seen),
    )


def _pairs() -> MinimalPairs:
    topics = {"Math: two and two": 0.31, INJECTED: 0.12, "Math: half of thirty": 0.2}
    matrix: list[list[float | None]] = [[0.31, 0.1, None], [0.1, 0.12, 0.11], [None, 0.11, 0.2]]
    shown = PairSite(Contrast(0.21, 0.1, 0.11, 1e-4), 2e-4, topics, matrix)
    weak = PairSite(Contrast(0.12, 0.11, 0.01, 0.2), 0.2, topics, matrix)
    return MinimalPairs(
        "built in", 6, 3, ["symbols", "words"], 20, 10_000, Contrast(0.2, 0.05, 0.15, 0.003),
        {"2-res-mini": weak, "4-res-mini": shown},
    )  # fmt: skip


def _multiverse() -> Multiverse:
    sound = Specification("max", False, False, "encode, then pool", False, None, None, [])
    wrong = dataclasses.replace(
        sound, padding=True, errors=["padding is pooled as if it were text"]
    )
    specs = {
        "selectivity": [sound, wrong],
        "specialist": [
            dataclasses.replace(spec, percentile=99.5, rule=rule)
            for spec in (sound, wrong)
            for rule in ("exhaustive", "shortlist")
        ],
    }
    claims = [
        MultiverseClaim(
            category, by, True, 0.5, 1.0 if place else 0.5,
            [True, False] * (len(of_by) // 2), [0.9 + place / 100, 0.6] * (len(of_by) // 2),
        )
        for by, of_by in specs.items()
        for place, category in enumerate(CATEGORIES)
    ]  # fmt: skip
    choices = [
        Choice("padding", "masked", "selectivity", "", 1.0, 1.0, 1, 1.0, 1.0),
        Choice("padding", "pooled", "selectivity", wrong.errors[0], 0.0, 0.25, 1, 0.0, 0.25),
    ]
    return Multiverse(2_000, specs, {"selectivity": 0, "specialist": 0}, claims, choices, 8)


def _site(layer: int) -> SiteReading:
    name = f"{layer}-res-mini"
    known = layer > 2  # the first site's norms and ties are the ones that may be missing
    return SiteReading(
        layer=layer,
        d_sae=1536,
        firing=1204,
        threshold=4.25,
        residual_norm=31.5 + layer if known else None,
        convention={
            "prepend_bos": True,
            "bos_pooled": False,
            "pooling": "max",
            "dictionary": "ab12" * 16,
            "site": f"blocks.{layer}.hook_resid_pre",
        },
        most_frequent=MostFrequent(f"{name}/16", 69, 69 / 70),
        most_selective=MostSelective(f"{name}/51", 1, 49) if known else None,
        strongest=Strongest(f"{name}/7", 22.6, f"see {INJECTED} there"),
        tail=Tail(706.2, 314, 916, 1150),
        curve=TailCurve([1, 10, 100, 1204], [0.02, 0.09, 0.4, 1.0]),
        categories={
            category: _category(name, place, known) for place, category in enumerate(CATEGORIES)
        },
    )


def _category(site: str, place: int, known: bool) -> CategoryReading:
    chance = place == len(CATEGORIES) - 1
    p_holm = 0.412 if chance else 0.0014
    height = 9.5 + place
    return CategoryReading(
        texts=10,
        peak=Peak(f"{site}/{600 + place}", height, height / 33 if known else None),
        top_sum=39.84,
        top_share=0.0532,
        gini=0.081,
        selectivity=Selectivity(f"{site}/{700 + place}", 0.99 - 0.02 * place, 1e-4, p_holm, 1),
        specialist=Specialist(f"{site}/{800 + place}", 9 - place, 9, place, 2e-4, p_holm, 2),
        shortlist_specialist=ShortlistSpecialist(f"{site}/{900 + place}", 2, 3, 1),
        most_frequent=MostFrequent(f"{site}/16", 10, 1.0, 1 + place),
        most_selective=MostSelective(f"{site}/{50 + place}", 1, 3) if known else None,
        tail=Tail(88.1, 60, 210, 400),
    )


def manifest() -> dict[str, Any]:
    return {
        "command": ["faultlens", "demo", "--out", "RUN"],
        "arguments": {"model": "mini", "sae": ["2-res-mini", "4-res-mini"], "note": INJECTED},
        "inputs": {"model": "cd34" * 16},
        "conventions": {},
        "versions": {"python": "3.11.2", "faultlens": "0.1.0", "torch": "2.9.0"},
        "platform": "Linux",
        "finished": "2025-11-21T02:53:43+00:00",
        "files": {},
    }

"""A small profile and audits, complete, built by hand: every None that may occur occurs."""

from __future__ import annotations

import dataclasses
from typing import Any

from faultlens.audit.result import (
    Audit,
    Claim,
    ClassReading,
    Flips,
    Intervention,
    LevelReading,
    PromptOutcome,
    Proxy,
    SiteAudit,
)
from faultlens.profile.result import (
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
    return Multiverse(2_000, specs, {"selectivity": 0, "specialist": 0}, claims, choices)


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


def audit() -> Audit:
    """Sixty-one failures of 300, with a class that contributes, a proxy, a correlate and a null."""
    return Audit(
        task="mini-ioi",
        n=300,
        failures=61,
        rule="exact-word",
        alpha=0.05,
        seed=0,
        permutations=10_000,
        min_support=5,
        verdict=None,
        outcome_kinds={
            "success": 239,
            "first token right, word wrong": 5,
            "another phrase of the prompt": 34,
            "pronoun": 16,
            "another noun phrase": 6,
        },
        scoring_sensitivity={"exact-word": 239 / 300, "first-token": 244 / 300},
        factors=_factors(),
        sites={"2-res-mini": _site_audit(2, []), "4-res-mini": _site_audit(4, _classes())},
        claims=[
            Claim("4-res-mini/91 goes with failure", "family-wise error", "passed", "p = 0.0001"),
            Claim("4-res-mini/91 goes with failure", "replication", "not done", "one corpus"),
            Claim("4-res-mini/91 matters for failure", "necessity", "passed", "+0.84 nats"),
        ],
        outcomes=_outcomes(),
    )


def untested() -> Audit:
    """The same without interventions: what was not done must be said to be not done."""
    whole = audit()
    site = whole.sites["4-res-mini"]
    classes = [dataclasses.replace(reading, intervention=None) for reading in site.classes]
    sites = {**whole.sites, "4-res-mini": dataclasses.replace(site, classes=classes)}
    return dataclasses.replace(whole, sites=sites)


def underpowered() -> Audit:
    """Three failures, no factors, no correlates: the audit stops after the outcomes."""
    return dataclasses.replace(
        audit(),
        failures=3,
        verdict="UNDERPOWERED: 3 failures and 297 successes, and at least 5 of each are needed",
        outcome_kinds={"success": 297, "pronoun": 3},
        factors={},
        sites={},
        claims=[],
        outcomes=_outcomes()[:3],
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


def _factors() -> dict[str, dict[str, LevelReading]]:
    def level(n: int, failures: int, low: float, high: float, p: float) -> LevelReading:
        odds = None if failures == n else 2.5
        return LevelReading(n, failures, failures / n, low, high, p, min(1.0, 12 * p), odds)

    return {
        "object": {
            "the keys": level(45, 42, 0.817, 0.986, 8.79e-33),
            "a card": level(35, 1, 0.001, 0.149, 3.4e-4),
            "the bag": level(36, 2, 0.007, 0.187, 0.0016),
            INJECTED: level(4, 4, 0.398, 1.0, 0.0018),
        },
        "template": {
            f"template {i}": level(75, 15 + i, 0.11 + i / 100, 0.31 + i / 100, 0.4 + i / 10)
            for i in range(4)
        },
        "order": {"ABBA": level(151, 30, 0.14, 0.27, 1.0), "BABA": level(149, 31, 0.15, 0.28, 1.0)},
    }


def _site_audit(layer: int, classes: list[ClassReading]) -> SiteAudit:
    return SiteAudit(
        layer=layer,
        d_sae=1536,
        tested=787,
        significant={"min_p": 12, "max_t": 14, "holm": 11, "bh": 40} if classes else {},
        convention={"pooling": "max"},
        classes=classes,
    )


def _classes() -> list[ClassReading]:
    intervention = Intervention(
        kind="set to the successes' mean",
        positions="where it fires",
        failures=42,
        effect=0.91,
        foil_effect=None,
        control_effect=0.07,
        adjusted=0.84,
        low=0.52,
        high=1.17,
        p_value=0.005,
        controls=199,
        control_features=63,
        shown=True,
        restored=0.238,
        control_restored=0.021,
        flips=Flips(prompts=45, failure_to_success=10, success_to_failure=1, p_mcnemar=0.0117),
    )
    first = ClassReading(
        features=[f"4-res-mini/{i}" for i in range(91, 103)],
        size=12,
        fail_active=42,
        success_active=3,
        cohens_d=2.93,
        auroc=0.9361,
        p_fisher=8.8e-33,
        p_holm=6.9e-30,
        p_min_p=1e-4,
        p_max_t=1e-4,
        p_deciding=2e-4,
        rank=0,
        p_conditional=None,
        proxy=Proxy("object", "the keys", 0.93),
        intervention=intervention,
        verdict="CONTRIBUTES",
        sentence="fires on 42 failures and 3 successes (adjusted p = 0.0001); taking it away "
        "moves the answer by +0.84 nats beyond its controls [0.52, 1.17], p = 0.005, and restores "
        "24% of 42 failures (controls 2%); it fires with object = the keys (Jaccard 0.93)",
    )
    rest = dataclasses.replace(
        first, intervention=None, size=1, p_min_p=2e-3, p_max_t=4e-3, p_deciding=4e-3, rank=1
    )
    return [
        first,
        dataclasses.replace(
            rest,
            features=["4-res-mini/200"],
            verdict="PROXY of object = the keys",
            sentence="fires on 40 failures and 2 successes; effect not tested",
        ),
        dataclasses.replace(
            rest,
            features=["4-res-mini/300"],
            cohens_d=None,
            proxy=None,
            p_min_p=0.03,
            p_max_t=0.2,
            p_deciding=0.4,
            rank=2,
            verdict="CORRELATE",
            sentence="fires on 9 failures and 4 successes; effect not tested",
        ),
        dataclasses.replace(
            rest,
            features=["4-res-mini/400"],
            proxy=None,
            p_min_p=0.4,
            p_max_t=0.6,
            p_deciding=1.0,
            rank=3,
            verdict="NOT SIGNIFICANT",
            sentence="fires on 6 failures and 9 successes; adjusted p = 0.4",
        ),
    ]


def _outcomes() -> list[PromptOutcome]:
    wrong = [
        ("Susan's house", "first token right, word wrong", 0.8),
        ("the car.", "another noun phrase", -1.25),
        ("", "empty or degenerate", None),
        (INJECTED, "other word", -0.4),
    ]
    failed = [
        PromptOutcome(
            "Once Dan and Susan arrived at the park, Dan passed the keys to",
            " Susan",
            generated,
            False,
            kind,
            difference,
        )
        for generated, kind, difference in wrong
    ]
    right = PromptOutcome("Then Dan gave a card to", " Lucy", " Lucy.", True, "success", 2.0)
    return [*failed, right]

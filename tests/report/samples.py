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
    Length,
    MostFrequent,
    MostSelective,
    Peak,
    Profile,
    Selectivity,
    ShortlistSpecialist,
    SiteReading,
    Specialist,
    Strongest,
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
    )


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

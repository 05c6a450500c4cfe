"""A small profile and a manifest, complete, built by hand: every None that may occur occurs."""

from __future__ import annotations

from typing import Any

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

"""What of a run goes into the results of the study: numbers, verdicts, and replies of a few words.

Everything is read from the run's own files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CLASSES = 5  # the most certain ones, beside those that were changed
REPLIES = 12  # examples of failures
EVEN = 0.5  # of the texts: a feature that fires on as many is a general one


def chosen(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names}


def audit_findings(run: Path, answers: int = 0) -> dict[str, Any]:
    """Of an audit; with `answers`, that many replies as they were judged, for reading by eye."""
    told = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    ladder = told["ladder"] or {"differences": [], "left_out": []}
    found = {
        **chosen(told, "n", "failures", "rule", "outcome_kinds", "scoring_sensitivity",
                 "failures_over_foil", "accuracy_by_start", "factors_left_out", "warnings"),
        "verdict": told.get("verdict"),
        "sentence": told.get("sentence"),
        "factors": {
            factor: {
                level: chosen(one, "n", "failures", "low", "high", "p_holm")
                for level, one in levels.items()
            }
            for factor, levels in told["factors"].items()
            if len(levels) <= 12
        },
        "selected": [
            chosen(one, "factor", "level", "failures", "n", "p_holm")
            for one in (told["selection"] or {"selected": []})["selected"]
        ],
        "sites": {
            name: {**chosen(site, "layer", "d_sae", "tested", "significant")}
            for name, site in told["sites"].items()
        },
        "significant_classes": sum(
            1 for one in classes_of(told) if one["p_deciding"] <= told["alpha"]
        ),
        "verdicts": counted(
            one["verdict_kind"] for one in classes_of(told) if one["p_deciding"] <= told["alpha"]
        ),
        "classes": [class_findings(one) for one in spoken_of(told)],
        "not_tested": told["not_tested"],
        "together": [
            {"classes": one["classes"], "beyond_each": one["beyond_each"], "reason": one["reason"],
             "changed": changed(one["intervention"])}
            for one in told["together"]
        ],
        "attribution": {
            name: attribution_findings(site) for name, site in told["attribution"].items()
        },
        "outside": [one["sentence"] for one in told["outside"]],
        "swaps": list(map(swap_findings, (told["counterfactuals"] or {"swaps": []})["swaps"])),
        "baselines": {
            name: chosen(rung, "auroc", "low", "high", "reason")
            for name, rung in (told["baselines"] or {}).items()
        },
        "differences": ladder["differences"],
        "left_out": ladder["left_out"],
        "robustness": robustness_findings(told["robustness"]),
        "claims": [chosen(one, "claim", "control", "outcome", "detail") for one in told["claims"]],
        "failing_replies": [
            {"kind": one["kind"], "said": first_words(one["generated"])}
            for one in told["outcomes"] if not one["success"]
        ][:REPLIES],
    }  # fmt: skip
    if answers:
        found["answers"] = answers_to_read(told["outcomes"], answers)
    return found


def counted(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def classes_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [one for site in told["sites"].values() for one in site["classes"]]
    return sorted(found, key=lambda one: one["rank"])


def spoken_of(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The most certain classes, and all that were changed."""
    classes = classes_of(told)
    return [one for place, one in enumerate(classes)
            if place < CLASSES or one["intervention"] is not None]  # fmt: skip


def class_findings(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **chosen(one, "size", "fail_active", "success_active", "cohens_d", "auroc", "p_deciding",
                 "p_conditional", "proxy", "verdict", "verdict_kind", "sentence"),
        "features": one["features"][:5],
        "changed": changed(one["intervention"]),
    }  # fmt: skip


def changed(intervention: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What editing something did, and what it costs elsewhere."""
    if intervention is None:
        return None
    after = intervention["after"] or {"off_task": [], "dose": None}
    return {
        "necessity": effect(intervention["necessity"]),
        "sufficiency": effect(intervention["sufficiency"]),
        "flips": intervention["flips"],
        "null_proven": None if intervention["null"] is None else intervention["null"]["proven"],
        "reversed": intervention["reversed"],
        "off_task": after["off_task"],
    }


def effect(side: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return chosen(
        side, "kind", "on", "prompts", "adjusted", "low", "high", "p_value", "p_holm", "shown",
        "controls", "turned", "could_turn", "turned_share", "control_turned_share", "least",
    )  # fmt: skip


def attribution_findings(site: Mapping[str, Any]) -> dict[str, Any]:
    """Of the search: features against the error term, and what the top features do when changed."""
    return {
        **chosen(site, "prompts", "error_gradient", "features_gradient", "features_from_normal",
                 "error_from_normal", "ranking_agreement"),
        "top": [
            {**chosen(one, "feature", "gradient_failures", "gradient_successes", "in_class"),
             "changed": changed(one["intervention"])}
            for one in site["top"][:3]
        ],
    }  # fmt: skip


def swap_findings(swap: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **chosen(swap, "factor", "level", "swapped_for", "pairs", "failures_original",
                 "failures_swapped", "failure_to_success", "success_to_failure", "p_mcnemar"),
        "patches": [
            {**chosen(patch, "site", "positions", "restored", "restorable"),
             "features": patch["features"][:5], "denoise": patch["denoise"]}
            for patch in swap["patches"]
        ],
    }  # fmt: skip


def robustness_findings(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "seeds": [
            chosen(one, "seed", "n", "failures", "significant", "leading", "verdict")
            | {"baselines": one["baselines"]}
            for one in found["seeds"]
        ],
        "classes": [
            {**chosen(one, "verdicts", "same", "verdict", "stable", "replicated"),
             "features": one["features"][:3]}
            for one in found["classes"][:20]
        ],
    }  # fmt: skip


def answers_to_read(outcomes: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Replies to be read by eye: failures up to half, successes otherwise, the first of each."""
    failures = [one for one in outcomes if not one["success"]][: count // 2]
    successes = [one for one in outcomes if one["success"]][: count - len(failures)]
    return [
        {"target": one["target"], "said": first_words(one["generated"], 10), "kind": one["kind"]}
        for one in [*failures, *successes]
    ]


def first_words(text: str | None, count: int = 6) -> str:
    return " ".join((text or "").split()[:count])


def compared_classes(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of `faultlens compare`: classes of two runs that correspond, with both verdicts."""
    pair = told["pairs"][0]["audits"]
    return {
        "classes": [
            {
                "first": verdict_of(one["first"]),
                "second": verdict_of(one["second"]),
                **chosen(one, "matched_by", "jaccard", "cosine"),
            }
            for one in pair["classes"]
        ],
        **chosen(pair, "no_firing", "no_directions", "cautions"),
    }


def verdict_of(one: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"feature": one["features"][0], **chosen(one, "verdict", "significant", "auroc")}


def profile_findings(run: Path) -> dict[str, Any]:
    """Of a profile: by site what fires, how much, on what, and whether that beats chance."""
    import pandas as pd

    told = json.loads((run / "profile.json").read_text(encoding="utf-8"))
    sites = {}
    for name, site in told["sites"].items():
        fired = pd.read_parquet(run / "activations" / "corpus" / f"{name}.parquet")
        texts = fired.groupby("feature")["text_id"].nunique() / told["n_texts"]
        pairs = (told["pairs"] or {"sites": {}})["sites"].get(name)
        sites[name] = {
            **chosen(site, "layer", "d_sae", "firing", "threshold", "residual_norm"),
            "general": int((texts >= EVEN).sum()),
            "everywhere": int((texts >= 1).sum()),
            "most_frequent": chosen(site["most_frequent"], "feature", "texts", "coverage"),
            "categories": {
                category: category_findings(one, told["tokens"])
                for category, one in site["categories"].items()
            },
            "pairs": None
            if pairs is None
            else {**chosen(pairs["similarity"], "within", "between", "p_value"),
                  "p_holm": pairs["p_holm"]},
        }  # fmt: skip
    words = None if told["pairs"] is None else told["pairs"]["words"]
    return {
        **chosen(told, "n_texts", "pooling", "permutations", "alpha", "warnings"),
        "sites": sites,
        "words": words,
        "lengths": {name: one["auroc"] for name, one in told["lengths"].items()},
    }


def category_findings(one: Mapping[str, Any], tokens: Mapping[str, Any] | None) -> dict[str, Any]:
    best = one["selectivity"]
    evidence = (tokens or {"features": {}})["features"].get(best["feature"])
    shares = {} if evidence is None else evidence["classes"]
    most = max(shares, key=lambda name: shares[name]["share"], default=None)
    return {
        "peak": None if one["peak"] is None else chosen(one["peak"], "activation", "relative"),
        "selectivity": chosen(best, "feature", "auroc", "p_holm"),
        "specialist": chosen(one["specialist"], "feature", "score", "p_holm"),
        "shortlist_score": (one["shortlist_specialist"] or {"score": None})["score"],
        "token_class": None
        if most is None
        else {"name": most, **chosen(shares[most], "share", "random")},
    }

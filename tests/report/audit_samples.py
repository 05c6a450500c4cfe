"""Small audits, complete, built by hand: every None and every verdict that may occur occurs."""

from __future__ import annotations

import dataclasses

import cause_samples
import class_samples
from samples import INJECTED

from faultlens.auditing.result import (
    Claim,
    DroppedLevel,
    Ladder,
    LeftOut,
    LevelReading,
    PairReading,
    PairTable,
    PromptOutcome,
    RuleReading,
    Rung,
    RungDifference,
    SelectedLevel,
    Selection,
    Strata,
    StrataCount,
    TrendReading,
    Verdict,
)
from faultlens.auditing.result.audit import Audit

NO_TOKENS = "needs token residuals: the outcomes came without a model"


def audit() -> Audit:
    """Sixty-one failures of 300, with every verdict among the classes."""
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
        scoring_sensitivity={"exact-word": 239 / 300, "first-token": 244 / 300, "contains": 0.9},
        factors=_factors(),
        sites={"2-res-mini": class_samples.empty(2), "4-res-mini": class_samples.site(4)},
        claims=[
            Claim("4-res-mini/91 goes with failure", "family-wise error", "passed", "p = 0.0001"),
            Claim("4-res-mini/91 goes with failure", "replication", "not done", "one corpus"),
            Claim("4-res-mini/91 matters for failure", "necessity", "passed", "+0.84 nats"),
        ],
        outcomes=_outcomes(),
        scoring=_scoring(),
        factors_left_out={"verb": "one level only"},
        selection=_selection(),
        pairs=_pairs(),
        trends={"length": TrendReading(0.612, 0.0061), "names": TrendReading(0.47, 0.33)},
        strata=Strata(
            ["object", "template"], 32, 9, 53, ["template"],
            [
                StrataCount(["object"], 8, 6, 61),
                StrataCount(["template", "object"], 32, 9, 53),
                StrataCount(["object", "template", "order"], 64, 0, 0),
            ],
        ),
        baselines=_rungs(),
        ladder=_ladder(),
        counterfactuals=cause_samples.counterfactuals(),
        attribution=cause_samples.attribution(),
        not_tested={"4-res-mini/250": "it fires on 3 failures: at least 5 are needed"},
        robustness=cause_samples.robustness(),
        warnings=["4 of 300 prompts repeat another word for word: leave them out"],
    )  # fmt: skip


def untested() -> Audit:
    """The same without interventions, effects and strata: not done must be said to be not done."""
    whole = audit()
    site = whole.sites["4-res-mini"]
    classes = [
        dataclasses.replace(
            reading,
            intervention=None,
            described=None,
            confounds=None,
            other_scoring=None,
            p_conditional=None,
        )
        for reading in site.classes
    ]
    bare = dataclasses.replace(site, classes=classes, study_rule=None, significant={"min_p": 12})
    return dataclasses.replace(
        whole,
        sites={**whole.sites, "4-res-mini": bare},
        scoring={},
        selection=None,
        pairs=None,
        trends={},
        strata=None,
        baselines=None,
        ladder=None,
        counterfactuals=None,
        attribution={},
        not_tested={},
        robustness=None,
    )


def cause() -> Audit:
    """The same where the leading class is a cause."""
    whole = audit()
    site = whole.sites["4-res-mini"]
    reading = dataclasses.replace(
        site.classes[0],
        intervention=cause_samples.cause(),
        verdict=Verdict(
            "CAUSE",
            None,
            "fires on 42 failures and 3 successes (adjusted p = 0.0001); taking it away "
            "moves the answer by +2.4 nats beyond its controls [1.9, 2.9], p = 0.03, and restores "
            "67% of 42 failures (controls 2%)",
        ),
    )
    found = dataclasses.replace(site, classes=[reading, *site.classes[1:]])
    return dataclasses.replace(whole, sites={**whole.sites, "4-res-mini": found})


def tables_only() -> Audit:
    """Outcomes as given and nothing else: factors are derived, the study's folds, no features."""
    whole = audit()
    rungs = {name: dataclasses.replace(r, low=None, high=None) for name, r in _rungs().items()}
    given = "needs features: none were given"
    rungs |= {name: Rung(None, None, None, given) for name in ("sae_top_k", "sae_all")}
    differences = [RungDifference("residual", "factors", 0.012, None, None)]
    return dataclasses.replace(
        whole,
        rule="given",
        outcome_kinds={"success": 239, "not recorded": 61},
        scoring_sensitivity={"given": 239 / 300},
        scoring={"given": _scoring()["exact-word"]},
        sites={},
        claims=[],
        outcomes=[
            dataclasses.replace(outcome, generated=None, logit_difference=None, kind="not recorded")
            if not outcome.success
            else dataclasses.replace(outcome, generated=None, logit_difference=None, margin=None)
            for outcome in whole.outcomes
        ],
        factors_derived=True,
        selection=Selection([], [], []),
        pairs=PairTable(0, []),
        trends={},
        strata=Strata([], 1, 1, 61, [], [StrataCount(["object"], 8, 6, 61)]),
        counterfactuals=None,
        attribution={},
        not_tested={},
        robustness=None,
        baselines=rungs,
        ladder=Ladder("study", 1, 5, differences, []),
        warnings=[],
    )


def underpowered() -> Audit:
    """Three failures, no factors, no correlates: the audit stops after the outcomes."""
    return dataclasses.replace(
        untested(),
        failures=3,
        verdict=Verdict(
            "UNDERPOWERED", None, "3 failures and 297 successes, and at least 5 of each are needed"
        ),
        outcome_kinds={"success": 297, "pronoun": 3},
        factors={},
        factors_left_out={},
        sites={},
        claims=[],
        outcomes=_outcomes()[:3],
        warnings=[],
    )


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


def _scoring() -> dict[str, RuleReading]:
    levels = {f: {v: r.failures for v, r in of_f.items()} for f, of_f in _factors().items()}
    fewer = {**levels, "object": {**levels["object"], "the keys": 37}}
    without = {name: of_factor for name, of_factor in fewer.items() if name != "order"}
    return {
        "exact-word": RuleReading(61, 239 / 300, levels),
        "first-token": RuleReading(56, 244 / 300, fewer),
        "contains": RuleReading(30, 0.9, without),
    }


def _selection() -> Selection:
    return Selection(
        selected=[
            SelectedLevel("object", "the keys", 42, 45, 19, 255, 8.79e-33, 1.5e-31, 8.79e-33),
            SelectedLevel("template", "template 3", 13, 77, 6, 178, 4.0e-4, 0.0064, 0.0011),
        ],
        dropped=[
            DroppedLevel("object", "a card", 0.004, 0.052, 0.73, ["object", "the keys"]),
            DroppedLevel("object", INJECTED, 0.0216, None, None, ["template", "template 3"]),
        ],
        kept=["object", "template"],
    )


def _pairs() -> PairTable:
    first = PairReading(
        ["object", "template"], ["the bag", "template 3"], 7, 9, 0.778, 0.4, 0.972, 2e-5, 0.0044
    )
    second = dataclasses.replace(first, levels=["a card", "template 1"], p_value=0.02, p_holm=1.0)
    return PairTable(222, [first, second])


def _rungs() -> dict[str, Rung]:
    return {
        "base_rate": Rung(0.5, None, None, None),
        "factors": Rung(0.935, 0.882, 0.988, None),
        "bag_of_tokens": Rung(0.917, 0.851, 0.983, None),
        "residual": Rung(0.914, 0.853, 0.975, None),
        "random_dictionary": Rung(None, None, None, NO_TOKENS),
        "sae_top_k": Rung(0.899, 0.828, 0.97, None),
        "sae_all": Rung(0.921, 0.862, 0.98, None),
    }


def _ladder() -> Ladder:
    return Ladder(
        scheme="repeated",
        repeats=10,
        folds=5,
        differences=[
            RungDifference("residual", "factors", -0.0213, -0.061, 0.018),
            RungDifference("sae_all", "factors", -0.0139, -0.052, 0.024),
            RungDifference("sae_all", "residual", 0.0312, 0.004, 0.058),
        ],
        left_out=[
            LeftOut("object", "factors", 0.553, 0.41, 0.69, 1_204, 7, ["the ball"], None),
            LeftOut("object", "residual", 0.612, 0.48, 0.74, 1_204, 7, ["the ball"], None),
            LeftOut("order", "sae_all", 0.908, None, None, 7_214, 2, [], None),
            LeftOut("place", "factors", None, None, None, 0, 0, [], "there is no other factor"),
        ],
    )  # fmt: skip


def _outcomes() -> list[PromptOutcome]:
    wrong = [
        ("Susan's house", "first token right, word wrong", 0.8, 0.3),
        ("the car.", "another noun phrase", -1.25, -2.5),
        ("", "empty or degenerate", None, None),
        (INJECTED, "other word", -0.4, -0.4),
    ]
    failed = [
        PromptOutcome(
            "Once Dan and Susan arrived at the park, Dan passed the keys to",
            " Susan",
            generated,
            False,
            kind,
            difference,
            margin,
        )
        for generated, kind, difference, margin in wrong
    ]
    right = PromptOutcome("Then Dan gave a card to", " Lucy", " Lucy.", True, "success", 2.0, 1.5)
    return [*failed, right]

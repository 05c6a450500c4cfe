"""Steps 7 to 9 of an audit, built by hand: every effect, and everything that one may lack."""

from __future__ import annotations

import dataclasses

from samples import INJECTED

from faultlens.auditing.result import (
    Attributed,
    Counterfactual,
    Counterfactuals,
    Effect,
    Flips,
    HalfReading,
    Interval,
    Intervention,
    Null,
    Patch,
    Robustness,
    SeedReading,
    SiteAttribution,
    StableClass,
    Variant,
    Verdict,
)

CLASS = [f"4-res-mini/{i}" for i in range(91, 103)]
FEW = "fewer than five successes have a token in the place where it fires"


def contributes() -> Intervention:
    """Both effects shown, though few failures are restored."""
    return Intervention(
        necessity=necessity(),
        sufficiency=sufficiency(),
        sufficiency_missing=None,
        flips=Flips(prompts=45, failure_to_success=10, success_to_failure=1, p_mcnemar=0.0117),
        variants=variants(),
        null=None,
    )


def cause() -> Intervention:
    """Both effects shown, and two thirds of the failures restored."""
    found = contributes()
    strong = dataclasses.replace(
        found.necessity,
        change=2.47, adjusted=2.4, low=1.9, high=2.9, turned=28, turned_share=28 / 42,
        turned_low=0.512, turned_high=0.775,
    )  # fmt: skip
    return dataclasses.replace(found, necessity=strong)


def proven_null() -> Intervention:
    """Nothing shown, and proven that there is nothing."""
    need = dataclasses.replace(
        necessity(),
        prompts=40, change=0.061, control_change=0.058, adjusted=0.003, low=-0.052, high=0.057,
        low_90=-0.043, high_90=0.049, p_value=0.44, p_holm=0.88, control_features=199, shown=False,
        turned=0, turned_share=0.0, control_turned_share=0.0125, turned_low=-0.0375,
        turned_high=0.0, foil_change=None,
    )  # fmt: skip
    enough = dataclasses.replace(
        sufficiency(), change=-0.019, adjusted=0.034, low=-0.017, high=0.086, p_value=0.61,
        p_holm=0.89, control_features=198, shown=False, turned=1, turned_share=1 / 48,
        turned_low=-0.0067, turned_high=0.0493,
    )  # fmt: skip
    null = Null(
        gap=2.13, bound=0.213, restoration_high=0.0722, restoration_bound=0.1,
        positive_control_restored=0.714, positive_control_bound=0.5, positive_control_prompts=35,
        positive_control_passed=True, within=True, few_restored=True, proven=True,
    )  # fmt: skip
    flips = Flips(prompts=42, failure_to_success=0, success_to_failure=2, p_mcnemar=0.5)
    scaled = [
        dataclasses.replace(v, prompts=40, change=v.change / 50, turned_share=0.0)
        for v in variants()[:4]
    ]
    return Intervention(need, enough, None, flips, scaled, null)


def inconclusive() -> Intervention:
    """One test only, nothing shown, nothing proven, not corrected."""
    need = dataclasses.replace(
        necessity(), prompts=9, low=-0.4, high=2.2, low_90=-0.21, high_90=1.96, p_value=0.115,
        p_holm=None, shown=False, turned=2, turned_share=2 / 9, turned_low=-0.022,
    )  # fmt: skip
    null = Null(
        gap=2.13, bound=0.213, restoration_high=0.55, restoration_bound=0.1,
        positive_control_restored=None, positive_control_bound=0.5, positive_control_prompts=0,
        positive_control_passed=None, within=False, few_restored=False, proven=False,
    )  # fmt: skip
    flips = Flips(prompts=13, failure_to_success=2, success_to_failure=0, p_mcnemar=0.5)
    return Intervention(need, None, FEW, flips, [], null)


def necessity() -> Effect:
    return Effect(
        claim="necessity",
        kind="set to the successes' mean",
        on="failures where the class fires",
        positions="where the class fires",
        prompts=42,
        change=0.91,
        control_change=0.07,
        adjusted=0.84,
        low=0.52,
        high=1.17,
        low_90=0.57,
        high_90=1.11,
        p_value=0.005,
        p_holm=0.03,
        controls=199,
        control_features=63,
        shown=True,
        turned=10,
        turned_share=10 / 42,
        control_turned_share=0.021,
        turned_low=0.0952,
        turned_high=0.351,
        foil_change=0.77,
    )


def sufficiency() -> Effect:
    return Effect(
        claim="sufficiency",
        kind="set to the failures' mean",
        on="successes",
        positions="in the places where the class fires in failures",
        prompts=48,
        change=-0.664,
        control_change=-0.053,
        adjusted=-0.611,
        low=-0.882,
        high=-0.334,
        low_90=-0.83,
        high_90=-0.38,
        p_value=0.0101,
        p_holm=0.0404,
        controls=198,
        control_features=58,
        shown=True,
        turned=6,
        turned_share=0.125,
        control_turned_share=0.0133,
        turned_low=0.0313,
        turned_high=0.208,
        foil_change=-0.54,
    )


def variants() -> list[Variant]:
    fires, mean = "where the class fires", "set to the successes' mean"
    return [
        Variant("scaled by 0", fires, 42, 1.08, 0.262, 0),
        Variant("scaled by 0.5", fires, 42, 0.553, 0.119, 0.5),
        Variant("scaled by 1.5", fires, 42, -0.571, 0.0, 1.5),
        Variant("scaled by 2", fires, 42, -1.14, 0.0, 2),
        Variant("clamped to its largest on successes", fires, 42, 0.731, 0.167),
        Variant(mean, "all positions", 42, 1.02, 0.286),
        Variant(mean, "last position", 42, 0.0171, 0.0238),
    ]


def counterfactuals() -> Counterfactuals:
    """A swap that matters, and one that changes nothing, so that no share of it is defined."""
    through = Patch(
        features=CLASS,
        site="4-res-mini",
        pairs=43,
        activation_original=6.31,
        activation_swapped=0.142,
        denoise=Interval(0.412, 0.301, 0.528),
        noise=Interval(0.366, 0.243, 0.487),
        denoise_change=1.06,
        noise_change=-0.942,
        restored=11,
        restorable=34,
    )
    whole = dataclasses.replace(
        through, features=[], activation_original=None, activation_swapped=None,
        denoise=Interval(0.958, 0.907, 1.01), noise=Interval(0.931, 0.872, 0.993),
        denoise_change=2.47, noise_change=-2.39, restored=33,
    )  # fmt: skip
    keys = Counterfactual(
        factor="object",
        level="the keys",
        swapped_for="a book",
        pairs=43,
        unaligned=2,
        failures_original=40,
        failures_swapped=7,
        failure_to_success=34,
        success_to_failure=1,
        p_mcnemar=2.1e-9,
        margin_change=Interval(2.57, 2.18, 2.96),
        patches=[through, whole],
    )
    silent = dataclasses.replace(
        through, features=["4-res-mini/200"], denoise=None, noise=None, denoise_change=0.004,
        noise_change=0.0061, restored=0, restorable=0,
    )  # fmt: skip
    nothing = dataclasses.replace(
        keys, factor="place", level=INJECTED, swapped_for="the school", pairs=31, unaligned=0,
        failures_original=5, failures_swapped=6, failure_to_success=1, success_to_failure=2,
        p_mcnemar=1.0, margin_change=Interval(-0.031, -0.14, 0.083), patches=[silent],
    )  # fmt: skip
    not_swapped = {"template = template 3": "its words do not stand in the prompt"}
    return Counterfactuals([keys, nothing], None, not_swapped)


def attribution() -> dict[str, SiteAttribution]:
    """A site with everything, and one where only gradients were taken."""
    found = Attributed(
        feature="4-res-mini/91",
        gradient_failures=-1.23,
        gradient_successes=-0.112,
        integrated_failures=-0.934,
        integrated_successes=-0.0871,
        in_class=0,
        effect=dataclasses.replace(necessity(), adjusted=0.294, low=0.153, high=0.441, p_holm=0.04),
        effect_missing=None,
    )
    quiet = Attributed(
        "4-res-mini/777", -0.43, 0.052, None, None, None, None,
        "it fires on 2 failures: at least 5 are needed",
    )  # fmt: skip
    site = SiteAttribution(
        site="4-res-mini",
        prompts=20,
        steps=8,
        error_gradient=-0.317,
        error_integrated=-0.284,
        features_gradient=-2.11,
        completeness=0.0137,
        top=[found, quiet],
        measured=36,
        ranking_agreement=0.7112,
        ranking_agreement_integrated=0.5127,
        linearity=0.9831,
        linearity_integrated=0.8034,
    )
    bare = SiteAttribution(
        "2-res-mini", 0, 8, 0.041, None, -0.36, None,
        [dataclasses.replace(quiet, feature="2-res-mini/5", in_class=1)], 4,
    )  # fmt: skip
    return {"2-res-mini": bare, "4-res-mini": site}


def robustness() -> Robustness:
    """Five seeds: one class stable, one not, and one seed too few failures."""
    few = Verdict(
        "UNDERPOWERED", None, "3 failures and 297 successes, and at least 5 of each are needed"
    )
    some = Verdict("CONTRIBUTES", None, "fires on 42 failures and 3 successes")
    return Robustness(
        seeds=[
            SeedReading(0, 300, 61, 16, CLASS, some, {"base_rate": 0.5, "sae_all": 0.921}),
            SeedReading(1, 300, 58, 14, CLASS[:3], some, {"base_rate": 0.5, "sae_all": None}),
            SeedReading(2, 300, 3, 0, [], few),
            SeedReading(3, 300, 66, 12, ["4-res-mini/92"], some),
            SeedReading(4, 300, 0, 0, [], None),
        ],
        classes=[
            StableClass(CLASS, ["CONTRIBUTES"] * 4 + [None], 4, "CONTRIBUTES", True, 4),
            StableClass(
                ["4-res-mini/200"],
                ["PROXY of object = the keys", "CORRELATE", None, "CORRELATE", None],
                1,
                "PROXY of object = the keys",
                False,
                2,
            ),
        ],
        needed=4,
        halves=[
            HalfReading(CLASS[:2], 3.11, Interval(2.62, 2.04, 3.19), 0.713, 0.604, 3.4e-14),
            HalfReading(["4-res-mini/200"], None, None, 0.417, 0.388, None),
        ],
        shrinkage=0.8421,
        reason=None,
    )

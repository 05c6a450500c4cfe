"""The summary in the terminal: short, plain, and the same argument."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
import pytest
import samples
from test_cause_parts import of_suspect

from faultlens.auditing.result import Robustness
from faultlens.auditing.result.audit import Audit
from faultlens.report.terminal.summary import summary

AUDITS = {
    "whole": audit_samples.audit(),
    "cause": audit_samples.cause(),
    "untested": audit_samples.untested(),
    "tables": audit_samples.tables_only(),
    "few": audit_samples.underpowered(),
}


def said(audit: Audit) -> list[str]:
    return [line.strip() for line in summary(None, audit)]


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_summary_is_short_and_plain(audit: Audit) -> None:
    lines = summary(samples.profile(), audit)
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 100
    assert not any(line.endswith("…") for line in lines)
    text = "\n".join(lines)
    assert "6 of 7 categories by AUROC" in text
    assert f"{audit.n - audit.failures} of 300 right" in text


def test_summary_names_pairs_and_the_method_study_where_they_were_done() -> None:
    bare, whole = summary(samples.profile(), None), summary(samples.whole_profile(), None)
    assert whole[: len(bare)] == bare
    assert whole[len(bare) :] == [
        "  Pairs at 4-res-mini: one meaning 0.21 alike, two 0.1 (p 0.0002); words alone 0.2, 0.05",
        "  Method study: 12 of 14 claims hold under every sound one of 6 specifications",
    ]
    assert "A specialist beyond chance (Holm, p ≤ 0.05) for 6 of 7 categories by AUROC" in bare[1]


def test_a_long_name_of_a_site_leaves_every_p_in_sight() -> None:
    profile = samples.profile((10, 11))
    sites = {
        name.replace("-mini", "-jb"): dataclasses.replace(
            site,
            categories={
                category: dataclasses.replace(
                    reading,
                    selectivity=dataclasses.replace(
                        reading.selectivity, feature="11-res-jb/20393", p_holm=0.332
                    ),
                )
                for category, reading in site.categories.items()
            },
        )
        for name, site in profile.sites.items()
    }
    lines = summary(dataclasses.replace(profile, sites=sites), None)
    assert max(map(len, lines)) <= 100
    assert "\n".join(lines).count(" (p 0.332, chance)") == len(profile.categories)


def test_summary_is_the_argument_in_short() -> None:
    assert said(audit_samples.audit()) == [
        "Audit of mini-ioi: 239 of 300 right (79.7%) by exact-word; first-token 81.3%, contains "
        "90%",
        "61 failures: 5 “first token right, word wrong”, 34 “another phrase of the prompt” and 2 "
        "more",
        "Factors: object = the keys 42/45 against 19/255, template = template 3 13/77 against "
        "6/178",
        "AUROC of predicted failure: factors 0.935, residual 0.914, SAE top-k 0.899, all SAE "
        "features 0.921",
        "Features that go with failure or success beyond chance: 16 of 787, in 5 classes",
        "The suspect, 4-res-mini/91 and 11 alike: CONTRIBUTES",
        "fires on 42 failures and 3 successes; adjusted p 0.0002; with object = the keys (Jaccard "
        "0.93)",
        "beyond object × template: p 0.031, effect 0.41 SD [0.08, 0.74], 41 failures in 6 strata",
        "necessity +0.84 nats, p 0.03, 10 of 42 right; sufficiency −0.611, p 0.0404, 6 of 48 wrong",
        "answers without it: 10 turn right and 1 wrong, of 45; p 0.0117",
        "of 199 controls 63 and 58 are features",
        "Swap the keys → a book: 34 of 40 failures right, p 2.1e-9; 41.2% through 4-res-mini/91",
        "Attribution's first: 4-res-mini/91 −1.12 nats (error −0.317); agreement +0.711; "
        "necessity shown",
        "Other prompts: suspect CONTRIBUTES under 4 of 5 seeds; d replicates × 0.842",
        "1 warning in the report",
    ]


def test_summary_says_what_was_not_done() -> None:
    lines = said(audit_samples.untested())
    assert "Strongest factor: object = the keys 42 of 45, [81.7%, 98.6%], p 1.1e-31" in lines
    assert "beyond the factors: not done" in lines and "interventions: not done" in lines
    undone = ("AUROC", "Swap", "Attribution", "Other prompts", "necessity", "null")
    assert not any(line.startswith(undone) for line in lines)
    assert str(audit_samples.underpowered().verdict) in said(audit_samples.underpowered())


def test_summary_of_tables_says_where_factors_are_from() -> None:
    assert said(audit_samples.tables_only()) == [
        "Audit of mini-ioi: 239 of 300 right (79.7%) as given",
        "61 failures; what was generated is not recorded",
        "Strongest factor (derived): object = the keys 42 of 45, [81.7%, 98.6%], p 1.1e-31: none "
        "taken",
        "AUROC of predicted failure: factors 0.935, residual 0.914",
        "Features that go with failure: not tested",
    ]


def test_what_does_not_fit_is_counted() -> None:
    audit = audit_samples.audit()
    kinds = {"success": 239} | {f"a kind of failure, the {i}th": 1 for i in range(9)}
    line = said(dataclasses.replace(audit, outcome_kinds=kinds))[1]
    assert line.startswith("61 failures: 1 “a kind of failure, the 0th”, 1 “a")
    assert line.endswith("and 7 more")


def test_without_a_factor_that_goes_with_failure_nothing_lies_beyond() -> None:
    strata = audit_samples.tables_only().strata
    lines = said(dataclasses.replace(audit_samples.audit(), strata=strata))
    assert "beyond the factors: no factor goes with failure" in lines


def test_a_null_is_told_with_what_proves_it() -> None:
    proven = said(of_suspect(cause_samples.proven_null()))
    start = proven.index(
        "null proven: 90% [−0.043, 0.049] nats within ±0.213; at most 7.22% restored"
    )
    controls = "of 199 controls 199 and 198 are features"
    assert proven[start + 1] == f"the assay restores 71.4% of 35; {controls}"
    assert not any(line.startswith("answers without it") for line in proven)
    lines = said(of_suspect(cause_samples.inconclusive()))
    assert "necessity +0.84 nats, p 0.115, 2 of 9 right" in lines, (
        "uncorrected where Holm was not done"
    )
    start = lines.index(
        "null not proven: 90% [−0.21, 1.96] nats reach beyond ±0.213; up to 55% restored, above 10%"
    )
    assert lines[start + 1] == (
        "no prompt could be swapped to check the assay by; of 199 controls 63 are features"
    )
    assert f"sufficiency: not done: {cause_samples.FEW}" in lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"assay_sees": False, "assay_restored": 0.0, "assay_prompts": 53},
            "null not proven: the assay restores 0% of 53, below 50%",
        ),
        ({"within": False}, "null not proven: 90% [−0.043, 0.049] nats reach beyond ±0.213"),
        (
            {"few_restored": False, "restoration_high": 0.123},
            "null not proven: up to 12.3% restored, above 10%",
        ),
    ],
)
def test_a_null_that_is_not_proven_names_the_condition_that_fails(
    changes: dict[str, object], line: str
) -> None:
    done = cause_samples.proven_null()
    assert done.null is not None
    null = dataclasses.replace(done.null, proven=False, **changes)  # type: ignore[arg-type]
    lines = said(of_suspect(dataclasses.replace(done, null=null)))
    (null_line,) = (found for found in lines if found.startswith("null"))
    controls = "of 199 controls 199 and 198 are features"
    assert null_line.removesuffix(f"; {controls}") == line
    assert controls in null_line or controls in lines


def test_an_untried_suspect_has_its_reason() -> None:
    reason = "it fires on 3 failures: at least 5 are needed"
    audit = dataclasses.replace(of_suspect(None), untried={"4-res-mini/91": reason})
    assert f"interventions: not done: {reason}" in said(audit)


def test_robustness_and_swaps_say_as_much_as_there_is() -> None:
    whole = audit_samples.audit()
    found = cause_samples.robustness()

    def line(robustness: Robustness) -> list[str]:
        lines = said(dataclasses.replace(whole, robustness=robustness))
        return [line for line in lines if line.startswith("Other prompts")]

    others = dataclasses.replace(found, classes=found.classes[1:], shrinkage=None)
    assert line(others) == ["Other prompts: 0 of 1 class stable"]
    alone = dataclasses.replace(found, seeds=found.seeds[:1], classes=[], reason="one seed")
    assert line(alone) == ["Other prompts: d replicates × 0.842"]
    assert line(dataclasses.replace(alone, shrinkage=None)) == []
    swaps = cause_samples.counterfactuals()
    silent = dataclasses.replace(swaps, swaps=swaps.swaps[1:])
    assert any(
        line.endswith("→ the school: 1 of 5 failures right, p 1")
        for line in said(dataclasses.replace(whole, counterfactuals=silent))
    )


def test_long_names_and_numbers_still_fit_a_line() -> None:
    name = "12-res-gemma-scope-2b-pt-res-canonical/16383"
    whole, swaps = of_suspect(cause_samples.contributes()), cause_samples.counterfactuals()
    swap = dataclasses.replace(
        swaps.swaps[0], level="the keys of the landlord", swapped_for="a book of the landlady",
        failures_original=140, failure_to_success=134, p_mcnemar=2.1e-31,
        patches=[dataclasses.replace(swaps.swaps[0].patches[0], features=[name])],
    )  # fmt: skip
    site = whole.attribution["4-res-mini"]
    top = dataclasses.replace(site.top[0], feature=name, gradient_failures=-0.1234)
    robust = cause_samples.robustness()
    verdict = "PROXY of the direct object = the keys of the landlord"
    mine = dataclasses.replace(robust.classes[0], verdict=verdict)
    audit = dataclasses.replace(
        whole,
        counterfactuals=dataclasses.replace(swaps, swaps=[swap]),
        attribution={"12": dataclasses.replace(site, top=[top], error_gradient=-0.0317)},
        robustness=dataclasses.replace(robust, classes=[mine]),
    )
    lines = summary(None, audit)
    assert max(map(len, lines)) <= 100 and not any(line.endswith("…") for line in lines)
    for said_of in ("Swap the keys", "Attribution's first: 12-res-g…/16383", "Other prompts"):
        assert any(line.strip().startswith(said_of) for line in lines)

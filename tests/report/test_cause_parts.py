"""Steps 7 to 9 on the page: every number said beside what it rests on, nothing made up."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
import plotly.graph_objects as go
import pytest
import samples
from test_audit_parts import headed, paragraphs, rows, section, tables

from faultlens.auditing.result import (
    Counterfactuals,
    Interval,
    Intervention,
    NamedTrial,
    Null,
    Patch,
    Robustness,
)
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.counterfactuals import deciding_patch, through_name
from faultlens.report.audit.interventions import intervention_sentence
from faultlens.report.figures.audit import dose_lines, doses, patch_shares
from faultlens.report.numbers import NOT_DONE
from faultlens.report.parts import Callout, Figure, Table
from faultlens.report.terminal.summary import summary

TRIALS, SWAPS, OTHERS = "7 Interventions", "8 Counterfactual pairs", "9 Robustness"
ARGUMENT = "The argument, a sentence a step"


def figures(audit: Audit, name: str) -> list[Figure]:
    return [part for part in section(audit, name) if isinstance(part, Figure)]


def captioned(audit: Audit, name: str, words: str) -> Table:
    """The section's table whose caption has these words."""
    (found,) = [table for table in tables(audit, name) if words in table.caption]
    return found


def of_suspect(intervention: Intervention | None) -> Audit:
    """The whole audit, its suspect changed in another way."""
    whole = audit_samples.audit()
    site = whole.sites["4-res-mini"]
    reading = dataclasses.replace(site.classes[0], intervention=intervention)
    found = dataclasses.replace(site, classes=[reading, *site.classes[1:]])
    return dataclasses.replace(whole, sites={**whole.sites, "4-res-mini": found})


def null_of(**changes: object) -> list[list[str]]:
    """The rows on a null that is proven but for these changes."""
    done = cause_samples.proven_null()
    assert isinstance(done.null, Null)
    null = dataclasses.replace(done.null, **changes)  # type: ignore[arg-type]
    audit = of_suspect(dataclasses.replace(done, null=null))
    return rows(captioned(audit, TRIALS, "that 4-res-mini/91 and 11 alike does nothing"))


def test_both_effects_stand_side_by_side_with_their_controls() -> None:
    table = captioned(audit_samples.audit(), TRIALS, "4-res-mini/91 and 11 alike: the two tests")
    assert [column.header for column in table.columns] == ["What", "Necessity", "Sufficiency"]
    assert {row[0].text: [f"{c.text} {c.note}".strip() for c in row[1:]] for row in table.rows} == {
        "Result": ["shown", "shown"],
        "Change": ["set to the successes' mean", "set to the failures' mean"],
        "Where": [
            "where the class fires",
            "in the places where the class fires in failures",
        ],
        "On": ["42 failures where the class fires", "48 successes"],
        "Margin moves by": ["+0.91 nats", "−0.664 nats"],
        "Controls": [
            "199 63 other features, 136 random directions",
            "198 58 other features, 140 random directions",
        ],
        "Under controls": ["+0.07 nats", "−0.053 nats"],
        "Beyond controls": ["+0.84 nats [0.52, 1.17]", "−0.611 nats [−0.882, −0.334]"],
        "p": ["0.005", "0.0101"],
        "p after Holm": ["0.03", "0.0404"],
        "First token turns": [
            "10 of 42 right, 23.8% controls 2.1%",
            "6 of 48 wrong, 12.5% controls 1.33%",
        ],
        "Turned beyond controls": ["+21.7 points [9.52%, 35.1%]", "+11.2 points [3.13%, 20.8%]"],
        "Logit over the foil's": ["+0.77 nats", "−0.54 nats"],
    }
    assert [cell.marked for cell in table.rows[0]] == [False, True, True]


def test_each_class_is_headed_by_what_is_known_of_it() -> None:
    heads = [p for p in section(audit_samples.audit(), TRIALS) if isinstance(p, Callout)]
    assert [(head.tone, head.title) for head in heads] == [
        ("good", "4-res-mini/91 and 11 alike: both effects shown"),
        ("neutral", "4-res-mini/200: null proven"),
        ("warning", "4-res-mini/300: inconclusive"),
    ]
    assert heads[0].text == (
        "With the class taken away, of 45 prompts on which it fires 10 went from failure to "
        "success and 1 from success to failure (exact McNemar test, p = 0.0117)."
    )


def test_one_effect_shown_is_not_two() -> None:
    done = cause_samples.contributes()
    assert done.sufficiency is not None
    lone = dataclasses.replace(done.sufficiency, shown=False, p_holm=0.2)
    audit = of_suspect(dataclasses.replace(done, sufficiency=lone))
    head = next(p for p in section(audit, TRIALS) if isinstance(p, Callout))
    assert (head.tone, head.title) == ("good", "4-res-mini/91 and 11 alike: necessity shown")
    table = captioned(audit, TRIALS, "4-res-mini/91 and 11 alike: the two tests")
    assert [cell.marked for cell in table.rows[0]] == [False, True, False]
    assert (
        "; p after Holm 0.2) and turns 6 of 48 wrong (controls 1.33%), sufficiency not shown"
        in (paragraphs(audit, ARGUMENT)[6])
    )


def test_a_test_that_was_not_done_has_its_reason_and_no_number() -> None:
    table = captioned(audit_samples.audit(), TRIALS, "4-res-mini/300: the two tests")
    assert [row[2] for row in rows(table)] == [
        f"{NOT_DONE} {cause_samples.FEW}", *[NOT_DONE] * (len(table.rows) - 1),
    ]  # fmt: skip
    necessity = {row[0].text: row[1].text for row in table.rows}
    assert necessity["p after Holm"] == NOT_DONE
    silent = captioned(audit_samples.audit(), TRIALS, "4-res-mini/200: the two tests")
    assert silent.rows[-1][1].text == "no foil"
    assert "4-res-mini/300, changed in other ways: not done." in (
        paragraphs(audit_samples.audit(), TRIALS)
    )


def test_a_null_is_proven_condition_by_condition() -> None:
    proven, open_ = [t for t in tables(audit_samples.audit(), TRIALS) if "Null: " in t.caption]
    assert proven.caption == (
        "Null: that 4-res-mini/200 does nothing for failure is proven; it takes all three."
    )
    assert [row[1:] for row in rows(proven)] == [
        [
            "+0.003 nats, 90% [−0.043, 0.049]",
            "90% interval within ±0.213, a tenth of 2.13 nats",
            "met",
        ],
        ["0 of 40, at most 7.22%", "at most 10% (one-sided 95% bound)", "met"],
        [
            "71.4% of 35 prompts restored",
            "patching the whole value from the swapped prompt restores 50%",
            "met",
        ],
    ]
    assert [row[0].marked for row in proven.rows] == [True] * 3
    assert "4-res-mini/300 does nothing for failure is not proven" in open_.caption
    assert [row[-1] for row in rows(open_)] == ["not met", "not met", NOT_DONE]
    assert rows(open_)[2][1] == "no prompt could be swapped: nothing to patch from"
    assert [row[0].marked for row in open_.rows] == [False] * 3
    assert "Null. Not asked: an effect is shown." in paragraphs(audit_samples.audit(), TRIALS)


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({"within": False}, ["not met", "met", "met"]),
        ({"restoration_high": 0.1001, "few_restored": False}, ["met", "not met", "met"]),
        ({"restoration_high": 0.1}, ["met", "met", "met"]),
        ({"assay_sees": False, "assay_restored": 0.49}, ["met", "met", "not met"]),
    ],
)
def test_each_condition_of_a_null_stands_alone(changes: dict[str, object], met: list[str]) -> None:
    assert [row[-1] for row in null_of(**changes)] == met


def test_other_changes_are_told_and_folded_after_the_first_classes() -> None:
    changed = [t for t in tables(audit_samples.audit(), TRIALS) if "other ways" in t.caption]
    assert rows(changed[0])[2] == ["scaled by 1.5", "where the class fires", "42", "−0.571", "0%"]
    assert rows(changed[0])[-1][-3:] == ["42", "+0.0171", "2.38%"]
    assert len(changed[0].rows) == 7 and [t.folded for t in changed] == ["", ""]
    whole = audit_samples.audit()
    site = whole.sites["4-res-mini"]
    every = [dataclasses.replace(c, intervention=cause_samples.cause()) for c in site.classes[:4]]
    sites = {"4-res-mini": dataclasses.replace(site, classes=every)}
    folded = [t.folded for t in tables(dataclasses.replace(whole, sites=sites), TRIALS) if t.folded]
    assert folded == ["4-res-mini/250: other changes", "4-res-mini/300: other changes"]


def test_dose_and_response_goes_through_no_change() -> None:
    (figure,) = figures(audit_samples.audit(), TRIALS)
    suspect, silent = figure.figure["data"]
    assert suspect["x"] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert suspect["y"] == [1.08, 0.553, 0.0, -0.571, -1.14]
    assert suspect["name"] == "4-res-mini/91 and 11 alike (42 failures)"
    assert suspect["text"][0] == "right then: 26.2%" and suspect["text"][2] == "as it is"
    assert silent["y"] == pytest.approx([0.0216, 0.01106, 0.0, -0.01142, -0.0228])
    assert silent["line"]["dash"] != suspect["line"]["dash"]
    assert silent["marker"]["symbol"] != suspect["marker"]["symbol"]
    go.Figure(figure.figure)
    backwards = dose_lines({"one": doses(cause_samples.variants()[::-1])})
    assert backwards is not None and backwards["data"][0]["x"] == suspect["x"]
    assert dose_lines({"one": doses(cause_samples.variants()[:1])}) is None
    assert dose_lines({"other": doses(cause_samples.variants()[4:])}) is None


def test_classes_that_could_not_be_tried_are_named_with_the_reason() -> None:
    table = headed(audit_samples.audit(), TRIALS, "Why not")
    assert rows(table) == [["4-res-mini/250", "it fires on 3 failures: at least 5 are needed"]]
    alone = dataclasses.replace(audit_samples.untested(), untried={"4-res-mini/91": "no reason"})
    assert rows(headed(alone, TRIALS, "Why not")) == [["4-res-mini/91 and 11 alike", "no reason"]]
    assert paragraphs(alone, TRIALS) == [
        "Not done: no class was changed to see what happens.",
        "Search for causes: not done: the answers were not attributed to features.",
    ]
    assert paragraphs(alone, ARGUMENT)[6] == "7 Interventions. Not done: 4-res-mini/91: no reason."


def test_attribution_stands_beside_its_error_term_and_its_agreement() -> None:
    whole = audit_samples.audit()
    sites = headed(whole, TRIALS, "Completeness")
    assert rows(sites) == [
        ["2-res-mini", "−0.36", "+0.041", NOT_DONE, NOT_DONE, "4",
         "not defined integrated not defined",
         "not defined integrated not defined"],
        ["4-res-mini", "−2.11", "−0.317", "−0.284 20 + 20 prompts", "0.0137 nats 8 steps", "36",
         "+0.711 integrated +0.513", "+0.983 integrated +0.803"],
    ]  # fmt: skip
    bare, found = [t for t in tables(whole, TRIALS) if "lower margin" in t.caption]
    assert rows(found) == [
        ["4-res-mini/91 of 4-res-mini/91 and 11 alike", "−1.12 −1.23 against −0.112",
         "−0.847 −0.934 against −0.0871", "+0.294 [0.153, 0.441]", "0.005 Holm 0.04"],
        ["4-res-mini/777", "−0.482 −0.43 against +0.052", NOT_DONE,
         "not done it fires on 2 failures: at least 5 are needed", NOT_DONE],
    ]  # fmt: skip
    assert [row[3].marked for row in found.rows] == [True, False]
    assert rows(bare)[0][0] == "2-res-mini/5 of 4-res-mini/200"
    many = dataclasses.replace(
        whole.attribution["4-res-mini"], top=whole.attribution["4-res-mini"].top * 5
    )
    folded = tables(dataclasses.replace(whole, attribution={"4-res-mini": many}), TRIALS)[-1]
    assert folded.folded == "5 more features" and len(folded.rows) == 5
    none = {"2-res-mini": dataclasses.replace(whole.attribution["2-res-mini"], measured=0)}
    unmeasured = headed(dataclasses.replace(whole, attribution=none), TRIALS, "Completeness")
    assert rows(unmeasured)[0][-2:] == [
        f"{NOT_DONE} integrated {NOT_DONE}", f"{NOT_DONE} integrated {NOT_DONE}"
    ]  # fmt: skip


def searching(**changes: object) -> Audit:
    """The whole audit, what attribution names first tried in another way."""
    whole = audit_samples.audit()
    site = whole.attribution["4-res-mini"]
    first = dataclasses.replace(site.top[0], **changes)  # type: ignore[arg-type]
    found = dataclasses.replace(site, top=[first, *site.top[1:]])
    return dataclasses.replace(whole, attribution={**whole.attribution, "4-res-mini": found})


def test_what_the_search_tries_by_itself_has_the_tables_of_a_class() -> None:
    name, done = "4-res-mini/808", cause_samples.proven_null()
    audit = searching(
        feature=name, in_class=None, effect=done.necessity, tried_as=[name], intervention=done
    )
    assert captioned(audit, TRIALS, f"{name}: the two tests that decide").rows
    assert captioned(audit, TRIALS, f"Null: that {name} does nothing for failure is proven").rows
    assert [t.folded for t in tables(audit, TRIALS) if t.folded] == [f"{name}: other changes"]
    told = "tried: necessity +0.003 nats, sufficiency +0.034 nats: null proven"
    assert told in intervention_sentence(audit)
    assert any(line.endswith("; null proven") for line in summary(None, audit))
    assert Audit.from_dict(audit.to_dict()) == audit


def test_a_find_of_a_class_is_told_by_its_class_and_shown_once() -> None:
    done = cause_samples.contributes()
    audit = searching(effect=done.necessity, tried_as=CLASS)
    assert (
        "tried as 4-res-mini/91 and 11 alike: necessity +0.84 nats, sufficiency −0.611 nats: both "
        "effects shown"
    ) in intervention_sentence(audit)
    row = rows([t for t in tables(audit, TRIALS) if "lower margin" in t.caption][-1])[0]
    assert row[3] == "+0.84 [0.52, 1.17], as its class"
    captions = [t.caption for t in tables(audit, TRIALS) if "the two tests" in t.caption]
    assert len(captions) == len(set(captions)) == 3
    few = searching(effect=None, effect_missing="it fires on 2 failures", tried_as=CLASS)
    assert "not done: it fires on 2 failures" in intervention_sentence(few)


def test_a_swap_is_a_table_of_two_by_two() -> None:
    swaps = headed(audit_samples.audit(), SWAPS, "Turn right")
    assert rows(swaps)[0] == [
        "object: the keys → a book", "43 2 left out", "40 → 7", "6", "34", "1", "2", "2.1e-9",
        "+2.57 [2.18, 2.96]",
    ]  # fmt: skip
    assert rows(swaps)[1][2:] == ["5 → 6", "4", "1", "2", "24", "1", "−0.031 [−0.14, 0.083]"]
    for row in swaps.rows:
        assert sum(int(cell.text) for cell in row[3:7]) == int(row[1].text)
    assert [row[0].marked for row in swaps.rows] == [True, False]
    left_out = [["template = template 3", "its words do not stand in the prompt"]]
    assert rows(headed(audit_samples.audit(), SWAPS, "Why not")) == left_out
    whole = audit_samples.audit()
    reason = "only the first three levels were swapped."
    some = dataclasses.replace(cause_samples.counterfactuals(), reason=reason)
    assert paragraphs(dataclasses.replace(whole, counterfactuals=some), SWAPS) == [
        "Left out: only the first three levels were swapped."
    ]
    none = dataclasses.replace(some, swaps=[])
    assert rows(headed(dataclasses.replace(whole, counterfactuals=none), SWAPS, "Why not")) == (
        left_out
    )


def test_what_passes_through_a_class_stands_beside_the_whole() -> None:
    keys, nothing = tables(audit_samples.audit(), SWAPS)[2:]
    assert rows(keys) == [
        ["4-res-mini/91 and 11 alike at 4-res-mini", "43", "6.31 → 0.142",
         "41.2% [30.1%, 52.8%]; +1.06 nats", "36.6% [24.3%, 48.7%]; −0.942 nats", "11 of 34"],
        ["the whole value at 4-res-mini", "43", "no one feature's",
         "95.8% [90.7%, 101%]; +2.47 nats", "93.1% [87.2%, 99.3%]; −2.39 nats", "33 of 34"],
    ]  # fmt: skip
    assert rows(nothing)[0][3:] == [
        "not defined +0.004 nats", "not defined +0.0061 nats", "none to restore",
    ]  # fmt: skip
    assert nothing.caption.endswith("not defined, the swap itself changes nothing beyond chance.")
    assert "not defined" not in keys.caption


def test_shares_are_drawn_where_they_are_defined() -> None:
    (figure,) = figures(audit_samples.audit(), SWAPS)
    denoise, noise = figure.figure["data"]
    assert (denoise["x"], noise["x"]) == ([0.412, 0.958], [0.366, 0.931])
    assert denoise["error_x"]["array"] == pytest.approx([0.528 - 0.412, 1.01 - 0.958])
    assert noise["error_x"]["arrayminus"] == pytest.approx([0.366 - 0.243, 0.931 - 0.872])
    low, high = figure.figure["layout"]["xaxis"]["range"]
    assert low < 0 and high > 1.01, "nothing and everything are on the axis"
    assert figure.figure["layout"]["yaxis"]["ticktext"] == [
        "4-res-mini/91 and 11 alike", "the whole value at 4-res-mini",
    ]  # fmt: skip
    go.Figure(figure.figure)
    found = audit_samples.audit().counterfactuals
    assert found is not None
    silent = dataclasses.replace(
        audit_samples.audit(), counterfactuals=dataclasses.replace(found, swaps=found.swaps[1:])
    )
    assert figures(silent, SWAPS) == []
    lone = patch_shares([("one", None, Interval(-0.2, -0.3, 0.1))])
    assert len(lone["data"]) == 1 and lone["layout"]["xaxis"]["range"][0] < -0.3


def test_patches_of_two_swaps_are_told_apart_in_the_figure() -> None:
    found = cause_samples.counterfactuals().swaps[0]
    other = dataclasses.replace(found, level="a card")
    audit = dataclasses.replace(
        audit_samples.audit(), counterfactuals=Counterfactuals([found, other], None)
    )
    (figure,) = figures(audit, SWAPS)
    assert figure.figure["layout"]["yaxis"]["ticktext"][1:3] == [
        "the keys: the whole value at 4-res-mini", "a card: 4-res-mini/91 and 11 alike",
    ]  # fmt: skip


def test_without_swaps_there_is_a_reason() -> None:
    whole = audit_samples.audit()
    reason = "forward selection takes no level"
    none = dataclasses.replace(whole, counterfactuals=Counterfactuals([], reason))
    assert paragraphs(none, SWAPS) == [f"Not done: {reason}."]
    assert paragraphs(none, ARGUMENT)[7] == f"8 Counterfactual pairs. Not done: {reason}."
    silent = dataclasses.replace(cause_samples.counterfactuals().swaps[0], patches=[])
    bare = dataclasses.replace(whole, counterfactuals=Counterfactuals([silent], None))
    assert paragraphs(bare, SWAPS) == ["object: the keys → a book: not done: nothing was patched."]
    assert paragraphs(bare, ARGUMENT)[7].endswith("[2.18, 2.96]; nothing was patched.")


def test_seeds_classes_and_halves_are_told() -> None:
    seeds, classes, ladders, halves = tables(audit_samples.audit(), OTHERS)
    assert rows(seeds)[:2] == [
        ["0", "300", "61 20.3%", "16", "4-res-mini/91 and 11 alike", "CONTRIBUTES"],
        ["1", "300", "58 19.3%", "14", "4-res-mini/91 and 2 alike", "CONTRIBUTES"],
    ]
    assert rows(seeds)[2][4] == "none" and rows(seeds)[2][5].startswith("UNDERPOWERED: 3 failures")
    assert rows(seeds)[4][-2:] == ["none", "none"]
    assert classes.caption.endswith("the first seed's verdict under at least 4 of 5 seeds.")
    assert rows(classes) == [
        ["4-res-mini/91 and 11 alike CONTRIBUTES", "stable, 4 of 5", "4 of 5",
         "CONTRIBUTES (0, 1, 2, 3); no class matches (4)"],
        ["4-res-mini/200 PROXY of object = the keys", "not stable, 1 of 5", NOT_DONE,
         "PROXY of object = the keys (0); CORRELATE (1, 3); no class matches (2, 4)"],
    ]  # fmt: skip
    assert [row[0].marked for row in classes.rows] == [True, False]
    assert [column.header for column in ladders.columns[1:]] == [f"Seed {i}" for i in range(5)]
    assert rows(ladders) == [
        ["base rate", "0.500", "0.500", *[NOT_DONE] * 3],
        ["all SAE features", "0.921", *[NOT_DONE] * 4],
    ]
    assert halves.caption.endswith("are finite: 0.842 of what it is where they were found.")
    assert rows(halves) == [
        ["4-res-mini/91 and 1 alike", "+3.11", "+2.62 [2.04, 3.19]", "+0.713", "+0.604", "3.4e-14"],
        ["4-res-mini/200", "infinite", "not defined", "+0.417", "+0.388", "not defined"],
    ]


def test_robustness_says_why_a_part_was_not_done() -> None:
    whole, found = audit_samples.audit(), cause_samples.robustness()

    def other(**changes: object) -> Audit:
        changed: Robustness = dataclasses.replace(found, **changes)  # type: ignore[arg-type]
        return dataclasses.replace(whole, robustness=changed)

    alone = other(seeds=found.seeds[:1], classes=[], needed=1, reason="one seed was asked for")
    assert paragraphs(alone, OTHERS) == [
        "Prompts from other seeds: not done: one seed was asked for."
    ]
    halves_only = other(seeds=[], classes=[], needed=0)
    assert paragraphs(halves_only, OTHERS) == [
        "Prompts from other seeds: not done: no prompts from other seeds were run."
    ]
    unclimbed = [dataclasses.replace(seed, baselines={}) for seed in found.seeds]
    assert paragraphs(other(seeds=unclimbed), OTHERS) == [
        "The baseline ladder of other seeds: not done."
    ]
    assert paragraphs(alone, ARGUMENT)[8] == (
        "9 Robustness. Other seeds not done: one seed was asked for; in the half where a class was "
        "not found, d is 0.842 of what it is where it was."
    )
    bare = other(halves=[], shrinkage=None)
    assert paragraphs(bare, OTHERS) == [
        "Discovery and replication: not done: no class was found in a half of the prompts."
    ]
    undefined = headed(other(shrinkage=None), OTHERS, "d found")
    assert undefined.caption.endswith("are finite: not defined.")
    empty = other(classes=[], shrinkage=None)
    assert "Classes: there are none to look for under the other seeds." in paragraphs(empty, OTHERS)
    assert paragraphs(empty, ARGUMENT)[8] == (
        "9 Robustness. There are no classes to look for under the other seeds."
    )


def test_the_argument_carries_the_deciding_numbers() -> None:
    said = paragraphs(audit_samples.audit(), ARGUMENT)
    assert said[6] == (
        "7 Interventions. 4-res-mini/91 and 11 alike: taking it away moves the answer by +0.84 "
        "nats [0.52, 1.17] beyond 199 controls (63 features, 136 random directions; p after Holm "
        "0.03) and turns 10 of 42 right "
        "(controls 2.1%), necessity shown; bringing it in moves the answer by −0.611 nats "
        "[−0.882, −0.334] beyond 198 controls (58 features, 140 random directions; p after Holm "
        "0.0404) and turns 6 of 48 wrong "
        "(controls 1.33%), sufficiency shown; an effect is shown for 1 of 3 classes tried; "
        "attribution puts 4-res-mini/91 first (−1.12 nats, failures − successes; the error term "
        "−0.317), tried: necessity +0.294 nats: shown."
    )
    assert said[7] == (
        "8 Counterfactual pairs. object = the keys swapped for a book in 43 pairs: 34 of 40 "
        "failures turn right and 1 success wrong (p 2.1e-9), the margin moves by +2.57 nats "
        "[2.18, 2.96]; 41.2% [30.1%, 52.8%] of that passes through 4-res-mini/91 and 11 alike, "
        "95.8% through the whole value at 4-res-mini."
    )
    assert said[8] == (
        "9 Robustness. The first seed's verdict under at least 4 of 5 seeds: 1 of 2 classes; the "
        "suspect, 4-res-mini/91, is CONTRIBUTES under 4 of 5; in the half where a class was not "
        "found, d is 0.842 of what it is where it was."
    )


def test_the_argument_of_a_null_says_whether_it_is_proven() -> None:
    proven = paragraphs(of_suspect(cause_samples.proven_null()), ARGUMENT)[6]
    assert "necessity not shown; bringing it in" in proven and "; null proven; " in proven
    lone = of_suspect(cause_samples.inconclusive())
    assert (
        f"; p 0.115) and turns 2 of 9 right (controls 2.1%), necessity not shown; sufficiency not "
        f"done: {cause_samples.FEW}; effect inconclusive; an effect is shown for 0 of 3 classes"
    ) in paragraphs(lone, ARGUMENT)[6]
    swaps = cause_samples.counterfactuals()
    silent = dataclasses.replace(
        audit_samples.audit(), counterfactuals=Counterfactuals(swaps.swaps[1:], None)
    )
    assert paragraphs(silent, ARGUMENT)[7].endswith(
        "what passes through 4-res-mini/200 is not defined: the swap itself changes nothing beyond "
        "chance."
    )


def test_the_suspects_own_share_is_told_though_more_passes_through_another() -> None:
    whole, found = audit_samples.audit(), cause_samples.counterfactuals().swaps[0]
    through, all_of_it = found.patches
    other = dataclasses.replace(
        through, features=["4-res-mini/200"], denoise=Interval(0.88, 0.8, 0.93)
    )

    def sentence(*patches: Patch) -> str:
        swap = dataclasses.replace(found, patches=list(patches))
        swaps = Counterfactuals([swap], None)
        return paragraphs(dataclasses.replace(whole, counterfactuals=swaps), ARGUMENT)[7]

    assert "41.2% [30.1%, 52.8%] of that passes" in sentence(other, through, all_of_it)
    less = dataclasses.replace(other, features=["4-res-mini/250"], denoise=through.denoise)
    assert "88% [80%, 93%] of that passes through 4-res-mini/200" in sentence(less, other)


def test_a_cause_is_told_as_one() -> None:
    verdict = section(audit_samples.cause(), "Verdict")[0]
    assert isinstance(verdict, Callout) and verdict.tone == "good"
    assert verdict.title == "4-res-mini/91 and 11 alike: CAUSE"
    table = captioned(audit_samples.cause(), TRIALS, "4-res-mini/91 and 11 alike: the two tests")
    assert "28 of 42 right, 66.7% controls 2.1%" in [row[1] for row in rows(table)]


def naming(*trials: NamedTrial) -> Audit:
    return dataclasses.replace(audit_samples.audit(), named=list(trials))


ALONE = NamedTrial(["3-res-mini/808"], 26, 94, cause_samples.cause(), None)
CLASS = audit_samples.audit().classes[0][1].features
TWIN = NamedTrial(CLASS, 42, 3, cause_samples.cause(), "it is the class of X")
FEW_FIRE = NamedTrial(["3-res-mini/5"], 1, 0, None, "it fires on 1 failures: at least 5 are needed")


def test_what_the_user_named_has_the_tables_of_a_class() -> None:
    audit = naming(ALONE, TWIN, FEW_FIRE)
    assert captioned(audit, TRIALS, "3-res-mini/808: the two tests that decide")
    captions = [table.caption for table in tables(audit, TRIALS)]
    assert not any(caption.startswith("4-res-mini/91 + ") for caption in captions)
    said = [text for text in paragraphs(audit, TRIALS) if "It fires on" in text]
    assert said == [
        "Named by the user, 3-res-mini/808: It fires on 26 failures and 94 successes.",
        f"Named by the user, {' + '.join(CLASS)}: It fires on 42 failures and 3 successes; not "
        "tried by itself: it is the class of X.",
        "Named by the user, 3-res-mini/5: It fires on 1 failure and 0 successes; not tried by "
        "itself: it fires on 1 failures: at least 5 are needed.",
    ]


def test_a_tried_class_that_holds_what_was_named_is_said() -> None:
    member = dataclasses.replace(ALONE, features=CLASS[1:2])
    (said,) = [text for text in paragraphs(naming(member), TRIALS) if "It fires on" in text]
    assert said.endswith(f"{CLASS[1]} is also of the tried class 4-res-mini/91 and 11 alike.")


def test_the_argument_and_the_terminal_say_what_became_of_what_was_named() -> None:
    audit = naming(ALONE, TWIN, FEW_FIRE)
    sentence = intervention_sentence(audit)
    assert "; named by the user, 3-res-mini/808: both effects shown;" in sentence
    assert f"named by the user, {' + '.join(CLASS)}: it is the class of X" in sentence
    lines = [line for line in summary(None, audit) if line.startswith("  Named")]
    assert len(lines) == 3
    assert lines[0].startswith("  Named 3-res-mini/808: necessity +")
    assert lines[0].endswith(": shown")
    assert lines[2] == "  Named: 1 more in the report"
    assert len(summary(samples.profile(), audit)) <= 25


def test_a_named_set_is_patched_under_its_own_name_and_never_speaks_for_the_suspect() -> None:
    swap = cause_samples.counterfactuals().swaps[0]
    own = next(patch for patch in swap.patches if patch.features)
    pair = dataclasses.replace(own, features=[CLASS[0], "4-res-mini/5"], named=True)
    both = dataclasses.replace(swap, patches=[pair, *swap.patches])
    assert through_name(pair) == f"{CLASS[0]} + 4-res-mini/5"
    assert deciding_patch(both, CLASS[0]) == own
    assert deciding_patch(dataclasses.replace(swap, patches=[pair]), CLASS[0]) is None

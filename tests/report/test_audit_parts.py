"""The audit's sections: in the order of the argument, every number said, nothing made up."""

from __future__ import annotations

import dataclasses

import audit_samples
import pytest
import samples

from faultlens.auditing.result import Ladder, Rung, Selection, Verdict
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.confounds import beyond_factors
from faultlens.report.audit.page import audit_parts, tone_of
from faultlens.report.figures.audit import ladder_dots
from faultlens.report.numbers import NOT_DONE
from faultlens.report.parts import Callout, Cell, Figure, Heading, Paragraph, Part, Table

SECTIONS = [
    "Verdict",
    "The argument, a sentence a step",
    "1 Outcomes",
    "2 Factors",
    "3 Correlates",
    "4 Classes",
    "5 Confounds",
    "6 Baseline ladder",
    "7 Interventions",
    "8 Counterfactual pairs",
    "9 Robustness",
    "10 Claims ledger",
]


def section(audit: Audit, name: str) -> list[Part]:
    """The parts between a heading and the next."""
    parts = audit_parts(audit)
    start = parts.index(Heading(name, 3)) + 1
    rest = parts[start:]
    ends = (i for i, part in enumerate(rest) if isinstance(part, Heading))
    return rest[: next(ends, len(rest))]


def tables(audit: Audit, name: str) -> list[Table]:
    return [part for part in section(audit, name) if isinstance(part, Table)]


def paragraphs(audit: Audit, name: str) -> list[str]:
    found = [part for part in section(audit, name) if isinstance(part, Paragraph)]
    return [f"{part.label} {part.text}".strip() for part in found]


def headed(audit: Audit, name: str, header: str) -> Table:
    """The section's table that has a column of this name."""
    return next(t for t in tables(audit, name) if header in [c.header for c in t.columns])


def rows(table: Table) -> list[list[str]]:
    return [[f"{cell.text} {cell.note}".strip() for cell in row] for row in table.rows]


@pytest.mark.parametrize(
    "audit", [audit_samples.audit(), audit_samples.tables_only(), audit_samples.underpowered()]
)
def test_sections_follow_the_argument(audit: Audit) -> None:
    headings = [part.text for part in audit_parts(audit) if isinstance(part, Heading)][1:]
    assert headings == SECTIONS
    sentences = section(audit, "The argument, a sentence a step")
    labels = [part.label for part in sentences if isinstance(part, Paragraph)]
    assert labels == [f"{name}." for name in SECTIONS[2:]]
    assert all(part.text.endswith(".") for part in sentences if isinstance(part, Paragraph))


def test_verdict_first_then_warnings_then_all_classes() -> None:
    verdict, warning, classes = section(audit_samples.audit(), "Verdict")
    assert isinstance(verdict, Callout) and verdict.tone == "good"
    assert verdict.title == "4-res-mini/91 and 11 alike: CONTRIBUTES"
    assert isinstance(warning, Callout) and warning.text == audit_samples.audit().warnings[0]
    assert isinstance(classes, Table)
    assert classes.caption.endswith(
        "1 CONTRIBUTES, 1 PROXY, 1 UNTESTABLE, 1 CORRELATE, 1 ARTEFACT (of scoring), 1 ARTEFACT "
        "(of a test), 1 NOT SIGNIFICANT."
    )
    (nothing,) = section(audit_samples.tables_only(), "Verdict")
    assert nothing == Callout("neutral", "No verdict on a feature", "No features were given.")


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [
        (Verdict("UNDERPOWERED", None, "3 failures"), "warning"),
        (Verdict("ARTEFACT", "of a test", ""), "warning"),
        (Verdict("CAUSE", None, ""), "good"),
        (Verdict("CONTRIBUTES", None, ""), "good"),
        (Verdict("PROXY", "object = the keys", ""), "warning"),
        (Verdict("UNTESTABLE", None, ""), "warning"),
        (Verdict("CORRELATE", None, ""), "neutral"),
        (Verdict("NOT SIGNIFICANT", None, ""), "neutral"),
    ],
)
def test_tone_of_a_verdict(verdict: Verdict, tone: str) -> None:
    assert tone_of(verdict) == tone


def test_failures_that_begin_right_come_before_everything_else() -> None:
    callout, listed, kinds, *_ = section(audit_samples.audit(), "1 Outcomes")
    assert isinstance(callout, Callout) and callout.title == "Right, but scored wrong?"
    assert isinstance(listed, Table) and [row[2] for row in rows(listed)] == ["Susan's house"]
    assert isinstance(kinds, Table) and kinds.columns[0].header == "Kind"


def test_further_answers_that_would_be_right_stand_with_the_target() -> None:
    whole = audit_samples.audit()
    (several, *rest) = whole.outcomes
    for accepted, note in (
        (["Sue", "Susie"], "or Sue, Susie"),
        ([f"{year}" for year in range(43, 99)], "or 43, 44, 45, "),
        ([], ""),
    ):
        first = dataclasses.replace(several, accepted=accepted)
        audit = dataclasses.replace(whole, outcomes=[first, *rest])
        cell = headed(audit, "1 Outcomes", "Generated").rows[0][1]
        assert isinstance(cell, Cell)
        assert cell.text == "Susan"
        assert cell.note.startswith(note) and len(cell.note) <= 60


def test_every_rule_is_counted_at_the_strongest_levels() -> None:
    levels = rows(headed(audit_samples.audit(), "1 Outcomes", "first-token"))
    assert levels[0] == ["object = the keys", "45", "42 93.3%", "37 82.2%", "37 82.2%"]
    assert len(levels) == 3 + 3 + 2  # three of the four objects and templates
    order = next(row for row in levels if row[0] == "order = ABBA")
    assert order[-1] == NOT_DONE  # a rule that has no count there
    assert ["first-token", "56", "81.3%"] in rows(
        headed(audit_samples.audit(), "1 Outcomes", "Accuracy")
    )
    without = headed(audit_samples.untested(), "1 Outcomes", "Accuracy")
    assert [c.header for c in without.columns] == ["Rule", "Accuracy"]


def test_outcomes_without_text_are_not_called_right_or_wrong() -> None:
    audit = audit_samples.tables_only()
    said = paragraphs(audit, "1 Outcomes")
    assert said[0] == (
        "Right, but scored wrong: Not known: the outcomes came without the generated text."
    )
    assert said[1].startswith("One rule only: no other rule could be applied")
    failures = headed(audit, "1 Outcomes", "Generated")
    assert {row[2] for row in rows(failures)} == {"not recorded"}
    assert "Target − foil" not in [column.header for column in failures.columns]


def test_forward_selection_says_counts_and_what_it_drops() -> None:
    taken = rows(headed(audit_samples.audit(), "2 Factors", "Taken"))
    assert taken[1] == [
        "template = template 3", "13 of 77", "6 of 178", "0.0004", "0.0064", "0.0011",
    ]  # fmt: skip
    dropped = rows(headed(audit_samples.audit(), "2 Factors", "Dropped"))
    assert dropped[0] == ["object = a card", "0.004", "object = the keys", "0.052", "0.73"]
    assert dropped[1][3:] == ["nothing left to test"] * 2
    sentence = paragraphs(audit_samples.audit(), "The argument, a sentence a step")[1]
    assert "object = the keys (42 of 45 against 19 of 255)" in sentence
    assert "and drops object = a card, object = <script>" in sentence


def test_factors_say_where_they_are_from_and_what_is_left_out() -> None:
    whole, derived = audit_samples.audit(), audit_samples.tables_only()
    assert paragraphs(whole, "2 Factors") == ["Left out: verb (one level only)."]
    said = paragraphs(derived, "2 Factors")
    assert said[0].startswith("Derived factors: none were given, so these were read off")
    assert "Forward selection: no level differs from the rest" in said[2]
    assert said[3] == "Pairs: no pair of levels is on enough prompts to be tested."
    assert paragraphs(audit_samples.untested(), "2 Factors")[1:] == [
        "Forward selection: not done.",
        "Pairs of levels: not done.",
    ]
    assert rows(headed(whole, "2 Factors", "Factor"))[0] == ["length", "0.612", "0.0061"]


def test_pairs_are_marked_where_they_hold() -> None:
    pairs = headed(audit_samples.audit(), "2 Factors", "Pair")
    assert pairs.caption.startswith("Pairs: 1 of 222 pairs of levels say more together")
    assert [row[0].marked for row in pairs.rows] == [True, False]
    assert pairs.rows[0][0].text == "object = the bag and template = template 3"


def test_correlates_by_every_test_and_by_the_studys_rule() -> None:
    found, study, *_ = tables(audit_samples.audit(), "3 Correlates")
    empty, site = rows(found)
    assert site[2:] == ["787", "12", "14", "11", "40", "61", "22"]
    assert empty[3:] == [NOT_DONE] * 6
    assert rows(study)[0][-1] == "none"
    assert rows(study)[1] == [
        "4-res-mini", "1,536", "46", "105 22 of the significant", "209 34 of the significant",
        "4-res-mini/91 (d infinite)",
    ]  # fmt: skip


def test_effects_carry_intervals_and_small_support_is_flagged() -> None:
    effects = rows(headed(audit_samples.audit(), "4 Classes", "Mean difference"))
    assert effects[0][1:5] == [
        "+3.12 [2.71, 3.53]", "+2.93 [2.55, 3.3]", "0.936 [0.902, 0.970]", "+0.676 [0.542, 0.782]",
    ]  # fmt: skip
    assert effects[3][2] == "infinite"
    assert [row[-1].split()[0] for row in effects].count("small") == 1
    assert effects[3][-1] == "small intervals and p unreliable"
    scored = headed(audit_samples.audit(), "4 Classes", "Rule")
    assert [row[1].marked for row in scored.rows] == [True, True, True, True, False]
    classes = headed(audit_samples.audit(), "4 Classes", "Stands for")
    assert rows(classes)[0][0] == "4-res-mini/91 with 92, 93, 94, 95, 96, 97, 98, 99 and 3 more"
    assert rows(classes)[0][2:] == [
        "42 failures 3 successes", "8.8e-33 Holm 6.9e-30", "0.0001", "0.0001",
        "both effects +0.84 and −0.611", "object = the keys Jaccard 0.93",
    ]  # fmt: skip
    assert [row[6] for row in rows(classes)[1:4]] == [
        "null proven +0.003 and +0.034",
        NOT_DONE,
        "inconclusive +0.84",
    ]
    assert classes.rows[5][1] == Cell(
        "ARTEFACT (of a test)", "flagged by Welch + Holm, Mann–Whitney + Holm"
    )
    untested = rows(headed(audit_samples.untested(), "4 Classes", "Mean difference"))
    assert untested[3] == ["4-res-mini/300", NOT_DONE, "infinite", "0.936", *[NOT_DONE] * 4]


def test_strata_name_the_choice_once() -> None:
    strata = rows(headed(audit_samples.audit(), "5 Confounds", "Strata of"))
    assert strata == [
        ["object × template used; asked for: template", "32", "9", "53"],
        ["object", "8", "6", "61"],
        ["object × template × order", "64", "0", "0"],
    ]


def test_within_strata_says_as_much_as_there_is() -> None:
    within = rows(headed(audit_samples.audit(), "5 Confounds", "p within strata"))
    first, proxy, untestable, correlate = within[:4]
    assert first[1:] == [
        "6", "41", "0.031", "+0.41 [0.08, 0.74]", "3.4 [1.2, 9.7], p 0.02", "3.1 [1.1, 9.2], "
        "p 0.035",
    ]  # fmt: skip
    assert proxy[-2:] == ["not estimable"] * 2
    assert untestable[1:3] == ["0", "0"] and untestable[4] == "not estimable"
    assert correlate[-2:] == ["infinite or undefined p 1.0e-6", "0"]
    assert within[-1][1:] == [NOT_DONE] * 6
    assert paragraphs(audit_samples.untested(), "5 Confounds") == [
        "Strata: not done: there are no strata to compare within.",
        "The classes within the strata: not done.",
    ]


def test_the_suspects_sentence_counts_its_own_strata() -> None:
    whole = audit_samples.audit()
    argument = "The argument, a sentence a step"
    assert paragraphs(whole, argument)[4] == (
        "5 Confounds. Of 32 strata of object × template, 9 hold both outcomes, with 53 failures; "
        "4-res-mini/91, within them: p 0.031, effect 0.41 SD [0.08, 0.74], 41 failures in 6 strata."
    )
    untestable = whole.sites["4-res-mini"].classes[2]
    assert beyond_factors(untestable) == "p 1, no informative stratum"
    alone = dataclasses.replace(whole, strata=audit_samples.tables_only().strata)
    assert paragraphs(alone, argument)[4].endswith("none that a class could stand for.")


def test_the_ladder_gives_numbers_or_reasons() -> None:
    whole = audit_samples.audit()
    assert isinstance(section(whole, "6 Baseline ladder")[0], Figure)
    rungs = rows(headed(whole, "6 Baseline ladder", "Remark"))
    assert rungs[0] == ["base rate", "0.500", "none", "by definition"]
    assert rungs[1] == ["factors", "0.935", "[0.882, 0.988]", ""]
    assert rungs[4] == ["random dictionary", NOT_DONE, NOT_DONE, audit_samples.NO_TOKENS]
    differences = headed(whole, "6 Baseline ladder", "Difference")
    assert [row[0].marked for row in differences.rows] == [False, False, True]
    assert rows(differences)[0] == ["residual − factors", "−0.021", "[−0.061, 0.018]"]
    left_out = rows(headed(whole, "6 Baseline ladder", "Pairs"))
    assert left_out[0] == [
        "object", "the other factors", "0.553", "[0.410, 0.690]", "1,204", "7", "the ball",
    ]  # fmt: skip
    assert left_out[3][2] == "not done there is no other factor"


def test_the_ladders_sentence_follows_its_intervals() -> None:
    whole = audit_samples.audit()

    def sentence(audit: Audit) -> str:
        return paragraphs(audit, "The argument, a sentence a step")[5]

    assert sentence(whole).endswith("no activations do better than the factors with an interval "
                                    "above 0.")  # fmt: skip
    assert whole.ladder is not None
    better = dataclasses.replace(whole.ladder.differences[1], low=0.001)
    ladder = dataclasses.replace(whole.ladder, differences=[better])
    assert sentence(dataclasses.replace(whole, ladder=ladder)).endswith(
        "better than the factors, with an interval above 0: all SAE features."
    )
    study = sentence(audit_samples.tables_only())
    assert study.endswith("factors 0.935, bag of tokens 0.917, residual 0.914.")
    few = {"factors": Rung(None, None, None, "4 failures and five folds")}
    assert sentence(dataclasses.replace(whole, baselines=few)).endswith(
        "Not done: 4 failures and five folds."
    )


def test_the_studys_folds_are_named_and_have_no_interval() -> None:
    table = headed(audit_samples.tables_only(), "6 Baseline ladder", "Remark")
    assert table.caption.startswith("The baseline ladder: the published study's one split of 5")
    assert {row[2] for row in rows(table)} == {"none", NOT_DONE}


def test_a_single_rung_draws_no_figure() -> None:
    assert ladder_dots({"base rate": Rung(0.5, None, None, None)}, {"base rate"}) is None


def test_what_was_not_done_is_said_and_never_zero() -> None:
    untested = audit_samples.untested()
    for name in ("6 Baseline ladder", "7 Interventions", "8 Counterfactual pairs", "9 Robustness"):
        (paragraph,) = section(untested, name)
        assert isinstance(paragraph, Paragraph) and paragraph.text.startswith("Not done")
    for name in ("3 Correlates", "4 Classes"):
        assert paragraphs(audit_samples.tables_only(), name) == [
            "Not done: no features were given."
        ]
    failures = next(t for t in tables(untested, "1 Outcomes") if t.folded)
    assert rows(failures)[2][-2:] == ["not recorded"] * 2


def test_no_table_holds_an_empty_or_undefined_number() -> None:
    for audit in (audit_samples.audit(), audit_samples.untested(), audit_samples.tables_only()):
        for part in audit_parts(audit):
            if isinstance(part, Table):
                cells = [text for row in rows(part) for text in row]
                assert not {"nan", "inf", "None"} & {
                    word for text in cells for word in text.split()
                }


def test_an_empty_selection_and_ladder_are_sentences() -> None:
    ladder = Ladder("repeated", 10, 5, [], [])
    selection = Selection([], [], [])
    audit = dataclasses.replace(audit_samples.audit(), selection=selection, ladder=ladder)
    assert "Forward selection: no level differs" in paragraphs(audit, "2 Factors")[1]
    assert paragraphs(audit, "6 Baseline ladder") == [
        "Differences: not done: there are no two rungs to compare.",
        "Levels left out of training: not done.",
    ]


def test_injected_text_stays_text() -> None:
    taken = rows(headed(audit_samples.audit(), "2 Factors", "Dropped"))
    assert taken[1][0] == f"object = {samples.INJECTED}"

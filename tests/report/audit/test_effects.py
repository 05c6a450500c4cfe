"""What changing a class did: every number beside what it rests on, nothing made up."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
import pytest
from tree_reading import captioned, class_row, figures, marks, of_leading, paragraphs, rows

from faultlens.auditing.result import ControlFamily, Null
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE
from faultlens.report.figures.audit import dose_lines, doses
from faultlens.report.figures.chart import Panels
from faultlens.report.parts import Part, Table

NAME = "4-res-mini/91 and 11 alike"


def opened(audit: Audit, first: str = "4-res-mini/91") -> tuple[Part, ...]:
    return class_row(audit, first).opens


def deciding(audit: Audit, first: str = "4-res-mini/91") -> Table:
    return captioned(opened(audit, first), "the two tests that decide")


def null_of(**changes: object) -> list[list[str]]:
    """The rows on a null that is proven but for these changes."""
    done = cause_samples.proven_null()
    assert isinstance(done.null, Null)
    null = dataclasses.replace(done.null, **changes)  # type: ignore[arg-type]
    audit = of_leading(dataclasses.replace(done, null=null))
    return rows(captioned(opened(audit), f"That {NAME} does nothing"))


def test_both_effects_stand_side_by_side_with_their_controls() -> None:
    table = deciding(audit_samples.audit())
    assert [column.header for column in table.columns] == ["What", "Necessity", "Sufficiency"]
    assert {row[0].split("  ")[0]: row[1:] for row in rows(table)} == {
        "Result": ["shown", "shown"],
        "Change": ["set to the successes' mean", "set to the failures' mean"],
        "Where": ["where the class fires", "in the places where the class fires in failures"],
        "On": ["42 failures where the class fires", "48 successes"],
        "Margin moves by mean over prompts": ["+0.91 nats", "−0.664 nats"],
        "Controls that push there as hard": [
            "199 63 other features, 136 random directions",
            "198 58 other features, 140 random directions",
        ],
        "Under controls mean over them": ["+0.07 nats", "−0.053 nats"],
        "Beyond controls 95%, over prompts": [
            "+0.84 nats [0.52, 1.17]",
            "−0.611 nats [−0.882, −0.334]",
        ],
        "p (1 + controls as large) / (controls + 1)": ["0.005", "0.0101"],
        "p after Holm over its family": ["0.03", "0.0404"],
        "First token turns below, under controls": [
            "10 of 42 right, 23.8% controls 2.1%",
            "6 of 48 wrong, 12.5% controls 1.33%",
        ],
        "Turned beyond controls 95%, over prompts": [
            "+21.7 points [9.52%, 35.1%]",
            "+11.2 points [3.13%, 20.8%]",
        ],
        "Logit over the foil's described": ["+0.77 nats", "−0.54 nats"],
    }
    assert [cell.marked for cell in table.rows[0].cells] == [False, True, True]
    assert (
        "Taken away from all 45 prompts on which it fires, 10 answers turn right and 1 wrong "
        "(exact McNemar test, p 0.0117)."
    ) in paragraphs(opened(audit_samples.audit()))


def test_each_family_of_controls_and_where_the_test_ended_are_told() -> None:
    need = dataclasses.replace(
        cause_samples.necessity(), controls=300, control_features=180, controls_planned=199,
        controls_counted=297, controls_as_large=10, least=0.2,
        families=[
            ControlFamily("features", 180, 9, 0.05, 10 / 181),
            ControlFamily("covariance", 120, 1, 0.01, 2 / 121),
        ],
    )  # fmt: skip
    table = deciding(of_leading(dataclasses.replace(cause_samples.contributes(), necessity=need)))
    told = {row.cells[0].text: row.cells[1] for row in table.rows}
    assert told["Controls"].note == (
        "180 other features, 9 as large (p 0.0552); 120 directions from the values' covariance, "
        "1 as large (p 0.0165); it went on beyond the 199 planned, since the decision was near: of "
        "the first 297 10 are as large"
    )
    assert table.caption.endswith(
        "and at least 0.2 nats beyond the controls: a tenth of the gap between successes and "
        "failures."
    )


def test_what_is_beyond_its_controls_and_too_small_says_so() -> None:
    small = dataclasses.replace(cause_samples.necessity(), least=1.0, shown=False)
    table = deciding(of_leading(dataclasses.replace(cause_samples.contributes(), necessity=small)))
    assert (table.rows[0].cells[1].text, table.rows[0].cells[1].note) == (
        "not shown",
        "beyond its controls, and less than the 1 nats (a tenth of the gap) that count",
    )


def test_a_random_decoder_is_told_beside_the_real_one() -> None:
    effects = [
        dataclasses.replace(cause_samples.necessity(), adjusted=0.01, p_holm=0.6, shown=False)
    ]
    done = dataclasses.replace(cause_samples.contributes(), random_decoder=effects)
    assert (
        f"{NAME} with random directions in place of its decoder's: taken away, +0.01 nats beyond "
        "its controls, p after Holm 0.6: not shown."
    ) in paragraphs(opened(of_leading(done)))


def test_one_effect_shown_is_not_two() -> None:
    done = cause_samples.contributes()
    assert done.sufficiency is not None
    lone = dataclasses.replace(done.sufficiency, shown=False, p_holm=0.2)
    audit = of_leading(dataclasses.replace(done, sufficiency=lone))
    assert class_row(audit, "4-res-mini/91").cells[3].text == "necessity shown"
    assert [cell.marked for cell in deciding(audit).rows[0].cells] == [False, True, False]
    drawn = figures(opened(audit))[0].chart
    assert [series.name for series in drawn.series] == ["shown", "not shown"]  # type: ignore[union-attr]


def test_a_cause_restores_what_it_takes_away() -> None:
    table = deciding(audit_samples.cause())
    assert "28 of 42 right, 66.7% controls 2.1%" in [row[1] for row in rows(table)]
    assert class_row(audit_samples.cause(), "4-res-mini/91").cells[1].text == "CAUSE"


def test_a_test_that_was_not_done_has_its_reason_and_no_number() -> None:
    table = deciding(audit_samples.audit(), "4-res-mini/300")
    assert [row[2] for row in rows(table)] == [
        f"{NOT_DONE} {cause_samples.FEW}", *[NOT_DONE] * (len(table.rows) - 1),
    ]  # fmt: skip
    necessity = {row.cells[0].text: row.cells[1].text for row in table.rows}
    assert necessity["p after Holm"] == NOT_DONE
    silent = deciding(audit_samples.audit(), "4-res-mini/200")
    assert silent.rows[-1].cells[1].text == "no foil"
    assert "4-res-mini/300, changed in other ways: not done." in (
        paragraphs(opened(audit_samples.audit(), "4-res-mini/300"))
    )


def test_a_null_is_proven_condition_by_condition() -> None:
    audit = audit_samples.audit()
    proven = captioned(opened(audit, "4-res-mini/200"), "does nothing for failure")
    assert proven.caption == (
        "That 4-res-mini/200 does nothing for failure is proven; it takes all three."
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
    assert marks(proven, 0) == [True] * 3
    open_ = captioned(opened(audit, "4-res-mini/300"), "does nothing for failure")
    assert "4-res-mini/300 does nothing for failure is not proven" in open_.caption
    assert [row[-1] for row in rows(open_)] == ["not met", "not met", NOT_DONE]
    assert rows(open_)[2][1] == "no prompt could be swapped: nothing to patch from"
    assert marks(open_, 0) == [False] * 3


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({"within": False}, ["not met", "met", "met"]),
        ({"restoration_high": 0.1001, "few_restored": False}, ["met", "not met", "met"]),
        ({"restoration_high": 0.1}, ["met", "met", "met"]),
        (
            {"positive_control_passed": False, "positive_control_restored": 0.49},
            ["met", "met", "not met"],
        ),
    ],
)
def test_each_condition_of_a_null_stands_alone(changes: dict[str, object], met: list[str]) -> None:
    assert [row[-1] for row in null_of(**changes)] == met


def test_other_changes_are_told_and_never_decide() -> None:
    table = captioned(opened(audit_samples.audit()), "changed in other ways")
    assert rows(table)[2] == ["scaled by 1.5", "where the class fires", "42", "−0.571", "0%"]
    assert rows(table)[-1][-3:] == ["42", "+0.0171", "2.38%"]
    assert len(table.rows) == 7 and table.caption.endswith("None of this decides.")


def test_dose_and_response_goes_through_no_change() -> None:
    drawn = figures(opened(audit_samples.audit()))[1].chart
    assert isinstance(drawn, Panels)
    (line,) = drawn.panels[0].lines
    assert [point.x for point in line.points] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [point.y for point in line.points] == [1.08, 0.553, 0.0, -0.571, -1.14]
    assert line.name == f"{NAME} (42 failures)"
    assert line.points[0].words == "× 0, +1.08 nats, 26.2% right then"
    assert line.points[2].words == "as it is"
    backwards = dose_lines({"one": doses(cause_samples.variants()[::-1])})
    assert backwards is not None
    assert [p.x for p in backwards.panels[0].lines[0].points] == [p.x for p in line.points]
    assert dose_lines({"one": doses(cause_samples.variants()[:1])}) is None
    assert dose_lines({"other": doses(cause_samples.variants()[4:])}) is None


def test_two_classes_are_told_apart_without_colour() -> None:
    scaled = doses(cause_samples.variants())
    drawn = dose_lines({"one": scaled, "other": scaled})
    assert drawn is not None
    one, other = drawn.panels[0].lines
    assert one.dash != other.dash and one.symbol != other.symbol and one.colour != other.colour

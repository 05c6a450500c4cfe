"""What is said once an effect is shown, of a reversed test, of pairs, and of what lies outside."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples

from faultlens.auditing.result import (
    Absorption,
    AfterFind,
    Dose,
    ErrorRecovery,
    JointTest,
    OffTask,
    OutsideDictionary,
    Rewording,
    UnderRewordings,
)
from faultlens.report.audit.after_find import after_parts
from faultlens.report.audit.answer import moves, what_causes_it
from faultlens.report.audit.effects import changed_parts, flips_words
from faultlens.report.audit.interventions import parts
from faultlens.report.audit.trials import changed
from faultlens.report.parts import Facts, Paragraph

AFTER = AfterFind(
    dose=Dose([0.0, 1.0, 2.0], [3.0, 0.0, -1.5], True),
    absorption=Absorption(20, 12, ["3-res/7"], 30, 0.8, 1.7),
    error_recovery=ErrorRecovery(30, 2.0, 2.25),
    off_task=[
        OffTask("general text", 384, 20, 0.03, 0.01, 9, 0),
        OffTask("agreement", 200, 0, 0.0, 0.0, 0, 0),
    ],
    rewordings=[Rewording("template", "2", 12, 2.5, 9, 12)],
)


def test_the_users_other_words_have_their_line() -> None:
    again = UnderRewordings(36, 33, 31, 30, 2.1, 1.6, 2.6, 2.4, 25, 30)
    done = dataclasses.replace(cause_samples.cause(), after=None)

    def said(found: UnderRewordings) -> tuple[str, str]:
        after = dataclasses.replace(AFTER, under_rewordings=found)
        (part,) = after_parts("3-res/1", dataclasses.replace(done, after=after))
        assert isinstance(part, Facts)
        (cell,) = [cell for name, cell in part.entries if name == "In the user's other words"]
        return cell.text, cell.note

    assert said(again) == (
        "+2.1 nats",
        "[1.6, 2.6] on 30 rewordings, 25 of 30 turn right; as asked +2.4; of 36 rewordings of its "
        "failures 33 fail, and 31 of these have it",
    )
    none = UnderRewordings(3, 1, 1, 0, None, None, None, None, 0, 0, "too few fail")
    assert said(none) == ("not done", "too few fail")


def test_every_question_has_its_answer() -> None:
    done = dataclasses.replace(cause_samples.cause(), after=AFTER)
    (found,) = after_parts("3-res/1", done)
    assert isinstance(found, Facts)
    said = {name: (cell.text, cell.note) for name, cell in found.entries}
    assert said == {
        "Dose and response": ("monotone", "× 0: +3, × 1: 0, × 2: −1.5"),
        "Features in its place": (
            "3-res/7",
            "its direction is there on 12 of 20 failures on which it is silent; taken away with "
            "these, the margin of 30 failures moves by +1.7 nats, without them by +0.8",
        ),
        "Left in the error term": (
            "+0.25 nats",
            "with the error term's part along its direction set to normal, too, the margin of 30 "
            "failures moves by +2.25 nats, not +2",
        ),
        "Cost on general text": (
            "0.03 nats a token",
            "it fires on 20 of 384 tokens; controls 0.01, 0 of 9 cost as much",
        ),
        "Cost on agreement": ("none", "it fires on none of 200 tokens"),
        "With template = 2": ("+2.5 nats", "12 failures; 9 of 12 turn right, 75%"),
    }
    assert found in changed_parts("3-res/1", done, 0.05)
    assert after_parts("3-res/1", cause_samples.cause()) == []


def test_a_reversed_test_says_what_was_brought_in() -> None:
    done = dataclasses.replace(cause_samples.cause(), reversed=True)
    assert moves("3-res/1", done.necessity, True).startswith("bringing 3-res/1 in moves the margin")
    assert moves("3-res/1", done.necessity).startswith("taking 3-res/1 away moves the margin")
    assert flips_words(done.flips, True).startswith(
        "Brought in on all 45 prompts on which it is silent, 10 answers turn right"
    )
    assert flips_words(done.flips).startswith("Taken away from all 45 prompts on which it fires, ")


def test_a_cause_outside_the_dictionary_is_said_on_the_first_screen_unless_one_is_found() -> None:
    said = "the cause passes 3-res outside what the dictionary describes: for a reason"
    outside = OutsideDictionary("3-res", 0.8, None, None, None, said)
    audit = dataclasses.replace(audit_samples.audit(), outside=[outside])
    assert not any(reading.verdict.kind == "CAUSE" for _, reading in audit.classes)
    assert what_causes_it(audit).endswith(f"; {said}.")
    texts = [(part.label, part.text) for part in parts(audit) if isinstance(part, Paragraph)]
    assert ("Outside the dictionary:", f"T{said[1:]}.") in texts


def test_a_pair_is_changed_under_both_names() -> None:
    features, classes = ["3-res/1", "3-res/4", "3-res/2"], ["3-res/1", "3-res/2"]
    done = JointTest(features, classes, cause_samples.cause(), None, 0.75)
    few = JointTest(features, classes, None, "too few", None)
    audit = dataclasses.replace(audit_samples.audit(), together=[done, few])
    assert [one.name for one in changed(audit)][-1] == "3-res/1 with 3-res/2"
    said = [p.text for p in parts(audit) if isinstance(p, Paragraph) and "together" in p.label]
    assert said == [
        "Both effects shown; on failures both move the margin by +0.75 nats beyond the larger "
        "change of one.",
        "not done: too few.",
    ]

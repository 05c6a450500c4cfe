"""Step 7: what was changed, what the search found, and what the user named."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
from tree_reading import captioned, headed, of_leading, paragraphs, rows, section, tables

from faultlens.auditing.result import RequestedTest
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE
from faultlens.report.parts import Folded

TITLE = "7 Interventions"
CLASS = audit_samples.audit().classes[0][1].features
ALONE = RequestedTest(["3-res-mini/808"], 26, 94, cause_samples.cause(), None)
TWIN = RequestedTest(CLASS, 42, 3, cause_samples.cause(), "it is the class of X")
FEW_FIRE = RequestedTest(
    ["3-res-mini/5"], 1, 0, None, "it fires on 1 failures: at least 5 are needed"
)


def naming(*trials: RequestedTest) -> Audit:
    return dataclasses.replace(audit_samples.audit(), requested=list(trials))


def searching(**changes: object) -> Audit:
    """The whole audit, what attribution names first changed in another way."""
    whole = audit_samples.audit()
    site = whole.attribution["4-res-mini"]
    first = dataclasses.replace(site.top[0], **changes)  # type: ignore[arg-type]
    found = dataclasses.replace(site, top=[first, *site.top[1:]])
    return dataclasses.replace(whole, attribution={**whole.attribution, "4-res-mini": found})


def folded(audit: Audit) -> dict[str, Folded]:
    found = [part for part in section(audit, TITLE).parts if isinstance(part, Folded)]
    return {fold.words: fold for fold in found}


def test_the_sentence_counts_effects_and_names_what_does_nothing() -> None:
    assert section(audit_samples.audit(), TITLE).lead == (
        "An effect is shown for 1 of 3 that were changed; 4-res-mini/200 shown to do nothing; "
        "attribution puts 4-res-mini/91 first (−1.12 nats, failures − successes; the error term "
        "−0.317), changed: necessity shown."
    )


def test_classes_that_could_not_be_changed_are_named_with_the_reason() -> None:
    table = headed(section(audit_samples.audit(), TITLE).parts, "Why not")
    assert rows(table) == [["4-res-mini/250", "it fires on 3 failures: at least 5 are needed"]]
    alone = dataclasses.replace(audit_samples.untested(), not_tested={"4-res-mini/91": "no reason"})
    step = section(alone, TITLE)
    assert rows(headed(step.parts, "Why not")) == [["4-res-mini/91 and 11 alike", "no reason"]]
    assert paragraphs(step.parts) == [
        "Search for causes: not done: the answers were not attributed to features.",
    ]
    assert step.lead == "Not done: 4-res-mini/91: no reason."


def test_attribution_stands_beside_its_error_term_and_its_agreement() -> None:
    parts = section(audit_samples.audit(), TITLE).parts
    assert rows(headed(parts, "Completeness")) == [
        ["2-res-mini", "−0.36", "+0.041", NOT_DONE, NOT_DONE, "4",
         "not defined integrated not defined",
         "not defined integrated not defined"],
        ["4-res-mini", "−2.11", "−0.317", "−0.284 20 + 20 prompts", "0.0137 nats 8 steps", "36",
         "+0.711 integrated +0.513", "+0.983 integrated +0.803"],
    ]  # fmt: skip
    bare, found = [t for t in tables(parts) if "lower margin" in t.caption]
    assert rows(found) == [
        ["4-res-mini/91 of 4-res-mini/91 and 11 alike", "−1.12 −1.23 against −0.112",
         "−0.847 −0.934 against −0.0871", "+0.294 [0.153, 0.441]", "0.005 Holm 0.04"],
        ["4-res-mini/777", "−0.482 −0.43 against +0.052", NOT_DONE,
         "not done it fires on 2 failures: at least 5 are needed", NOT_DONE],
    ]  # fmt: skip
    assert [row.cells[3].marked for row in found.rows] == [True, False]
    assert rows(bare)[0][0] == "2-res-mini/5 of 4-res-mini/200"


def test_a_long_search_is_shown_in_part() -> None:
    whole = audit_samples.audit()
    top = whole.attribution["4-res-mini"].top * 5
    many = dataclasses.replace(whole.attribution["4-res-mini"], top=top)
    audit = dataclasses.replace(whole, attribution={"4-res-mini": many})
    found = captioned(section(audit, TITLE).parts, "lower margin")
    assert (found.first, found.rows_are, len(found.rows)) == (5, "features", 10)
    none = dataclasses.replace(whole.attribution["2-res-mini"], measured=0)
    bare = dataclasses.replace(whole, attribution={"2-res-mini": none})
    assert rows(headed(section(bare, TITLE).parts, "Completeness"))[0][-2:] == [
        f"{NOT_DONE} integrated {NOT_DONE}", f"{NOT_DONE} integrated {NOT_DONE}"
    ]  # fmt: skip


def test_what_the_search_changes_by_itself_has_the_evidence_of_a_class() -> None:
    name, done = "4-res-mini/808", cause_samples.proven_null()
    audit = searching(
        feature=name, in_class=None, effect=done.necessity, tested_as=[name], intervention=done
    )
    inside = folded(audit)[name].parts
    assert captioned(inside, f"{name}: the two tests that decide").rows
    assert captioned(inside, f"That {name} does nothing for failure is proven").rows
    assert section(audit, TITLE).lead.endswith("changed: shown to do nothing.")
    assert "1 of 4 that were changed" in section(audit, TITLE).lead


def test_a_find_of_a_class_is_told_by_its_class_and_shown_once() -> None:
    done = cause_samples.contributes()
    audit = searching(effect=done.necessity, tested_as=CLASS)
    assert "changed as 4-res-mini/91 and 11 alike: both effects shown" in section(audit, TITLE).lead
    found = [t for t in tables(section(audit, TITLE).parts) if "lower margin" in t.caption][-1]
    assert rows(found)[0][3] == "+0.84 [0.52, 1.17], as its class"
    assert folded(audit) == {}
    few = searching(effect=None, effect_missing="it fires on 2 failures", tested_as=CLASS)
    assert "not done: it fires on 2 failures" in section(few, TITLE).lead


def test_what_the_user_named_has_the_evidence_of_a_class() -> None:
    audit = naming(ALONE, TWIN, FEW_FIRE)
    assert list(folded(audit)) == ["3-res-mini/808"]
    said = [text for text in paragraphs(section(audit, TITLE).parts) if "It fires on" in text]
    assert said == [
        "Named by the user, 3-res-mini/808: It fires on 26 failures and 94 successes.",
        f"Named by the user, {' + '.join(CLASS)}: It fires on 42 failures and 3 successes; not "
        "changed by itself: it is the class of X.",
        "Named by the user, 3-res-mini/5: It fires on 1 failure and 0 successes; not changed by "
        "itself: it fires on 1 failures: at least 5 are needed.",
    ]
    lead = section(audit, TITLE).lead
    assert "; named by the user, 3-res-mini/808: both effects shown;" in lead
    assert f"named by the user, {' + '.join(CLASS)}: it is the class of X" in lead


def test_a_changed_class_that_holds_what_was_named_is_said() -> None:
    member = dataclasses.replace(ALONE, features=CLASS[1:2])
    parts = section(naming(member), TITLE).parts
    (said,) = [text for text in paragraphs(parts) if "It fires on" in text]
    assert said.endswith(
        f"{CLASS[1]} is also in the class 4-res-mini/91 and 11 alike, which was changed."
    )


def test_an_effect_of_one_class_is_counted_once() -> None:
    lone = of_leading(cause_samples.proven_null())
    assert section(lone, TITLE).lead.startswith("An effect is shown for 0 of 3 that were changed")

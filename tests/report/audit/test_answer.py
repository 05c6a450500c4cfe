"""The three sentences of an audit: from the result alone, and true of each kind of result."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
import pytest
from tree_reading import of_leading

from faultlens.auditing.result import Counterfactuals, Selection
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.verdict import Verdict, VerdictKind
from faultlens.report.audit.answer import (
    answer,
    what_causes_it,
    what_fails,
    what_may_not_be_claimed,
)

WHOLE = audit_samples.audit()


def changed(audit: Audit = WHOLE, **changes: object) -> Audit:
    return dataclasses.replace(audit, **changes)  # type: ignore[arg-type]


def judged(kind: VerdictKind, audit: Audit = WHOLE, level: str | None = None) -> Audit:
    """The audit with another verdict on its leading class."""
    site = audit.sites["4-res-mini"]
    first = dataclasses.replace(site.classes[0], verdict=Verdict(kind, level, ""))
    found = dataclasses.replace(site, classes=[first, *site.classes[1:]])
    return changed(audit, sites={**audit.sites, "4-res-mini": found})


def test_the_answer_is_three_sentences() -> None:
    for audit in (WHOLE, audit_samples.tables_only(), audit_samples.underpowered()):
        said = answer(audit)
        assert [part.label for part in said] == [
            "What fails:",
            "What causes it:",
            "What may not be claimed:",
        ]
        assert all(part.text.endswith(".") and ".." not in part.text for part in said)


def test_what_fails_has_counts_and_an_interval() -> None:
    assert what_fails(WHOLE) == (
        "61 of 300 prompts of mini-ioi fail by exact-word (20.3%): 42 of 45 with object = the keys "
        "(95% interval [81.7%, 98.6%]), 13 of 77 of the others with template = template 3, and 6 "
        "of 178 of the rest."
    )


def test_an_interval_of_other_counts_is_not_borrowed() -> None:
    """Template 3 has 75 prompts in the table of levels, 77 outside the keys: another interval."""
    assert WHOLE.factors["template"]["template 3"].n == 75
    assert what_fails(WHOLE).count("95% interval") == 1


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        (changed(failures=0), "none of 300 prompts of mini-ioi fails by exact-word."),
        (audit_samples.underpowered(), "fail by exact-word (1%); the prompts come with no factors"),
        (
            audit_samples.untested(),
            "most surely with object = the keys: 42 of 45 (95% interval [81.7%, 98.6%]).",
        ),
        (
            changed(selection=Selection([], [], [])),
            "no level of a factor fails more or less often than the rest beyond chance.",
        ),
        (audit_samples.tables_only(), "61 of 300 prompts of mini-ioi fail as given (20.3%); no"),
        (
            changed(failures_over_foil=38),
            "fail by exact-word (20.3%; 38 of them rank the target above the foil): 42 of 45",
        ),
        (  # true by definition, hence not said
            changed(failures_over_foil=0, rule="target-over-foil"),
            "61 of 300 prompts of mini-ioi fail by target-over-foil (20.3%): 42 of 45",
        ),
    ],
)
def test_what_fails_where_there_is_less_to_say(audit: Audit, said: str) -> None:
    assert said in what_fails(audit)


def test_causes_are_swaps_and_changes_alike() -> None:
    assert what_causes_it(WHOLE) == (
        "swapping the keys for a book turns 34 of 40 failures right and 1 of 3 successes wrong (p "
        "2.1e-9); of 3 classes of features that were changed 1 is shown to move the answer: taking "
        "4-res-mini/91 and 11 alike away moves the margin by +0.84 nats [0.52, 1.17] beyond its "
        "controls and turns 10 of 42 failures right (controls 2.1%)."
    )


def test_a_swap_that_changes_nothing_is_no_cause() -> None:
    swaps = cause_samples.counterfactuals()
    silent = changed(counterfactuals=dataclasses.replace(swaps, swaps=swaps.swaps[1:]))
    assert "changes no more outcomes than chance does (p 1)" in what_causes_it(silent)
    assert "turns" not in what_causes_it(silent).split(";")[0]


def test_a_swap_that_breaks_says_so() -> None:
    swap = cause_samples.counterfactuals().swaps[0]
    breaking = dataclasses.replace(swap, failure_to_success=0, success_to_failure=3)
    said = what_causes_it(changed(counterfactuals=Counterfactuals([breaking], None)))
    assert said.startswith("swapping the keys for a book turns 3 of 3 successes wrong (p 2.1e-9)")


def test_what_was_not_done_is_not_said_to_have_no_effect() -> None:
    assert what_causes_it(audit_samples.untested()) == (
        "not tested: no level was swapped and no feature was changed."
    )
    assert what_causes_it(changed(counterfactuals=None)).startswith(
        "no level was swapped in the prompts; of 3 classes"
    )
    null = of_leading(cause_samples.proven_null())
    assert "none of 3 classes of features that were changed is shown to move" in what_causes_it(
        null
    )


def test_a_class_that_moves_the_answer_is_not_called_its_cause() -> None:
    said = what_may_not_be_claimed(WHOLE)
    assert said == (
        "that 4-res-mini/91 and 11 alike, which goes with failure most surely (it fires on 42 "
        "failures and 3 successes), causes it: taking it away turns 10 of 42 failures right "
        "(controls 2.1%); the nearest cause ruled out is 4-res-mini/200, which is shown to do "
        "nothing."
    )


def test_a_cause_is_not_taken_beyond_the_prompts_it_was_found_on() -> None:
    cause = audit_samples.cause()
    assert what_may_not_be_claimed(cause).startswith(
        "that the same holds for other tasks or models: only this task and this model were run"
    )
    alone = changed(cause, robustness=None)
    assert what_may_not_be_claimed(alone).startswith(
        "that the same holds on other prompts: no prompts from other seeds were run"
    )
    found = cause_samples.robustness()
    shaky = dataclasses.replace(found.classes[0], stable=False, same=2)
    unstable = changed(cause, robustness=dataclasses.replace(found, classes=[shaky]))
    assert "the verdict is the same under 2 of 5 seeds" in what_may_not_be_claimed(unstable)


def test_why_a_correlate_is_no_cause() -> None:
    inconclusive = judged("CORRELATE", of_leading(cause_samples.inconclusive()))
    assert (
        "moves the margin by no more than its controls do (+0.84 nats, p 0.115), though that it "
        "does nothing is not shown either"
    ) in what_may_not_be_claimed(inconclusive)
    null = judged("CORRELATE", of_leading(cause_samples.proven_null()))
    assert (
        "it is shown to do nothing (taking it away moves the margin by +0.003 nats beyond its "
        "controls, 90% interval [−0.043, 0.049])"
    ) in what_may_not_be_claimed(null)
    not_tested = changed(of_leading(None), not_tested={"4-res-mini/91": "it fires on 3 failures"})
    assert "its effect was not tested, for it fires on 3 failures" in (
        what_may_not_be_claimed(not_tested)
    )


def test_the_nearest_thing_ruled_out_is_never_the_class_just_named() -> None:
    null = judged("CORRELATE", of_leading(cause_samples.proven_null()))
    said = what_may_not_be_claimed(null)
    assert said.count("4-res-mini/91 and 11 alike") == 1
    assert said.endswith(
        "the nearest cause ruled out is 4-res-mini/200, which is shown to do nothing."
    )


def test_a_proxy_is_named_where_nothing_is_shown_to_do_nothing() -> None:
    said = what_may_not_be_claimed(audit_samples.untested())
    assert said.endswith(
        "the nearest ruled out is 4-res-mini/200, which stands for object = the keys."
    )
    proxy = judged("PROXY", audit_samples.untested(), "object = the keys")
    assert what_may_not_be_claimed(proxy).endswith(", and it stands for object = the keys.")


def test_nothing_is_claimed_where_nothing_was_tested() -> None:
    assert what_may_not_be_claimed(audit_samples.underpowered()) == (
        "anything of causes or features: 3 failures and 297 successes, and at least 5 of each are "
        "needed."
    )
    assert what_may_not_be_claimed(audit_samples.tables_only()) == (
        "anything of features: no features were given; the activations predict failure no better "
        "than the prompts' factors do (AUROC 0.914 against 0.935)."
    )


def test_activations_that_predict_better_are_not_said_not_to() -> None:
    bare = audit_samples.tables_only()
    assert bare.ladder is not None
    better = dataclasses.replace(bare.ladder.differences[0], low=0.001, high=0.02)
    ladder = dataclasses.replace(bare.ladder, differences=[better])
    assert what_may_not_be_claimed(changed(bare, ladder=ladder)) == (
        "anything of features: no features were given."
    )


def test_long_names_are_cut_and_sentences_stay_short() -> None:
    name = "a level that somebody wrote a whole paragraph about " * 4
    swap = dataclasses.replace(cause_samples.counterfactuals().swaps[0], level=name)
    assert WHOLE.selection is not None
    level = dataclasses.replace(WHOLE.selection.selected[0], level=name)
    selection = dataclasses.replace(WHOLE.selection, selected=[level])
    audit = changed(task=name, selection=selection, counterfactuals=Counterfactuals([swap], None))
    assert all(len(part.text) < 420 for part in answer(audit))

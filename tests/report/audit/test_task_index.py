"""The index of several audits: what is said of each, and where it leads."""

from __future__ import annotations

import pytest

from faultlens.auditing.result.task_index import TaskFinding, TaskIndex
from faultlens.report.audit.task_index import index_document
from faultlens.report.html import build_page
from faultlens.report.terminal.summary import document_lines

CAUSE = TaskFinding(
    "ioi", "ioi", 300, 61, 4, ["3-res/7"], "3-res/7", "CAUSE", "taking it away turns 40 of 61"
)
NO_CAUSE = TaskFinding(
    "agreement", "agreement", 60, 21, 0, [], "3-res/9", "NOT SIGNIFICANT", "fires on 3 failures"
)
NONE = TaskFinding("data/set one.jsonl", "set one", 40, 0, None, None, None, None, None)
REFUSED = TaskFinding.of_refused("over-refusal", "model mini has no chat template")


def test_every_task_is_told_with_its_finding() -> None:
    index = TaskIndex([CAUSE, NONE, REFUSED])
    assert TaskIndex.from_dict(index.to_dict()) == index
    lines = document_lines(index_document(index))
    assert lines == [
        "What goes with failure in ioi, data/set one.jsonl, over-refusal?",
        "  What fails: 61 of 300 prompts of ioi, 0 of 40 prompts of data/set one.jsonl.",
        "  What causes it: 1 class of features in ioi; in data/set one.jsonl no feature was "
        "tested.",
        "  over-refusal could not be audited: model mini has no chat template.",
        "  Each was audited by itself.",
        "  Task                     Fail     Classes  Leading class  Verdict",
        "  ioi                 61 of 300           4  3-res/7        CAUSE",
        "  data/set one.jsonl    0 of 40  not tested  none           none",
        "  over-refusal                                              not audited",
    ]


def test_the_page_leads_to_each_report() -> None:
    page = build_page(index_document(TaskIndex([CAUSE, NONE, REFUSED])))
    assert '<a href="ioi/report.html">ioi</a>' in page
    assert '<a href="set%20one/report.html">data/set one.jsonl</a>' in page
    assert "3-res/7 is CAUSE: taking it away turns 40 of 61." in page
    assert page.count("/report.html") == 2, "there is none of a task that was refused"


def test_where_no_task_could_be_audited_nothing_is_claimed() -> None:
    lines = document_lines(index_document(TaskIndex([REFUSED])))
    assert lines[1] == "  What fails: nothing is known: no task could be audited."
    assert lines[2] == "  What causes it: no feature was tested in any of them."


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([CAUSE, NO_CAUSE, NONE],
         "1 class of features in ioi; in data/set one.jsonl no feature was tested; in the others "
         "none is shown to."),
        ([CAUSE, NO_CAUSE], "1 class of features in ioi; in the others none is shown to."),
        ([CAUSE], "1 class of features in ioi."),
        ([NO_CAUSE], "no class of features is shown to cause failure in any of them."),
        ([NO_CAUSE, NONE],
         "in data/set one.jsonl no feature was tested; no class of features is shown to cause "
         "failure in any of the others."),
        ([NONE, REFUSED], "no feature was tested in any of them."),
    ],
)  # fmt: skip
def test_a_task_without_a_test_is_not_counted_among_those_without_a_cause(
    tasks: list[TaskFinding], said: str
) -> None:
    headline = index_document(TaskIndex(tasks)).studies[0].headline
    assert headline is not None and headline.sentences[1].text == said

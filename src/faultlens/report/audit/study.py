"""An audit as a study: its answer, the list of its classes, and the argument step by step."""

from __future__ import annotations

from collections.abc import Callable

from faultlens.auditing.result.audit import Audit
from faultlens.numbers import clipped
from faultlens.profiling.result import TokenEvidence
from faultlens.report.audit import (
    against_base,
    class_list,
    confounds,
    factors,
    feature_pages,
    feature_tests,
    interventions,
    ladder,
    ledger,
    outcomes,
    prompts,
    replication,
    swaps,
)
from faultlens.report.audit.answer import answer
from faultlens.report.audit.carrying import carrying_figures
from faultlens.report.parts import Callout, Part
from faultlens.report.prompt_readings import PromptReadings
from faultlens.report.tree import Headline, Section, Study

Step = tuple[str, Callable[[Audit], str], Callable[[Audit], list[Part]]]
STEPS: tuple[Step, ...] = tuple(
    (step.TITLE, step.sentence, step.parts)
    for step in (
        outcomes, factors, feature_tests, class_list, confounds, ladder, interventions, swaps,
        replication, ledger,
    )
)  # fmt: skip
"""The steps of an audit in the order of its argument."""


def audit_study(
    audit: Audit,
    readings: PromptReadings | None = None,
    corpus: TokenEvidence | None = None,
) -> Study:
    """Everything that an audit says, in the order in which it should be read.

    Args:
        audit: the result.
        readings: what its run folder holds of the prompts; None: the result stands alone.
        corpus: where features fire in the corpus of a profile beside; None: there is none.
    """
    known = readings or PromptReadings()
    sections = [
        Section(f"{number} {title}", sentence(audit), tuple(parts(audit)))
        for number, (title, sentence, parts) in enumerate(STEPS, 1)
    ]
    if readings is not None:
        pages = tuple(feature_pages.parts(audit, readings, corpus))
        sections.append(
            Section(feature_pages.TITLE, feature_pages.sentence(audit, readings), pages, open=True)
        )
    if audit.against_base is not None:
        lead = against_base.sentence(audit.against_base, audit.alpha)
        lead = f"{lead[:1].upper()}{lead[1:]}"
        told = tuple(against_base.parts(audit, audit.against_base))
        sections.append(Section(against_base.TITLE, lead, told))
    table = prompts.prompts_table(audit, known)
    sections.append(Section("Prompts", prompts.sentence(audit), (table,), open=True))
    return Study(
        name=f"Audit of {audit.task}",
        headline=Headline(
            question=f"Which prompts of {clipped(audit.task, 40)} fail, and why?",
            sentences=answer(audit),
            figures=carrying_figures(audit),
            cautions=tuple(
                Callout("caution", "To be read with care:", text) for text in audit.warnings
            ),
        ),
        found_title="Features that go with failure or success",
        found=class_list.class_list(audit),
        sections_title="The argument, step by step",
        sections=tuple(sections),
    )

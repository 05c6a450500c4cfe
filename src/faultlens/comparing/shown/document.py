"""A comparison as a tree: a study for each pair of audits and each pair of profiles."""

from __future__ import annotations

from faultlens.comparing.result import AuditPair, ComparedRun, Comparison, RunPair
from faultlens.comparing.shown.categories import profile_study
from faultlens.comparing.shown.classes import (
    changed_parts,
    changed_sentence,
    class_sentence,
    class_table,
    matching_sentence,
)
from faultlens.comparing.shown.names import Names, sentence, short_names
from faultlens.comparing.shown.outcomes import (
    factor_parts,
    factor_sentence,
    outcome_parts,
    rates_figure,
    what_changed,
    where,
)
from faultlens.comparing.shown.settings import settings_section, settings_words
from faultlens.numbers import counted, listed
from faultlens.report.parts import Callout, Paragraph
from faultlens.report.tree import Document, Headline, Section, Study

NO_MANIFEST = "How each run was made stands in its own manifest; in what they differ, above."


def comparison_document(found: Comparison) -> Document:
    """All that is said of some runs side by side."""
    by_name = {run.run: run for run in found.runs}
    studies: list[Study] = []
    for pair in found.pairs:
        runs = by_name[pair.first], by_name[pair.second]
        if pair.audits is not None:
            studies.append(_audit_study(pair, pair.audits, runs, len(found.pairs)))
        if pair.profiles is not None:
            studies.append(profile_study(pair, pair.profiles))
    return Document(
        name=listed(short_names([run.run for run in found.runs]), 4),
        studies=tuple(studies),
        facts=tuple((run.run, _facts(run)) for run in found.runs),
        manifest=None,
        no_manifest=_order(found),
    )


def _order(found: Comparison) -> str:
    if len(found.pairs) == 1:
        return NO_MANIFEST
    others = counted(len(found.pairs), "run")
    return f"Each of {others} is compared with {found.runs[0].run}. {NO_MANIFEST}"


def _facts(run: ComparedRun) -> str:
    told = [
        None if run.task is None else f"audit of {run.task}, {run.failures} of {run.n} fail",
        None if run.corpus is None else f"profile of {run.corpus}",
        run.model and f"model {run.model}",
        run.dictionaries and f"dictionaries {listed(run.dictionaries, 6)}",
        run.finished and f"finished {run.finished.replace('T', ' ').replace('+00:00', ' UTC')}",
    ]
    return "; ".join(one for one in told if one)


def _audit_study(
    pair: RunPair, found: AuditPair, runs: tuple[ComparedRun, ComparedRun], compared: int
) -> Study:
    names = Names.of(pair)
    figure = rates_figure(found, runs, names)
    changed = what_changed(found, runs, names, compared)
    return Study(
        name=f"Audits: {names.first} and {names.second}",
        headline=Headline(
            question=f"What changed from {names.first} to {names.second}?",
            sentences=(
                Paragraph(changed, "What changed:"),
                Paragraph(where(found), "Where:"),
                Paragraph(class_sentence(found, names), "Of the classes:"),
                Paragraph(settings_words(pair.settings), "What may not be claimed:"),
            ),
            figures=() if figure is None else (figure,),
            cautions=tuple(
                Callout("caution", "To be read with care:", sentence(text))
                for text in found.cautions
            ),
        ),
        found_title="Classes of features in both runs",
        found=class_table(found, names),
        sections_title="The evidence",
        sections=(
            Section("Verdicts that changed", changed_sentence(found), tuple(changed_parts(found)),
                    open=True),
            Section("Prompts that turned", _turned_sentence(found),
                    tuple(outcome_parts(found, names)), open=True),
            Section("Factors", factor_sentence(found, names), tuple(factor_parts(found))),
            Section("How classes were matched", matching_sentence(found)),
            settings_section(pair, names),
        ),
    )  # fmt: skip


def _turned_sentence(found: AuditPair) -> str:
    if not found.shared:
        return "None: the runs share no prompts."
    return sentence(
        f"{counted(len(found.turned), 'outcome is', 'outcomes are')} another, of "
        f"{counted(found.shared, 'prompt')} that both runs have"
    )

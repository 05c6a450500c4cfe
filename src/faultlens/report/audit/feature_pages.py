"""Feature pages: each feature that the argument names, by its firing and by its direction."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.result.argument import named_features
from faultlens.auditing.result.audit import Audit
from faultlens.feature_name import dictionary_of
from faultlens.numbers import clipped, counted, number
from faultlens.profiling.result import TokenEvidence
from faultlens.report.audit.direction import direction_parts
from faultlens.report.audit.verdicts import fires_on
from faultlens.report.figures.activations import activation_bars
from faultlens.report.parts import (
    Cell,
    Column,
    Figure,
    Paragraph,
    Part,
    Row,
    ShadedText,
    Table,
)
from faultlens.report.profile.tokens import examples_of
from faultlens.report.prompt_readings import FeatureFirings, PromptReadings

TITLE = "Feature pages"
EXAMPLES = 4  # failures, and successes, that a page shows
PROMPT = 300  # characters of a prompt whose tokens were not kept


def sentence(audit: Audit, readings: PromptReadings) -> str:
    """How many features have a page."""
    named = named_features(audit)
    if not named:
        return "No feature is named in the argument."
    if not readings.firings:
        return "Not shown: the run folder holds no activations of the prompts."
    features = counted(len(named), "feature")
    return f"{features} that the argument names: where each fires, and what its direction says."


def parts(audit: Audit, readings: PromptReadings, corpus: TokenEvidence | None) -> list[Part]:
    """One list of the features; a row opens the feature's page."""
    rows = tuple(
        _row(audit, readings, corpus, feature, roles)
        for feature, roles in named_features(audit).items()
        if feature in readings.firings
    )
    if not rows:
        return []
    columns = (
        Column("Feature", brief=True, chosen="Site"),
        Column("In the argument", brief=True),
        Column("Fires on", brief=True, explanation="Prompts, on any token of which it fires."),
        Column("Largest activation", "right", explanation="On any token of any prompt."),
    )
    return [Table("Pick a feature to see where it fires.", columns, rows, rows_are="features",
                  browsable=True)]  # fmt: skip


def _row(
    audit: Audit,
    readings: PromptReadings,
    corpus: TokenEvidence | None,
    feature: str,
    roles: list[str],
) -> Row:
    firings = readings.firings[feature]
    largest = firings.largest(len(audit.outcomes))
    failed = np.array([not outcome.success for outcome in audit.outcomes])
    fires = largest > 0
    return Row(
        (
            Cell(feature, value=dictionary_of(feature)),
            Cell("; ".join(roles)),
            Cell(
                fires_on(int((fires & failed).sum()), int((fires & ~failed).sum())),
                value=int((fires & failed).sum()),
            ),
            Cell(number(float(largest.max(initial=0.0))), value=float(largest.max(initial=0.0))),
        ),
        (
            Figure(
                f"activations of {feature}",
                activation_bars(largest, failed),
                f"How strongly {feature} fires: the largest activation on each prompt, failures "
                "beside successes.",
                "Bars for failures and successes over ranges of the activation.",
            ),
            *_examples(audit, readings, firings, largest, failed),
            *_in_corpus(corpus, feature),
            *_direction(audit, feature),
        ),
        name=feature,
    )


def _examples(
    audit: Audit,
    readings: PromptReadings,
    firings: FeatureFirings,
    largest: np.ndarray,
    failed: np.ndarray,
) -> list[Part]:
    """The failing prompts on which it is strongest, then the succeeding ones."""
    found: list[Part] = []
    for which, what in ((failed, "failures"), (~failed, "successes")):
        there = np.flatnonzero(which & (largest > 0))
        strongest = there[np.argsort(-largest[there], kind="stable")][:EXAMPLES]
        if not len(strongest):
            found.append(Paragraph(f"it fires on none of the {what}.", f"Among {what}:"))
            continue
        found.append(Paragraph("where it is strongest.", f"Among {what}:"))
        for prompt in strongest.tolist():
            found.append(_shaded(audit, readings, firings, prompt, float(largest.max())))
    return found


def _shaded(
    audit: Audit, readings: PromptReadings, firings: FeatureFirings, prompt: int, largest: float
) -> Part:
    outcome = audit.outcomes[prompt]
    generated = "" if outcome.generated is None else f" → {clipped(outcome.generated, 40)}"
    label = f"{outcome.kind}{generated}"
    on = firings.on(prompt)
    if prompt >= len(readings.tokens):
        return Paragraph(f"{clipped(outcome.prompt, PROMPT)} ({number(max(on.values()))})", label)
    tokens = readings.tokens[prompt]
    return ShadedText(
        label, tuple((token, on.get(place, 0.0)) for place, token in enumerate(tokens)), largest
    )


def _direction(audit: Audit, feature: str) -> list[Part]:
    """What its direction says by itself, where a model was at hand."""
    direction = audit.directions.get(feature)
    return [] if direction is None else direction_parts(direction)


def _in_corpus(corpus: TokenEvidence | None, feature: str) -> list[Part]:
    """Its strongest examples in the corpus of the profile beside, where it was looked at there."""
    if corpus is None or feature not in corpus.features:
        return []
    return examples_of(feature, corpus.features[feature])

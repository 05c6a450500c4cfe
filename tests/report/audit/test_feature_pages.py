"""Feature pages: where the argument's features fire, failures beside successes."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
import numpy as np
import pytest
import reading_samples
import samples
from tree_reading import figures, paragraphs, rows, tables, titled

from faultlens.auditing.result import (
    FeatureDirection,
    JointTest,
    NearFeature,
    RequestedTest,
    TokenLogit,
)
from faultlens.auditing.result.argument import named_features
from faultlens.profiling.result import TokenEvidence
from faultlens.report.audit.study import audit_study
from faultlens.report.figures.activations import activation_bars
from faultlens.report.figures.chart import Bars
from faultlens.report.parts import Row, ShadedText
from faultlens.report.prompt_readings import PromptReadings
from faultlens.report.tree import Section

TITLE = "Feature pages"


def section(corpus: TokenEvidence | None = None) -> Section:
    study = audit_study(reading_samples.audit(), reading_samples.readings(), corpus)
    return titled(study, TITLE)


def page(corpus: TokenEvidence | None = None) -> Row:
    (found,) = tables(section(corpus).parts)
    return next(row for row in found.rows if row.name == reading_samples.LEADING)


def test_features_are_named_in_the_order_of_the_argument_with_what_they_are() -> None:
    trial = RequestedTest(["3-res-mini/808"], 26, 94, cause_samples.cause(), None)
    audit = dataclasses.replace(audit_samples.audit(), requested=[trial])
    named = named_features(audit)
    assert list(named)[:4] == [
        "4-res-mini/91", "4-res-mini/200", "4-res-mini/300", "3-res-mini/808",
    ]  # fmt: skip
    assert named["4-res-mini/91"] == [
        "goes with failure most surely", "CONTRIBUTES", "changed", "first by attribution",
    ]  # fmt: skip
    assert named["3-res-mini/808"] == ["named by the user"]
    assert named["4-res-mini/400"] == ["NOT SIGNIFICANT"]
    pair = JointTest(["4-res-mini/91", "3-res-mini/9"], ["4-res-mini/91", "3-res-mini/9"], None,
                     "too few", None)  # fmt: skip
    named = named_features(dataclasses.replace(audit, together=[pair]))
    assert named["3-res-mini/9"] == ["tried with another class"]
    assert named_features(audit_samples.tables_only()) == {}


def test_only_features_that_were_kept_have_a_page() -> None:
    (found,) = tables(section().parts)
    assert rows(found) == [
        [
            "4-res-mini/91",
            "goes with failure most surely; CONTRIBUTES; changed; first by attribution",
            "2 failures and 1 success", "4",
        ],
        [
            "4-res-mini/200", "PROXY of object = the keys; changed", "0 failures and 0 successes",
            "0",
        ],
    ]  # fmt: skip


def test_prompts_are_shaded_failures_before_successes_the_strongest_first() -> None:
    opened = page().opens
    shaded = [part for part in opened if isinstance(part, ShadedText)]
    assert [part.tokens for part in shaded] == [
        (("pass", 0.0), ("ed", 1.0), (" <keys>", 4.0)),
        (("pass", 0.0), ("ed", 0.0), (" <keys>", 3.0)),
    ]
    assert {part.largest for part in shaded} == {4.0}
    assert shaded[0].label == "first token right, word wrong → Susan's house"
    said = paragraphs(opened)
    assert said[0] == "Among failures: where it is strongest."
    assert said[-1] == "success → Lucy. Then Dan gave a card to (2)", "its tokens were not kept"
    silent = next(row for row in tables(section().parts)[0].rows if row.name == "4-res-mini/200")
    assert paragraphs(silent.opens) == [
        "Among failures: it fires on none of the failures.",
        "Among successes: it fires on none of the successes.",
    ]


def test_the_spread_is_of_shares_with_the_silent_apart() -> None:
    (figure,) = figures(page().opens)
    assert isinstance(figure.chart, Bars)
    (_, _, failures), (_, _, successes) = figure.chart.series
    assert failures == pytest.approx((0.5, 0, 0, 0, 0, 0.25, 0.25))
    assert successes == pytest.approx((0, 0, 0, 1, 0, 0, 0))
    assert figure.chart.bins[0] == "silent" and figure.chart.bins[-1] == "≤ 4"
    nothing = activation_bars(np.zeros(3), np.array([True, False, False]))
    assert nothing.series[0][2][0] == 1.0


def test_the_corpus_of_a_profile_beside_shows_its_examples() -> None:
    tokens = samples.whole_profile().tokens
    assert tokens is not None
    seen = next(iter(tokens.features.values()))
    corpus = dataclasses.replace(tokens, features={reading_samples.LEADING: seen})
    (examples,) = tables(page(corpus).opens)
    assert examples.caption.startswith("4-res-mini/91 fires on 12 tokens; its strongest")
    assert tables(page().opens) == []


def test_a_result_without_its_folder_has_no_pages() -> None:
    titles = [one.title for one in audit_study(reading_samples.audit()).sections]
    assert TITLE not in titles
    bare = titled(audit_study(reading_samples.audit(), PromptReadings()), TITLE)
    assert bare.lead == "Not shown: the run folder holds no activations of the prompts."
    assert bare.parts == ()


def with_direction(direction: FeatureDirection) -> Row:
    audit = dataclasses.replace(
        reading_samples.audit(), directions={reading_samples.LEADING: direction}
    )
    (found,) = tables(titled(audit_study(audit, reading_samples.readings()), TITLE).parts)
    assert not any("direction alone" in said for said in paragraphs(found.rows[1].opens))
    return next(row for row in found.rows if row.name == reading_samples.LEADING)


def test_a_direction_is_told_in_tokens_and_beside_other_sites() -> None:
    row = with_direction(
        FeatureDirection(
            [TokenLogit(" keys", 3.25), TokenLogit("\n", 2.0)],
            [TokenLogit("<b>", -4.0)],
            [NearFeature("3-res-mini/808", 0.61234, 0.3)],
        )
    )
    assert paragraphs(row.opens)[-1] == (
        "By its direction alone: by the logit lens it promotes “␣keys”, “⏎”, and suppresses “<b>”. "
        "An approximation: later layers may change it."
    )
    (near,) = tables(row.opens)
    assert [column.header for column in near.columns] == ["Nearest feature", "Cosine", "Usual"]
    assert rows(near) == [["3-res-mini/808", "0.612", "0.3"]]


def test_a_direction_that_no_residual_takes_up_says_so() -> None:
    row = with_direction(FeatureDirection([], [], []))
    assert paragraphs(row.opens)[-1] == (
        "By its direction alone: which tokens it promotes is not told: its direction is not added "
        "to the residual stream."
    )
    assert tables(row.opens) == []

"""Step 6: rungs with numbers or reasons, and a sentence that follows their intervals."""

from __future__ import annotations

import dataclasses

import audit_samples
from tree_reading import captioned, figures, headed, marks, rows, section

from faultlens.auditing.result import LeftOutDifference, Rung
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE
from faultlens.report.figures.audit import ladder_dots

TITLE = "6 Baseline ladder"


def test_the_ladder_gives_numbers_or_reasons() -> None:
    parts = section(audit_samples.audit(), TITLE).parts
    assert len(figures(parts)) == 1
    rungs = rows(headed(parts, "Remark"))
    assert rungs[0] == ["base rate", "0.500", "none", "by definition"]
    assert rungs[1] == ["factors", "0.935", "[0.882, 0.988]", ""]
    assert rungs[4] == ["random dictionary", NOT_DONE, NOT_DONE, audit_samples.NO_TOKENS]
    differences = headed(parts, "Difference")
    assert marks(differences, 0) == [False, False, True]
    assert rows(differences)[0] == ["residual − factors", "−0.021", "[−0.061, 0.018]"]
    left_out = rows(headed(parts, "Pairs"))
    assert left_out[0] == [
        "object", "the other factors", "0.553", "[0.410, 0.690]", "1,204", "7", "the ball",
    ]  # fmt: skip
    assert left_out[3][2] == "not done there is no other factor"


def test_rungs_at_levels_left_out_are_compared() -> None:
    whole = audit_samples.audit()
    assert whole.ladder is not None
    strict = dataclasses.replace(
        whole.ladder,
        left_out_scheme="strict",
        left_out_differences=[
            LeftOutDifference("object", "sae_top_k", "factors", 0.1042, 0.021, 0.187),
            LeftOutDifference("object", "sae_all", "random_dictionary", -0.02, -0.061, 0.018),
        ],
    )
    parts = section(dataclasses.replace(whole, ladder=strict), TITLE).parts
    differences = captioned(parts, "Rungs against each other at levels left out")
    assert marks(differences, 1) == [True, False]
    assert rows(differences) == [
        ["object", "SAE top-k − the other factors", "+0.104", "[0.021, 0.187]"],
        ["object", "all SAE features − random dictionary", "−0.02", "[−0.061, 0.018]"],
    ]
    assert headed(parts, "Pairs").caption.endswith(
        "Prompts that belong with those left out are not trained on either."
    )
    plain = headed(section(whole, TITLE).parts, "Pairs").caption
    assert plain.endswith("within the level left out.")


def test_the_sentence_follows_the_intervals() -> None:
    whole = audit_samples.audit()

    def sentence(audit: Audit) -> str:
        return section(audit, TITLE).lead

    assert sentence(whole).endswith("no interval of a difference lies above 0.")
    assert whole.ladder is not None
    better = dataclasses.replace(whole.ladder.differences[1], low=0.001)
    ladder = dataclasses.replace(whole.ladder, differences=[better])
    assert sentence(dataclasses.replace(whole, ladder=ladder)) == (
        "On prompts held out, failure is predicted better from all SAE features than from the "
        "prompt's factors: the interval of the difference lies above 0."
    )
    assert sentence(audit_samples.tables_only()) == (
        "Which of these predicts failure on prompts held out better is not known: factors, bag of "
        "tokens, residual."
    )
    few = {"factors": Rung(None, None, None, "4 failures and five folds")}
    assert sentence(dataclasses.replace(whole, baselines=few)) == (
        "Not done: 4 failures and five folds."
    )
    assert sentence(audit_samples.underpowered()) == (
        "Not done: the audit as a whole is UNDERPOWERED."
    )


def test_the_studys_folds_are_named_and_have_no_interval() -> None:
    table = headed(section(audit_samples.tables_only(), TITLE).parts, "Remark")
    assert table.caption.startswith("The baseline ladder: the published study's one split of 5")
    assert {row[2] for row in rows(table)} == {"none", NOT_DONE}


def test_a_single_rung_draws_no_figure() -> None:
    assert ladder_dots({"base rate": Rung(0.5, None, None, None)}, {"base rate"}) is None

"""Step 9: seeds, classes and halves, with a reason for each that was not done."""

from __future__ import annotations

import dataclasses

import audit_samples
import cause_samples
from tree_reading import headed, marks, paragraphs, rows, section, tables

from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE

TITLE = "9 Replication"


def other(**changes: object) -> Audit:
    found = dataclasses.replace(cause_samples.robustness(), **changes)  # type: ignore[arg-type]
    return dataclasses.replace(audit_samples.audit(), robustness=found)


def test_seeds_classes_and_halves_are_told() -> None:
    seeds, classes, ladders, halves = tables(section(audit_samples.audit(), TITLE).parts)
    assert rows(seeds)[:2] == [
        ["0", "300", "61 20.3%", "16", "4-res-mini/91 and 11 alike", "CONTRIBUTES"],
        ["1", "300", "58 19.3%", "14", "4-res-mini/91 and 2 alike", "CONTRIBUTES"],
    ]
    assert rows(seeds)[2][4] == "none" and rows(seeds)[2][5].startswith("UNDERPOWERED: 3 failures")
    assert rows(seeds)[4][-2:] == ["none", "none"]
    assert classes.caption.endswith("the first seed's verdict under at least 4 of 5 seeds.")
    assert rows(classes) == [
        ["4-res-mini/91 and 11 alike CONTRIBUTES", "stable, 4 of 5", "4 of 5",
         "CONTRIBUTES (0, 1, 2, 3); no class matches (4)"],
        ["4-res-mini/200 PROXY of object = the keys", "not stable, 1 of 5", "2 of 5",
         "PROXY of object = the keys (0); CORRELATE (1, 3); no class matches (2, 4)"],
    ]  # fmt: skip
    assert marks(classes, 0) == [True, False]
    assert [column.header for column in ladders.columns[1:]] == [f"Seed {i}" for i in range(5)]
    assert rows(ladders) == [
        ["base rate", "0.500", "0.500", *[NOT_DONE] * 3],
        ["all SAE features", "0.921", *[NOT_DONE] * 4],
    ]
    assert halves.caption.endswith("are finite: 0.842 of what it is where they were found.")
    assert rows(halves) == [
        ["4-res-mini/91 and 1 alike", "+3.11", "+2.62 [2.04, 3.19]", "+0.713", "+0.604", "3.4e-14"],
        ["4-res-mini/200", "infinite", "not defined", "+0.417", "+0.388", "not defined"],
    ]


def test_the_sentence_says_how_many_are_stable_and_how_far_effects_shrink() -> None:
    assert section(audit_samples.audit(), TITLE).lead == (
        "The first seed's verdict under at least 4 of 5 seeds: 1 of 2 classes; 4-res-mini/91, "
        "which goes with failure most surely, is CONTRIBUTES under 4 of 5; in the half where a "
        "class was not found, d is 0.842 of what it is where it was."
    )


def test_a_part_that_was_not_done_has_its_reason() -> None:
    found = cause_samples.robustness()
    alone = section(
        other(seeds=found.seeds[:1], classes=[], needed=1, reason="one seed was asked for"), TITLE
    )
    assert paragraphs(alone.parts) == [
        "Prompts from other seeds: not done: one seed was asked for."
    ]
    assert alone.lead == (
        "Other seeds not done: one seed was asked for; in the half where a class was not found, d "
        "is 0.842 of what it is where it was."
    )
    assert paragraphs(section(other(seeds=[], classes=[], needed=0), TITLE).parts) == [
        "Prompts from other seeds: not done: no prompts from other seeds were run."
    ]
    unclimbed = [dataclasses.replace(seed, baselines={}) for seed in found.seeds]
    assert paragraphs(section(other(seeds=unclimbed), TITLE).parts) == [
        "The baseline ladder of other seeds: not done."
    ]
    assert paragraphs(section(other(halves=[], shrinkage=None), TITLE).parts) == [
        "Discovery and replication: not done: no class was found in a half of the prompts."
    ]
    undefined = headed(section(other(shrinkage=None), TITLE).parts, "d found")
    assert undefined.caption.endswith("are finite: not defined.")
    empty = section(other(classes=[], shrinkage=None), TITLE)
    assert "Classes: there are none to look for under the other seeds." in paragraphs(empty.parts)
    assert empty.lead == "There are no classes to look for under the other seeds."

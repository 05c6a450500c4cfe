"""Classes of two audits matched, by features, firing and direction; and why verdicts differ."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cause_samples
import numpy as np
import pytest
import run_samples

from faultlens.auditing.result import Proxy
from faultlens.comparing.classes import Sides, matched_classes
from faultlens.comparing.directions import Directions
from faultlens.comparing.result import ClassPair
from faultlens.comparing.run import StudiedRun
from faultlens.comparing.shared_prompts import shared_prompts

FAILS = [False] * 4 + [True] * 6
ON_FAILURES = [(text, 0) for text in range(4)]
ELSEWHERE = [(text, 0) for text in range(5, 10)]
reading, site, audit = run_samples.reading, run_samples.site, run_samples.audit


def fires(feature: int, where: list[tuple[int, int]]) -> list[tuple[int, int, int, float]]:
    return [(text, position, feature, 1.0 + text) for text, position in where]


def pairs_of(first: Path, second: Path, directions: object = None) -> list[ClassPair]:
    one, other = StudiedRun.read(str(first)), StudiedRun.read(str(second))
    shared = shared_prompts(one.audited.outcomes, other.audited.outcomes)
    sides = Sides.of(one, other, shared, None)
    if directions is not None:
        sides.__dict__["directions"] = directions
    return matched_classes(sides)


def test_a_class_of_the_same_dictionary_is_matched_by_its_features(tmp_path: Path) -> None:
    found = pairs_of(
        run_samples.write(
            tmp_path / "a", audit(FAILS, {"4-res": site(reading("4-res/1", "4-res/2"))}),
            firings={"4-res": fires(1, ON_FAILURES)}, digests={"4-res": "x"},
        ),
        run_samples.write(
            tmp_path / "b",
            audit(FAILS, {"4-res": site(reading("4-res/7"), reading("4-res/2", rank=1))}),
            firings={"4-res": fires(2, ON_FAILURES[:2]) + fires(7, ELSEWHERE)},
            digests={"4-res": "x"},
        ),
    )  # fmt: skip
    one, own = found
    assert one.second is not None
    assert (one.matched_by, one.second.features) == ("feature", ["4-res/2"])
    assert one.nearest == "4-res/2" and one.jaccard == 0.5
    assert one.reasons == [], "the verdict is the same"
    assert own.first is None and own.second is not None and own.second.features == ["4-res/7"]


def test_of_other_dictionaries_a_class_is_matched_by_firing_or_not_at_all(tmp_path: Path) -> None:
    found = pairs_of(
        run_samples.write(
            tmp_path / "a", audit(FAILS, {"4-res": site(reading("4-res/1"))}),
            firings={"4-res": fires(1, ON_FAILURES)}, digests={"4-res": "x"},
        ),
        run_samples.write(
            tmp_path / "b",
            audit(FAILS, {"5-res": site(reading("5-res/3", p=0.2, kind="NOT SIGNIFICANT"),
                                        reading("5-res/4", rank=1))}),
            firings={"5-res": fires(3, ON_FAILURES) + fires(4, ELSEWHERE)},
            digests={"5-res": "y"},
        ),
    )  # fmt: skip
    one, own = found
    assert one.second is not None and one.verdict_changed
    assert (one.matched_by, one.nearest, one.jaccard) == ("firing", "5-res/3", 1.0)
    assert one.correlation == pytest.approx(1.0)
    assert one.reasons == [
        f"it goes with the outcome beyond chance in {tmp_path / 'a'} only: adjusted p 0.001 in "
        f"{tmp_path / 'a'} (fires on 4 failures, 0 successes), 0.2 in {tmp_path / 'b'} (4, 0)"
    ]
    assert own.first is None and own.matched_by is None
    assert own.nearest is None, "nothing of the first run fires where it does"


def test_a_class_that_only_one_run_has_is_told_with_the_nearest_feature(tmp_path: Path) -> None:
    found = pairs_of(
        run_samples.write(
            tmp_path / "a", audit(FAILS, {"4-res": site(reading("4-res/1"))}),
            firings={"4-res": fires(1, ON_FAILURES)}, digests={"4-res": "x"},
        ),
        run_samples.write(
            tmp_path / "b", audit(FAILS, {"5-res": site()}),
            firings={"5-res": fires(3, ON_FAILURES[:3])}, digests={"5-res": "y"},
            tested=[("5-res", 3, 0.31), ("4-res", 3, 0.9), ("5-res", 2, 0.8)],
        ),
    )  # fmt: skip
    (one,) = found
    assert one.second is None and one.nearest == "5-res/3"
    assert one.reasons == [
        f"the nearest feature of {tmp_path / 'b'} is 5-res/3 (Jaccard index of firing 0.75): "
        f"adjusted p 0.31 there, 0.001 in {tmp_path / 'a'}"
    ]


def test_without_shared_prompts_classes_are_matched_by_direction(tmp_path: Path) -> None:
    others = [text.replace(" gave ", " lent ") for text in run_samples.PROMPTS]
    first = run_samples.write(
        tmp_path / "a", audit(FAILS, {"4-res": site(reading("4-res/1"))}), digests={"4-res": "x"}
    )
    second = run_samples.write(
        tmp_path / "b",
        audit(FAILS, {"5-res": site(reading("5-res/0"), reading("5-res/1", rank=1))}, others),
        digests={"5-res": "y"},
    )
    away = np.array([[0.0, 1.0], [0.95, np.sqrt(1 - 0.95**2)]])
    directions = (
        Directions({"4-res": np.eye(2)[[1, 0]]}, {"4-res": "residual stream"}),
        Directions({"5-res": away}, {"5-res": "residual stream"}),
    )
    one, own = pairs_of(first, second, directions)
    assert one.second is not None
    assert (one.matched_by, one.second.features) == ("direction", ["5-res/1"])
    assert one.cosine == pytest.approx(0.95) and one.jaccard is None
    assert own.second is not None and own.second.features == ["5-res/0"]
    other_space = (directions[0], Directions({"5-res": away}, {"5-res": "blocks.5.attn.hook_z"}))
    assert pairs_of(first, second, other_space)[0].matched_by is None, "directions of other spaces"


def test_reasons_name_the_evidence_that_differs(tmp_path: Path) -> None:
    proxy = Proxy("object", "the keys", 0.93)
    done = cause_samples.cause()
    undone = dataclasses.replace(
        done, necessity=dataclasses.replace(done.necessity, shown=False, adjusted=0.1)
    )
    cases = {
        "it fires most with object = the keys in {a} (Jaccard index 0.93), and with no level of a "
        "factor in {b}": (
            reading("4-res/1", kind="PROXY", level="object = the keys", proxy=proxy),
            reading("4-res/1"),
        ),
        "it says more than the factors in {a} only: within strata, in {a} p 0.01 and in {b} that "
        "was not tested": (
            reading("4-res/1", p_conditional=0.01),
            reading("4-res/1", kind="UNTESTABLE"),
        ),
        "it was edited in {a} and not in {b}: for want of time": (
            reading("4-res/1", kind="CAUSE", intervention=done),
            reading("4-res/1"),
        ),
        "necessity is shown (": (
            reading("4-res/1", kind="CAUSE", intervention=done),
            reading("4-res/1", kind="CONTRIBUTES", intervention=undone),
        ),
    }
    for number, (expected, (before, after)) in enumerate(cases.items()):
        folders = []
        for name, of in (("a", before), ("b", after)):
            whole = audit(FAILS, {"4-res": site(of)}, not_tested={"4-res/1": "for want of time"})
            folders.append(
                run_samples.write(tmp_path / f"{number}{name}", whole, digests={"4-res": "x"})
            )
        (pair,) = pairs_of(*folders)
        wanted = expected.format(a=folders[0], b=folders[1])
        assert any(reason.startswith(wanted) for reason in pair.reasons), pair.reasons
        assert len(pair.reasons) == 1

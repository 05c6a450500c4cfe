"""Which verdicts hold on other prompts: classes found again, and audits over seeds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from by_hand import CLEAR, asked, axes, dictionary, made
from elsewhere import Elsewhere
from scipy.sparse import csr_matrix

import faultlens as fl
from faultlens.auditing.config import AuditConfig, InterventionConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.replication.seeds import (
    SeedRun,
    compare_seeds,
    config_of_other_seed,
    matched,
)
from faultlens.auditing.result import ClassReading, Verdict, VerdictKind
from faultlens.auditing.result.conclusions import leading_class, ranked_classes
from faultlens.auditing.spread import Spread
from faultlens.auditing.study import audit_over_seeds, audit_task
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.table import FeatureTable

SITE, N, FAILURES = "1-res-hand", 100, 40
FAILED = np.arange(N) < FAILURES
OWN, TWIN = 0, 1  # the class that is looked for, and another feature
QUICK = AuditConfig.of(permutations=200, baselines=False, test_classes=1, test_attributed=0)


def lens_of(cosine: float) -> Lens:
    """A lens that is only asked for its directions; those of `OWN` and `TWIN` have this cosine."""
    first, second = axes()["push"], axes()["copy"]
    near = cosine * first + (1 - cosine**2) ** 0.5 * second
    found = dictionary(1, {"own": first, "twin": near})
    assert float(found.W_dec[OWN] @ found.W_dec[TWIN]) == pytest.approx(cosine, abs=1e-5)
    nothing: Any = None
    return Lens(nothing, (found,))


def run(seed: int, fires: Mapping[int, np.ndarray]) -> SeedRun:
    """An audit of outcomes, with features that fire on given prompts, at strengths of their own."""
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random((N, 6)) < 0.3, rng.gamma(2.0, 1.0, (N, 6)), 0.0)
    for feature, where in fires.items():
        matrix[:, feature] = np.where(where, rng.gamma(2.0, 1.0, N) + 0.1, 0.0)
    answers = Answers.from_records(
        [
            {"prompt": f"{seed} {i}", "target": "a", "generated": "b" if bad else "a"}
            for i, bad in enumerate(FAILED)
        ]
    )
    rows = pd.DataFrame({"text": [prompt.text for prompt in answers.task.prompts]})
    table = FeatureTable(SITE, csr_matrix(matrix.astype(np.float32)), rows, {}, 1)
    audit = fl.audit({SITE: table}, answers, permutations=500, baselines=False)
    sets = [FeatureSet(*_parsed(reading)) for _, reading in ranked_classes(audit.sites)]
    return SeedRun(seed, N, FAILURES, 0.05, None, audit.sites, sets, audit.baselines, {SITE: table})


def _parsed(reading: ClassReading) -> tuple[str, tuple[int, ...]]:
    return SITE, tuple(int(name.rpartition("/")[2]) for name in reading.features)


def class_of(found: SeedRun, feature: int) -> ClassReading:
    (reading,) = [c for c in found.significant if f"{SITE}/{feature}" in c.features]
    return reading


NEVER = np.zeros(N, dtype=bool)
FEW = np.arange(N) < 4


@pytest.fixture(scope="module")
def here() -> SeedRun:
    """Both features fire on the failures."""
    return run(0, {OWN: FAILED, TWIN: FAILED})


def test_the_same_feature_is_found_again(here: SeedRun) -> None:
    there = run(1, {OWN: FAILED, TWIN: NEVER})
    found = matched(lens_of(0.0), class_of(here, OWN), here, there)
    assert found is not None
    assert found == class_of(there, OWN)
    assert matched(lens_of(0.0), class_of(here, TWIN), here, there) is None


@pytest.mark.parametrize(("cosine", "alike"), [(0.91, True), (0.89, False)])
def test_another_feature_is_the_same_class_where_it_points_the_same_way(
    here: SeedRun, cosine: float, alike: bool
) -> None:
    """There its own feature has all but fallen silent, and the twin fires: Jaccard 44 / 80."""
    there = run(1, {OWN: FEW, TWIN: FAILED})
    found = matched(lens_of(cosine), class_of(here, OWN), here, there)
    assert found == (class_of(there, TWIN) if alike else None)


def test_a_direction_alone_is_not_enough() -> None:
    """The twin fires on fewer prompts of the first seed: Jaccard 34 / 80 over both."""
    here = run(0, {OWN: FAILED, TWIN: np.arange(N) < 30})
    there = run(1, {OWN: FEW, TWIN: FAILED})
    assert matched(lens_of(0.99), class_of(here, OWN), here, there) is None


def test_a_class_that_no_longer_goes_with_failure_is_not_found(here: SeedRun) -> None:
    index = np.arange(N)
    weakly = np.where(FAILED, index < 28, index < FAILURES + 28)
    there = run(1, {OWN: weakly, TWIN: NEVER})
    listed = [c.features for _, c in ranked_classes(there.sites)]
    assert listed == [[f"{SITE}/{OWN}"]]
    assert there.significant == []
    assert matched(lens_of(0.0), class_of(here, OWN), here, there) is None
    elsewhere = replace(there, sites={})
    assert matched(lens_of(0.0), class_of(here, OWN), here, elsewhere) is None


def test_of_several_that_are_alike_the_one_that_fires_most_alike_is_taken(here: SeedRun) -> None:
    there = run(1, {OWN: FAILED, TWIN: np.arange(N) < 30})
    found = matched(lens_of(0.99), class_of(here, OWN), here, there)
    assert found == class_of(there, OWN)


@pytest.mark.parametrize(("lost", "same", "stable"), [(0, 5, True), (1, 4, True), (2, 3, False)])
def test_a_verdict_is_stable_in_four_of_five(lost: int, same: int, stable: bool) -> None:
    runs = [run(seed, {OWN: FAILED if seed < 5 - lost else NEVER}) for seed in range(5)]
    found = compare_seeds(lens_of(0.0), runs)
    (followed,) = found.classes
    verdict = class_of(runs[0], OWN).verdict.label
    assert followed.verdicts == [verdict] * (5 - lost) + [None] * lost
    assert (followed.verdict, followed.same, followed.stable) == (verdict, same, stable)
    assert followed.replicated == same
    assert found.needed == 4
    assert [seed.significant for seed in found.readings] == [1] * (5 - lost) + [0] * lost


def test_the_first_seeds_verdict_is_what_is_to_be_stable(here: SeedRun) -> None:
    """Elsewhere the class is called otherwise, or goes with success: only that undoes the first."""
    site = here.sites[SITE]

    def seen(verdict: VerdictKind, auroc: float) -> SeedRun:
        own = class_of(here, OWN)
        others = [
            replace(c, verdict=Verdict(verdict, None, ""), auroc=auroc) if c == own else c
            for c in site.classes
        ]
        return replace(here, sites={SITE: replace(site, classes=others)})

    readings = [("CORRELATE", 0.9), *[("PROXY", 0.9)] * 3, ("PROXY", 0.1)]
    found = compare_seeds(lens_of(0.0), [seen(*reading) for reading in readings])
    (followed,) = [c for c in found.classes if f"{SITE}/{OWN}" in c.features]
    assert followed.verdicts == ["CORRELATE", *["PROXY"] * 4]
    assert (followed.verdict, followed.same, followed.stable) == ("CORRELATE", 1, False)
    assert followed.replicated == 4


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Lens:
    model = made(tmp_path_factory.mktemp("clear"), CLEAR)
    return Lens(model, (dictionary(1, {name: axes()[name] for name in ("push", "copy")}),))


def over(lens: Lens, make: Callable[[int], Task]) -> fl.Audit:
    return audit_over_seeds(lens, {seed: make(seed) for seed in range(3)}, config=QUICK)


def test_a_cause_is_a_cause_on_all_prompts(by_hand: Lens) -> None:
    audit = over(by_hand, lambda seed: asked(100, seed))
    alone = audit_task(by_hand, asked(100, 0), config=QUICK)
    first = replace(audit, robustness=alone.robustness, claims=alone.claims)
    assert first == alone, "the first is the one reported"
    spread = Spread(Elsewhere(), partial(copy.deepcopy, by_hand))
    tasks = {seed: asked(100, seed) for seed in range(3)}
    many = audit_over_seeds(by_hand, tasks, config=QUICK, spread=spread)
    assert many == audit, "other seeds audited elsewhere"
    found = audit.robustness
    assert found is not None and alone.robustness is not None
    assert (found.halves, found.shrinkage) == (alone.robustness.halves, alone.robustness.shrinkage)
    assert found.halves
    assert (found.reason, alone.robustness.reason) == (None, "no prompts from other seeds were run")
    assert [(s.seed, s.n, s.failures, s.verdict and s.verdict.label) for s in found.seeds] == [
        (seed, 100, 40, "CAUSE") for seed in range(3)
    ]
    cause = next(c for c in found.classes if c.features == ["1-res-hand/0"])
    assert (cause.verdicts, cause.same, cause.stable) == (["CAUSE"] * 3, 3, True)
    assert found.needed == 3
    own = audit_task(by_hand, asked(100, 1), config=config_of_other_seed(QUICK))
    leading = leading_class(own.sites)
    assert leading is not None and found.seeds[1].verdict == leading.verdict, "word for word"
    climbed = {name: rung.auroc for name, rung in (own.baselines or {}).items()}
    assert found.seeds[1].baselines == climbed, "nothing that is left out changes what is kept"


def test_prompts_without_failures_find_nothing_again(by_hand: Lens) -> None:
    def make(seed: int) -> Task:
        task = asked(100, seed)
        kept = [p for p in task.prompts if seed < 2 or p.factors["object"] not in CLEAR]
        return Task(task.name, tuple(kept))

    found = over(by_hand, make).robustness
    assert found is not None
    assert found.seeds[2].failures == 0
    assert str(found.seeds[2].verdict).startswith("UNDERPOWERED: 0 failures and 60 successes")
    cause = next(c for c in found.classes if c.features == ["1-res-hand/0"])
    assert cause.verdicts == ["CAUSE", "CAUSE", None]
    assert (cause.verdict, cause.same, cause.stable) == ("CAUSE", 2, False)


def test_the_keys_are_what_they_are_on_all_prompts_of_the_bundled_model() -> None:
    lens = fl.load("mini", layers=[3])
    audit = audit_over_seeds(
        lens, {seed: fl.tasks.mini_ioi(n=150, seed=seed) for seed in range(3)},
        config=replace(QUICK, interventions=InterventionConfig(0, 0)),
    )  # fmt: skip
    found = audit.robustness
    assert found is not None
    assert [seed.seed for seed in found.seeds] == [0, 1, 2]
    assert len({seed.failures for seed in found.seeds}) > 1, "the prompts are others"
    assert [(c.features, c.verdicts[0]) for c in found.classes] == [
        (reading.features, reading.verdict.label) for _, reading in audit.significant[:20]
    ]
    assert all(c.stable == (c.same == 3) for c in found.classes)
    assert any(c.stable and c.verdict.startswith("PROXY of object = ") for c in found.classes)
    assert not all(c.stable for c in found.classes), "some are of the first prompts only"


@pytest.mark.parametrize("seeds", [[], [4]])
def test_seeds_that_say_nothing_of_other_prompts(by_hand: Lens, seeds: list[int]) -> None:
    with pytest.raises(UserError) as refused:
        audit_over_seeds(by_hand, {seed: asked(100, seed) for seed in seeds}, config=QUICK)
    assert str(refused.value) == f"seeds {seeds}: expected two or more, all different"

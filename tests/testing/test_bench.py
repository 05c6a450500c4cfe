"""The bench: its quick part, its rivals against referees, and that it goes on where it stopped."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.errors import UserError
from faultlens.testing import bench
from faultlens.testing.bench import Case, quick_cases, rates_of, run_bench, table_of, whole_cases
from faultlens.testing.kinds import KINDS, plant
from faultlens.testing.rivals import difference_of_means, fisher_holm, l1_logistic, published
from faultlens.testing.scores import score


def test_causes_are_found_first_proxies_are_told_and_nothing_is_found_in_nulls() -> None:
    """The bench in little: strong effects, one set of each kind that has one answer."""
    found = {
        kind: score(plant(kind, n=200, rate=0.25, features=60, seed=1), permutations=199)
        for kind in ("firing", "dense", "duplicates", "beside_factor", "token_proxy",
                     "scoring_artefact", "numeric", "and_cell", *bench.NULLS)
    }  # fmt: skip
    for kind in ("firing", "dense", "duplicates", "beside_factor"):
        assert (found[kind].found, found[kind].first, found[kind].verdict) == (
            True, True, "CORRELATE",
        )  # fmt: skip
    assert found["duplicates"].one_class
    assert found["token_proxy"].verdict.startswith("PROXY of object = ")
    assert found["scoring_artefact"].verdict == "ARTEFACT (of scoring)"
    assert found["beside_factor"].adds
    assert not any(found[kind].adds for kind in ("numeric", "and_cell", "token_proxy"))
    assert not any(found[kind].any_found for kind in bench.NULLS)


def test_rivals_are_what_they_are_called() -> None:
    planted = plant("firing", seed=2)
    values, failed = planted.table.matrix, planted.failed
    dense = values.toarray().astype(float)
    gap = dense[failed].mean(axis=0) - dense[~failed].mean(axis=0)
    np.testing.assert_allclose(difference_of_means(values, failed).order, np.abs(gap), rtol=1e-5)
    fires = dense > 0
    p = [stats.fisher_exact([[(f & failed).sum(), (f & ~failed).sum()],
                             [(~f & failed).sum(), (~f & ~failed).sum()]]).pvalue
         for f in fires.T]  # fmt: skip
    np.testing.assert_allclose(fisher_holm(values, failed).order, -np.log(p), rtol=1e-6, atol=1e-9)
    t = stats.ttest_ind(dense[failed], dense[~failed], equal_var=False).statistic
    df = min(failed.sum(), (~failed).sum()) - 1
    flagged = published(values, failed).found
    least = 2 * stats.t.sf(np.abs(np.nan_to_num(t)), df)
    assert flagged is not None
    assert flagged[np.argmin(least)] == (least.min() * dense.shape[1] <= 0.05)
    assert not flagged[least > 0.05].any()
    only = np.zeros((40, 3))
    only[:20, 1] = np.linspace(1, 2, 20)
    assert l1_logistic(csr_matrix(only), np.arange(40) < 20).first(()) == 1
    assert l1_logistic(csr_matrix(only), np.arange(40) < 20).first((1,)) != 1


def test_a_bench_goes_on_where_it_left_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, out = [Case("firing", n=60), Case("null_independent", n=60)], tmp_path / "kept.json"
    first = run_bench(cases, 1, out)
    assert json.loads(out.read_text()) == first
    seeds: list[tuple[str, int]] = []
    plain = bench.plant

    def noted(kind: str, **options: object) -> object:
        seeds.append((kind, int(str(options["seed"]))))
        return plain(kind, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(bench, "plant", noted)
    more = run_bench(cases, 2, out)
    assert seeds == [("firing", 1), ("null_independent", 1)]
    assert (
        more["cases"]["firing, n 60, .20 fail, strong, made-up"]["scores"][0]
        == (first["cases"]["firing, n 60, .20 fail, strong, made-up"]["scores"][0])
    )
    assert more == run_bench(cases, 2)


def test_what_an_older_procedure_scored_is_audited_again_and_its_rivals_are_kept(
    tmp_path: Path,
) -> None:
    case, out = Case("firing", n=60), tmp_path / "kept.json"
    fresh = run_bench([case], 1)
    (now,) = fresh["cases"][case.name]["scores"]
    old = {k: v for k, v in now.items() if k not in ("procedure", "first_by_rank")}
    old |= {"found": not now["found"], "rivals_first": dict.fromkeys(now["rivals_first"], None)}
    record = {"format_version": 1, "cases": {case.name: {"case": {}, "scores": [old]}}}
    out.write_text(json.dumps(record))
    assert bench.older(record) == (1, 1)
    again = run_bench([case], 1, out)
    (found,) = again["cases"][case.name]["scores"]
    assert found == {**now, "rivals_first": old["rivals_first"]}
    assert bench.older(again) == (0, 1)


def test_some_kinds_alone_can_be_asked_for() -> None:
    cases = whole_cases()
    found = bench.of_kinds(cases, ("collider", "and_cell"))
    assert {(c.kind, c.n) for c in found} == {(k, n) for k in ("and_cell", "collider")
                                             for n in (300, 1000)}  # fmt: skip
    assert bench.of_kinds(cases, ()) == cases
    with pytest.raises(UserError) as caught:
        bench.of_kinds([Case("firing"), Case("firing", n=60), Case("dense")], ("fire",))
    assert str(caught.value) == "no kind of planted set 'fire': expected some of firing, dense"


def test_a_row_on_which_a_rival_ranks_better_is_named() -> None:
    case = Case("firing", n=60)
    rates = {"first_by_rank": [0.5, 0.3, 0.7], "rivals_first": {"a": [0.7, 0.5, 0.9], "b": None}}
    result = {"cases": {case.name: {"case": {"kind": "firing"}}}, "rates": {case.name: rates}}
    assert bench.behind(result) == [], "within the interval"
    rates["rivals_first"] = {"a": [0.71, 0.5, 0.9], "c": [0.2, 0.1, 0.4]}
    assert bench.behind(result) == [f"- {case.name}: a .71 [.50, .90]; by our rank .50 [.30, .70]"]
    assert bench.behind({**result, "rates": {case.name: {"rivals_first": {}}}}) == []


def test_jobs_can_be_given_to_other_processes() -> None:
    job = bench._Job(Case("firing", n=60), 0, None)
    assert pickle.loads(pickle.dumps(job)) == job
    assert pickle.loads(pickle.dumps(bench._scored)) is bench._scored


def test_our_rank_is_of_all_features_found_or_not() -> None:
    """A weak cause that is not found, ranked as rivals rank."""
    ranked = found = 0
    for seed in range(4):
        one = score(plant("firing", n=60, strength="medium", features=40, seed=seed), 99)
        ranked, found = ranked + one.first_by_rank, found + one.found
        assert one.first_by_rank or not one.first
    assert ranked > found


def test_a_file_that_no_bench_wrote_is_one_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"format_version": 1}')
    with pytest.raises(UserError) as caught:
        run_bench([Case("firing")], 1, other)
    assert str(caught.value) == (
        f"{other} holds no results of a bench: name another file with --out"
    )


def test_rates_have_exact_intervals() -> None:
    scores = [{"found": i < 7, "verdict": "PROXY of a = b" if i else None,
               "rivals_found": {"x": None, "y": True}} for i in range(20)]  # fmt: skip
    found = rates_of(scores)
    low, high = stats.beta.ppf([0.025, 0.975], [7, 8], [14, 13])
    assert found["found"] == [0.35, pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3)]
    assert found["verdicts"] == {"PROXY": 19}
    assert found["rivals_found"]["x"] is None
    assert found["rivals_found"]["y"][0] == 1.0


def test_the_cases_cover_every_kind_once_or_more_and_the_table_names_them() -> None:
    assert {case.kind for case in quick_cases()} == set(KINDS)
    assert {case.kind for case in whole_cases()} == set(KINDS)
    names = [case.name for case in whole_cases()]
    assert len(set(names)) == len(names)
    assert {*bench.CAUSES, *bench.PROXIES, *bench.NULLS, "scoring_artefact"} == set(KINDS)
    cases = [Case("firing", n=60), Case("null_factor", n=60), Case("numeric", n=60)]
    lines = table_of(run_bench(cases, 1))
    assert (
        sum(line.startswith(("| firing,", "| null_factor,", "| numeric,")) for line in lines) == 3
    )

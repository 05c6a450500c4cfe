"""Prompts paired over two audits: counts by hand, tests against statsmodels and SciPy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import run_samples
from scipy.stats import fisher_exact
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from faultlens.comparing.paired_outcomes import levels_of, margin_change, paired, unpaired_p
from faultlens.comparing.run import StudiedRun
from faultlens.comparing.shared_prompts import shared_prompts


def test_prompts_are_paired_by_text_and_target_whatever_their_order() -> None:
    first = [run_samples.outcome(text, True) for text in ("a", "b", "a", "c")]
    second = [run_samples.outcome(text, True) for text in ("c", "a", "d", "a", "a")]
    shared = shared_prompts(first, second)
    assert shared.first.tolist() == [0, 2, 3]
    assert shared.second.tolist() == [1, 3, 0]
    elsewhere = [dataclasses.replace(one, target=" Sue") for one in second]
    assert len(shared_prompts(first, elsewhere)) == 0, "another target is another question"


@pytest.mark.parametrize("seed", range(3))
def test_mcnemar_is_that_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.random(60) < 0.5, rng.random(60) < 0.35
    found = paired(before, after)
    table = [[np.sum(before & after), np.sum(before & ~after)],
             [np.sum(~before & after), np.sum(~before & ~after)]]  # fmt: skip
    assert found.p_mcnemar == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert (found.gone, found.new) == (table[0][1], table[1][0])
    assert found.failures_second - found.failures_first == found.new - found.gone


def test_unpaired_shares_are_tested_as_scipy_does() -> None:
    assert unpaired_p((9, 12), (3, 15)) == pytest.approx(
        fisher_exact([[9, 3], [3, 12]]).pvalue, rel=1e-9
    )


def test_margins_are_compared_only_where_all_are_known(tmp_path: Path) -> None:
    good, margins = [True] * 10, [float(i) for i in range(10)]
    one = run_samples.audit(good, margins=margins)
    other = run_samples.audit(good, margins=[margin - 2.0 for margin in margins])
    shared = shared_prompts(one.outcomes, other.outcomes)
    change = margin_change(one, other, shared)
    assert change is not None
    assert (change.value, change.low, change.high) == (-2.0, -2.0, -2.0)
    unknown = run_samples.audit(good, margins=[None, *margins[1:]])
    assert margin_change(unknown, other, shared) is None


def test_levels_are_tested_over_their_own_prompts_and_corrected_together(tmp_path: Path) -> None:
    before = [False] * 5 + [True] * 5  # failures: 3 with the keys, 2 with a card
    after = [True] * 9 + [False]  # 5 gone, 1 new
    first = StudiedRun.read(str(run_samples.write(tmp_path / "a", run_samples.audit(before))))
    second = StudiedRun.read(str(run_samples.write(tmp_path / "b", run_samples.audit(after))))
    shared = shared_prompts(first.audited.outcomes, second.audited.outcomes)
    levels = levels_of(first, second, shared)["object"]
    keys, card = levels["the keys"].paired, levels["a card"].paired
    assert keys is not None and card is not None
    assert (keys.n, keys.new, keys.gone) == (5, 0, 3)
    assert (card.n, card.new, card.gone) == (5, 1, 2)
    expected = multipletests([keys.p_mcnemar, card.p_mcnemar], method="holm")[1]
    assert [levels["the keys"].p_holm, levels["a card"].p_holm] == pytest.approx(list(expected))


def test_levels_of_runs_without_shared_prompts_are_tested_unpaired(tmp_path: Path) -> None:
    others = [text.replace(" gave ", " lent ") for text in run_samples.PROMPTS]
    one, other = run_samples.audit([False] * 10), run_samples.audit([True] * 10, prompts=others)
    first = StudiedRun.read(str(run_samples.write(tmp_path / "a", one)))
    second = StudiedRun.read(str(run_samples.write(tmp_path / "b", other)))
    shared = shared_prompts(one.outcomes, other.outcomes)
    found = levels_of(first, second, shared)["object"]["the keys"]
    assert found.paired is None
    assert found.p_fisher == pytest.approx(fisher_exact([[5, 0], [0, 5]]).pvalue)

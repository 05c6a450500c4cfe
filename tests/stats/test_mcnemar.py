"""McNemar's exact test against statsmodels."""

from __future__ import annotations

import pytest
from statsmodels.stats.contingency_tables import mcnemar

from faultlens.stats.mcnemar import mcnemar_exact


@pytest.mark.parametrize(("gained", "lost"), [(10, 1), (1, 10), (5, 5), (6, 0), (0, 1), (134, 41)])
def test_it_is_the_exact_test(gained: int, lost: int) -> None:
    expected = mcnemar([[7, gained], [lost, 3]], exact=True).pvalue
    assert mcnemar_exact(gained, lost) == pytest.approx(expected, rel=1e-12)


def test_pairs_that_do_not_turn_say_nothing() -> None:
    assert mcnemar_exact(0, 0) == 1.0


def test_a_count_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="^3 gained and -1 lost: expected counts of 0 or more$"):
        mcnemar_exact(3, -1)

"""McNemar's exact test: whether paired outcomes turn one way more often than the other."""

from __future__ import annotations

from scipy.stats import binomtest


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p of the pairs that turn, each way being as likely: Binomial(gained + lost, 1/2).

    Pairs that do not turn say nothing; where none turns, p is 1. Reference: McNemar (1947).

    Args:
        gained: pairs that turn from failure to success.
        lost: pairs that turn from success to failure.

    Raises:
        ValueError: a negative count.

    >>> round(mcnemar_exact(10, 1), 4), mcnemar_exact(0, 0)
    (0.0117, 1.0)
    """
    if gained < 0 or lost < 0:
        raise ValueError(f"{gained} gained and {lost} lost: expected counts of 0 or more")
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0

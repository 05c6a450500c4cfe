"""Sequential Monte-Carlo tests: draws stop once the answer can no longer be "significant".

A Monte-Carlo test compares a statistic with n draws under the null hypothesis. Most of the draws
are spent on statistics that are plainly ordinary. Here they stop at the h-th draw that is at least
as large. Reference: Besag & Clifford (1991), Biometrika 78:301.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np


@dataclass(frozen=True)
class SequentialTest:
    """A Monte-Carlo test that stops early, as declared before its first draw.

    Its p is `h / l` where the h-th draw that is at least as large as the statistic is the l-th one,
    and `(1 + g) / (n + 1)` where all n are drawn and g < h are as large. If the statistic is one
    more draw of the null hypothesis and the order of the draws does not depend on them, then
    P(p ≤ a) ≤ a for every a, with equality where a is a value that p can take.

    Attributes:
        most: n, the draws at which it ends in any case.
        enough: h; None: it never stops early.
    """

    most: int
    enough: int | None = None

    @classmethod
    def at_level(cls, most: int, alpha: float) -> SequentialTest:
        """The test that stops as soon as p can no longer be alpha or less, whatever comes.

        Any correction for many tests only makes p larger, so that nothing it could show is lost.

        >>> SequentialTest.at_level(199, 0.05)
        SequentialTest(most=199, enough=10)
        """
        return cls(most, floor(alpha * most) + 1)

    def counted(self, as_large: np.ndarray) -> int | None:
        """How many draws p counts; None: more have to be drawn.

        Args:
            as_large: whether each draw is at least as large, in order, boolean `[drawn]`.
        """
        if self.enough is not None:
            reached = np.flatnonzero(np.cumsum(as_large) >= self.enough)
            if len(reached):
                return int(reached[0]) + 1
        return self.most if len(as_large) >= self.most else None

    def p_value(self, as_large: np.ndarray) -> float:
        """P of the draws so far; of draws that end the test.

        >>> test = SequentialTest(most=9, enough=2)
        >>> test.p_value(np.array([True, False, False, True, True]))
        0.5
        >>> test.p_value(np.arange(9) == 3)
        0.2
        """
        counted = self.counted(as_large)
        if counted is None:
            raise ValueError(f"{len(as_large)} of {self.most} draws do not end the test")
        count = int(as_large[:counted].sum())
        if count == self.enough:
            return count / counted
        return (1 + count) / (counted + 1)

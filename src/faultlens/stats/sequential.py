"""Sequential Monte-Carlo tests: as many draws as the decision needs, and p stays exact.

A Monte-Carlo test compares a statistic with n draws under the null hypothesis. Most of the draws
are spent on statistics that are plainly ordinary: here they stop at the h-th draw that is at least
as large (Besag & Clifford 1991, Biometrika 78:301). Where a few of the n draws are as large, but
not none, the decision is near: then more are drawn, so that it does not hang on one draw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor

import numpy as np


@dataclass(frozen=True)
class SequentialTest:
    """A Monte-Carlo test that draws until it is decided, by a rule declared before its first draw.

    It ends at one of these points, from the one that says most against the null hypothesis to the
    one that says least, g being the number of draws that are at least as large as the statistic:

    1. n draws, g = 0;
    2. `most` draws, g < h: the fewer are as large, the more it says;
    3. the h-th draw that is as large, beyond n: the later, the more it says;
    4. n draws, g > k: the fewer, the more it says;
    5. the h-th draw that is as large, within n: the later, the more it says.

    Beyond n go only tests with 1 to k as large among n. p is the chance under the null hypothesis
    of a point that says as much or more: `(1 + g) / (n + 1)` at n draws, `h / l` where the h-th
    comes as the l-th within n; beyond n it is summed over the points. If the statistic is one more
    draw of the null hypothesis and the order of the draws does not depend on them, then
    P(p ≤ a) ≤ a for every a, with equality where a is a value that p can take.

    Where other tests decide what this one can still show (Holm's correction), it also ends once
    even the smallest p that it can still reach is above `needed`. p is then the largest that it
    could have reached if it had gone on, which is no smaller than the p of going on: P(p ≤ a) ≤ a
    still holds, whatever `needed` depends on.

    Attributes:
        planned: n.
        enough: h; None: it never stops early.
        near: k, less than h: the most draws as large among n with which it goes on; 0: it does not.
        most: draws at which it ends in any case; None: n.
        early: whether the h-th draw ends it before n draws.
        needed: p above which it shows nothing, for other tests' sake; None: there is none.
    """

    planned: int
    enough: int | None = None
    near: int = 0
    most: int | None = None
    early: bool = True
    needed: float | None = None

    @classmethod
    def at_level(
        cls,
        planned: int,
        alpha: float,
        near: int = 0,
        most: int | None = None,
        early: bool = True,
    ) -> SequentialTest:
        """The test that stops as soon as p can no longer be alpha or less, whatever comes.

        Any correction for many tests only makes p larger, so that nothing it could show is lost.

        >>> SequentialTest.at_level(199, 0.05, near=3, most=999)
        SequentialTest(planned=199, enough=10, near=3, most=999, early=True, needed=None)
        """
        enough = floor(alpha * planned) + 1
        return cls(planned, enough, min(near, enough - 1), most, early)

    @property
    def limit(self) -> int:
        """The draws at which it ends in any case."""
        return self.planned if self.most is None else self.most

    def needing(self, p: float) -> SequentialTest:
        """The same test where a p above this one shows nothing, because of what others gave.

        A test that does not stop early stays as it is.

        >>> test = SequentialTest.at_level(199, 0.05)
        >>> test.needing(0.05 / 4).counted(np.array([True, False, True]))
        3
        >>> test.counted(np.array([True, False, True])) is None
        True
        """
        return replace(self, needed=p) if self.early and self.enough is not None else self

    def least_p(self, as_large: np.ndarray) -> float:
        """The smallest p that can still be reached: if no further draw is as large.

        Args:
            as_large: whether each draw is at least as large, in order, boolean `[drawn]`.

        >>> SequentialTest(planned=9, enough=4).least_p(np.array([True, False, True]))
        0.3
        """
        return self._if_all(False, as_large)

    def _if_all(self, further: bool, as_large: np.ndarray) -> float:
        """P if all further draws are as large, or none is."""
        rest = np.full(max(self.limit - len(as_large), 0), further)
        return replace(self, needed=None).p_value(np.concatenate([as_large, rest]))

    def counted(self, as_large: np.ndarray) -> int | None:
        """How many draws p counts; None: more have to be drawn.

        Args:
            as_large: whether each draw is at least as large, in order, boolean `[drawn]`.
        """
        ended = self._ended(as_large)
        if self.needed is None:
            return ended
        counts = np.cumsum(as_large)[: ended or self.limit]
        within, beyond = _hopeless(replace(self, needed=None), self.needed)
        never = counts >= np.where(np.arange(len(counts)) < self.planned, within, beyond)
        return int(np.argmax(never)) + 1 if never.any() else ended

    def _ended(self, as_large: np.ndarray) -> int | None:
        """How many draws p counts where other tests do not matter."""
        counts = np.cumsum(as_large)
        enough = None
        if self.enough is not None and len(counts) and counts[-1] >= self.enough:
            enough = int(np.argmax(counts >= self.enough)) + 1
        if self.early and enough is not None and enough <= self.planned:
            return enough
        if len(counts) < self.planned:
            return None
        if not 0 < counts[self.planned - 1] <= self.near:
            return self.planned
        return enough or (self.limit if len(counts) >= self.limit else None)

    def p_value(self, as_large: np.ndarray) -> float:
        """P of the draws so far; of draws that end the test.

        >>> test = SequentialTest(planned=9, enough=2)
        >>> test.p_value(np.array([True, False, False, True, True]))
        0.5
        >>> test.p_value(np.arange(9) == 3)
        0.2
        """
        counted = self.counted(as_large)
        if counted is None:
            raise ValueError(f"{len(as_large)} of {self.limit} draws do not end the test")
        if self._ended(as_large[:counted]) is None:
            return self._if_all(True, as_large[:counted])
        count = int(as_large[:counted].sum())
        if counted > self.planned:
            return self._beyond(counted, count)
        if self.early and count == self.enough:
            return count / counted
        return (1 + count) / (counted + 1)

    def _beyond(self, counted: int, count: int) -> float:
        """P of a test that went on beyond the planned draws."""
        assert self.enough is not None
        reaching, at_the_end = _ends(self.planned, self.enough, self.near, self.limit)
        if count == self.enough:
            earlier = reaching[: counted - self.planned - 1].sum()
            return float((1 + self.near) / (self.planned + 1) - earlier)
        return float(1 / (self.planned + 1) + at_the_end[1 : count + 1].sum())


@lru_cache(maxsize=64)
def _hopeless(test: SequentialTest, needed: float) -> tuple[int, int]:
    """How many draws as large leave no p of `needed` or less, within the planned draws and beyond.

    The draws beyond are fewer as large for their number, and so say more.
    """
    never, above = test.limit + 1, needed * (1 + 1e-9)  # the rounding of Holm's factor
    numbers = range(1, test.enough or 1)
    within = (g for g in numbers if test.least_p(np.ones(g, dtype=bool)) > above)
    beyond = (g for g in numbers if test.near and test._beyond(test.limit, g) > above)
    return next(within, never), next(beyond, never)


@lru_cache(maxsize=8)
def _ends(planned: int, enough: int, near: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The chances of the points beyond the planned draws, under the null hypothesis.

    There the statistic and the draws are exchangeable: after n draws g is 0 to n with equal chance,
    and after l draws the next one is as large with chance (g + 1) / (l + 2).

    Returns:
        that the h-th as large comes as draw n + 1, n + 2, …, `[most − planned]`; and that all are
        drawn and g of them are as large, `[h]`.
    """
    g = np.arange(enough)
    chance = np.where((g > 0) & (g <= near), 1 / (planned + 1), 0.0)
    reaching = np.zeros(most - planned)
    for place, drawn in enumerate(range(planned, most)):
        larger = chance * (g + 1) / (drawn + 2)
        reaching[place] = larger[-1]
        chance = chance - larger
        chance[1:] += larger[:-1]
    return reaching, chance

"""Paired outcomes: the same prompts in two audits, all together and by level of each factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from faultlens.auditing.result import Interval, LevelReading, PromptOutcome
from faultlens.auditing.result.audit import Audit
from faultlens.comparing.result import LevelPair, LevelRate, PairedFailures, TurnedPrompt
from faultlens.comparing.run import StudiedRun
from faultlens.comparing.shared_prompts import SharedPrompts
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.intervals import bootstrap_mean
from faultlens.stats.mcnemar import mcnemar_exact
from faultlens.stats.multiplicity import holm

SEED = 0  # of the bootstrap


def paired(before: np.ndarray, after: np.ndarray) -> PairedFailures:
    """Count what turned, and test it; `p_holm` is that of a single test.

    Args:
        before: which prompts fail in the first run, boolean `[prompts]`.
        after: which of them fail in the second, boolean `[prompts]`.
    """
    new, gone = int((~before & after).sum()), int((before & ~after).sum())
    p = mcnemar_exact(new, gone)
    return PairedFailures(len(before), int(before.sum()), int(after.sum()), new, gone, p, p)


def failed(outcomes: list[PromptOutcome], prompts: np.ndarray) -> np.ndarray:
    """Which of some prompts fail, boolean `[prompts]`."""
    return np.array([not outcomes[i].success for i in prompts.tolist()], dtype=bool)


def rate_change(before: np.ndarray, after: np.ndarray) -> Interval | None:
    """Of the share that fails, second − first; None with fewer than two prompts."""
    return _mean_change(after.astype(float) - before.astype(float))


def margin_change(first: Audit, second: Audit, shared: SharedPrompts) -> Interval | None:
    """Of the margin, second − first; None where it is not known of every shared prompt."""
    changes = []
    for one, other in zip(shared.first.tolist(), shared.second.tolist(), strict=True):
        before, after = first.outcomes[one].margin, second.outcomes[other].margin
        if before is None or after is None:
            return None
        changes.append(after - before)
    return _mean_change(np.array(changes))


def _mean_change(change: np.ndarray) -> Interval | None:
    if len(change) < 2:
        return None
    low, high = bootstrap_mean(change, np.random.default_rng(SEED))
    return Interval(float(change.mean()), low, high)


def turned_prompts(first: Audit, second: Audit, shared: SharedPrompts) -> list[TurnedPrompt]:
    """The shared prompts whose outcome is another."""
    found = []
    for one, other in zip(shared.first.tolist(), shared.second.tolist(), strict=True):
        was, now = first.outcomes[one], second.outcomes[other]
        if was.success != now.success:
            became = "success" if now.success else "failure"
            found.append(
                TurnedPrompt(was.prompt, was.target, became, was.generated, now.generated)  # type: ignore[arg-type]
            )
    return found


def unpaired_p(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact test of two shares, `(failures, n)` each, two-sided.

    >>> round(unpaired_p((8, 10), (1, 10)), 5)
    0.00548
    """
    (failing, n), (others, m) = first, second
    (p,) = fisher_exact(np.array([failing]), np.array([n]), failing + others, n + m)
    return float(p)


def levels_of(
    first: StudiedRun, second: StudiedRun, shared: SharedPrompts
) -> dict[str, dict[str, LevelPair]]:
    """Every level of every factor of either audit; p after Holm over all of them.

    Where prompts are shared a level is tested over those of them that are at it, by the first run's
    factors or else the second's; otherwise its share in one run is tested against the other's.
    """
    one, other = first.audited, second.audited
    known = {
        factor: np.array(of, dtype=object)[shared.second] for factor, of in second.factors.items()
    }
    known |= {
        factor: np.array(of, dtype=object)[shared.first] for factor, of in first.factors.items()
    }
    before, after = failed(one.outcomes, shared.first), failed(other.outcomes, shared.second)
    names = {
        factor: list(dict.fromkeys([*one.factors.get(factor, {}), *other.factors.get(factor, {})]))
        for factor in dict.fromkeys([*one.factors, *other.factors])
    }
    found = {
        (factor, level): _level(
            one.factors.get(factor, {}).get(level),
            other.factors.get(factor, {}).get(level),
            (one.alpha, other.alpha),
            _at(known, factor, level, before, after),
            bool(len(shared)),
        )
        for factor, levels in names.items()
        for level in levels
    }
    return _adjusted(found)


def _at(
    known: Mapping[str, np.ndarray],
    factor: str,
    level: str,
    before: np.ndarray,
    after: np.ndarray,
) -> PairedFailures | None:
    """The shared prompts at one level; None where there are none, or it is not known."""
    here = known[factor] == level if factor in known else np.zeros(len(before), dtype=bool)
    return paired(before[here], after[here]) if here.any() else None


def _level(
    first: LevelReading | None,
    second: LevelReading | None,
    alphas: tuple[float, float],
    together: PairedFailures | None,
    shares: bool,
) -> LevelPair:
    p_fisher = None
    if not shares and first is not None and second is not None:
        p_fisher = unpaired_p((first.failures, first.n), (second.failures, second.n))
    return LevelPair(
        _rate(first, alphas[0]),
        _rate(second, alphas[1]),
        together,
        p_fisher,
        p_fisher if together is None else together.p_mcnemar,
    )


def _rate(reading: LevelReading | None, alpha: float) -> LevelRate | None:
    if reading is None:
        return None
    significant = reading.p_holm <= alpha
    return LevelRate(reading.n, reading.failures, reading.low, reading.high, significant)


def _adjusted(found: dict[tuple[str, str], LevelPair]) -> dict[str, dict[str, LevelPair]]:
    """The levels by factor, their p after Holm over all that have one."""
    tested = {key: pair.p_holm for key, pair in found.items() if pair.p_holm is not None}
    adjusted = dict(zip(tested, holm(np.array(list(tested.values()))).tolist(), strict=True))
    by_factor: dict[str, dict[str, LevelPair]] = {}
    for (factor, level), pair in found.items():
        p = adjusted.get((factor, level))
        together = None if pair.paired is None or p is None else replace(pair.paired, p_holm=p)
        by_factor.setdefault(factor, {})[level] = replace(pair, paired=together, p_holm=p)
    return by_factor

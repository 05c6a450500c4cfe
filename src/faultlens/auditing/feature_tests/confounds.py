"""Step 5: does a class say more than the prompt's own description?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from faultlens.auditing.factors.levels import pooled_levels
from faultlens.auditing.feature_tests.strata import LEAST_INFORMATIVE, Stratification
from faultlens.auditing.result import (
    Confounds,
    FinestStrata,
    Interval,
    LostWith,
    OddsReading,
    Proxy,
)
from faultlens.stats.firth import firth_logistic
from faultlens.stats.mantel_haenszel import mantel_haenszel
from faultlens.stats.strata import informative
from faultlens.stats.stratified_effect import stratified_d

PROXY_JACCARD = 0.95
KEPT = 0.5  # of an effect: what is left of it in finer strata, above which it is not lost
NO_EFFECT = 0.2  # SD: a conditional interval inside ± this says that nothing is added
NO_ODDS = 2.0  # likewise an odds ratio whose interval lies inside 1/2 to 2


def confounds(
    values: np.ndarray,
    failed: np.ndarray,
    strata: Stratification,
    p_finest: float | None = None,
    blocks: np.ndarray | None = None,
) -> Confounds:
    """What one feature says of the outcome with the factors held constant.

    Args:
        values: its pooled activations, `[prompts]`.
        failed: the outcome, boolean `[prompts]`.
        strata: of the factors that are held.
        p_finest: its adjusted p within the finest strata; None: there are no finer ones.
        blocks: the block of each prompt that belongs together; None: each stands by itself.
    """
    codes = strata.codes
    telling = informative(failed, codes, values)
    active = values > 0
    odds = firth = None
    if telling.any() and 0 < active.sum() < len(active):
        found = mantel_haenszel(active, failed, codes, blocks=blocks)
        odds = OddsReading(found.odds_ratio, found.low, found.high, found.p)
        firth = _firth(active, failed, strata.held)
    effect = _effect(values, failed, codes, blocks)
    firing = _effect(active, failed, codes, blocks)
    return Confounds(
        informative=int(telling.sum()),
        failures_in_them=int((failed & telling[codes]).sum()),
        effect=effect,
        mantel_haenszel=odds,
        firth=firth,
        firing=firing,
        lost_with=_lost_with(values, failed, strata, blocks, effect, firing),
        finest=None
        if p_finest is None
        else _within_finest(values, failed, strata, p_finest, blocks),
    )


def _within_finest(
    values: np.ndarray,
    failed: np.ndarray,
    strata: Stratification,
    p: float,
    blocks: np.ndarray | None,
) -> FinestStrata | None:
    codes = strata.finest
    if codes is None:
        return None
    telling = informative(failed, codes, values)
    return FinestStrata(
        informative=int(telling.sum()),
        failures_in_them=int((failed & telling[codes]).sum()),
        p_value=p,
        effect=_effect(values, failed, codes, blocks),
        firing=_effect(values > 0, failed, codes, blocks),
    )


def _lost_with(
    values: np.ndarray,
    failed: np.ndarray,
    strata: Stratification,
    blocks: np.ndarray | None,
    effect: Interval | None,
    firing: Interval | None,
) -> LostWith | None:
    """The first factor that, held as well, leaves nothing of the effects of strength and firing.

    Nothing: at most half of the effect, with an interval that holds 0. Factors are held one at a
    time: a feature that copies the prompts at which two factors fail together says nothing once
    both are held, whatever else is.
    """
    whole, columns = (effect, firing), (values, values > 0)
    for factor, codes in strata.with_one_more.items():
        fine = [_effect(column, failed, codes, blocks) for column in columns]
        pairs = [(a, b) for a, b in zip(whole, fine, strict=True) if a is not None]
        if pairs and all(b is None or _nothing_of(a, b) for a, b in pairs):
            telling = informative(failed, codes, values)
            inside = int((failed & telling[codes]).sum())
            return LostWith(factor, int(telling.sum()), inside, fine[0], fine[1])
    return None


def _nothing_of(whole: Interval, fine: Interval) -> bool:
    sign = 1 if whole.value >= 0 else -1
    nearer = fine.low if sign > 0 else -fine.high
    return sign * fine.value <= KEPT * abs(whole.value) and nearer <= 0


def _effect(
    values: np.ndarray, failed: np.ndarray, codes: np.ndarray, blocks: np.ndarray | None
) -> Interval | None:
    found = stratified_d(values.astype(float), failed, codes, blocks=blocks)
    return None if found is None else Interval(*found)


def _firth(
    active: np.ndarray, failed: np.ndarray, held: Mapping[str, Sequence[str]]
) -> OddsReading | None:
    """Odds ratio of firing beside every level of the factors; None where they determine it."""
    columns = [active.astype(float)]
    for levels in held.values():
        names = list(dict.fromkeys(levels))
        columns += [(np.array(levels, dtype=object) == name).astype(float) for name in names[1:]]
    try:
        fit = firth_logistic(np.column_stack(columns), failed)
    except ValueError:
        return None
    coefficient = fit.coefficients[0]
    if coefficient is None or not fit.converged:
        return None
    with np.errstate(over="ignore"):
        ratio, low, high = np.exp([coefficient, fit.low, fit.high])
    if not np.isfinite([ratio, low, high]).all():
        return None
    return OddsReading(float(ratio), float(low), float(high), fit.p)


def lost_in_finest(found: Confounds, alpha: float) -> bool:
    """Whether what a class says is not shown, and at most half as large, with all factors held.

    That it is not significant there is no sign by itself: finer strata have less to tell. But what
    a class says by itself it says within them too, in its strength or in its firing.
    """
    finest = found.finest
    if finest is None or finest.p_value <= alpha:
        return False
    pairs = ((found.effect, finest.effect), (found.firing, finest.firing))
    measured = [(whole, fine) for whole, fine in pairs if whole is not None and fine is not None]
    return bool(measured) and all(
        fine.value * np.sign(whole.value) <= KEPT * abs(whole.value) for whole, fine in measured
    )


def adds_nothing(found: Confounds) -> bool:
    """Whether the effect within strata is shown to be negligible, of strength and of firing.

    The interval of strength lies inside ±0.2 SD, and that of the Mantel–Haenszel odds ratio, where
    firing varies, inside 1/2 to 2. Strength alone does not tell: few strong activations make a
    standard deviation beside which an effect of firing looks small.
    """
    effect, odds = found.effect, found.mantel_haenszel
    if odds is not None and odds.p_value is not None:
        low, high = odds.low, odds.high
        if low is None or high is None or low < 1 / NO_ODDS or high > NO_ODDS:
            return False
    return (
        effect is not None
        and found.failures_in_them >= LEAST_INFORMATIVE
        and effect.low >= -NO_EFFECT
        and effect.high <= NO_EFFECT
    )


def nearest_level(firing: np.ndarray, factors: Mapping[str, Sequence[str]]) -> Proxy | None:
    """The level of a factor, or union of its levels, whose prompts a feature fires on.

    Of each factor the levels are taken in order of the share of their prompts on which the feature
    fires, and every beginning of that order is a candidate. Where the feature fires on more than
    half of the prompts, its silence is compared with the levels left out, as in classes.

    Args:
        firing: boolean `[prompts]`.
        factors: for each factor the level of every prompt.

    Returns:
        the union with the largest Jaccard index, the smallest first; None without factors, or where
        no level shares a prompt with it.
    """
    best: Proxy | None = None
    n, fires = len(firing), np.count_nonzero(firing)
    for factor, levels in factors.items():
        names, codes, size = _coded(tuple(levels))
        if len(names) == 1:
            continue
        hits = np.bincount(codes[firing], minlength=len(names))
        order = np.lexsort((-size, -hits / size))
        both = np.cumsum(hits[order[:-1]])
        either = np.cumsum(size[order[:-1]]) + fires - both
        jaccard = both / either
        if 2 * fires > n:
            jaccard = np.minimum(jaccard, (n - either) / (n - both))
        count = int(np.argmax(jaccard))
        if jaccard[count] > (0.0 if best is None else best.jaccard):
            joined = [names[level] for level in order]
            best = Proxy(factor, _union_name(joined, count + 1), float(jaccard[count]))
    return best


def followed_level(values: np.ndarray, factors: Mapping[str, Sequence[str]]) -> Proxy | None:
    """The level of a factor, or union of its levels, that an activation goes with, firing or not.

    Of each factor the levels are taken in order of their mean activation, and every beginning of
    that order is a candidate; the one whose indicator correlates most with the activation is taken.
    So a feature that fires everywhere, and is stronger at one level, has a level too.

    Args:
        values: pooled activations, `[prompts]`.
        factors: for each factor the level of every prompt.

    Returns:
        the union with its Jaccard index, which is 0 for a feature that fires everywhere; None
        without factors, or where the activation is constant.
    """
    best: Proxy | None = None
    strongest = 0.0
    firing = values > 0
    for factor, names, count, union in _unions(values, factors) if np.ptp(values) > 0 else ():
        share = union.mean()
        gap = values[union].mean() - values[~union].mean()
        correlation = float(gap * np.sqrt(share * (1 - share)))  # times the activation's SD
        if correlation > strongest:
            strongest = correlation
            best = Proxy(factor, _union_name(names, count), _likeness(firing, union))
    return best


def _unions(
    values: np.ndarray, factors: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, list[str], int, np.ndarray]]:
    """Of each factor, the levels of the largest means, ever more of them.

    Yields the factor, its levels in that order, how many of them are joined, and their prompts.

    Of equal means the level with more prompts comes first, so that the order of the prompts decides
    nothing.
    """
    for factor, levels in factors.items():
        prompts_at = _by_level(tuple(levels))
        mean = {level: values[at].mean() for level, at in prompts_at.items()}
        size = {level: np.count_nonzero(at) for level, at in prompts_at.items()}
        names = sorted(prompts_at, key=lambda x: (-mean[x], -size[x], x))
        union = np.zeros(len(levels), dtype=bool)
        for count, level in enumerate(names[:-1], start=1):
            union = union | prompts_at[level]
            yield factor, names, count, union


@lru_cache(maxsize=64)
def _coded(levels: tuple[str, ...]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """A factor's levels by alphabet, rare ones pooled; the number of each prompt's; their sizes."""
    pooled = pooled_levels(levels)
    names = sorted(set(pooled))
    number = {name: place for place, name in enumerate(names)}
    codes = np.array([number[level] for level in pooled])
    return names, codes, np.bincount(codes)


@lru_cache(maxsize=64)
def _by_level(levels: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Of a factor's levels, rare ones pooled, the prompts that have each, boolean `[prompts]`.

    It is asked for by every class, and the same for all.
    """
    names, codes, _ = _coded(levels)
    return {name: codes == place for place, name in enumerate(names)}


def _likeness(firing: np.ndarray, union: np.ndarray) -> float:
    """Jaccard index; where the feature fires on more than half of the prompts, also of silence."""
    jaccard = _jaccard(firing, union)
    often = 2 * np.count_nonzero(firing) > len(firing)
    return min(jaccard, _jaccard(~firing, ~union)) if often else jaccard


def _union_name(levels: Sequence[str], count: int) -> str:
    """The first `count` levels in words, by alphabet; by what is left out where that is shorter."""
    inside, outside = sorted(levels[:count]), sorted(levels[count:])
    if len(inside) <= len(outside):
        return " or ".join(inside)
    return f"anything but {outside[0]}" if len(outside) == 1 else f"neither {' nor '.join(outside)}"


def _jaccard(first: np.ndarray, second: np.ndarray) -> float:
    either = np.count_nonzero(first | second)
    return float(np.count_nonzero(first & second) / either) if either else 0.0

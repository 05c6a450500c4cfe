"""The strata within which a class has to hold its own: prompts alike in the factors that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from faultlens.auditing.result import Selection, Strata, StrataCount
from faultlens.errors import UserError
from faultlens.stats.strata import informative, stratum_codes

LEAST_INFORMATIVE = 10  # failures in informative strata, below which they are asked nothing


@dataclass(frozen=True, eq=False)
class Stratification:
    """The strata within which outcomes are permuted.

    Attributes:
        record: of which factors, and how many strata can tell anything.
        codes: the stratum of every prompt, `[prompts]`.
        held: the factors that make them: the level of every prompt.
        finest: the stratum of every prompt where all factors are held that can be together; None:
            no more can be.
        with_one_more: for each other factor the stratum of every prompt where it is held as well,
            of those that leave at least ten failures in informative strata.
    """

    record: Strata
    codes: np.ndarray
    held: Mapping[str, Sequence[str]]
    finest: np.ndarray | None = None
    with_one_more: Mapping[str, np.ndarray] = field(default_factory=dict)


def check_held(factors: Mapping[str, Sequence[str]], named: Sequence[str]) -> None:
    """Raises UserError for a factor to hold constant that there is not."""
    for name in named:
        if name not in factors:
            raise UserError(
                f"no factor {name!r} to hold constant: expected one of "
                f"{', '.join(factors) or 'none (no factor with two levels)'}"
            )


def stratify(
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    selection: Selection,
    paired: Sequence[str] = (),
    requested: Sequence[str] = (),
    within: Sequence[str] = (),
) -> Stratification:
    """The strata of the factors that go with failure, alone or in pairs, and of those asked for.

    Factors that go with failure within these strata are held as well, as long as at least ten
    failures and at least half of those that were in informative strata remain in such; those with
    which fewer would are named as not held.

    Beside them stand the finest strata that can still tell something: further factors are held as
    well, each time the one that leaves most failures in informative strata, as long as at least ten
    and at least half of those that were in them remain.

    Args:
        factors: for each factor the level of every prompt, as `held_levels` gives them.
        failed: the outcome, boolean `[prompts]`.
        selection: what forward selection kept.
        paired: the factors of significant pairs of levels: of two levels that matter only together,
            forward selection may keep one, or neither.
        requested: further factors to hold constant.
        within: factors that go with failure within the strata of the others, by rising p.

    Without factors all prompts are one stratum.

    Raises:
        UserError: a factor to hold constant that there is not.
    """
    check_held(factors, requested)
    held = list(dict.fromkeys([*selection.kept, *paired, *requested]))
    within = [name for name in within if name not in held]
    codes = stratum_codes([factors[name] for name in held], len(failed))
    unheld = []
    for name in within:
        finer = _crossed(codes, stratum_codes([factors[name]]))
        if _failures_in_informative(finer, failed) >= _least_left(codes, failed):
            held, codes = [*held, name], finer
        else:
            unheld.append(name)
    codes = stratum_codes([factors[name] for name in held], len(failed))
    sets = [[name] for name in factors] + ([list(factors)] if len(factors) > 1 else [])
    count = _count(held, codes, failed)
    others = [
        _count(names, stratum_codes([factors[name] for name in names], len(failed)), failed)
        for names in sets
    ]
    record = Strata(
        factors=count.factors,
        strata=count.strata,
        informative=count.informative,
        failures_in_them=count.failures_in_them,
        requested=list(requested),
        others=others,
        within=[name for name in within if name in held],
        unheld=unheld,
    )
    more = {
        name: _crossed(codes, stratum_codes([levels]))
        for name, levels in factors.items()
        if name not in held
    }
    more = {
        n: c for n, c in more.items() if _failures_in_informative(c, failed) >= LEAST_INFORMATIVE
    }
    held_levels = {name: factors[name] for name in held}
    names = _finest(factors, failed, held)
    if names == held:
        return Stratification(record, codes, held_levels, None, more)
    finest = stratum_codes([factors[name] for name in names], len(failed))
    record = replace(record, finest=_count(names, finest, failed))
    return Stratification(record, codes, held_levels, finest, more)


def _finest(
    factors: Mapping[str, Sequence[str]], failed: np.ndarray, held: Sequence[str]
) -> list[str]:
    """The factors held, and all that can be held beside them; `stratify` says how they are taken.

    Of factors that leave equally many failures the first is taken.
    """
    names = list(held)
    codes = stratum_codes([factors[name] for name in names], len(failed))
    others = {n: stratum_codes([levels]) for n, levels in factors.items() if n not in names}
    least = _least_left(codes, failed)
    while others:
        finer = {name: _crossed(codes, by) for name, by in others.items()}
        left = {name: _failures_in_informative(c, failed) for name, c in finer.items()}
        best = max(left, key=lambda name: left[name])
        if left[best] < least:
            break
        names.append(best)
        codes = finer[best]
        del others[best]
    return names


def _least_left(codes: np.ndarray, failed: np.ndarray) -> float:
    """Failures that finer strata must leave in informative ones for their factor to be held."""
    return max(LEAST_INFORMATIVE, _failures_in_informative(codes, failed) / 2)


def _crossed(codes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The combinations of two numberings, numbered."""
    crossed: np.ndarray = np.unique(codes * (others.max() + 1) + others, return_inverse=True)[1]
    return crossed


def _failures_in_informative(codes: np.ndarray, failed: np.ndarray) -> int:
    return int((failed & informative(failed, codes)[codes]).sum())


def _count(factors: list[str], codes: np.ndarray, failed: np.ndarray) -> StrataCount:
    telling = informative(failed, codes)
    inside = _failures_in_informative(codes, failed)
    return StrataCount(factors, len(np.unique(codes)), int(telling.sum()), inside)

"""How well an outcome is predicted on prompts that were held out.

There is no way to hand over a fitted model or chosen features: what is judged is an unfitted
pipeline, cloned for each fold, and the inputs of all prompts as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from threadpoolctl import threadpool_limits

from faultlens.stats.effects import auroc_of_scores, ties_kept
from faultlens.stats.wide_rows import WideRows

Inputs = np.ndarray | csr_matrix | WideRows
"""One row a prompt: numbers (dense, CSR or wide), or objects (levels of factors, texts)."""

Tick = Callable[[int], None]

FOLDS = 5
RESAMPLES = 2_000
DRAWS = 20  # of folds that keep blocks whole, until each holds both outcomes


@dataclass(frozen=True, eq=False)
class Splits:
    """Who is trained on and who is tested on, the same for all that is compared.

    `pairs` holds the rows of (training, test), `repeats * folds` of them, repeat by repeat.
    """

    repeats: int
    folds: int
    pairs: tuple[tuple[np.ndarray, np.ndarray], ...]


def too_few(failed: np.ndarray, folds: int = FOLDS) -> str | None:
    """Why the prompts cannot be split so that each fold holds both outcomes; None where they can.

    >>> too_few(np.array([True, False, False]), folds=2)
    '1 failure among 3 prompts: 2 folds need at least 2 failures and 2 successes'
    """
    failures, n = int(failed.sum()), len(failed)
    if min(failures, n - failures) >= folds:
        return None
    which = f"{failures} failure{'s' * (failures != 1)} among {n} prompt{'s' * (n != 1)}"
    return f"{which}: {folds} folds need at least {folds} failures and {folds} successes"


def repeated_folds(failed: np.ndarray, repeats: int, folds: int = FOLDS, seed: int = 0) -> Splits:
    """Stratified folds, drawn anew for each repeat. Raises ValueError where `too_few` says why."""
    _check_size(failed, folds)
    split = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    return Splits(repeats, folds, tuple(split.split(np.zeros(len(failed)), failed)))


def grouped_folds(
    failed: np.ndarray, blocks: np.ndarray, repeats: int, folds: int = FOLDS, seed: int = 0
) -> Splits | None:
    """As `repeated_folds`, but the rows of one block, `blocks [n]`, stay in one fold.

    None where 20 draws give no folds that each hold both outcomes. Raises ValueError where
    `too_few` says why.
    """
    _check_size(failed, folds)
    if len(np.unique(blocks)) < folds:
        return None
    rng = np.random.default_rng(seed)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(repeats):
        for _ in range(DRAWS):
            state = int(rng.integers(2**31))
            split = StratifiedGroupKFold(folds, shuffle=True, random_state=state)
            drawn = list(split.split(np.zeros(len(failed)), failed, blocks))
            if all(len(np.unique(failed[test])) == 2 for _, test in drawn):
                pairs += drawn
                break
        else:
            return None
    return Splits(repeats, folds, tuple(pairs))


def study_folds(failed: np.ndarray) -> Splits:
    """The one split of the reference study: five stratified folds, shuffled with seed 0."""
    _check_size(failed, FOLDS)
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return Splits(1, FOLDS, tuple(split.split(np.zeros(len(failed)), failed)))


def _check_size(failed: np.ndarray, folds: int) -> None:
    reason = too_few(failed, folds)
    if reason:
        raise ValueError(reason)


def cross_validate(
    pipeline: Any,
    inputs: Inputs,
    failed: np.ndarray,
    splits: Splits,
    *,
    tick: Tick | None = None,
) -> np.ndarray:
    """AUROC in each fold of a pipeline trained on the other folds.

    Args:
        pipeline: a scikit-learn estimator or pipeline with `decision_function`. It is cloned for
            each fold: what it may have been fitted on before is forgotten.
        inputs: of all prompts, `[n, …]`, untouched by any label.
        failed: boolean, `[n]`.
        splits: of these prompts.
        tick: told of each fold that is done.

    Returns:
        `[repeats, folds]`.

    Raises:
        ValueError: inputs and labels differ in length, or a split trains on what it tests.
    """
    if inputs.shape[0] != len(failed):
        raise ValueError(f"{inputs.shape[0]} rows of inputs, {len(failed)} outcomes")
    if any(np.intersect1d(train, test).size for train, test in splits.pairs):
        raise ValueError("a split tests prompts that it trains on")

    def one(pair: tuple[np.ndarray, np.ndarray]) -> float:
        train, test = pair
        scores = _scores(pipeline, inputs, failed, train, test)
        return float(auroc_of_scores(scores[:, None], failed[test])[0])

    found = _each(one, splits.pairs, tick)
    return np.array(found).reshape(splits.repeats, splits.folds)


@dataclass(frozen=True)
class HeldOutLevels:
    """How well failures are told from successes within levels that were never trained on."""

    auroc: float | None  # concordant pairs over pairs, ties half; None without pairs
    low: float | None  # bootstrap over prompts, 95 %, widened for the overlap of training sets
    high: float | None
    pairs: int  # of a failure and a success at one level
    levels: int  # levels that hold pairs
    one_class: list[str]  # levels that hold none: neither trained for nor scored
    stretch: float = 1.0  # by which intervals are widened
    draws: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    """The share in each bootstrap draw, `[resamples]`, which draws the same rows by one seed."""

    def minus(self, other: HeldOutLevels) -> tuple[float, float, float]:
        """Difference of the shares, and its interval from the same draws, widened alike.

        Raises ValueError where the two were not scored on the same pairs by the same draws.
        """
        same = (self.pairs, self.stretch) == (other.pairs, other.stretch)
        if self.auroc is None or other.auroc is None or not same:
            raise ValueError("a difference needs two that were scored on the same pairs")
        value = self.auroc - other.auroc
        low, high = _widened(value, self.draws - other.draws, self.stretch)
        return value, max(low, -1.0), min(high, 1.0)


def leave_one_level_out(
    pipeline: Any,
    inputs: Inputs,
    failed: np.ndarray,
    levels: Sequence[str],
    *,
    seed: int = 0,
    blocks: np.ndarray | None = None,
    apart: bool = False,
    tick: Tick | None = None,
) -> HeldOutLevels:
    """Train on all other levels, score the prompts of the one held out; pool pairs within levels.

    Scores of different models are never compared: `Σ_l concordant pairs in l / Σ_l pairs in l`, a
    tie counting half. The interval resamples prompts 2,000 times, each prompt weighing as often as
    it is drawn and the scores held fixed; draws without a pair are drawn out. What other training
    prompts would change is missing from that, so the percentile interval is stretched about the
    estimate by `sqrt(1 + Σ_l n_l / (n − n_l))`, Nadeau and Bengio's factor for test sets n_l that
    take turns (on noise the interval covers .95 to .98 with it, .83 to .89 without), and cut to
    0 to 1. References: Efron & Tibshirani (1993); Nadeau & Bengio (2003).

    Rows of one block may stand at several levels, so that others like those held out are trained
    on. With `apart` they are not: the blocks of a level are parted into five, and each part is
    scored by a model of its own, trained on the other levels without that part's blocks. Pairs are
    then those within a level and a part.

    Args:
        pipeline: as in `cross_validate`; cloned for each level.
        inputs: of all prompts, `[n, …]`.
        failed: boolean, `[n]`.
        levels: of the factor, one a prompt.
        seed: of the bootstrap, and of the parts.
        blocks: the block of each row, `[n]`, where rows belong together: blocks are resampled in
            place of prompts; None: each row is its own.
        apart: whether no row of a block is trained on where another is scored.
        tick: told of each training that is done.
    """
    if not inputs.shape[0] == len(failed) == len(levels):
        raise ValueError(f"{inputs.shape[0]} inputs, {len(failed)} outcomes, {len(levels)} levels")
    of_prompt = np.array(levels, dtype=object)
    held_out = _held_out(of_prompt, blocks if apart else None, seed)
    one_class = [n for n, pairs in held_out.items() if not any(_both(failed[t]) for t, _ in pairs)]
    # Where all failures, or all successes, share a level, its own rest has nothing to teach.
    mixed = [
        pair for pairs in held_out.values() for pair in pairs if all(_both(failed[r]) for r in pair)
    ]
    if not mixed:
        return HeldOutLevels(None, None, None, 0, 0, one_class)

    def one(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        test, train = pair
        scores = _scores(pipeline, inputs, failed, train, test)
        failures, successes = test[failed[test]], test[~failed[test]]
        gap = scores[failed[test]][:, None] - scores[~failed[test]][None, :]
        return failures, successes, (np.sign(gap) + 1) / 2

    found = _each(one, mixed, tick)
    pairs = sum(concordant.size for _, _, concordant in found)
    share = sum(float(concordant.sum()) for _, _, concordant in found) / pairs
    draws = _bootstrap(found, len(failed), blocks, np.random.default_rng(seed))
    stretch = float(np.sqrt(1 + sum(len(test) / len(train) for test, train in mixed)))
    low, high = _widened(share, draws, stretch)
    scored = len({of_prompt[test[0]] for test, _ in mixed})
    return HeldOutLevels(
        share, max(low, 0.0), min(high, 1.0), pairs, scored, one_class, stretch, draws
    )


def _both(failed: np.ndarray) -> bool:
    """Whether both outcomes occur."""
    return 0 < int(failed.sum()) < len(failed)


def _held_out(
    levels: np.ndarray, blocks: np.ndarray | None, seed: int
) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """By level, the rows that are tested and those that are trained on for them.

    With blocks, a level's are parted so that none is on both sides; one part is enough where no
    block of the level stands at another.
    """
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for number, name in enumerate(dict.fromkeys(levels.tolist())):
        held = levels == name
        own = np.arange(0) if blocks is None else np.unique(blocks[held])
        if blocks is None or not np.isin(blocks[~held], own).any():
            found[name] = [(np.flatnonzero(held), np.flatnonzero(~held))]
            continue
        drawn = np.random.default_rng([seed, number]).permutation(own)
        of_parts = [np.isin(blocks, part) for part in np.array_split(drawn, min(FOLDS, len(own)))]
        found[name] = [(np.flatnonzero(held & of), np.flatnonzero(~held & ~of)) for of in of_parts]
    return found


def _widened(value: float, draws: np.ndarray, stretch: float) -> tuple[float, float]:
    """Percentile interval of bootstrap draws, stretched about the estimate; it holds that."""
    low, high = np.quantile(draws[~np.isnan(draws)], [0.025, 0.975])
    return (
        min(value, value - stretch * (value - float(low))),
        max(value, value + stretch * (float(high) - value)),
    )


def _bootstrap(
    found: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    n: int,
    blocks: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """The pooled share of concordant pairs in each draw, rows or blocks drawn jointly.

    NaN in a draw without a pair.
    """
    of_block = np.arange(n) if blocks is None else np.unique(blocks, return_inverse=True)[1]
    count = int(of_block.max()) + 1
    times = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float)
    times = times[:, of_block]
    above, below = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for failures, successes, concordant in found:
        above += ((times[:, failures] @ concordant) * times[:, successes]).sum(axis=1)
        below += times[:, failures].sum(axis=1) * times[:, successes].sum(axis=1)
    shares: np.ndarray = np.full(RESAMPLES, np.nan)
    np.divide(above, below, out=shares, where=below > 0)
    return shares


def _scores(
    pipeline: Any, inputs: Inputs, failed: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    # A tenth of the time of thousands of small fits is checking the same parameters again.
    with config_context(skip_parameter_validation=True):
        fitted = clone(pipeline).fit(inputs[train], failed[train])
        scores = fitted.decision_function(inputs[test])
    return ties_kept(scores[:, None])[:, 0]


def _each(work: Callable[[Any], Any], items: Iterable[Any], tick: Tick | None) -> list[Any]:
    """`work` of every item, one after the other.

    BLAS keeps to one thread meanwhile: on matrices this small its threads wait for one another. So
    do threads of Python, for the interpreter: two of them took no less time than one, and a quarter
    more of the processor.
    """
    done = []
    with threadpool_limits(1, user_api="blas"):
        for item in items:
            done.append(work(item))
            if tick is not None:
                tick(1)
    return done

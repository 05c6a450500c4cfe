"""Step 6: how well failure is predicted by ever more of the prompt and the model.

Base rate, factors, bag of tokens, residual, random dictionary, SAE top-k, all SAE features: a rung
is worth something where it beats those below it, on prompts that were held out. Each rung is the
inputs of all prompts and an unfitted pipeline; scaling, rotation, selection and tuning are steps of
the pipeline and see training prompts only. Levels and words are counted once, over all prompts: one
that the training prompts lack is a column of zeros there, to which the penalty gives the weight 0,
so that it counts as none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from faultlens.auditing.config import Folds, LadderConfig
from faultlens.auditing.held_out.left_out import Candidate, LeavingOut, scores_left_out
from faultlens.auditing.held_out.rung_scores import scores_by_fold
from faultlens.auditing.result import Ladder, Rung, RungDifference
from faultlens.errors import UserError
from faultlens.runs.stages import Stages
from faultlens.stats.cross_validation import (
    FOLDS,
    Inputs,
    Splits,
    grouped_folds,
    repeated_folds,
    study_folds,
    too_few,
)
from faultlens.stats.intervals import nadeau_bengio
from faultlens.stats.logistic import DENSE, Matrix
from faultlens.stats.prediction import KS, TunedLogistic, balanced_logistic
from faultlens.stats.rotation import Rotation
from faultlens.stats.wide_rows import WideRows

RUNGS = (
    "base_rate",
    "factors",
    "bag_of_tokens",
    "residual",
    "random_dictionary",
    "sae_top_k",
    "sae_all",
)
COMPARED = (
    ("bag_of_tokens", "factors"),
    ("residual", "factors"),
    ("random_dictionary", "factors"),
    ("sae_top_k", "factors"),
    ("sae_all", "factors"),
    ("sae_all", "bag_of_tokens"),
    ("sae_top_k", "residual"),
    ("sae_all", "residual"),
    ("sae_top_k", "random_dictionary"),
    ("sae_all", "random_dictionary"),
)
QUICK = ("factors", "residual", "sae_all")  # selecting anew for each level would double the time
MISSING = {
    "factors": "no factors were given",
    "residual": "needs residuals: none were given",
    "random_dictionary": "needs token residuals: the outcomes came without a model",
    "sae_top_k": "needs features: none were given",
    "sae_all": "needs features: none were given",
}

WITHOUT_DICTIONARIES = MISSING | dict.fromkeys(
    ("random_dictionary", "sae_top_k", "sae_all"), "needs a dictionary: none was given"
)
"""Reasons where a model was run without dictionaries."""
FILLED = 0.05  # share of filled cells above which activations are multiplied as a dense matrix
HERE = Stages()
BLOCKS_TOO_LARGE = (
    "prompts that belong together cannot be split into 5 folds that each hold both outcomes"
)


@dataclass(frozen=True)
class LadderFindings:
    """The ladder, climbed.

    Attributes:
        baselines: the rungs, by name.
        ladder: how they were climbed and compared.
    """

    baselines: dict[str, Rung]
    ladder: Ladder


def build_ladder(
    texts: Sequence[str],
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    *,
    residual: np.ndarray | None = None,
    random: csr_matrix | None = None,
    features: csr_matrix | None = None,
    missing: Mapping[str, str] = MISSING,
    config: LadderConfig,
    seed: int,
    blocks: np.ndarray | None = None,
    hold_out_levels: bool = True,
    stages: Stages = HERE,
) -> LadderFindings:
    """Climb the ladder.

    Under `config.folds`, `repeated`: repeats of five stratified folds; C, and the k of `sae_top_k`,
    chosen by inner folds; residuals and features standardised. `study`: the reference study's one
    split and its model, C = 1 and nothing scaled (k is still chosen inside); one split has no
    interval, and the AUROC is the mean of its five folds.

    Args:
        texts: the prompts.
        factors: for each factor the level of every prompt, as given; a level that was not trained
            on counts as none.
        failed: the outcome, boolean `[prompts]`.
        residual: one row a prompt, `[prompts, d]`.
        random: activations of the random dictionary, pooled as the features are.
        features: **all** features of the dictionary, CSR `[prompts, d_sae]`.
        missing: why a rung that cannot be had is not there, by rung.
        config: how the folds are drawn.
        seed: of the folds and the bootstrap.
        blocks: the block of every prompt that belongs together, `[prompts]`: repeated folds keep
            blocks whole; None: each stands by itself.
        hold_out_levels: whether every factor's levels are held out in turn, too.
        stages: who scores each rung, and holds out each factor's levels.

    Raises:
        UserError: rows that do not match, values that are not finite.
    """
    failed = np.asarray(failed, dtype=bool)
    _check(texts, factors, failed, residual, random, features)
    scheme = config.folds
    splits = _splits(failed, config, seed, blocks)
    if isinstance(splits, str):
        return _not_climbed(splits, config)
    candidates = _candidates(texts, factors, residual, random, features, scheme)
    rungs, differences = _climbed(candidates, failed, splits, missing, stages)
    strict = config.left_out == "strict"
    at_levels = scores_left_out(
        {name: of for name, of in candidates.items() if strict or name in QUICK},
        partial(_of_factors, scheme=scheme), factors if hold_out_levels else {}, failed,
        LeavingOut(COMPARED, seed, blocks, apart=strict), stages,
    )  # fmt: skip
    left_out = [rung for of_factor in at_levels for rung in of_factor.rungs]
    apart = [difference for of_factor in at_levels for difference in of_factor.differences]
    ladder = Ladder(
        scheme, splits.repeats, splits.folds, differences, left_out, config.left_out, apart
    )
    return LadderFindings(rungs, ladder)


def _not_climbed(reason: str, config: LadderConfig) -> LadderFindings:
    rungs = {name: Rung(None, None, None, reason) for name in RUNGS}
    repeats = config.repeats if config.folds == "repeated" else 1
    return LadderFindings(
        rungs | {"base_rate": _base_rate()}, Ladder(config.folds, repeats, FOLDS, [], [])
    )


def _splits(
    failed: np.ndarray, config: LadderConfig, seed: int, blocks: np.ndarray | None
) -> Splits | str:
    """The folds, or why there can be none."""
    reason = too_few(failed)
    if reason is not None:
        return reason
    if config.folds == "study":
        return study_folds(failed)
    if blocks is None:
        return repeated_folds(failed, config.repeats, seed=seed)
    return grouped_folds(failed, blocks, config.repeats, seed=seed) or BLOCKS_TOO_LARGE


def _climbed(
    candidates: Mapping[str, Candidate],
    failed: np.ndarray,
    splits: Splits,
    missing: Mapping[str, str],
    stages: Stages,
) -> tuple[dict[str, Rung], list[RungDifference]]:
    """Every rung, and the differences between those that can be had."""
    folds = scores_by_fold(candidates, failed, splits, stages)
    rungs = {name: Rung(None, None, None, missing.get(name)) for name in RUNGS}
    rungs["base_rate"] = _base_rate()
    for name, values in folds.items():
        rungs[name] = Rung(*_interval(values, 0.0), None)
    differences = [
        RungDifference(first, second, *_interval(folds[first] - folds[second], -1.0))
        for first, second in COMPARED
        if first in folds and second in folds
    ]
    return rungs, differences


def words(text: str) -> list[str]:
    """The words and signs of a text, in order, after a mark that every text begins with.

    The mark keeps a vocabulary from being empty.

    >>> words("Ann gave it to Bob's.")
    ['', 'Ann', 'gave', 'it', 'to', 'Bob', "'", 's', '.']
    """
    return ["", *re.findall(r"\w+|[^\w\s]", text)]


def _base_rate() -> Rung:
    """One score for all prompts: every pair is a tie, and nothing is estimated."""
    return Rung(0.5, None, None, None)


def _candidates(
    texts: Sequence[str],
    factors: Mapping[str, Sequence[str]],
    residual: np.ndarray | None,
    random: csr_matrix | None,
    features: csr_matrix | None,
    scheme: Folds,
) -> dict[str, Candidate]:
    """By rung, in order of the ladder, those that can be had."""
    found: dict[str, Candidate] = {}
    if factors:
        found["factors"] = _of_factors(factors, scheme)
    counts = CountVectorizer(analyzer=words).fit_transform(texts)
    found["bag_of_tokens"] = _model(scheme), _dense_where_filled(csr_matrix(counts, dtype=float))
    if residual is not None:
        found["residual"] = _of_values(_inputs(residual, scheme), scheme)
    if random is not None:
        found["random_dictionary"] = _of_values(_inputs(_firing(random), scheme), scheme)
    if features is not None:
        firing = _inputs(_firing(features), scheme)
        selected = TunedLogistic(ks=KS)
        if scheme == "study":
            selected = TunedLogistic(ks=KS, cs=(1.0,), scaled=False)
        found["sae_top_k"] = selected, firing
        found["sae_all"] = _of_values(firing, scheme)
    return found


def _firing(activations: csr_matrix) -> csr_matrix:
    """Without the features that fire nowhere, which no model can use; no label is looked at."""
    counts = np.bincount(activations.indices, minlength=activations.shape[1])
    fires = np.flatnonzero(counts) if counts.any() else np.arange(1)
    return csr_matrix(activations[:, fires])


def _inputs(values: Matrix, scheme: Folds) -> Inputs:
    """Wide where they are to be standardised and there are more of them than prompts."""
    if scheme == "repeated" and values.shape[1] > values.shape[0]:
        return WideRows.of(values)
    return _dense_where_filled(values)


def _dense_where_filled(values: Matrix) -> Matrix:
    """What is not mostly zeros is multiplied quicker as a dense matrix."""
    cells = values.shape[0] * values.shape[1]
    if issparse(values) and DENSE >= cells <= values.nnz / FILLED:
        return np.asarray(values.toarray())
    return values


def _of_factors(factors: Mapping[str, Sequence[str]], scheme: Folds) -> Candidate:
    levels = np.array([list(column) for column in factors.values()], dtype=object).T
    encoded = csr_matrix(OneHotEncoder().fit_transform(levels))
    return _model(scheme), _dense_where_filled(encoded)


def _of_values(values: Inputs, scheme: Folds) -> Candidate:
    model = _model(scheme)
    return model if scheme == "study" else make_pipeline(Rotation(), model), values


def _model(scheme: Folds) -> Any:
    return TunedLogistic() if scheme == "repeated" else balanced_logistic()


def _interval(values: np.ndarray, least: float) -> tuple[float, float | None, float | None]:
    """Mean and interval of fold values `[repeats, folds]`, cut to what is possible, least to 1."""
    if len(values) == 1:
        return float(values.mean()), None, None
    mean, low, high = nadeau_bengio(values)
    return mean, max(low, least), min(high, 1.0)


def _check(
    texts: Sequence[str],
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    residual: np.ndarray | None,
    random: csr_matrix | None,
    features: csr_matrix | None,
) -> None:
    matrices: dict[str, np.ndarray | csr_matrix | None] = {
        "residuals": residual, "random features": random, "features": features,
    }  # fmt: skip
    sizes = {"prompts": len(texts), **{f"levels of {f!r}": len(c) for f, c in factors.items()}}
    sizes |= {name: m.shape[0] for name, m in matrices.items() if m is not None}
    for name, size in sizes.items():
        if size != len(failed):
            raise UserError(f"{size} {name}, but {len(failed)} outcomes: expected as many")
    for name, matrix in matrices.items():
        if matrix is None:
            continue
        if not matrix.shape[1]:
            raise UserError(f"the {name} have no columns: leave them out")
        values = matrix.data if isinstance(matrix, csr_matrix) else matrix
        if not np.isfinite(np.asarray(values)).all():
            raise UserError(f"the {name} hold NaN or infinite values: expected numbers")

"""Edits: what features are set to, at the tokens of a prompt and at those generated after it.

Each kind of edit is one small class. It checks its own arguments, and has one rule for a prompt's
tokens and one for generated tokens, which have no counterpart in the prompts. To add a kind of
edit, add a class with the two methods of `Edit`; nothing else needs to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.interventions.checks import is_finite, is_whole, shown
from faultlens.auditing.interventions.prompt_groups import GROUPS, PromptGroups
from faultlens.errors import UserError

GeneratedRule = Callable[[Tensor], Tensor]
"""From features' activations at generated tokens to what they become, `[tokens, features]` both."""

Among = Literal["all", "successes", "failures"] | Sequence[int]
"""Prompts that an edit draws from: a group of the task's, or their indices, from 0."""


@dataclass(frozen=True, eq=False)
class EditContext:
    """What an edit may draw from.

    Attributes:
        codes: the task's activations, of the dictionary whose features are edited.
        groups: the task's prompts by their outcome.
    """

    codes: Codes
    groups: PromptGroups


@runtime_checkable
class Edit(Protocol):
    """What features are set to."""

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        """What the features are set to at tokens of the prompts, float32 `[rows, features]`.

        Args:
            context: what may be drawn from.
            rows: the tokens, as rows of the codes.
            features: their indices in the dictionary.
        """

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        """What the features are set to at generated tokens."""


@dataclass(frozen=True)
class Zero:
    """Sets features to 0, which projects a direction out."""

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        return np.zeros((len(rows), len(features)), dtype=np.float32)

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        return torch.zeros_like


@dataclass(frozen=True)
class Scale:
    """Multiplies activations by `factor`. Raises UserError unless it is a finite number."""

    factor: float

    def __post_init__(self) -> None:
        if not is_finite(self.factor):
            raise UserError(f"Scale({shown(self.factor)}): expected a number, e.g. Scale(0.5)")

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        scaled: np.ndarray = float(self.factor) * context.codes.values(rows, features)
        return scaled

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        factor = float(self.factor)
        return lambda own: factor * own


@dataclass(frozen=True)
class Add:
    """Adds `amount` to activations; of a direction, so much of it in its site's units.

    Raises UserError unless `amount` is a finite number.
    """

    amount: float

    def __post_init__(self) -> None:
        if not is_finite(self.amount):
            raise UserError(f"Add({shown(self.amount)}): expected a number, e.g. Add(4.0)")

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        raised: np.ndarray = context.codes.values(rows, features) + float(self.amount)
        return raised

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        amount = float(self.amount)
        return lambda own: own + amount


@dataclass(frozen=True, eq=False)
class Clamp:
    """Sets activations to the nearest value from `lowest` to `highest`.

    `Clamp(4.0)` sets them to 4, `Clamp(0.0, 2.0)` caps them at 2. One end of a range may be
    infinite. An end may be an array `[features]`, a value for each feature.

    Raises:
        UserError: an end that is no number, one value that is not finite, or a lowest value above
            the highest.
    """

    lowest: float | np.ndarray
    highest: float | np.ndarray | None = None

    def __post_init__(self) -> None:
        given = (self.lowest,) if self.highest is None else (self.lowest, self.highest)
        if not all(map(_are_numbers, given)) or not self._in_order():
            raise UserError(
                f"Clamp({', '.join(map(shown, given))}): expected a number, e.g. Clamp(4.0), or "
                "the lowest and the highest value, e.g. Clamp(0.0, 2.0)"
            )

    def _in_order(self) -> bool:
        low, high = self._bounds
        return bool(np.all(low <= high) and (np.isfinite(low) | np.isfinite(high)).all())

    @property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        high = self.lowest if self.highest is None else self.highest
        return np.asarray(self.lowest, dtype=float), np.asarray(high, dtype=float)

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        clamped: np.ndarray = np.clip(context.codes.values(rows, features), *self._bounds)
        return clamped.astype(np.float32)

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        low, high = (torch.as_tensor(bound.astype(np.float32)) for bound in self._bounds)
        return lambda own: own.clamp(low.to(own.device), high.to(own.device))


@dataclass(frozen=True)
class Mean:
    """Sets features to their mean over the tokens of the same role in the prompts `among`.

    Generated tokens take the mean over all tokens of these prompts, as does a token whose role none
    of them has. Raises UserError unless `among` is `all`, `successes`, `failures` or indices.
    """

    among: Among = "all"

    def __post_init__(self) -> None:
        _check_among("Mean", self.among)

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        codes = context.codes
        means = codes.mean_by_role(context.groups.indices(self.among))
        chosen: np.ndarray = means[codes.roles[rows]][:, list(features)]
        return chosen

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        return _to_overall_mean(context, self.among, features)


@dataclass(frozen=True)
class Resample:
    """Sets features to their values at a token of the same role, drawn from the prompts `among`.

    Every edited token gets one drawn for it; all features take their values there. Where none of
    the prompts has the role, and at generated tokens, they take the mean over all their tokens.
    Raises UserError for an `among` that `Mean` refuses, or a seed that is no whole number from 0.
    """

    among: Among = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_among("Resample", self.among)
        if not is_whole(self.seed) or self.seed < 0:
            raise UserError(f"Resample(seed={shown(self.seed)}): expected a whole number from 0")

    def at_prompt(
        self, context: EditContext, rows: np.ndarray, features: Sequence[int]
    ) -> np.ndarray:
        codes, among = context.codes, context.groups.indices(self.among)
        means = codes.mean_by_role(among)
        found: np.ndarray = means[codes.roles[rows]][:, list(features)]
        rng = np.random.default_rng(int(self.seed))
        donors = codes.rows(among)
        for role in np.unique(codes.roles[rows]):
            able = donors[codes.roles[donors] == role]
            mine = np.flatnonzero(codes.roles[rows] == role)
            if len(able):
                found[mine] = codes.values(rng.choice(able, len(mine)), features)
        return found

    def at_generated(self, context: EditContext, features: Sequence[int]) -> GeneratedRule:
        return _to_overall_mean(context, self.among, features)


def _to_overall_mean(context: EditContext, among: Among, features: Sequence[int]) -> GeneratedRule:
    means = context.codes.mean(context.groups.indices(among))
    mean = torch.from_numpy(means[list(features)])
    return lambda own: mean.to(own.device).expand_as(own)


def checked_edit(edit: object) -> Edit:
    """The edit, if it is one. Raises UserError otherwise."""
    if isinstance(edit, type) or not isinstance(edit, Edit):
        raise UserError(
            f"edit {shown(edit)}: expected Zero(), Scale(0.5), Add(4.0), Clamp(0.0, 2.0), Mean() "
            "or Resample() of faultlens, or an object with their methods at_prompt and at_generated"
        )
    return edit


def _check_among(kind: str, among: object) -> None:
    """Raises UserError unless `among` names a group of prompts or lists indices."""
    if isinstance(among, str):
        known = among in GROUPS
    else:
        known = isinstance(among, Iterable) and _are_indices(among)
    if not known:
        raise UserError(
            f"{kind}(among={shown(among)}): expected one of {', '.join(GROUPS)}, or the indices "
            "of prompts, from 0"
        )


def _are_indices(values: Iterable[Any]) -> bool:
    given = list(values)
    whole = all(is_whole(i) and i >= 0 for i in given)
    return whole and 0 < len(given) == len(set(given))


def _are_numbers(value: object) -> bool:
    """Whether a value is a number, or an array of numbers, none of them NaN."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "fiu" and not np.isnan(value).any()
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) == float(value)

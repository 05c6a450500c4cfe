"""Edited: what features are set to, and at which tokens; the one way in which a change is said.

`values_at` says what they are set to, by the kinds of METHODS 3.7, and `tokens_at` where. A change
of a prompt's tokens goes on while the answer is decoded: `later` says what the features of each
generated token become.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes

Kind = Literal["zero", "mean", "resample", "clamp", "scale", "add"]
Positions = Literal["firing", "all", "last"]

Later = Callable[[Tensor], Tensor]
"""From features' activations at generated tokens to what they become, `[tokens, features]` both."""


@dataclass(frozen=True, eq=False)
class Edited:
    """Where features are changed, and to what.

    Attributes:
        rows: the edited tokens, as rows of the codes.
        features: which.
        wanted: what they are set to at each of these tokens, `[edited, features]`.
        later: what they become at each generated token; None: those are left as they are.
    """

    rows: np.ndarray
    features: Sequence[int]
    wanted: np.ndarray
    later: Later | None = None


@dataclass(frozen=True, eq=False)
class Setting:
    """What features are set to.

    - `zero`: to 0; `scale`: to `amount` times their own; `add`: to their own + `amount`;
    - `clamp`: to the nearest value within `bounds`; equal bounds set them to one value;
    - `mean`: to their mean at the same role in `among`;
    - `resample`: to their values at one token, drawn at random, of the same role in `among`; at a
      role that none of these prompts has, to the mean over all their tokens.

    A generated token has no role: `mean` and `resample` set it to the mean over all tokens.

    Attributes:
        amount: of `scale` and `add`.
        bounds: of `clamp`, lowest and highest.
        among: the prompts that `mean` and `resample` draw from.
        seed: of `resample`.
    """

    kind: Kind
    amount: float = 0.0
    bounds: tuple[float | np.ndarray, float | np.ndarray] = (-np.inf, np.inf)
    among: np.ndarray | None = None
    seed: int = 0

    def values_at(self, codes: Codes, rows: np.ndarray, features: Sequence[int]) -> np.ndarray:
        """What the features are set to at some tokens, float32 `[rows, features]`."""
        own = codes.values(rows, features)
        if self.kind == "zero":
            return np.zeros_like(own)
        if self.kind == "scale":
            return self.amount * own
        if self.kind == "add":
            return own + self.amount
        if self.kind == "clamp":
            clamped: np.ndarray = np.clip(own, *self.bounds).astype(own.dtype)
            return clamped
        assert self.among is not None, f"{self.kind} draws from prompts"
        means: np.ndarray = codes.mean_by_role(self.among, features)[codes.roles[rows]]
        if self.kind == "mean":
            return means
        return self._resampled(codes, rows, features, means)

    def _resampled(
        self, codes: Codes, rows: np.ndarray, features: Sequence[int], found: np.ndarray
    ) -> np.ndarray:
        """`found`, and in its place a donor's activations at each role that a donor has."""
        assert self.among is not None
        rng = np.random.default_rng(self.seed)
        donors = codes.rows(self.among)
        for role in np.unique(codes.roles[rows]):
            able = donors[codes.roles[donors] == role]
            mine = np.flatnonzero(codes.roles[rows] == role)
            if len(able):
                found[mine] = codes.values(rng.choice(able, len(mine)), features)
        return found

    def later(self, codes: Codes, features: Sequence[int]) -> Later:
        """What the features become at generated tokens, wherever these are edited."""
        if self.kind == "zero":
            return torch.zeros_like
        if self.kind == "scale":
            return lambda own: self.amount * own
        if self.kind == "add":
            return lambda own: own + self.amount
        if self.kind == "clamp":
            low, high = (torch.as_tensor(np.float32(bound)) for bound in self.bounds)
            return lambda own: own.clamp(low.to(own.device), high.to(own.device))
        assert self.among is not None, f"{self.kind} draws from prompts"
        mean = torch.from_numpy(codes.mean(self.among)[list(features)])
        return lambda own: mean.to(own.device).expand_as(own)


def where_it_fires(later: Later) -> Later:
    """The same at tokens where any of the features fires; others are left as they are."""
    return lambda own: torch.where((own > 0).any(dim=-1, keepdim=True), later(own), own)


def edit_at(
    codes: Codes,
    features: Sequence[int],
    prompts: np.ndarray,
    setting: Setting,
    positions: Positions = "firing",
) -> Edited:
    """The change of some prompts' features, and of what is generated after them.

    Args:
        positions: `firing`: the tokens at which any of the features fires; `all` but BOS; or each
            prompt's `last`. While decoding each new token is the last.
    """
    later = setting.later(codes, features)
    if positions == "firing":
        rows, later = codes.firing_rows(features, prompts), where_it_fires(later)
    elif positions == "all":
        rows = codes.rows(prompts)
    else:
        rows = np.array([codes.rows_of(int(prompt)).stop - 1 for prompt in prompts])
    return Edited(rows, features, setting.values_at(codes, rows, features), later)

"""Reconstruction: how a dictionary rebuilds its target site's values, accumulated over tokens.

Tokens with massive activations are counted apart: one in 150 with 250 times the median norm makes a
fraction of variance unexplained of .007 where the dictionary leaves everything else unexplained.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import Dictionary

CONSTANT = 1e-12  # a variance below this share of the mean square is rounding
TILE = 512  # tokens whose activations are held at once: 50 MB at 24,576 features


class Reconstruction:
    """Accumulates, some tokens at a time, errors, values and firings.

    What has no suffix is over typical tokens, and decides; `…_all` is over all tokens.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._typical, self._all = _Sums(), _Sums()
        device = dictionary.W_enc.device
        self._seen = torch.zeros(dictionary.d_sae, dtype=torch.bool, device=device)

    @torch.no_grad()
    def add(self, x: Tensor, target: Tensor, typical: Tensor) -> None:
        """Take in tokens.

        Args:
            x: the site's values, `[tokens, d_in]`.
            target: the target site's values, `[tokens, d_out]`.
            typical: which tokens have no massive activation, boolean `[tokens]`.
        """
        for start in range(0, len(x), TILE):
            part = slice(start, start + TILE)
            activations = self._dictionary.encode(x[part])
            self.add_encoded(x[part], target[part], typical[part], activations)

    @torch.no_grad()
    def add_encoded(self, x: Tensor, target: Tensor, typical: Tensor, activations: Tensor) -> None:
        """The same with their activations, `[tokens, d_sae]`.

        Raises UserError for reconstructions that are not finite.
        """
        dictionary = self._dictionary
        wanted = dictionary.centred(target)
        error = target.float() - dictionary.rebuilt_of(activations, x, target)
        if not torch.isfinite(error).all():
            raise UserError(
                f"dictionary {dictionary.name} rebuilds values that are infinite or NaN at "
                f"{dictionary.target.name}: its weights are damaged; fetch it again"
            )
        fires = activations > 0
        self._seen |= fires.any(dim=0)
        fired = fires.sum(dim=1)
        self._all.add(wanted, error, fired, target)
        self._typical.add(wanted[typical], error[typical], fired[typical], target[typical])

    @property
    def tokens(self) -> int:
        return self._all.tokens

    @property
    def massive(self) -> int:
        """How many tokens have a massive activation."""
        return self._all.tokens - self._typical.tokens

    @property
    def mean(self) -> Tensor:
        """Of the target site's values, `[d_out]`."""
        assert self._typical.total is not None
        return (self._typical.total / self._typical.tokens).float()

    @property
    def fvu(self) -> float:
        """Σ‖x − x̂‖² / Σ‖x − x̄‖²: a ratio of sums.

        Raises UserError where x is the same at every token.
        """
        return self._share(self._typical.error, self._typical.variance)

    @property
    def fvu_all(self) -> float:
        return self._share(self._all.error, self._all.variance)

    def error_over(self, other: Reconstruction) -> float:
        """Σ‖x − x̂‖² over the variance of what another dictionary is to rebuild: its Σ‖x − x̄‖².

        Of the same tokens, as the model holds them there.
        """
        return self._share(self._typical.error, other._typical.variance)

    @property
    def error_as_it_is(self) -> float:
        """Σ‖x − x̂‖² over the variance of the site's values, from which nothing is taken off."""
        return self._share(self._typical.error, self._typical.variance_as_it_is)

    @property
    def l0(self) -> float:
        return self._typical.fired / self._typical.tokens

    @property
    def l0_all(self) -> float:
        return self._all.fired / self._all.tokens

    @property
    def firing_share(self) -> float:
        """Of the features, how many fire on any token."""
        return float(self._seen.float().mean())

    def check_varies(self) -> None:
        """Raises UserError where what is to be rebuilt is the same at every token."""
        self._share(0.0, self._typical.variance)

    def _share(self, error: float, variance: float | None) -> float:
        if variance is None:
            raise UserError(
                f"dictionary {self._dictionary.name} cannot be judged: what it is to rebuild at "
                f"{self._dictionary.target.name} is the same at all {self.tokens} tokens read; "
                "choose another site or layer, or give --no-fit-check to go on"
            )
        return error / variance


class _Sums:
    """Sums over tokens, in double precision."""

    def __init__(self) -> None:
        self.tokens = self.fired = 0
        self.error = self._squares = self._squares_as_they_are = 0.0
        self.total: Tensor | None = None  # of the values as they are
        self._wanted: Tensor | None = None  # of the values as they are to be rebuilt

    def add(self, wanted: Tensor, error: Tensor, fired: Tensor, target: Tensor) -> None:
        if self.total is None or self._wanted is None:
            self.total = target.new_zeros(target.shape[-1], dtype=torch.double)
            self._wanted = torch.zeros_like(self.total)
        self.tokens += len(wanted)
        self.fired += int(fired.sum())
        self.error += float((error.double() ** 2).sum())
        self._squares += float((wanted.double() ** 2).sum())
        self._squares_as_they_are += float((target.double() ** 2).sum())
        self.total += target.double().sum(dim=0)
        self._wanted += wanted.double().sum(dim=0)

    @property
    def variance(self) -> float | None:
        """Σ‖x − x̄‖² of what is to be rebuilt; None where that is the same at every token."""
        return self._about_the_mean(self._squares, self._wanted)

    @property
    def variance_as_it_is(self) -> float | None:
        """The same of the site's values, from which nothing is taken off."""
        return self._about_the_mean(self._squares_as_they_are, self.total)

    def _about_the_mean(self, squares: float, sums: Tensor | None) -> float | None:
        if sums is None or not self.tokens:
            return None
        variance = squares - float((sums**2).sum()) / self.tokens
        return variance if variance > CONSTANT * squares else None

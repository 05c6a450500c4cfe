"""What was found of one dictionary, and what follows: a better convention, a complaint, or nothing.

Unexplained variance decides, since it needs no good model: loss recovered says little of a model
that does not know the sample's language, and is then not given. A convention is better if under it
clearly less variance is unexplained, or if only under it the published L0 comes out. The published
variance explained stops what misses it by far. A model that predicts natural text worse than a
guess stops everything: its files do not belong together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultlens.models.convention import SCALES, THRESHOLD
from faultlens.models.dictionary import Published
from faultlens.models.fit import Fit

MOST_UNEXPLAINED = 0.5
# docs/doctor.md says what these were set on.
CLEARLY = 0.9  # a better convention's error is below this share of the one in force, and less by
LEAST_GAIN = 0.01  # so much of the variance in force
LEAST_GAIN_OF_SCALE = 0.1  # more where a larger input lifts features over their thresholds, so that
MORE_FIRE = 1.1  # L0 is above so many times the one in force
AS_GOOD = 1.05  # times the best FVU: of those as good, the one that changes least is named
L0_AGREES, L0_DISAGREES = 1.25, 2.0  # factors between a measured and a published L0
RECOVERED = ("recovered_from_mean", "recovered_from_zero")
FVU_DISAGREES = 0.25  # above the published FVU: other text explains some of that, not more


GUESSING = 0.9  # of a guess's loss: from here on a model does not know the language
BROKEN = 1.15  # of a guess's loss: random weights stay below it


@dataclass(frozen=True)
class Language:
    """How well a model predicts natural text.

    Attributes:
        loss: in nats a token.
        of_a_guess: the loss of guessing evenly: ln of the vocabulary.
        is_mini: the model is `mini`, which knows only the small world that it was made for.
    """

    loss: float
    of_a_guess: float
    is_mini: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it predicts clearly better than a guess."""
        return self.loss < GUESSING * self.of_a_guess

    @property
    def is_broken(self) -> bool:
        """Whether it predicts so much worse that it cannot have been trained to be as it is."""
        return self.loss > BROKEN * self.of_a_guess and not self.is_mini


@dataclass(frozen=True)
class Alternative:
    """A convention, and what comes out under it on the tokens that conventions are compared on.

    Attributes:
        words: those that change the one in force to it; none for that one.
        said: in words.
        fvu: of the model's values under it, typical tokens only.
        relative_error: its error over the variance under the one in force: what is compared, since
            without BOS, or not centred, the variance itself is another.
        error_as_it_is: its error over the variance of the model's values, nothing taken off.
        l0: likewise of typical tokens.
        given: all that --convention then has to say.
    """

    words: tuple[str, ...]
    said: str
    fvu: float
    relative_error: float
    error_as_it_is: float
    l0: float
    firing_share: float
    recovered_from_mean: float | None
    recovered_from_zero: float | None
    given: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "convention": " ".join(self.words),
            "fvu": self.fvu,
            "relative_error": self.relative_error,
            "l0": self.l0,
            "firing_share": self.firing_share,
            "recovered_from_mean": self.recovered_from_mean,
            "recovered_from_zero": self.recovered_from_zero,
        }


@dataclass(frozen=True)
class Examination:
    """How one dictionary fits, under the convention in force and under the others.

    Attributes:
        name: the dictionary's.
        model: the model's name.
        site: its site's name.
        fit: the figures under the convention in force.
        compared_tokens: how many tokens conventions are compared on.
        loss_tokens: how many tokens the losses are over.
        in_force: the same convention on the tokens that conventions are compared on.
        others: the rival conventions.
        published: what the registry says.
        language: how well the model predicts the sample.
    """

    name: str
    model: str
    site: str
    fit: Fit
    compared_tokens: int
    loss_tokens: int
    in_force: Alternative
    others: tuple[Alternative, ...]
    published: Published
    language: Language

    @property
    def knows_language(self) -> bool:
        return self.language.is_known

    @property
    def better(self) -> Alternative | None:
        """The convention that fits better than the one in force; None if none does."""
        clear = [other for other in self.others if self._is_clearly_better(other)]
        if not clear:
            clear = [other for other in self.others if self._is_the_published_one(other)]
        return self._plainest(clear) if clear else None

    @property
    def published_fvu(self) -> float | None:
        """1 − the published variance explained; None where that is not known."""
        explained = self.published.variance_explained
        return None if explained is None else 1 - explained

    @property
    def complaint(self) -> str | None:
        """Why a run should stop, in one sentence with the next step; None if nothing is wrong."""
        if self.language.is_broken:
            return (
                f"model {self.model} predicts natural text worse than a guess: its loss is "
                f"{self.language.loss:.1f} nats a token, that of guessing evenly "
                f"{self.language.of_a_guess:.1f}; its weights do not belong to its config.json or "
                "tokenizer, or were never trained; get its files again, or give --no-fit-check to "
                "go on"
            )
        better, published = self.better, self.published_fvu
        if better is not None:
            return (
                f"dictionary {self.name} does not fit {self.model} as it is read: with "
                f"{better.said} it leaves {better.relative_error:.1%} of the variance at "
                f"{self.site} unexplained and has L0 {better.l0:.1f}, now {self.in_force.fvu:.1%} "
                f"and {self.in_force.l0:.1f}{self._published_aside()}; give --convention "
                f"{','.join(better.given)}, or --no-fit-check to go on"
            )
        too_much = published is not None and self.fit.fvu - published > FVU_DISAGREES
        if not self.fit.fvu <= MOST_UNEXPLAINED or too_much:
            expected = f"expected at most {MOST_UNEXPLAINED:.0%}"
            if too_much and self.fit.fvu <= MOST_UNEXPLAINED:
                expected = f"published are {published:.0%}"
            return (
                f"dictionary {self.name} leaves {self.fit.fvu:.0%} of the variance of {self.model} "
                f"at {self.site} unexplained, {expected}: it was "
                "trained on another model or site, or in a way that no convention tried here "
                "accounts for; choose another, or give --no-fit-check to go on"
            )
        return None

    def _published_aside(self) -> str:
        said = []
        if self.published_fvu is not None:
            said.append(f"{self.published_fvu:.1%}")
        if self.published.l0 is not None:
            said.append(f"L0 {self.published.l0:g}")
        return f" (published: {' and '.join(said)})" if said else ""

    def _is_clearly_better(self, other: Alternative) -> bool:
        now, then = self.in_force.relative_error, other.relative_error
        small = then <= MOST_UNEXPLAINED and then < CLEARLY * now
        return small and now - then > self._least_gain(other) and not self._is_smaller_only(other)

    def _is_smaller_only(self, other: Alternative) -> bool:
        """Whether the error is less only because the model's values are, with BOS the other way."""
        of_bos = bool({"bos", "no-bos"} & set(other.words))
        return of_bos and other.error_as_it_is >= self.in_force.error_as_it_is

    def _is_the_published_one(self, other: Alternative) -> bool:
        """Only under it the published L0 comes out, and it rebuilds about as much or more."""
        now, l0 = self.in_force, self.published.l0
        if l0 is None or _apart(now.l0, l0) <= L0_DISAGREES:
            return False
        return (
            _apart(other.l0, l0) <= L0_AGREES
            and other.relative_error <= AS_GOOD * now.relative_error
        )

    def _least_gain(self, other: Alternative) -> float:
        scaled = any(word.startswith(SCALES) for word in other.words)
        more = other.l0 > MORE_FIRE * self.in_force.l0
        return LEAST_GAIN_OF_SCALE if scaled and more else LEAST_GAIN

    def _plainest(self, others: Sequence[Alternative]) -> Alternative:
        """Of those about as good as the best: one with the published L0, that changes least.

        A threshold that is tried is known to be left wrong by the program that wrote the file: of
        two that come to the same, such as it and a factor, that is the likelier one.
        """
        best, l0 = min(other.relative_error for other in others), self.published.l0
        about = [other for other in others if other.relative_error <= AS_GOOD * best]

        def rank(other: Alternative) -> tuple[bool, int, bool, float]:
            off = l0 is not None and _apart(other.l0, l0) > L0_AGREES
            unknown = not other.words[0].startswith(THRESHOLD)
            return off, len(other.words), unknown, other.relative_error

        return min(about, key=rank)

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them; losses recovered are None where they say nothing."""
        mute = {} if self.knows_language else dict.fromkeys(RECOVERED)
        return {
            **self.fit.to_dict(),
            **mute,
            "compared_tokens": self.compared_tokens,
            "loss_tokens": self.loss_tokens,
            "published": {
                "l0": self.published.l0,
                "variance_explained": self.published.variance_explained,
            },
            "in_force": {**self.in_force.to_dict(), **mute},
            "other_conventions": [{**other.to_dict(), **mute} for other in self.others],
        }


def _apart(measured: float, published: float) -> float:
    """The factor between two numbers, at least 1."""
    if measured <= 0:
        return math.inf
    return max(measured / published, published / measured)

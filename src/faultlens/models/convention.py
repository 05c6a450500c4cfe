"""Conventions that can be mistaken for one another: how each is named, tried and put in force.

A word names a setting that can be given (`--convention centred`); the doctor tries the settings
that are not in force, and names the one that fits better.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.models.dictionary import Dictionary
from faultlens.models.normalisation import UNSCALED
from faultlens.models.sae_config import WRITTEN

FACTOR = "factor="
WORDS = {
    "centred": ("centred", True),
    "raw": ("centred", False),
    "bos": ("prepend_bos", True),
    "no-bos": ("prepend_bos", False),
    "folded": ("value_bias_folded", True),
    "unfolded": ("value_bias_folded", False),
}
"""Word -> field of `Convention`, and its value."""
_SAID = {
    "centred": "residuals centred",
    "raw": "residuals as they are",
    "bos": "BOS prepended",
    "no-bos": "BOS left out",
    "folded": "the value bias taken off",
    "unfolded": "the value bias left in",
}


@dataclass(frozen=True, eq=False)
class Rival:
    """A dictionary under another convention than the one in force, and the words that name it."""

    words: tuple[str, ...]
    dictionary: Dictionary

    @property
    def said(self) -> str:
        """In words: `residuals centred and BOS left out`."""
        return " and ".join(
            _SAID.get(word, f"its input multiplied by {word.removeprefix(FACTOR)}")
            for word in self.words
        )


def put_in_force(dictionary: Dictionary, words: Sequence[str]) -> Dictionary:
    """The dictionary under the convention that `words` give, whatever its file says.

    Raises UserError for a word that names no convention, or one that the site does not have.
    """
    given = _together(dictionary.convention.given, words)
    for word in words:
        if word.startswith(FACTOR):
            dictionary = scaled(dictionary, _factor(word))
            continue
        if word not in WORDS:
            raise UserError(
                f"unknown convention {word!r}: expected {', '.join(WORDS)} or {FACTOR}NUMBER"
            )
        field: str
        value: Any
        field, value = WORDS[word]
        if value and field not in _possible(dictionary):
            raise UserError(
                f"convention {word!r} means nothing for {dictionary.name} at "
                f"{dictionary.site.name}: leave it out"
            )
        convention = replace(dictionary.convention, **{field: value})
        dictionary = dictionary.under(convention)
    return dictionary.under(replace(dictionary.convention, given=given))


def _together(given: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Words in the order given, without those that a later one takes back; factors multiply."""
    together: list[str] = []
    for word in (*given, *more):
        field = WORDS[word][0] if word in WORDS else None
        together = [w for w in together if field is None or WORDS.get(w, ("",))[0] != field]
        together.append(word)
    return tuple(together)


def scaled(dictionary: Dictionary, factor: float) -> Dictionary:
    """The dictionary with its input multiplied by `factor`, and its output divided by it."""
    said = f"{dictionary.convention.normalisation}, factor {factor:g}"
    return replace(
        dictionary.under(replace(dictionary.convention, normalisation=said, factor_folded=True)),
        W_enc=dictionary.W_enc * factor,
        W_dec=dictionary.W_dec / factor,
        b_dec=dictionary.b_dec / factor,
    )


def rivals(dictionary: Dictionary, mean_norm: float) -> Iterator[Rival]:
    """Every convention that this dictionary could have been trained under, but the one in force.

    Centred or not and with BOS or not, in all combinations; at `hook_z`, with value biases folded
    or not; and, where no token is normalised by itself and no factor is folded in, its input
    brought to the norm √d.

    Args:
        dictionary: under the convention in force.
        mean_norm: of its input's tokens, for the factor that brings them to √d.
    """
    now = dictionary.convention
    for centred in (now.centred, not now.centred):
        for bos in (now.prepend_bos, not now.prepend_bos):
            words = []
            if centred != now.centred:
                words.append("centred" if centred else "raw")
            if bos != now.prepend_bos:
                words.append("bos" if bos else "no-bos")
            if words and (centred == now.centred or "centred" in _possible(dictionary)):
                yield Rival(tuple(words), put_in_force(dictionary, words))
    if "value_bias_folded" in _possible(dictionary):
        word = "unfolded" if now.value_bias_folded else "folded"
        yield Rival((word,), put_in_force(dictionary, [word]))
    factor = math.sqrt(dictionary.d_in) / mean_norm
    affine = dictionary.normalisation is UNSCALED and dictionary.encoder is None
    free = dictionary.site_out is None and not now.factor_folded
    if affine and free and not 0.8 < factor < 1.25:
        for one in (factor, 1 / factor):
            word = f"{FACTOR}{one:.4g}"
            yield Rival((word,), put_in_force(dictionary, [word]))


def _possible(dictionary: Dictionary) -> set[str]:
    """The fields of its convention that can be true at its site."""
    possible = {"prepend_bos"}
    if dictionary.site.point in WRITTEN:
        possible.add("centred")
    if dictionary.value_bias is not None:
        possible.add("value_bias_folded")
    return possible


def _factor(word: str) -> float:
    try:
        factor = float(word.removeprefix(FACTOR))
    except ValueError:
        factor = 0.0
    if not 0 < factor < torch.inf:
        raise UserError(f"convention {word!r}: expected {FACTOR}NUMBER, a number above 0")
    return factor

"""The screens of dictionaries: made once, kept as long as the dictionary is."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import Tensor

from faultlens.features.bfloat16_screen import Bfloat16Screen
from faultlens.features.int8_screen import Int8Screen
from faultlens.features.reading_config import Encoding, LowPrecision
from faultlens.features.screen import Screen
from faultlens.models.dictionary import Dictionary

_KEPT: WeakKeyDictionary[Dictionary, dict[LowPrecision, Screen]] = WeakKeyDictionary()


def screen_of(dictionary: Dictionary, precision: LowPrecision, seen: Tensor) -> Screen:
    """The screen of a dictionary; if there is none, it is made from `seen`.

    Args:
        seen: prepared values, `[tokens, d_in]`.
    """
    kept = _KEPT.setdefault(dictionary, {})
    if precision not in kept:
        kept[precision] = made(dictionary, precision, seen)
    return kept[precision]


def renew_screen(dictionary: Dictionary, precision: LowPrecision, seen: Tensor) -> None:
    """Make it again from these values; a screen in another precision is given up."""
    _KEPT[dictionary] = {precision: made(dictionary, precision, seen)}


def made(dictionary: Dictionary, precision: LowPrecision, seen: Tensor) -> Screen:
    """A new screen."""
    if precision == "int8":
        return Int8Screen.of(dictionary, seen)
    return Bfloat16Screen.of(dictionary, seen)


def keep_only(dictionary: Dictionary, encoding: Encoding) -> None:
    """Give up the screens of other ways: a screen takes up to half of the encoder's memory."""
    kept = _KEPT.get(dictionary, {})
    _KEPT[dictionary] = {own: screen for own, screen in kept.items() if own == encoding}

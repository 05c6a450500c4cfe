"""Asked: what a user's experiment is to change, checked before the model runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor

from faultlens.auditing.interventions.direction import dictionary_along
from faultlens.auditing.interventions.edits import Kind, Setting
from faultlens.auditing.named_features import EXPECTED, read_features
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.sites import Site

AMONG = ("all", "successes", "failures")
EVERYWHERE = ("firing", "all", "last")  # positions that need no factor and no number
Value = float | tuple[float, float] | str | None
Direction = np.ndarray | Tensor | Sequence[float]

WANTED: dict[Kind, str] = {
    "zero": "no value",
    "scale": "a number, e.g. 0.5",
    "add": "a number, e.g. 4.0",
    "clamp": "a number, or (lowest, highest)",
    "mean": f"one of {', '.join(AMONG)}",
    "resample": f"one of {', '.join(AMONG)}",
}
"""By kind, the value that goes with it."""


def checked_quantities(
    lens: Lens, features: str | Sequence[str], direction: Direction | None, site: str | None
) -> tuple[Dictionary, list[int]]:
    """The dictionary, and which of its features are changed; of a direction a dictionary of one.

    Raises UserError for neither or both of them, and for what the lens does not have.
    """
    names = [features] if isinstance(features, str) else features
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise UserError(f"features {features!r}: expected {EXPECTED}, or a list of them")
    text = "+".join(names)
    if (direction is None) == (not text):
        raise UserError(
            "expected features (3-res-mini/808) or a direction, not both and not neither"
        )
    if direction is None:
        if site is not None:
            raise UserError(f"site {site!r} goes with a direction: features say their own")
        name, members = read_features(text, lens)
        return lens[name], members
    if not isinstance(site, str):
        raise UserError("a direction needs its site, e.g. site='blocks.3.hook_resid_pre'")
    known = [d for d in lens.dictionaries if d.name == site]
    at = known[0].site if known else Site.parse(site)
    return dictionary_along(lens.model, at, _vector(direction)), [0]


def _vector(direction: Direction) -> np.ndarray:
    """A direction as NumPy's, whatever it was computed in and whether or not it is still learnt."""
    if isinstance(direction, Tensor):
        return np.asarray(direction.detach().cpu().float().numpy())
    try:
        return np.asarray(direction, dtype=np.float32)
    except (TypeError, ValueError):
        raise UserError(
            f"the direction is {_shown(direction)}: expected a vector of numbers, as long as its "
            "site is wide"
        ) from None


def checked_prompts(task: Task, prompts: Sequence[int] | None) -> np.ndarray:
    """Indices of prompts, all different and there; None: all.

    Raises UserError for anything else, numbers that are not whole and masks among it.
    """
    if prompts is None:
        return np.arange(len(task))
    expected = f"expected one or more different indices from 0 to {len(task) - 1}"
    if isinstance(prompts, str) or not isinstance(prompts, Iterable):
        raise UserError(f"prompts {_shown(prompts)}: {expected}")
    given = list(prompts)
    wrong = [i for i in given if not _is_whole(i) or not 0 <= i < len(task)]
    if wrong or not given or len(set(given)) < len(given):
        raise UserError(f"prompts {_shown(_plain(wrong or given))}: {expected}")
    return np.array([int(i) for i in given])


def checked_positions(task: Task, positions: str | int | None, *, fires: bool) -> str | int:
    """Positions that there can be in a task; None: the default, by whether what is changed fires.

    Raises UserError for a name that is none, a number that does not count from the end, anything
    else, and `firing` of what does not fire.
    """
    if positions is None:
        return "firing" if fires else "all"
    if positions == "firing" and not fires:
        raise UserError("a direction does not fire: expected positions all, last, a factor, or -1")
    if _is_whole(positions):
        if int(positions) >= 0:
            raise UserError(
                f"positions {int(positions)}: expected a number from the end, -1 is the last token"
            )
        return int(positions)
    known = [*EVERYWHERE, *task.factors]
    if not isinstance(positions, str) or positions not in known:
        raise UserError(
            f"positions {_shown(positions)}: expected one of {', '.join(known)}, or a number such "
            "as -1"
        )
    return positions


def checked_setting(kind: Kind, value: Value, seed: int) -> Setting:
    """The kind with its value; the prompts that it may draw from are the caller's to say.

    Raises UserError for an unknown kind, a value that does not go with it, or a seed that is none.
    """
    if not isinstance(kind, str) or kind not in WANTED:
        raise UserError(f"kind {kind!r}: expected one of {', '.join(WANTED)}")
    if not _is_whole(seed) or seed < 0:
        raise UserError(f"seed {_shown(seed)}: expected a whole number of at least 0")
    if kind == "zero" and value is None:
        return Setting(kind)
    if kind in ("scale", "add") and _is_number(value):
        return Setting(kind, amount=float(value))  # type: ignore[arg-type]
    if kind == "clamp":
        ends = [value, value] if _is_number(value) else value
        if isinstance(ends, tuple | list) and len(ends) == 2 and all(map(_is_number, ends)):
            low, high = (float(end) for end in ends)  # type: ignore[arg-type]
            if low <= high:
                return Setting(kind, bounds=(low, high))
    if kind in ("mean", "resample") and (
        value is None or (isinstance(value, str) and value in AMONG)
    ):
        return Setting(kind, seed=int(seed))
    raise UserError(f"value {_shown(value)} of kind {kind}: expected {WANTED[kind]}")


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number, Python's or NumPy's; a truth value is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    """Whether a value is a finite number, Python's or NumPy's; a truth value is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    return float("-inf") < float(value) < float("inf")


def _plain(values: list[Any]) -> list[Any]:
    """NumPy's numbers as Python's, for a sentence to show."""
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _shown(value: object, limit: int = 60) -> str:
    """A value in one line of a sentence, cut at `limit` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

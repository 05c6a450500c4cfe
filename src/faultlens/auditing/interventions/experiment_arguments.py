"""Arguments of an experiment: checked before the model runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.checks import is_whole, shown
from faultlens.auditing.interventions.direction import dictionary_along
from faultlens.auditing.named_features import EXPECTED, parse_features
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.sites import Site

EVERYWHERE = ("firing", "all", "last")  # positions that need no factor and no number
Direction = np.ndarray | Tensor | Sequence[float]


def checked_features(
    lens: Lens, features: str | Sequence[str], direction: Direction | None, site: str | None
) -> tuple[Dictionary, FeatureSet]:
    """The dictionary, and which of its features are edited; of a direction a dictionary of one.

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
        parsed = parse_features(text, lens)
        return lens[parsed.site], parsed
    if not isinstance(site, str):
        raise UserError("a direction needs its site, e.g. site='blocks.3.hook_resid_pre'")
    known = [d for d in lens.dictionaries if d.name == site]
    at = known[0].site if known else Site.parse(site)
    along = dictionary_along(lens.model, at, _vector(direction))
    return along, FeatureSet(along.name, (0,))


def _vector(direction: Direction) -> np.ndarray:
    """A direction as a NumPy array, from a list, an array or a tensor that may need a gradient."""
    if isinstance(direction, Tensor):
        return np.asarray(direction.detach().cpu().float().numpy())
    try:
        return np.asarray(direction, dtype=np.float32)
    except (TypeError, ValueError):
        raise UserError(
            f"the direction is {shown(direction)}: expected a vector of numbers, as long as its "
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
        raise UserError(f"prompts {shown(prompts)}: {expected}")
    given = list(prompts)
    wrong = [i for i in given if not is_whole(i) or not 0 <= i < len(task)]
    if wrong or not given or len(set(given)) < len(given):
        raise UserError(f"prompts {shown(_plain(wrong or given))}: {expected}")
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
    if is_whole(positions):
        if int(positions) >= 0:
            raise UserError(
                f"positions {int(positions)}: expected a number from the end, -1 is the last token"
            )
        return int(positions)
    known = [*EVERYWHERE, *task.factors]
    if not isinstance(positions, str) or positions not in known:
        raise UserError(
            f"positions {shown(positions)}: expected one of {', '.join(known)}, or a number such "
            "as -1"
        )
    return positions


def _plain(values: list[Any]) -> list[Any]:
    """NumPy's numbers as Python's, for a sentence to show."""
    return [value.item() if isinstance(value, np.generic) else value for value in values]

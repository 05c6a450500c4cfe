"""The kinds of planted truth by name, and how one set is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from faultlens.errors import UserError
from faultlens.testing import causes, nulls, proxies
from faultlens.testing.planted_set import Planted, Strength, World
from faultlens.testing.worlds import made_up, of_mini

Source = Literal["made-up", "mini"]
Kind = Callable[[World, Strength, float], Planted]

KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        causes.firing,
        causes.graded,
        causes.dense,
        causes.and_factor,
        causes.or_of_two,
        causes.absence,
        causes.beside_factor,
        causes.mediator,
        causes.suppressed,
        causes.duplicates,
        causes.forgiven,
        proxies.token_proxy,
        proxies.noisy_proxy,
        proxies.union_proxy,
        proxies.confound,
        proxies.numeric,
        proxies.and_cell,
        proxies.scoring_artefact,
        nulls.null_independent,
        nulls.null_factor,
        nulls.null_grouped,
        nulls.null_named,
        nulls.null_near_duplicates,
        proxies.collider,
    )
}
"""By name; what each plants stands in its docstring. Seeds go by their order: add at the end."""


def plant(
    kind: str,
    *,
    n: int = 300,
    rate: float = 0.2,
    strength: Strength = "strong",
    seed: int,
    features: int = 150,
    source: Source = "made-up",
) -> Planted:
    """A data set with a planted truth.

    Args:
        kind: one of `KINDS`.
        n: prompts.
        rate: share of them that fail, about.
        strength: of the effect, where there is one.
        seed: of everything; with the same arguments the set is the same.
        features: columns of the table.
        source: of prompts and features: made up, or the bundled model's.

    Raises:
        UserError: an unknown kind.

    >>> found = plant("firing", n=60, seed=1)
    >>> found.truth, found.table.matrix.shape, len(found.features)
    ('cause', (60, 150), 1)
    """
    if kind not in KINDS:
        raise UserError(f"no kind of planted set {kind!r}: expected one of {', '.join(KINDS)}")
    place = list(KINDS).index(kind)
    rng = np.random.default_rng([place, n, round(1000 * rate), len(strength), seed])
    world = (of_mini if source == "mini" else made_up)(n, features, rng)
    return KINDS[kind](world, strength, rate)

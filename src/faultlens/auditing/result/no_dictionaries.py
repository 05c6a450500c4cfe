"""An audit without dictionaries: what was read in their place, and how to get some."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class KnownRelease:
    """A release of dictionaries that were trained on the model."""

    name: str
    """As `--sae` takes it."""
    dictionaries: int
    """Number of dictionaries in it."""
    layers: list[int] = field(default_factory=list)
    """Their layers, ascending, as their names tell; empty where they do not."""


@dataclass(frozen=True)
class NoDictionaries:
    """What an audit without dictionaries read, and how to get dictionaries for its model."""

    patched: list[str]
    """Sites whose whole values were moved between counterfactual pairs, where there were any."""
    ladder: list[str]
    """Sites whose values are the ladder's residual rung."""
    releases: list[KnownRelease]
    """What `--sae` takes for the model: releases of SAELens's registry under its name, the one at
    most layers first; of `mini` its own."""
    train: str
    """The command that trains dictionaries for it; TEXTS and FOLDER are to be filled in."""

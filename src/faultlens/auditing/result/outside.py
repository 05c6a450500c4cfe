"""A cause that passes a site outside what its dictionary describes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutsideDictionary:
    """Why the features of one site do not hold what makes prompts fail there."""

    site: str
    """Name of the dictionary."""
    error_share: float | None
    """Of what lowers the margin of failures, by how they differ from successes, the share that
    attribution puts on the error term; null where it puts less than half there."""
    whole_restored: int | None
    """Failures that patching the whole value restores; null where no class falls short of it."""
    restorable: int | None
    """Failures that the swap itself turns right; null likewise."""
    best_restored: int | None
    """The most of them that patching a class restores; null likewise."""
    sentence: str
    """The same in words."""

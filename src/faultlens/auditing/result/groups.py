"""Prompts that belong together, and are therefore no independent evidence."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PromptGroups:
    """Which prompts were tested as one: labels are permuted by group, folds keep groups whole."""

    columns: list[str] = field(default_factory=list)
    """What prompts of a group share, beside nearly the same text."""
    groups: int = 0
    """Number of groups, prompts by themselves included."""
    grouped: int = 0
    """Number of prompts that share a group with another."""
    largest: int = 0
    """Number of prompts in the largest group."""
    repeated: int = 0
    """Number of prompts that repeat an earlier one, but for case and white space."""
    nearly: int = 0
    """Number of further ones that differ from an earlier one in a tenth of their words at most."""

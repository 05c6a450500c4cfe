"""Verdict: what may be said of a class of features, or of an audit as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from faultlens.serialisation import written_as

VerdictKind = Literal[
    "CAUSE",
    "CONTRIBUTES",
    "PROXY",
    "ARTEFACT",
    "UNDERPOWERED",
    "UNTESTABLE",
    "CORRELATE",
    "NOT SIGNIFICANT",
]

CAUSE: Final = "CAUSE"
CONTRIBUTES: Final = "CONTRIBUTES"
PROXY: Final = "PROXY"
ARTEFACT: Final = "ARTEFACT"
UNDERPOWERED: Final = "UNDERPOWERED"
UNTESTABLE: Final = "UNTESTABLE"
CORRELATE: Final = "CORRELATE"
NOT_SIGNIFICANT: Final = "NOT SIGNIFICANT"

OF_A_TEST: Final = "of a test"
OF_SCORING: Final = "of scoring"


@dataclass(frozen=True)
class Verdict:
    """A verdict and the sentence that carries the numbers that decided it.

    >>> Verdict("PROXY", "object = the keys", "fires on 40 failures …").label
    'PROXY of object = the keys'
    >>> Verdict("ARTEFACT", "of a test", "fires on 4 failures …").label
    'ARTEFACT (of a test)'
    """

    label: str = field(init=False, metadata=written_as("verdict"))
    """Kind and level in one string, as the report prints it: `PROXY of object = the keys`."""
    kind: VerdictKind = field(metadata=written_as("verdict_kind"))
    """CAUSE, CONTRIBUTES, PROXY, ARTEFACT, UNDERPOWERED, UNTESTABLE, CORRELATE or NOT SIGNIFICANT
    (what each takes: docs/audit.md)."""
    level: str | None = field(metadata=written_as("verdict_level"))
    """What qualifies the kind: of a PROXY the level it stands for, `FACTOR = LEVEL`; of an ARTEFACT
    `of a test` or `of scoring`; else null."""
    sentence: str
    """Why, with the numbers that decided."""

    def __str__(self) -> str:
        return f"{self.label}: {self.sentence}"

    def __post_init__(self) -> None:
        label: str = self.kind
        if self.level is not None:
            of_level = self.kind == PROXY
            label += f" of {self.level}" if of_level else f" ({self.level})"
        object.__setattr__(self, "label", label)

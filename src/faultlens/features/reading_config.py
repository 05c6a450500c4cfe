"""How texts are read through a lens. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faultlens.checks import check_flag
from faultlens.models.sites import MASSIVE as MASSIVE

Long = Literal["error", "split", "truncate"]
"""What becomes of a text longer than the context: it stops the reading, is read in parts that are
pooled together, or is read as far as it fits."""
LONG: Long = "error"
"""What becomes of it where nothing else is said."""
LowPrecision = Literal["bfloat16", "int8"]
"""What the compiled encoding (the extra `fast`) multiplies in to find what cannot fire."""
Encoding = Literal["plain", "bfloat16", "int8"]
"""`plain`: PyTorch alone. Otherwise compiled, screened in that precision."""
PLAIN: Encoding = "plain"
"""How values are encoded where nothing else is said."""
AskedEncoding = Literal["auto", "plain", "compiled"]
"""`compiled`: in the precision that is quicker here. `auto`: the quickest way; found by trying."""
AUTO: AskedEncoding = "auto"
"""How a lens encodes where nothing else is asked for."""


@dataclass(frozen=True)
class ReadingConfig:
    """How texts or prompts are read through the dictionaries. Has no effect on tables."""

    pooling: str = "max"
    """How the activations of a text's tokens become one number for each feature: `max`, `mean`,
    `sum`, `last` or `last-K`."""
    fit_check: bool = True
    """Check first that the dictionaries fit the model; the result says so where this was left
    out."""

    def __post_init__(self) -> None:
        check_flag("fit_check", self.fit_check)
        if self.pooling != ReadingConfig.pooling:  # the parser's module loads SciPy
            from faultlens.features.pooling import Pooling

            Pooling.parse(self.pooling)

"""Shapes: how texts share the passes, and in which way they are encoded.

They decide the last bits of what is read: how many positions a pass holds, how wide its rows are,
and whether all pre-activations are computed or only those that may fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultlens.features.budget import token_budget
from faultlens.features.packing import ROW
from faultlens.features.reading_config import PLAIN, Encoding
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model


@dataclass(frozen=True)
class Shapes:
    """What is fixed before texts are read.

    Attributes:
        budget: positions of a pass, padding included.
        row: the width of a row that texts share; 0 where each text has a row to itself.
        encoding: how sites' values are encoded.
    """

    budget: int
    row: int
    encoding: Encoding = PLAIN

    @classmethod
    def suited_to(
        cls, model: Model, dictionaries: Sequence[Dictionary], encoding: Encoding = PLAIN
    ) -> Shapes:
        """What suits the model, and the memory that is free now."""
        row = min(ROW, model.widest_row)
        return cls(token_budget(model, dictionaries), row, encoding)

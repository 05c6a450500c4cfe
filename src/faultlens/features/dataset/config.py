"""How a dataset of activations is written. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from faultlens.checks import check_choice
from faultlens.features.reading_config import AUTO, LONG, AskedEncoding, Long

Precision = Literal["float32", "float16"]


@dataclass(frozen=True)
class DatasetConfig:
    """How the activations are read and written."""

    long: Long = LONG
    """What becomes of a text longer than the model's context: `error` stops, `split` reads it in
    parts, `truncate` reads its beginning."""
    precision: Precision = "float32"
    """Of the activations on disk."""
    encoding: AskedEncoding = AUTO
    """What encodes: `plain`, PyTorch alone; `compiled`, which needs the extra `fast`, in the
    precision that is quicker here; `auto`, the quickest way."""

    def __post_init__(self) -> None:
        check_choice("long", self.long, get_args(Long))
        check_choice("precision", self.precision, get_args(Precision))
        check_choice("encoding", self.encoding, get_args(AskedEncoding))

"""Freed memory: handed back to the system, for the C library keeps what was freed in pieces."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def hand_back() -> None:
    """Return what is freed and still held by the process, where the C library is glibc.

    A pass of a model leaves holes that an optimiser's larger tensors do not fit into: a run that
    takes 500 MB would come to 700.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows takes no None
        return None

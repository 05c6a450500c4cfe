"""Importing large libraries: PyTorch and transformers make a million objects that all stay.

Python looks through them for garbage again and again as they come; without that importing takes a
fifth less time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Within this context Python does not look for garbage; afterwards it does if it did before."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()

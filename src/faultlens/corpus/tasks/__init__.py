"""Built-in tasks. `faultlens.tasks.ioi(n=300, seed=42)` and its kin."""

from faultlens.corpus.tasks.ioi import ioi
from faultlens.corpus.tasks.mini_ioi import mini_ioi

__all__ = ["ioi", "mini_ioi"]

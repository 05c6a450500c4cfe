"""Built-in tasks. `faultlens.tasks.ioi(n=300, seed=42)` and its kin."""

from faultlens.corpus.tasks.agreement import agreement
from faultlens.corpus.tasks.brackets import brackets
from faultlens.corpus.tasks.classic_ioi import classic_ioi
from faultlens.corpus.tasks.greater_than import greater_than
from faultlens.corpus.tasks.induction import induction
from faultlens.corpus.tasks.ioi import ioi
from faultlens.corpus.tasks.mini_ioi import mini_ioi
from faultlens.corpus.tasks.over_refusal import over_refusal
from faultlens.corpus.tasks.sycophancy import sycophancy
from faultlens.corpus.tasks.unanswerable import unanswerable

__all__ = [
    "agreement",
    "brackets",
    "classic_ioi",
    "greater_than",
    "induction",
    "ioi",
    "mini_ioi",
    "over_refusal",
    "sycophancy",
    "unanswerable",
]

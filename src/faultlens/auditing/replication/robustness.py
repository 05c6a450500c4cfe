"""Step 9, put together: what the two halves of the prompts, and other seeds' prompts, say."""

from __future__ import annotations

from faultlens.auditing.replication.seeds import SeedComparison
from faultlens.auditing.replication.split_half import HalfReplication
from faultlens.auditing.result import Robustness

NO_OTHER_SEEDS = "no prompts from other seeds were run"


def robustness_of(
    halves: HalfReplication | None, seeds: SeedComparison | None
) -> Robustness | None:
    """Whether the findings hold on other prompts.

    Args:
        halves: of the same prompts; None: they were not compared.
        seeds: whose prompts were compared; None: there was only one.
    """
    if halves is None and seeds is None:
        return None
    halves = halves or HalfReplication()
    return Robustness(
        seeds=[] if seeds is None else seeds.readings,
        classes=[] if seeds is None else seeds.classes,
        needed=None if seeds is None else seeds.needed,
        halves=halves.readings,
        shrinkage=halves.shrinkage,
        reason=NO_OTHER_SEEDS if seeds is None else None,
    )

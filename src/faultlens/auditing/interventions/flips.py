"""Flips: outcomes that turn under an edit, in both directions."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.behaviour.outcomes import LogitRule
from faultlens.auditing.interventions.decoding import Succeeds, generate_edited
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.auditing.interventions.redecoding import redecode
from faultlens.auditing.result import Flips
from faultlens.stats.mcnemar import mcnemar_exact


def count_flips(
    runner: EditRunner,
    placed: PlacedEdit,
    prompts: np.ndarray,
    failed: np.ndarray,
    succeeds: Succeeds,
    before: Generated | None = None,
) -> Flips:
    """Count the outcomes of some prompts that turn under an edit, in both directions.

    They are decoded under it; where a rule of logits decides, they are scored.

    Args:
        failed: the outcome without the edit, boolean over the task's prompts.
        before: what is generated without it, where that is known.
    """
    if isinstance(succeeds, LogitRule):
        _, _, margin, difference = runner.margins(placed, prompts)
        after = succeeds.value(difference, margin) > 0
    else:
        if before is None:
            found = generate_edited(runner, placed, prompts)
        else:
            found = redecode(runner, placed, prompts, before)
        after = np.array([succeeds(ids, int(i)) for ids, i in zip(found, prompts, strict=True)])
    succeeded = ~failed[prompts]
    gained, lost = int((~succeeded & after).sum()), int((succeeded & ~after).sum())
    return Flips(len(prompts), gained, lost, mcnemar_exact(gained, lost))

"""Step 10: claims with their controls."""

from __future__ import annotations

import audit_samples
from tree_reading import headed, rows, section


def test_claims_stand_with_their_controls() -> None:
    step = section(audit_samples.audit(), "10 Claims ledger")
    assert step.lead == "Of 3 controls 2 passed, 1 not done."
    assert rows(headed(step.parts, "Control"))[1] == [
        "4-res-mini/91 goes with failure", "replication", "not done", "one corpus",
    ]  # fmt: skip
    assert section(audit_samples.tables_only(), "10 Claims ledger").lead == "No claim was made."

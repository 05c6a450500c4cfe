"""Step 3: features found by every test, and by the published study's rule."""

from __future__ import annotations

import audit_samples
from tree_reading import rows, section, tables

from faultlens.numbers import NOT_DONE


def test_features_by_every_test_and_by_the_studys_rule() -> None:
    step = section(audit_samples.audit(), "3 Feature tests")
    found, study = tables(step.parts)
    empty, site = rows(found)
    assert site[2:] == ["787", "12", "14", "11", "40", "61", "22"]
    assert empty[3:] == [NOT_DONE] * 6
    assert rows(study)[0][-1] == "none"
    assert rows(study)[1] == [
        "4-res-mini", "1,536", "46", "105 22 of the significant", "209 34 of the significant",
        "4-res-mini/91 (d infinite)",
    ]  # fmt: skip
    assert step.lead == (
        "Of 787 features that fire on at least 5 prompts, 16 go with failure or success beyond "
        "chance."
    )

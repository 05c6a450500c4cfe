"""What a run folder holds of the sample audit's prompts: five prompts, of which four fail."""

from __future__ import annotations

import dataclasses

import audit_samples
import numpy as np

from faultlens.auditing.result.audit import Audit
from faultlens.report.prompt_readings import FeatureFirings, PromptReadings

LEADING = "4-res-mini/91"


def audit() -> Audit:
    """The sample audit of no more prompts than it lists, so that each has a number."""
    whole = audit_samples.audit()
    return dataclasses.replace(whole, n=len(whole.outcomes), failures=4)


def readings() -> PromptReadings:
    """The leading feature on three prompts, another silent on all."""
    leading = FeatureFirings(
        np.array([0, 0, 1, 4]), np.array([1, 2, 2, 0]), np.array([1.0, 4.0, 3.0, 2.0])
    )
    silent = FeatureFirings(np.array([], int), np.array([], int), np.array([]))
    return PromptReadings(
        factors={"object": ["the keys", "the keys", "a card", "", "a card"]},
        tokens=[["pass", "ed", " <keys>"]] * 3,
        firings={LEADING: leading, "4-res-mini/200": silent},
    )

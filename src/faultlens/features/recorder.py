"""Recorder: takes in what a study reads, for whoever wants to keep it beside the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable


@final
class Recorder:
    """What a study read: `fl.profile(lens, corpus, recorder=recorder)` fills it.

    Attributes:
        tables: the pooled activations, by dictionary.
        activations: those of every token; empty where the study was given tables.
        token_ids: of a task's prompts, or of those that were answered elsewhere, by prompt the
            tokens whose positions the activations count; empty otherwise.
    """

    def __init__(self) -> None:
        self.tables: Mapping[str, FeatureTable] = {}
        self.activations = ActivationStore()
        self.token_ids: Sequence[Sequence[int]] = ()

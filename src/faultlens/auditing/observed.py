"""Observed: what an audit concludes from, whatever its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.behaviour.against_base import BaseRun
from faultlens.auditing.result import NoDictionaries, PromptOutcome, Rescoring
from faultlens.features.table import FeatureTable

if TYPE_CHECKING:  # it loads the model's libraries, which an audit of answers can do without
    from faultlens.auditing.interventions.causal_tests import CausalTests

LadderInputs = tuple[np.ndarray | None, csr_matrix | None]
"""The residual `[prompts, d]`, and the random dictionary's activations; None: there is none."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What an audit concludes from: outcomes, what describes the prompts, and what was measured.

    Attributes:
        name: the task's.
        outcomes: one a prompt.
        rule: the name of the rule that decided them.
        factors: for each factor the level of every prompt; empty: they are read off the prompts.
        tables: by dictionary, rows = prompts; may be empty.
        ladder_inputs: called when the ladder is climbed.
        causal_tests: tests features by intervening in the model; None: there is no model, or no
            answer that it could give again.
        base: what the model that this one was tuned from did; None: it was not run.
        no_dictionaries: what was read in their place; None: there are some, or there is no model.
        rescoring: of answers that a model read, whether it gives them again.
        accuracy_by_start: accuracy under the model's own start token and under the dictionaries',
            where these differ; else empty.
        groups: for each column of what prompts belong to, its value at every prompt.
        warnings: what a reader should know of how the source was read, a sentence each.
    """

    name: str
    outcomes: Sequence[PromptOutcome]
    rule: str
    factors: Mapping[str, Sequence[str]]
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    ladder_inputs: Callable[[], LadderInputs] = lambda: (None, None)
    causal_tests: CausalTests | None = None
    no_dictionaries: NoDictionaries | None = None
    base: BaseRun | None = None
    rescoring: Rescoring | None = None
    accuracy_by_start: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()

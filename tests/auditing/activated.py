"""A task of token ids made by hand, read and ready to be tested."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.activations.alignment import TokenAlignment
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.cached_run import CachedRun, CachedRuns
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.corpus.task import Prompt, Task
from faultlens.features.lens import Lens
from faultlens.features.token_choice import TokenChoice
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import Site

ALL_TOKENS = TokenChoice(massive="keep")


def by_distance(tokens: TaskTokens) -> TokenAlignment:
    """A token's role is its distance from the end of the scored row; -1 at BOS."""
    roles = [np.array([-1, *range(len(row) - 2, -1, -1)]) for row in tokens.scored]
    return TokenAlignment(roles, max(map(len, roles)) - 1)


def activated(
    model: Model,
    dictionary: Dictionary,
    tokens: TaskTokens,
    alignment: TokenAlignment | None = None,
) -> TaskActivations:
    task = Task("by hand", tuple(Prompt("x", "right", "wrong") for _ in tokens.rows))
    lens = Lens(model, (dictionary,), choice=ALL_TOKENS)  # such models read no sample of text
    return TaskActivations.read(lens, task, tokens, alignment=alignment or by_distance(tokens))


def ablation_of(
    activations: TaskActivations,
    dictionary: Dictionary,
    failed: np.ndarray,
    succeeds: Succeeds,
    seed: int = 0,
) -> Ablation:
    values = activations.values
    runs = CachedRuns(activations.model, activations.tokens, values.sites, values)
    return Ablation(dictionary, activations, runs, failed, succeeds, seed)


def run_at(model: Model, site: Site, tokens: TaskTokens, prompts: np.ndarray) -> CachedRun:
    return CachedRun.of(model, tokens, prompts, site)


def features_of(dictionary: Dictionary, *indices: int) -> FeatureSet:
    return FeatureSet(dictionary.name, indices)

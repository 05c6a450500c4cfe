"""Planted: one data set with its truth, and the world of prompts and features it is planted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.sparse import csr_matrix
from scipy.special import expit

from faultlens.corpus.answers import Answers
from faultlens.features.table import FeatureTable

SITE = "planted"

Truth = Literal["cause", "proxy", "artefact", "null"]
"""What the planted features are: they cause failure, go with it by way of a factor (that causes it,
or is a consequence of both), go with the scoring, or do nothing."""

Strength = Literal["strong", "medium", "weak"]


@dataclass(frozen=True, eq=False)
class World:
    """Prompts, what describes them, and features that know nothing of the outcome.

    Attributes:
        texts: the prompts.
        factors: for each factor its level at every prompt, `[prompts]`.
        values: pooled activations, `[prompts, features]`; the last eight columns are free.
        copies: features that copy a level of a factor.
        rng: of all that is drawn further.
    """

    texts: Sequence[str]
    factors: Mapping[str, np.ndarray]
    values: np.ndarray
    copies: Sequence[int]
    rng: np.random.Generator

    @property
    def n(self) -> int:
        """Number of prompts."""
        return len(self.texts)

    @property
    def free(self) -> int:
        """The first column that a planted feature may take."""
        return int(self.values.shape[1]) - 8


@dataclass(frozen=True, eq=False)
class Planted:
    """A data set of which it is known what the planted features are.

    Attributes:
        kind: by name.
        truth: what the planted features are.
        answers: prompts, and whether each answer is right.
        table: pooled activations, one row a prompt.
        features: the planted features' columns.
        copies: columns that copy a level of a factor: whether one of them comes first says nothing.
    """

    kind: str
    truth: Truth
    answers: Answers
    table: FeatureTable
    features: tuple[int, ...]
    copies: tuple[int, ...]

    @property
    def failed(self) -> np.ndarray:
        """Which prompts fail, boolean `[prompts]`, by the rule that the audit is to use."""
        success = self.answers.success
        if success is None:
            first = [(text or "").split()[:1] for text in self.answers.generated]
            return np.array([word != ["Zed"] for word in first])
        return ~np.array(success)


def calibrated(logits: np.ndarray, rate: float) -> np.ndarray:
    """Probabilities of failure, the intercept such that their mean is `rate`.

    >>> calibrated(np.array([0.0, 0.0, 3.0]), 0.2).mean().round(6).item()
    0.2
    """
    shift = brentq(lambda a: float(expit(logits + a).mean()) - rate, -40, 40)
    probability: np.ndarray = expit(logits + shift)
    return probability


def assemble(
    world: World,
    kind: str,
    truth: Truth,
    failed: np.ndarray,
    features: Sequence[int],
    *,
    given: Sequence[str] = ("object", "place", "template"),
    generated: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Planted:
    """The data set, as a user would bring it.

    Args:
        world: with the planted features in its free columns.
        kind: its name.
        truth: what they are.
        failed: the outcome, boolean `[prompts]`.
        features: the planted columns.
        given: the factors that the user knows of.
        generated: continuations, in place of the outcome.
        groups: what prompts belong to.
    """
    records = []
    for i, text in enumerate(world.texts):
        record: dict[str, object] = {
            "prompt": text,
            "target": "Zed",
            "factors": {name: str(world.factors[name][i]) for name in given},
        }
        if groups is not None:
            record["groups"] = {name: column[i] for name, column in groups.items()}
        if generated is None:
            record["success"] = bool(not failed[i])
        else:
            record["generated"] = generated[i]
        records.append(record)
    rows = pd.DataFrame({"text": list(world.texts)})
    table = FeatureTable(SITE, csr_matrix(world.values.astype(np.float32)), rows, {}, 0)
    copies = tuple(c for c in world.copies if c not in features)
    return Planted(kind, truth, Answers.from_records(records, kind), table, tuple(features), copies)

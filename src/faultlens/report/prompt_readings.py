"""What a run folder holds of an audit's prompts beside the result: factors, tokens, activations.

Only the features that the report shows are read: the activations of all of them may be large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from faultlens.feature_name import by_dictionary
from faultlens.runs.files import file_name
from faultlens.runs.folder import written_file

PROMPTS, TOKENS = "tables/prompts.parquet", "tables/prompt-tokens.parquet"
OF_OUTCOME = (
    "prompt", "target", "foil", "generated", "answer", "success", "kind", "logit_difference",
    "margin", "target_log_probability", "accepted", "before_answer",
    "repeated",
)  # fmt: skip
"""Columns of the table of prompts that are no factors."""


@dataclass(frozen=True, eq=False)
class FeatureFirings:
    """One feature on an audit's prompts, sorted by prompt and position; `[firings]` each.

    Attributes:
        prompt: its number, from 0.
        position: of the token in the prompt, from 0, BOS not counted.
        activation: above 0.
    """

    prompt: np.ndarray
    position: np.ndarray
    activation: np.ndarray

    def largest(self, prompts: int) -> np.ndarray:
        """The largest activation on each of so many prompts, 0 where it is silent: `[prompts]`."""
        found = np.zeros(prompts)
        np.maximum.at(found, self.prompt, self.activation)
        return found

    def on(self, prompt: int) -> dict[int, float]:
        """The activation at each position of one prompt where it fires."""
        first, last = np.searchsorted(self.prompt, [prompt, prompt + 1])
        places = self.position[first:last].tolist()
        return dict(zip(places, self.activation[first:last].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class PromptReadings:
    """What is known of the prompts; empty where a run did not keep it.

    Attributes:
        factors: by factor, the level of each prompt; "" where it has none.
        tokens: of each prompt, what each token shows of its text.
        firings: by feature.
    """

    factors: Mapping[str, list[str]] = field(default_factory=dict)
    tokens: list[list[str]] = field(default_factory=list)
    firings: Mapping[str, FeatureFirings] = field(default_factory=dict)


def read_prompts(folder: Path, features: Iterable[str]) -> PromptReadings:
    """What the run in `folder` kept of its prompts and of these features on them.

    Raises UserError for a file that the manifest lists and that is gone, or another.
    """
    return PromptReadings(read_factors(folder), _tokens(folder), _firings(folder, features))


def read_factors(folder: Path) -> dict[str, list[str]]:
    """By factor, the level of each prompt; "" where it has none. Empty if the run kept no table.

    Raises UserError for a file that the manifest lists and that is gone, or another.
    """
    path = written_file(folder, PROMPTS)
    if path is None:
        return {}
    table = pq.read_table(path)
    names = [name for name in table.column_names if name not in OF_OUTCOME]
    return {
        name.removeprefix("factor "): [
            "" if level is None else str(level) for level in table.column(name).to_pylist()
        ]
        for name in names
    }


def _tokens(folder: Path) -> list[list[str]]:
    path = written_file(folder, TOKENS)
    if path is None:
        return []
    table = pq.read_table(path)
    prompts = table.column("text_id").to_pylist()
    found: list[list[str]] = [[] for _ in range(max(prompts, default=-1) + 1)]
    for prompt, token in zip(prompts, table.column("token").to_pylist(), strict=True):
        found[prompt].append(token)
    return found


def _firings(folder: Path, features: Iterable[str]) -> dict[str, FeatureFirings]:
    found = {}
    for dictionary, indices in by_dictionary(dict.fromkeys(features)).items():
        path = written_file(folder, f"activations/task/{file_name(dictionary)}.parquet")
        if path is None:
            continue
        table = pq.read_table(path, filters=[("feature", "in", indices)])
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        for index in indices:
            mine = columns["feature"] == index
            order = np.lexsort((columns["position"][mine], columns["text_id"][mine]))
            found[f"{dictionary}/{index}"] = FeatureFirings(
                columns["text_id"][mine][order],
                columns["position"][mine][order],
                columns["activation"][mine][order],
            )
    return found

"""Material: what `mini` holds in prompts on which it never fails, from which causes are planted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.corpus.task import Prompt, Task
from faultlens.corpus.tasks.mini_ioi import mini_ioi
from faultlens.corpus.world import ORDINARY_THINGS
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.sites import Site

PROMPTS = 360  # from which causes are planted
SEED = 91  # of these; no audit's prompts are drawn with it
LAYERS, POINTS = (2, 3, 4, 5), ("resid_pre", "attn_out")


def ordinary_task(n: int, seed: int) -> Task:
    """`mini`'s task with things that are handed to anybody: `mini` itself fails on none of it."""
    kept: list[Prompt] = []
    for prompt in mini_ioi(n=2 * n, seed=seed).prompts:
        if prompt.factors["object"] in ORDINARY_THINGS:
            kept.append(prompt)
    return Task("mini-ioi, ordinary things", tuple(kept[:n]), "exact-word")


@dataclass(frozen=True, eq=False)
class Material:
    """`mini` in some prompts.

    Attributes:
        lens: `mini` with its dictionaries.
        task: the prompts.
        tokens: theirs.
        activations: what the dictionaries see in them.
    """

    lens: Lens
    task: Task
    tokens: TaskTokens
    activations: TaskActivations
    _values: dict[Site, Tensor] = field(default_factory=dict, repr=False)

    def some(self, part: slice) -> TaskTokens:
        """The tokens of some of the prompts."""
        return tokenize(replace(self.task, prompts=self.task.prompts[part]), self.lens.model)

    def codes(self, site: str) -> Codes:
        """A dictionary's activations at every token, by its name."""
        return self.activations.codes(self.lens[site])

    @cached_property
    def last(self) -> np.ndarray:
        """The last token of each prompt, as a row of all tokens, `[prompts]`."""
        lengths = [len(row) for row in self.tokens.scored]
        return np.cumsum(lengths) - 1

    @cached_property
    def is_last(self) -> np.ndarray:
        """Which of all tokens a prompt ends with, boolean `[tokens]`."""
        found = np.zeros(sum(len(row) for row in self.tokens.scored), dtype=bool)
        found[self.last] = True
        return found

    @cached_property
    def counts(self) -> np.ndarray:
        """Which of all tokens count: all but what stands in front, boolean `[tokens]`."""
        counts: np.ndarray = self.codes(self.lens.dictionaries[0].name).roles >= 0
        return counts

    def values(self, site: Site) -> Tensor:
        """What the model holds at a site, in all tokens, `[tokens, d]`; read once."""
        if site not in self._values:
            self._values[site] = self._read(site)
        return self._values[site]

    def _read(self, site: Site) -> Tensor:
        ids = self.lens.model.pad(self.tokens.scored)
        read = self.lens.model.read(ids, [site])[site]
        return torch.cat([read[i, : len(row)] for i, row in enumerate(self.tokens.scored)])

    def firing_at_last(self, site: str) -> np.ndarray:
        """Of each feature, the prompts at whose last token it fires, boolean `[prompts, d_sae]`."""
        fires: np.ndarray = self.codes(site).matrix[self.last].toarray() > 0
        return fires

    def pooled_share(self, site: str) -> np.ndarray:
        """Of each feature, the share of prompts on which it fires at any token, `[d_sae]`."""
        codes = self.codes(site)
        fires = np.vstack([
            codes.matrix[codes.rows_of(i)].getnnz(axis=0) > 0 for i in range(len(self.task))
        ])  # fmt: skip
        share: np.ndarray = fires.mean(axis=0)
        return share

    def direction(self, site: str, feature: int) -> Tensor:
        """A feature's direction in its site's units, `[d]`."""
        dictionary: Dictionary = self.lens[site]
        return dictionary.W_dec[feature]


@lru_cache(maxsize=1)
def material() -> Material:
    """`mini` and the prompts, read once."""
    import faultlens as fl

    lens = fl.load("mini", layers=LAYERS, sites=POINTS)
    task = ordinary_task(PROMPTS, SEED)
    tokens = tokenize(task, lens.model)
    return Material(lens, task, tokens, TaskActivations.read(lens, task, tokens))

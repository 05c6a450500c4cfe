"""Mediation: how much of what was planted passes through some features, known without an audit.

What planting did to a prompt is `margin of mini − margin of the planted model`. It is measured as
the prompts are, and again with the features changed in both models: what of it has gone has passed
through them. Other prompts, another change and other code than an audit's, and `mini` is the
control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.auditing.feature_set import FeatureSet
from faultlens.corpus.task import Task
from faultlens.models.dictionary import Dictionary
from faultlens.models.hooks import SiteHook
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.testing.planted_models.material import Material, material, ordinary_task

PROMPTS = 240
SEED = 92  # of the prompts on which planted models are checked
BATCH = 60  # prompts in one pass


@dataclass(frozen=True, eq=False)
class CheckPrompts:
    """Prompts on which planted models are checked, and what `mini` does with them.

    Attributes:
        task: the prompts.
        tokens: theirs.
        margin: `mini`'s, `[prompts]`.
    """

    task: Task
    tokens: TaskTokens
    margin: np.ndarray


@lru_cache(maxsize=1)
def check_prompts() -> CheckPrompts:
    """The prompts, drawn and run once."""
    model = material().lens.model
    task = ordinary_task(PROMPTS, SEED)
    tokens = tokenize(task, model)
    return CheckPrompts(task, tokens, margins(model, tokens))


@dataclass(frozen=True, eq=False)
class Change:
    """Features set to 0 wherever they fire; or, at the last token, to their mean where they fire.

    Attributes:
        dictionary: of the features.
        features: their indices.
        level: what they are set to at the last token, `[features]`; None: to 0 wherever they fire.
    """

    dictionary: Dictionary
    features: Sequence[int]
    level: Tensor | None = None

    def hook(self, tokens: TaskTokens, prompts: np.ndarray) -> tuple[Site, SiteHook]:
        """The change of some right-padded prompts, at the dictionary's site."""
        last = torch.from_numpy(tokens.last[prompts])

        def change(x: Tensor) -> Tensor:
            flat = x.float().flatten(0, 1)
            own = self.dictionary.encode(flat)[:, list(self.features)].view(*x.shape[:2], -1)
            position = torch.arange(x.shape[1])
            real = (position >= tokens.n_start) & (position <= last[:, None])
            if self.level is None:
                steps = -own * real[..., None]
            else:
                at_end = position == last[:, None]
                steps = (self.level - own).clamp(min=0) * at_end[..., None]
            added = self.dictionary.raised(flat, steps.flatten(0, 1), list(self.features))
            return x + added.view_as(x)

        return self.dictionary.site, change


@torch.no_grad()
def margins(
    model: Model,
    tokens: TaskTokens,
    change: Change | None = None,
    prompts: np.ndarray | None = None,
) -> np.ndarray:
    """Logit of the target − the largest other logit after each of some prompts, `[prompts]`.

    Args:
        change: under which they are run; None: none.
        prompts: which; None: all.
    """
    chosen = np.arange(len(tokens.rows)) if prompts is None else prompts
    found = np.zeros(len(chosen))
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        edits = None if change is None else dict([change.hook(tokens, part)])
        ids = model.pad([tokens.scored[i] for i in part])
        logits = model.logits(ids, at=torch.from_numpy(tokens.last[part]), edits=edits)
        right = torch.from_numpy(tokens.target[part])[:, None]
        of_right = logits.gather(1, right)[:, 0]
        others = logits.scatter(1, right, -torch.inf).amax(dim=1)
        found[start : start + BATCH] = (of_right - others).numpy()
    return found


def fires_on(model: Model, tokens: TaskTokens, change: Change, at_last: bool = False) -> np.ndarray:
    """The prompts on which any of the features fires, boolean `[prompts]`."""
    found = np.zeros(len(tokens.rows), dtype=bool)
    for start in range(0, len(found), BATCH):
        part = np.arange(start, min(start + BATCH, len(found)))
        ids = model.pad([tokens.scored[i] for i in part])
        x = model.read(ids, [change.dictionary.site])[change.dictionary.site]
        own = change.dictionary.encode(x.flatten(0, 1))[:, list(change.features)]
        fires = (own > 0).any(dim=1).view(x.shape[:2]).cpu().numpy()
        for place, prompt in enumerate(part):
            end = int(tokens.last[prompt])
            begin = end if at_last else tokens.n_start
            found[prompt] = fires[place, begin : end + 1].any()
    return found


def usual_level(found: Material, features: FeatureSet) -> Tensor:
    """Features' mean activation at the last token where they fire there, `[features]`."""
    values = found.codes(features.site).matrix[found.last][:, list(features.indices)].toarray()
    counts = np.maximum((values > 0).sum(axis=0), 1)
    return torch.from_numpy((values.sum(axis=0) / counts).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Mediation:
    """What passes through features of a planted model.

    Attributes:
        planted: the model.
    """

    planted: Model

    @cached_property
    def clean(self) -> np.ndarray:
        """Its margins on the prompts of the check, `[prompts]`."""
        return margins(self.planted, check_prompts().tokens)

    def share(
        self, dictionary: Dictionary, features: FeatureSet, level: Tensor | None = None
    ) -> float | None:
        """The share of what planting did to failing prompts that goes with the features changed.

        Args:
            dictionary: of the features.
            features: which; set to 0 on failures where they fire.
            level: what they are set to instead, on failures at whose last token they are silent.

        Returns:
            None where fewer than five prompts fail there, or planting did nothing to these.
        """
        mini, checks = material().lens.model, check_prompts()
        change = Change(dictionary, features.indices, level)
        fires = fires_on(self.planted, checks.tokens, change, at_last=level is not None)
        on = np.flatnonzero((self.clean <= 0) & (fires if level is None else ~fires))
        if len(on) < 5:
            return None
        before = (checks.margin - self.clean)[on].mean()
        after = margins(mini, checks.tokens, change, on).mean()
        after -= margins(self.planted, checks.tokens, change, on).mean()
        return None if before <= 0 else float(1 - after / before)

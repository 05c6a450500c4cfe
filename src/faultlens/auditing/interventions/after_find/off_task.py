"""Off-task cost: what a change does to general text, and to another task.

A change that restores failures may simply disturb the model. On text that has nothing to do with
the failures the same features are set to their mean over the successes wherever they fire, and the
predictions of all next tokens are compared with the unchanged ones; so are those under changes as
long, at the same tokens, along other features' directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.result import OffTask
from faultlens.corpus.tasks.agreement import agreement
from faultlens.corpus.tasks.brackets import brackets
from faultlens.models.fit import SAMPLE
from faultlens.models.model import Model
from faultlens.models.start_token import start_of

CONTROLS = 9
PASSAGES, PASSAGE = 8, 48  # of general text; tokens of each
OTHERS = 24  # prompts of another task, before repeated ones are left out
ANOTHER = {"agreement": agreement, "brackets": brackets}  # the first that is not audited


def texts_elsewhere(model: Model, task: str) -> dict[str, list[list[int]]]:
    """General text and prompts of another task, in tokens, by what each is called.

    Args:
        model: whose tokens they are, behind its start token.
        task: the name of the audited task.
    """
    other = next(name for name in ANOTHER if name != task)
    paragraphs = SAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    passages = paragraphs[:: max(1, len(paragraphs) // PASSAGES)][:PASSAGES]
    prompts = list(dict.fromkeys(prompt.text for prompt in ANOTHER[other](OTHERS, 0).prompts))
    return {"general text": _rows(model, passages), other: _rows(model, prompts)}


def off_task(
    ablation: Ablation, features: FeatureSet, elsewhere: Mapping[str, Sequence[Sequence[int]]]
) -> list[OffTask]:
    """What a class's change does elsewhere: a reading for each kind of text."""
    return [_cost(ablation, features, name, rows) for name, rows in elsewhere.items()]


def _rows(model: Model, texts: Sequence[str]) -> list[list[int]]:
    """The beginnings of some texts, in tokens behind the model's start token."""
    start = list(start_of(model).ids)
    length = min(PASSAGE, model.context - len(start))
    return [[*start, *model.ids(text)[:length]] for text in texts]


@dataclass(frozen=True, eq=False)
class _Texts:
    """Some texts in one batch, and what is changed in them.

    Attributes:
        ids: right-padded, `[texts, positions]`.
        real: which positions are tokens of a text, boolean `[texts, positions]`.
        change: the class's, at its target site, `[texts, positions, d]`.
    """

    ids: Tensor
    real: Tensor
    change: Tensor


@torch.no_grad()
def _cost(
    ablation: Ablation, features: FeatureSet, name: str, rows: Sequence[Sequence[int]]
) -> OffTask:
    model, dictionary = ablation.runner.model, ablation.dictionary
    n_start = len(start_of(model).ids)
    ids = model.pad(rows)
    position = torch.arange(ids.shape[1], device=ids.device)
    lengths = torch.tensor([len(row) for row in rows], device=ids.device)
    real = (position >= n_start) & (position < lengths[:, None])
    x = model.read(ids, [dictionary.site])[dictionary.site].float()
    own = dictionary.encode(x.flatten(0, 1))[:, list(features.indices)]
    mean = torch.from_numpy(ablation.codes.mean(ablation.successes)[list(features.indices)])
    fires = (own > 0).any(dim=-1).view(ids.shape) & real
    steps = (mean.to(own.device) - own) * fires.flatten()[:, None]
    change = dictionary.raised(x.flatten(0, 1), steps, list(features.indices)).view(*ids.shape, -1)
    texts = _Texts(ids, real, change)
    tokens, count = int(real.sum()), int(fires.sum())
    if not count:
        return OffTask(name, tokens, 0, 0.0, 0.0, 0, 0)
    logits = model.logits(ids)[real].log_softmax(dim=-1)
    kl = _divergence(ablation, texts, change, logits)
    rng = np.random.default_rng(ablation.seed)
    norm = change.norm(dim=-1, keepdim=True)
    others = []
    for feature in rng.permutation(dictionary.d_sae):
        direction = dictionary.W_dec[int(feature)]
        if int(feature) not in features.indices and direction.norm() > 0:
            sign = float(rng.choice([-1.0, 1.0]))
            other = norm * (sign * direction / direction.norm())
            others.append(_divergence(ablation, texts, other, logits))
        if len(others) == CONTROLS:
            break
    return OffTask(
        name, tokens, count, kl, float(np.mean(others)), len(others),
        sum(other >= kl for other in others),
    )  # fmt: skip


def _divergence(ablation: Ablation, texts: _Texts, change: Tensor, clean: Tensor) -> float:
    """Mean divergence of the predictions under a change from the clean ones, nats a token."""
    model, site = ablation.runner.model, ablation.dictionary.target
    changed = model.logits(texts.ids, edits={site: lambda x: x + change.to(x.dtype)})
    after = changed[texts.real].log_softmax(dim=-1)
    return float((clean.exp() * (clean - after)).sum(dim=-1).mean())

"""Off-task cost: what a change does to general text, and to another task.

A change that restores failures may simply disturb the model. On text that has nothing to do with
the failures the same features are set to their mean over the successes wherever they fire, and the
predictions of all next tokens are compared with the unchanged ones; so are those under changes as
long, at the same tokens, along other features' directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.result import OffTask
from faultlens.corpus.tasks.agreement import agreement
from faultlens.corpus.tasks.brackets import brackets
from faultlens.models.few_features import encode_few
from faultlens.models.fit import SAMPLE
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.models.start_token import start_of

CONTROLS = 9
PASSAGES, PASSAGE = 8, 48  # of general text; tokens of each
OTHERS = 24  # prompts of another task, before repeated ones are left out
ANOTHER = {"agreement": agreement, "brackets": brackets}  # the first that is not audited


@dataclass(frozen=True, eq=False)
class TextsElsewhere:
    """Texts that have nothing to do with the audited task, as the unchanged model sees them.

    What is read of them is read once for all features that are asked of. Of the predictions only
    what the unembedding reads is kept: all logits would take gigabytes with a large vocabulary.

    Attributes:
        name: what they are called.
        model: that reads them.
        rows: in tokens, behind the model's start token.
    """

    name: str
    model: Model
    rows: Sequence[Sequence[int]]
    _values: dict[Site, Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def ids(self) -> Tensor:
        """Right-padded, `[texts, positions]`."""
        return self.model.pad(self.rows)

    @cached_property
    def real(self) -> Tensor:
        """Which positions are tokens of a text, boolean `[texts, positions]`."""
        position = torch.arange(self.ids.shape[1], device=self.ids.device)
        lengths = torch.tensor([len(row) for row in self.rows], device=self.ids.device)
        return (position >= len(start_of(self.model).ids)) & (position < lengths[:, None])

    def values(self, site: Site) -> Tensor:
        """What the model holds at a site, `[texts, positions, d]`."""
        if site not in self._values:
            self._values[site] = self.model.read(self.ids, [site])[site].float()
        return self._values[site]

    def predictions(self) -> Tensor:
        """Log probabilities of the token after each token of a text, `[tokens, vocabulary]`."""
        return self.model.unembed(self._hidden).log_softmax(dim=-1)

    def divergence(self, site: Site, change: Tensor, clean: Tensor) -> float:
        """Mean divergence of the predictions under a change from the clean ones, nats a token.

        Args:
            site: where it is added.
            change: `[texts, positions, d]`.
            clean: `predictions`.
        """
        changed = self.model.hidden(self.ids, edits={site: lambda x: x + change.to(x.dtype)})
        after = self.model.unembed(changed[self.real]).log_softmax(dim=-1)
        return float((clean.exp() * (clean - after)).sum(dim=-1).mean())

    @cached_property
    def _hidden(self) -> Tensor:
        return self.model.hidden(self.ids)[self.real]


def texts_elsewhere(model: Model, task: str) -> list[TextsElsewhere]:
    """General text, and prompts of another task.

    Args:
        model: whose tokens they are, behind its start token.
        task: the name of the audited task.
    """
    other = next(name for name in ANOTHER if name != task)
    paragraphs = SAMPLE.read_text(encoding="utf-8").strip().split("\n\n")
    passages = paragraphs[:: max(1, len(paragraphs) // PASSAGES)][:PASSAGES]
    prompts = list(dict.fromkeys(prompt.text for prompt in ANOTHER[other](OTHERS, 0).prompts))
    return [
        TextsElsewhere(name, model, _rows(model, texts))
        for name, texts in (("general text", passages), (other, prompts))
    ]


def off_task(
    ablation: Ablation, features: FeatureSet, elsewhere: Sequence[TextsElsewhere]
) -> list[OffTask]:
    """What a class's change does elsewhere: a reading for each kind of text."""
    return [_cost(ablation, features, texts) for texts in elsewhere]


def _rows(model: Model, texts: Sequence[str]) -> list[list[int]]:
    """The beginnings of some texts, in tokens behind the model's start token."""
    start = list(start_of(model).ids)
    length = min(PASSAGE, model.context - len(start))
    return [[*start, *model.ids(text)[:length]] for text in texts]


@torch.no_grad()
def _cost(ablation: Ablation, features: FeatureSet, texts: TextsElsewhere) -> OffTask:
    dictionary = ablation.dictionary
    x = texts.values(dictionary.site)
    own = encode_few(dictionary, x.flatten(0, 1), features.indices)
    mean = torch.from_numpy(ablation.codes.mean(ablation.successes)[list(features.indices)])
    fires = (own > 0).any(dim=-1).view(texts.ids.shape) & texts.real
    tokens, count = int(texts.real.sum()), int(fires.sum())
    if not count:
        return OffTask(texts.name, tokens, 0, 0.0, 0.0, 0, 0)
    steps = (mean.to(own.device) - own) * fires.flatten()[:, None]
    change = dictionary.raised(x.flatten(0, 1), steps, list(features.indices))
    change = change.view(*texts.ids.shape, -1)
    clean = texts.predictions()
    kl = texts.divergence(dictionary.target, change, clean)
    rng = np.random.default_rng(ablation.seed)
    norm = change.norm(dim=-1, keepdim=True)
    others = []
    for feature in rng.permutation(dictionary.d_sae):
        direction = dictionary.W_dec[int(feature)]
        if int(feature) not in features.indices and direction.norm() > 0:
            sign = float(rng.choice([-1.0, 1.0]))
            other = norm * (sign * direction / direction.norm())
            others.append(texts.divergence(dictionary.target, other, clean))
        if len(others) == CONTROLS:
            break
    return OffTask(
        texts.name, tokens, count, kl, float(np.mean(others)), len(others),
        sum(other >= kl for other in others),
    )  # fmt: skip

"""The model's loss with a site's value replaced: what a reconstruction costs, and an ablation.

Loss is the mean cross-entropy of the next token, in nats. The value is replaced everywhere but at
position 0, an attention sink that no dictionary is asked to rebuild. Each pass takes up the model
at the site's block, from residuals that were read once, and carries several replacements at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faultlens.models.hooks import SiteHook
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site

ROWS = 16  # texts that go through the model together, at most
ROOM = 2**25  # logits that are held at once: 128 MiB
Replacement = Callable[[int, Mapping[Site, Tensor]], Tensor]
"""From the texts' number and the sites' values `[rows, positions, d]` to the value that is put."""


@dataclass(frozen=True, eq=False)
class PaddedTexts:
    """Texts of like length that go through the model together, padded on the right.

    Attributes:
        ids: `[rows, positions]`.
        real: which positions hold a real token, but the first and what stands in front, likewise.
        rows: which of the texts they are.
        first: the first column that may hold a real token.
    """

    ids: Tensor
    real: Tensor
    rows: tuple[int, ...]
    first: int


def padded_texts(
    model: Model, rows: Sequence[Sequence[int]], before: Sequence[int]
) -> Iterator[PaddedTexts]:
    """The texts some at a time, the shortest first, each after the ids in `before`."""
    order = [int(i) for i in np.argsort([len(row) for row in rows], kind="stable")]
    longest = len(before) + max((len(row) for row in rows), default=0)
    together = max(1, min(ROWS, ROOM // max(longest * model.vocabulary, 1)))
    for start in range(0, len(order), together):
        chosen = order[start:][:together]
        texts = [[*before, *rows[i]] for i in chosen]
        ids = model.pad(texts)
        lengths = torch.tensor([len(text) for text in texts], device=ids.device)
        position = torch.arange(ids.shape[1], device=ids.device)
        first = max(len(before), 1)
        real = (position >= first) & (position < lengths[:, None])
        yield PaddedTexts(ids, real, tuple(chosen), first)


@torch.no_grad()
def mean_loss(
    model: Model,
    rows: Sequence[Sequence[int]],
    site: Site | None = None,
    edit: SiteHook | None = None,
) -> float:
    """Mean next-token cross-entropy in nats over all tokens of `rows`, each predicted from BOS on.

    With `site` and `edit`, the value there is replaced at every position but BOS.
    """
    edits = {} if site is None or edit is None else {site: _after_first(edit)}
    total, tokens = 0.0, 0
    for texts in padded_texts(model, rows, [model.bos_id]):
        logits = model.logits(texts.ids, at=_before(texts.real), edits=edits)
        total += float(_summed(logits, texts))
        tokens += int(texts.real.sum())
    return total / tokens


@dataclass(frozen=True, eq=False)
class CachedTexts:
    """Some texts, and what the model holds at some sites on them.

    Attributes:
        parts: the texts some at a time, with the sites' values.
        loss: of the model as it is, in nats.
        tokens: how many tokens are predicted.
    """

    model: Model
    parts: Sequence[tuple[PaddedTexts, Mapping[Site, Tensor]]]
    loss: float
    tokens: int

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        model: Model,
        rows: Sequence[Sequence[int]],
        sites: Sequence[Site],
        before: Sequence[int],
    ) -> CachedTexts:
        """Read the rows once, each after the ids `before`, at the sites and where blocks begin."""
        wanted = {*sites, *(_entry(site) for site in sites)}
        parts, loss, tokens = [], 0.0, 0
        for texts in padded_texts(model, rows, before):
            edits, values = model.keeping(list(wanted))
            logits = model.logits(texts.ids, at=_before(texts.real), edits=edits)
            loss += float(_summed(logits, texts))
            tokens += int(texts.real.sum())
            parts.append((texts, values))
        return cls(model, parts, loss / tokens, tokens)

    @torch.no_grad()
    def replaced(self, site: Site, replacements: Sequence[Replacement]) -> list[float]:
        """The loss with the site's value replaced, for each replacement, in nats."""
        losses = torch.zeros(len(replacements), dtype=torch.double)
        for number, (texts, values) in enumerate(self.parts):
            one = int(texts.real.sum()) * self.model.vocabulary
            together = max(1, ROOM // max(one, 1))
            for start in range(0, len(replacements), together):
                new = [make(number, values) for make in replacements[start:][:together]]
                losses[start : start + len(new)] += self._under(texts, values, site, new)
        return [float(loss) / self.tokens for loss in losses]

    def _under(
        self, texts: PaddedTexts, values: Mapping[Site, Tensor], site: Site, new: Sequence[Tensor]
    ) -> Tensor:
        """The summed loss of the texts under each of the `new` values of the site, `[new]`."""
        now, entry, first = values[site], values[_entry(site)], texts.first
        put = torch.cat([torch.cat([now[:, :first], v[:, first:]], dim=1) for v in new])
        copies = (len(new), 1, 1)
        logits = self.model.logits(
            texts.ids.repeat(len(new), 1),
            at=_before(texts.real).repeat(len(new), 1),
            edits={site: lambda x: put},
            restart=Restart(site.layer, entry.repeat(copies)),
        )
        return _summed(logits, texts, len(new))


def zeroed(site: Site) -> Replacement:
    """Zero ablation."""
    return lambda number, values: torch.zeros_like(values[site])


def held_at(site: Site, value: Tensor) -> Replacement:
    """Ablation to a value, `[d]`."""
    return lambda number, values: value.expand_as(values[site])


def _entry(site: Site) -> Site:
    return Site(site.layer, "resid_pre")


def _before(real: Tensor) -> Tensor:
    """The positions that predict the real tokens: each the one before."""
    return torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], dim=1)


def _summed(logits: Tensor, texts: PaddedTexts, copies: int = 1) -> Tensor:
    """The summed loss of the real tokens in each copy of the texts, `[copies]`."""
    predicted = texts.ids[texts.real].repeat(copies)
    loss = cross_entropy(logits, predicted, reduction="none")
    return loss.double().reshape(copies, -1).sum(dim=1).cpu()


def _after_first(edit: SiteHook) -> SiteHook:
    def protected(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], edit(x)[:, 1:]], dim=1)

    return protected

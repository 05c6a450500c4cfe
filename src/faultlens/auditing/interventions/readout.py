"""Readout: the answers' margins, read off the last hidden states without the whole vocabulary.

A change moves a prompt's last hidden state by `Δ`, and so a token's logit by at most
`|w_token| · |Δ|`. The wrong token that is strongest in the untouched prompt is computed under every
change. Another one whose highest possible logit stays below it cannot become the strongest, and
need not be computed. Small changes, such as most controls, leave a handful of tokens out of fifty
thousand. Nothing is approximated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.models.model import Model

SMALL = 4096  # tokens; a vocabulary up to this is always computed whole
WORTH_IT = 8  # a prompt is read off few tokens if these are at most this part of the vocabulary
LOGIT_ERROR = 1e-5  # of |w| · |hidden|: more than float32 loses in a logit


@dataclass(frozen=True, eq=False)
class AnswerMargins:
    """How the right answers fare against the others, `[…, prompts]` each.

    Attributes:
        margin: the largest logit of a right token − the largest other logit, or the foil's.
        difference: `logit(target) − logit(foil)`; NaN where there is no foil.
    """

    margin: np.ndarray
    difference: np.ndarray

    def of(self, change: int | np.ndarray) -> AnswerMargins:
        """The answers after one of several changes, `[prompts]`; or those of some of the first."""
        return AnswerMargins(self.margin[change], self.difference[change])


@dataclass(frozen=True, eq=False)
class Readout:
    """Reads some prompts' answers off their last hidden states.

    Attributes:
        right: the tokens that are right, the target first; as many for each prompt, padded with
            the target, `[prompts, right]`.
        foil: `[prompts]`; -1 where there is none.
        hidden: of the untouched prompts, `[prompts, d]`.
        logits: of the untouched prompts, `[prompts, vocabulary]`.
        strongest_wrong: the wrong token with the largest logit in each of them, `[prompts]`.
        untouched: their answers, `[prompts]`.
        foil_alone: whether right tokens are compared with the foil alone; each prompt has one then.
    """

    model: Model
    right: Tensor
    foil: Tensor
    hidden: Tensor
    logits: Tensor
    strongest_wrong: Tensor
    untouched: AnswerMargins
    foil_alone: bool = False

    @classmethod
    @torch.no_grad()
    def of(
        cls, model: Model, right: Tensor, foil: Tensor, hidden: Tensor, foil_alone: bool = False
    ) -> Readout:
        """Of some prompts, by their hidden states when nothing is changed."""
        logits = model.unembed(hidden)
        strongest_wrong = logits.scatter(1, right, -torch.inf).argmax(dim=1)
        untouched = [of[0].cpu().numpy() for of in _compared(logits[None], right, foil, foil_alone)]
        return cls(
            model, right, foil, hidden, logits, strongest_wrong, AnswerMargins(*untouched),
            foil_alone,
        )  # fmt: skip

    def some(self, places: Tensor) -> Readout:
        """The same of some of the prompts."""
        return Readout(
            self.model, self.right[places], self.foil[places], self.hidden[places],
            self.logits[places], self.strongest_wrong[places],
            self.untouched.of(places.cpu().numpy()), self.foil_alone,
        )  # fmt: skip

    @torch.no_grad()
    def answers(self, hidden: Tensor) -> AnswerMargins:
        """The answers of hidden states `[copies, prompts, d]`."""
        margin, difference = hidden.new_empty(2, *hidden.shape[:2], dtype=torch.float32)
        needed = self._needed(hidden)
        whole = [prompt for prompt, tokens in enumerate(needed) if tokens is None]
        if whole:
            logits = self.model.unembed(hidden[:, whole])
            margin[:, whole], difference[:, whole] = _compared(
                logits, self.right[whole], self.foil[whole], self.foil_alone
            )
        for prompt, tokens in enumerate(needed):
            if tokens is None:
                continue
            foil = self.foil[[prompt]]
            margin[:, [prompt]], difference[:, [prompt]] = _compared(
                self.model.unembed(hidden[:, [prompt]], tokens),
                torch.searchsorted(tokens, self.right[[prompt]]),
                torch.where(foil < 0, foil, torch.searchsorted(tokens, foil)),
                self.foil_alone,
            )
        return AnswerMargins(margin.cpu().numpy(), difference.cpu().numpy())

    def _needed(self, hidden: Tensor) -> list[Tensor | None]:
        """By prompt the tokens whose logits are needed, ascending; None: all."""
        norms = self.model.unembedding_norms
        if len(norms) <= SMALL or hidden.dtype != torch.float32:
            return [None] * hidden.shape[1]
        moved = (hidden - self.hidden).norm(dim=-1).amax(dim=0)
        error = LOGIT_ERROR * (self.hidden.norm(dim=-1) + moved)
        tokens, place = torch.unique(self.strongest_wrong, return_inverse=True)
        reached = self.model.unembed(hidden, tokens).gather(
            2, place[None, :, None].expand(len(hidden), -1, 1)
        )
        lowest = reached[..., 0].amin(dim=0) - norms[self.strongest_wrong] * error
        return [
            self._deciding(prompt, norms * (moved + error)[prompt], lowest[prompt])
            for prompt in range(hidden.shape[1])
        ]

    def _deciding(self, prompt: int, room: Tensor, lowest: Tensor) -> Tensor | None:
        """The tokens that may decide.

        Args:
            room: by how much each logit may move, `[vocabulary]`.
            lowest: the least that the strongest wrong logit comes to.
        """
        logits = self.logits[prompt]
        tokens = torch.nonzero(logits + room >= lowest).flatten()
        if len(tokens) * WORTH_IT > len(logits):
            return None
        foil = self.foil[prompt]
        needed: Tensor = torch.unique(
            torch.cat([tokens, self.right[prompt], foil[foil >= 0].flatten()])
        )
        return needed


def _compared(
    logits: Tensor, right: Tensor, foil: Tensor, foil_alone: bool
) -> tuple[Tensor, Tensor]:
    """Margin and difference, `[copies, prompts]`, of logits `[copies, prompts, tokens]`.

    Args:
        right: places of the right tokens among these, `[prompts, right]`.
        foil: of the foil, `[prompts]`; -1 where there is none.
        foil_alone: whether the foil is all that right tokens are compared with.
    """
    of_right = logits.gather(2, right.expand(len(logits), -1, -1))
    of_foil = logits.gather(2, foil.clamp(min=0)[:, None].expand(len(logits), -1, 1))[..., 0]
    if foil_alone:
        others = of_foil
    else:
        others = logits.scatter(2, right.expand(len(logits), -1, -1), -torch.inf).amax(dim=2)
    difference = (of_right[..., 0] - of_foil).masked_fill(foil < 0, torch.nan)
    return of_right.amax(dim=2) - others, difference

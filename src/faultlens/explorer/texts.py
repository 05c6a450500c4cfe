"""Texts: what stands at each position of a text, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from faultlens.auditing.result.audit import Audit
from faultlens.errors import UserError
from faultlens.explorer.loaded_lens import LoadedLens
from faultlens.features.reading_config import Long
from faultlens.features.token_text import token_texts
from faultlens.numbers import clipped

ANSWER = 40  # characters of what was generated


class Texts(Protocol):
    """The texts that a feature fires on."""

    def label(self, text: int) -> str:
        """What is said of a text, in a few words."""

    def tokens(self, text: int) -> list[str]:
        """What each token of a text shows. Raises UserError if it is not known here."""


@dataclass(frozen=True, eq=False)
class PromptTexts:
    """The prompts of an audit, whose tokens the run kept."""

    audit: Audit
    shown: Sequence[list[str]]

    def label(self, text: int) -> str:
        outcome = self.audit.outcomes[text]
        generated = "" if outcome.generated is None else f" → {clipped(outcome.generated, ANSWER)}"
        return f"Prompt {text}: {outcome.kind}{generated}"

    def tokens(self, text: int) -> list[str]:
        if text >= len(self.shown):
            raise UserError("the run did not keep the tokens of its prompts")
        return self.shown[text]


@dataclass(frozen=True, eq=False)
class CorpusTexts:
    """The texts of a corpus, read again where it lies and put into tokens by the model.

    Attributes:
        read: gives the texts; raises UserError if they are not there or are others.
        lens: whose model has the tokenizer.
        long: what became of texts longer than the context.
    """

    read: Callable[[], Sequence[str]]
    lens: LoadedLens
    long: Long

    @cached_property
    def texts(self) -> Sequence[str]:
        return self.read()

    def label(self, text: int) -> str:
        return f"Text {text}"

    def tokens(self, text: int) -> list[str]:
        with self.lens.used() as lens:
            (found,) = lens.tokenize([self.texts[text]], self.long)
            return token_texts(lens.model.tokenizer.decode, found.ids.tolist())

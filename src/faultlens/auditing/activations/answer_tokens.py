"""Answer tokens: the ids with which an answer goes on behind its prompt, and none but these."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from faultlens.corpus.task import Prompt
from faultlens.errors import UserError
from faultlens.models.model import Model

ANCHORS = ("\n", ".", "(", "|", "a", "0")
"""Texts behind which an answer is tokenized where, by itself, it would get a space before it."""

SPLIT = "\ufffd"  # what is decoded of some bytes of a character


@dataclass(frozen=True, eq=False)
class AnswerTokens:
    """Finds answers' tokens for one model, and checks that they read as the answer.

    Tokenizers made as SentencePiece's put a space before every text: behind "the ke" the answer
    "ys" tokenized alone would be scored as " ys", another answer.
    """

    model: Model
    _read: dict[tuple[tuple[int, ...], ...], str] = field(default_factory=dict, repr=False)

    def of(self, prompt: Prompt, before: list[int], answer: str) -> list[int]:
        """The tokens of an answer as they continue the prompt, whose own tokens are `before`.

        Those of prompt and answer written together, where they begin with the prompt's. Where the
        tokenizer joins the end of the prompt and the start of the answer into one token, tokens of
        the answer's own that read the same: the model is given the prompt's as they are.

        Raises:
            UserError: no tokens that decode to exactly the answer behind the prompt.
        """
        wanted = prompt.separator + answer
        for ids in self._candidates(prompt.text, before, wanted):
            if ids and _same(self._reading(before, ids), wanted):
                return ids
        raise UserError(
            f"the answer {answer!r} has no tokens of its own behind prompt {prompt.text!r} "
            f"(separator {prompt.separator!r}): this model's tokenizer has none that read exactly "
            f"{wanted!r} there; end the prompt at another place, or write the answer otherwise"
        )

    def _candidates(self, text: str, before: list[int], wanted: str) -> Iterator[list[int]]:
        joined = self.model.ids(text + wanted)
        if joined[: len(before)] == before:
            yield joined[len(before) :]
        yield self.model.ids(wanted)
        for anchor in ANCHORS:
            alone, followed = self.model.ids(anchor), self.model.ids(anchor + wanted)
            if followed[: len(alone)] == alone:
                yield followed[len(alone) :]

    def _reading(self, before: list[int], ids: list[int]) -> str:
        """What tokens read behind those of a prompt.

        The prompt's last token says enough, unless it is part of a character.
        """
        behind = before[-1:]
        if SPLIT in self._decoded(behind):
            behind = before
        key = (tuple(behind), tuple(ids))
        if key not in self._read:
            start = self._decoded(behind)
            self._read[key] = self._decoded([*behind, *ids])[len(start) :]
        return self._read[key]

    def _decoded(self, ids: list[int]) -> str:
        text: str = self.model.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        return text


def _same(read: str, wanted: str) -> bool:
    """Whether tokens read as wanted, but for the Unicode form and case of the tokenizer."""
    return read == wanted or _form(read) == _form(wanted)


def _form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()

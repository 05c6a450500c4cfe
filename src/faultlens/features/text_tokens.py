"""Texts in a model's tokens: in the parts in which the model is fed with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.errors import UserError
from faultlens.features.reading_config import LONG, Long
from faultlens.models import start_ids
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.start_token import start_of
from faultlens.progress import Tick


@dataclass(frozen=True, eq=False)
class TextTokens:
    """One text as a model reads it.

    Attributes:
        parts: token ids, without the BOS that goes in front of each part; one part, but for a text
            that is longer than the context. int32 `[tokens of the part]` each.
        own_bos: whether the text itself begins with BOS, which then is not put in front again.
    """

    parts: tuple[np.ndarray, ...]
    own_bos: bool = False

    @property
    def ids(self) -> np.ndarray:
        """All ids, part after part, `[tokens]`."""
        return np.concatenate(self.parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))


def tokenize(
    model: Model,
    dictionaries: Sequence[Dictionary],
    texts: Sequence[str],
    long: Long = LONG,
    tick: Tick | None = None,
) -> list[TextTokens]:
    """Every text in tokens. The start token goes in front once, also of a text that begins with it.

    Args:
        dictionaries: what the texts are to be read through; they say whether BOS goes in front.
        long: what becomes of a text longer than the context.
        tick: told of the texts that are done.

    Raises:
        UserError: a text without tokens, or of special tokens alone; one that is too long under
            `error`; one that no tokenizer takes.
    """
    return list(tokenized(model, dictionaries, texts, long, tick))


def tokenized(
    model: Model,
    dictionaries: Sequence[Dictionary],
    texts: Iterable[str],
    long: Long = LONG,
    tick: Tick | None = None,
) -> Iterator[TextTokens]:
    """The same, text by text, none of them held. Raises UserError as `tokenize` does."""
    before = ids_in_front(model, dictionaries)
    for i, text in enumerate(texts):
        try:
            ids = model.ids(text)
        except UserError as error:
            raise UserError(f"text {i + 1}: {error}") from error
        own = model.after_start(ids, before)
        if not own:
            held = "no tokens" if not ids else "no tokens but BOS"
            raise UserError(f"text {i + 1} has {held}: expected at least one; leave it out")
        parts = split(own, i, model.context - len(before), long)
        arrays = tuple(np.array(part, dtype=np.int32) for part in parts)
        yield TextTokens(arrays, len(own) < len(ids))
        if tick is not None:
            tick(1)


def split(ids: Sequence[int], text: int, room: int, long: Long) -> list[Sequence[int]]:
    """The parts in which one text is fed to the model, each of at most `room` tokens.

    Raises UserError for a text that is too long under `error`, with its number, from 0.
    """
    if len(ids) <= room:
        return [ids]
    if long == "error":
        raise UserError(
            f"text {text + 1} has {len(ids)} tokens, but the model's context has room for {room}: "
            "choose --long split or --long truncate"
        )
    if long == "truncate":
        return [ids[:room]]
    return [ids[start : start + room] for start in range(0, len(ids), room)]


def ids_in_front(model: Model, dictionaries: Sequence[Dictionary]) -> list[int]:
    """The ids that go before each part of a text: BOS, what stands in its place, or none.

    Without dictionaries the model's own start token. Raises UserError if dictionaries differ in it.
    """
    if not dictionaries:
        return list(start_of(model).ids)
    asked = [dictionary.convention for dictionary in dictionaries]
    if len({(convention.prepend_bos, convention.start_token) for convention in asked}) > 1:
        names = ", ".join(dictionary.name for dictionary in dictionaries)
        raise UserError(
            f"dictionaries {names} differ in what stands in front of a text (BOS, another token or "
            "nothing): read them separately"
        )
    return start_ids.ids_in_front(model, asked[0])

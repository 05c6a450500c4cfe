"""Reading: texts through the model and every dictionary in one pass, batch by batch.

Texts are bucketed by length under a token budget; only real tokens are encoded (the mask comes
from lengths, never from ids), and BOS is read past but never encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.errors import UserError
from faultlens.features.encode import encode
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

Long = Literal["error", "split", "truncate"]
TOKEN_BUDGET = 2048  # tokens a batch, padding included


@dataclass(frozen=True, eq=False)
class TokenActivations:
    """The activations of the tokens of some texts, through one dictionary.

    Attributes:
        matrix: float32 CSR `[tokens, d_sae]`.
        offsets: `[texts + 1]`: rows `offsets[i]:offsets[i + 1]` are the tokens of the i-th text.
        norms: the norm of the site's value at each token, `[tokens]`.
    """

    matrix: csr_matrix
    offsets: np.ndarray
    norms: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Which texts were read together, and what every dictionary saw in them."""

    texts: tuple[int, ...]
    activations: dict[str, TokenActivations]


def chunks(ids: Sequence[int], text: int, room: int, long: Long) -> list[list[int]]:
    """The pieces in which one text is fed to the model, each of at most `room` tokens.

    Raises UserError for a text without tokens, and for one that is too long under `long="error"`.
    """
    if not ids:
        raise UserError(f"text {text + 1} has no tokens: expected at least one; leave it out")
    if len(ids) <= room:
        return [list(ids)]
    if long == "error":
        raise UserError(
            f"text {text + 1} has {len(ids)} tokens, but the model's context has room for {room}: "
            "choose --long split or --long truncate"
        )
    if long == "truncate":
        return [list(ids[:room])]
    return [list(ids[start : start + room]) for start in range(0, len(ids), room)]


def read_tokens(
    model: Model, dictionaries: Sequence[Dictionary], texts: Sequence[str], long: Long = "error"
) -> Iterator[Batch]:
    """Read all texts through all dictionaries, in batches of texts of like length.

    All dictionaries must agree on whether BOS is prepended. Texts come in order of length, not in
    the order given; `Batch.texts` says which they are.
    """
    bos = _prepends_bos(dictionaries)
    room = model.context - bos
    pieces = [chunks(model.ids(text), i, room, long) for i, text in enumerate(texts)]
    for batch in _batches(pieces, bos):
        rows = [piece for text in batch for piece in pieces[text]]
        ids = model.pad([[model.bos_id] * bos + row for row in rows])
        values = model.read(ids, list({dictionary.site for dictionary in dictionaries}))
        lengths = np.array([len(row) for row in rows])
        real = (np.arange(ids.shape[1] - bos) < lengths[:, None]).nonzero()
        per_text = [sum(len(piece) for piece in pieces[text]) for text in batch]
        offsets = np.concatenate([[0], np.cumsum(per_text)])
        seen = {}
        for dictionary in dictionaries:
            x = values[dictionary.site][:, bos:][real]
            norms = x.norm(dim=-1).cpu().numpy()
            seen[dictionary.name] = TokenActivations(encode(dictionary, x), offsets, norms)
        yield Batch(tuple(batch), seen)


def _prepends_bos(dictionaries: Sequence[Dictionary]) -> int:
    if len({dictionary.convention.prepend_bos for dictionary in dictionaries}) > 1:
        names = ", ".join(dictionary.name for dictionary in dictionaries)
        raise UserError(
            f"dictionaries {names} differ in whether BOS is prepended: read them separately"
        )
    return int(dictionaries[0].convention.prepend_bos)


def _batches(pieces: Sequence[list[list[int]]], bos: int) -> Iterator[list[int]]:
    """Texts in order of their longest piece, cut where the padded batch would pass the budget."""
    longest = [max(map(len, of_text)) + bos for of_text in pieces]
    batch: list[int] = []
    rows = 0
    for text in sorted(range(len(pieces)), key=lambda i: (longest[i], i)):
        if batch and (rows + len(pieces[text])) * longest[text] > TOKEN_BUDGET:
            yield batch
            batch, rows = [], 0
        batch.append(text)
        rows += len(pieces[text])
    if batch:
        yield batch

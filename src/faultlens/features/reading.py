"""Reading: texts through the model and every dictionary in one pass, group by group.

Texts are packed into rows under a token budget; only real tokens are encoded (where they are is
known from lengths, never from ids), and BOS is read past but never encoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from faultlens.errors import UserError
from faultlens.features import screening
from faultlens.features.budget import token_budget
from faultlens.features.encode import PATIENCE, TRIED, Encoding, encode
from faultlens.features.packing import ROW, Group, lay_out, plan
from faultlens.features.reading_config import LONG, Long
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Tick

WINDOW = 65_536  # tokens of texts that are sorted by length and packed at a time


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


@dataclass(frozen=True)
class Shapes:
    """What decides the shapes of the passes, and with them the last bits of what is read.

    Attributes:
        budget: positions of a pass, padding included.
        row: the width of a row that texts share; 0 where each text has a row to itself.
        encoding: how sites' values are encoded.
    """

    budget: int
    row: int
    encoding: Encoding = "auto"

    @classmethod
    def found(
        cls, model: Model, dictionaries: Sequence[Dictionary], encoding: Encoding = "auto"
    ) -> Shapes:
        """What suits the model, and the memory that is free now."""
        row = min(ROW, model.context) if model.packs else 0
        return cls(token_budget(model, dictionaries), row, encoding)


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


Pieces = list[np.ndarray]  # of one text: the token ids of each of its parts


def tokenized(
    model: Model,
    dictionaries: Sequence[Dictionary],
    texts: Sequence[str],
    long: Long = LONG,
    tick: Tick | None = None,
) -> list[Pieces]:
    """The token ids of every text, in the parts in which the model is fed with it.

    Raises UserError for a text without tokens, and for one that is too long under `long="error"`.
    """
    room = model.context - prepends_bos(dictionaries)
    pieces = []
    for i, text in enumerate(texts):
        parts = chunks(model.ids(text), i, room, long)
        pieces.append([np.array(part, dtype=np.int32) for part in parts])
        if tick is not None:
            tick(1)
    return pieces


def read_tokens(
    model: Model,
    dictionaries: Sequence[Dictionary],
    texts: Sequence[str],
    long: Long = LONG,
    shapes: Shapes | None = None,
) -> Iterator[Batch]:
    """Read all texts through all dictionaries, in batches of texts that go through together.

    All dictionaries must agree on whether BOS is prepended. Texts come in order of length within
    every `WINDOW` tokens, not in the order given; `Batch.texts` says which they are. What is held
    at a time is one batch, of `shapes.budget` positions unless one text is longer.
    """
    pieces = tokenized(model, dictionaries, texts, long)
    return read_pieces(model, dictionaries, pieces, shapes)


def read_pieces(
    model: Model,
    dictionaries: Sequence[Dictionary],
    pieces: Sequence[Pieces],
    shapes: Shapes | None = None,
) -> Iterator[Batch]:
    """The same of texts that are token ids already."""
    bos = prepends_bos(dictionaries)
    how = shapes or Shapes.found(model, dictionaries)
    for start, end in windows(pieces):
        lengths = [[len(part) for part in text] for text in pieces[start:end]]
        for group in plan(lengths, bos, how.budget, how.row):
            texts = [start + text for text in group.texts]
            yield _read_group(model, dictionaries, group, [pieces[t] for t in texts], texts, how)


def settled(
    model: Model, dictionaries: Sequence[Dictionary], pieces: Sequence[Pieces], shapes: Shapes
) -> Shapes:
    """The same shapes with `auto` decided, by trying both ways on the first of the texts.

    What has to keep to one way from beginning to end asks for this before it begins.
    """
    if shapes.encoding != "auto":
        return shapes
    tokens = sum(len(part) for text in pieces for part in text)
    work = 2.0 * tokens * sum(dictionary.W_enc.numel() for dictionary in dictionaries)
    if work < PATIENCE or not screening.installed():
        return replace(shapes, encoding="plain")
    able = [dictionary for dictionary in dictionaries if screening.screens(dictionary)]
    if not able:
        return replace(shapes, encoding="plain")
    seen = _first_values(model, dictionaries, pieces, shapes)
    quicker = all(screening.is_quicker(d, seen[d.site]) for d in able)
    return replace(shapes, encoding="compiled" if quicker else "plain")


def screen_anew(
    model: Model, dictionaries: Sequence[Dictionary], pieces: Sequence[Pieces], shapes: Shapes
) -> None:
    """Make the screens from the first of these texts, whatever was read before.

    They decide which tiles are computed whole, and so the last bits.
    """
    if shapes.encoding != "compiled":
        return
    seen = _first_values(model, dictionaries, pieces, shapes)
    for dictionary in dictionaries:
        if screening.screens(dictionary):
            screening.Screen.renew(dictionary, dictionary.prepare(seen[dictionary.site]))


def _first_values(
    model: Model, dictionaries: Sequence[Dictionary], pieces: Sequence[Pieces], shapes: Shapes
) -> dict[Site, Tensor]:
    """The sites' values in some of the first texts, `[tokens, d]`."""
    lengths = [[len(part) for part in text] for text in pieces[:TRIED]]
    group = next(plan(lengths, prepends_bos(dictionaries), 4 * TRIED, shapes.row))
    mine = [pieces[text] for text in group.texts]
    seen = list(read_values(model, _sites(dictionaries), group, mine, _bos(model, dictionaries)))
    return {site: torch.cat([values[site] for values in seen]) for site in seen[0]}


def prepends_bos(dictionaries: Sequence[Dictionary]) -> int:
    """Whether BOS goes before each text, 0 or 1. Raises UserError if dictionaries differ in it."""
    if len({dictionary.convention.prepend_bos for dictionary in dictionaries}) > 1:
        names = ", ".join(dictionary.name for dictionary in dictionaries)
        raise UserError(
            f"dictionaries {names} differ in whether BOS is prepended: read them separately"
        )
    return int(dictionaries[0].convention.prepend_bos)


def windows(pieces: Sequence[Pieces]) -> Iterator[tuple[int, int]]:
    """Ranges of texts of at most `WINDOW` tokens, or of one text."""
    start, held = 0, 0
    for i, text in enumerate(pieces):
        tokens = sum(map(len, text))
        if held and held + tokens > WINDOW:
            yield start, i
            start, held = i, 0
        held += tokens
    if start < len(pieces):
        yield start, len(pieces)


def _read_group(
    model: Model,
    dictionaries: Sequence[Dictionary],
    group: Group,
    pieces: Sequence[Pieces],
    texts: Sequence[int],
    shapes: Shapes,
) -> Batch:
    matrices: dict[str, list[csr_matrix]] = {d.name: [] for d in dictionaries}
    norms: dict[str, list[np.ndarray]] = {d.name: [] for d in dictionaries}
    sites, bos_ids = _sites(dictionaries), _bos(model, dictionaries)
    for values in read_values(model, sites, group, pieces, bos_ids):
        for dictionary in dictionaries:
            x = values[dictionary.site]
            norms[dictionary.name].append(x.norm(dim=-1).cpu().numpy())
            matrices[dictionary.name].append(encode(dictionary, x, shapes.encoding))
    offsets = np.concatenate([[0], np.cumsum([sum(map(len, text)) for text in pieces])])
    seen = {
        name: TokenActivations(_stacked(parts), offsets, np.concatenate(norms[name]))
        for name, parts in matrices.items()
    }
    return Batch(tuple(texts), seen)


def read_values(
    model: Model,
    sites: Sequence[Site],
    group: Group,
    pieces: Sequence[Pieces],
    bos_ids: Sequence[int],
) -> Iterator[dict[Site, Tensor]]:
    """Pass by pass the sites' values at the real tokens of texts, `[tokens, d]` each.

    Args:
        group: how the texts lie in the passes.
        pieces: theirs, in the group's order.
        bos_ids: what goes before each piece and is not among the tokens: BOS, or nothing.
    """
    feed = iter([part for text in pieces for part in text])
    for one in group.passes:
        parts = [next(feed) for line in one.rows for _ in line]
        layout = lay_out(one, parts, bos_ids)
        shared = any(len(line) > 1 for line in one.rows)
        ids, positions, line, column = (
            torch.from_numpy(array).to(model.device)
            for array in (layout.ids, layout.positions, layout.line, layout.column)
        )
        values = model.read(ids, sites, positions if shared else None)
        yield {site: values.pop(site)[line, column] for site in sites}


def _sites(dictionaries: Sequence[Dictionary]) -> list[Site]:
    return list({dictionary.site for dictionary in dictionaries})


def _bos(model: Model, dictionaries: Sequence[Dictionary]) -> list[int]:
    return [model.bos_id] * prepends_bos(dictionaries)


def _stacked(parts: list[csr_matrix]) -> csr_matrix:
    return parts[0] if len(parts) == 1 else csr_matrix(vstack(parts, format="csr"))

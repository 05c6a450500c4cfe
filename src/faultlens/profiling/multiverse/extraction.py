"""Extraction: a corpus read once, with all that any of the ways to pool it needs.

The tokens of the texts are not encoded again: their activations are in the store that the profile
filled. Added are BOS, which is the same in every text, and padding: texts go through the
model in the order given, `BATCH` at a time, each padded to the longest of its batch, as a script
does that masks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from faultlens.features.encode import encode
from faultlens.features.lens import Lens
from faultlens.features.pooling import Pooling
from faultlens.features.reading import Reader
from faultlens.features.reading_config import Long
from faultlens.features.store import ActivationStore
from faultlens.features.text_tokens import ids_in_front
from faultlens.models.dictionary import Dictionary
from faultlens.profiling.multiverse.specifications import POOL_FIRST, Way
from faultlens.progress import Tick

BATCH = 8  # texts padded together: the default of Hugging Face's Trainer


@dataclass(frozen=True, eq=False)
class Pooled:
    """One dictionary over the corpus, read in one way.

    Attributes:
        columns: indices of the features that fire on any text, ascending, `[firing]`.
        values: their pooled activations, float32 `[texts, firing]`.
        norms: mean norm of the site's value over a text's positions, with BOS and padding where
            they are pooled; of `last` too over all of them. `[texts]`.
    """

    columns: np.ndarray
    values: np.ndarray
    norms: np.ndarray


@dataclass(frozen=True, eq=False)
class PaddedRows:
    """Where each text lies in its padded row: BOS at position 0, the text, then padding.

    Attributes:
        bos: 1 where BOS stands in front, else 0.
        lengths: tokens of each text, `[texts]`.
        widths: of each text's row, `[texts]`.
    """

    bos: int
    lengths: np.ndarray
    widths: np.ndarray

    def span(self, way: Way) -> tuple[np.ndarray, np.ndarray]:
        """The positions that count as text in a way, from the first to before the last."""
        last = self.widths if way.padding else self.lengths + self.bos
        return np.full(len(last), 0 if way.bos else self.bos), last


@dataclass(frozen=True, eq=False)
class _Site:
    """What is kept of one dictionary: activations by feature, text and position; norms; residuals.

    Attributes:
        feature: of each activation, ascending, `[activations]`.
        text: ascending within a feature.
        position: in the padded row, ascending within a text.
        activation: above 0.
        counted: how many positions count before each position, `[texts, widest + 1]`: all but the
            tokens that the lens leaves out.
        norms: sums of the norms of the site's value over these, likewise.
        encoded: by each way that pools first, its encoded values, CSR `[texts, d_sae]`.
    """

    feature: np.ndarray
    text: np.ndarray
    position: np.ndarray
    activation: np.ndarray
    counted: np.ndarray
    norms: np.ndarray
    encoded: dict[Way, csr_matrix]


@dataclass(frozen=True, eq=False)
class Extraction:
    """A corpus that was read once, to be pooled in any of the ways that were named."""

    padded: PaddedRows
    sites: dict[str, _Site]

    def pooled(self, way: Way) -> dict[str, Pooled]:
        """The corpus read in one way, by dictionary."""
        start, end = self.padded.span(way)
        texts = np.arange(len(start))
        found = {}
        for name, site in self.sites.items():
            sums, counts = (of[texts, end] - of[texts, start] for of in (site.norms, site.counted))
            if way.order == POOL_FIRST:
                columns, values = _fired(site.encoded[way])
            else:
                columns, values = _pool(site, start, end, Pooling.parse(way.pooling))
            found[name] = Pooled(columns, values, sums / counts)
        return found


def extract(
    lens: Lens,
    texts: Sequence[str],
    store: ActivationStore,
    ways: Sequence[Way],
    long: Long,
    tick: Tick,
) -> Extraction:
    """Read what `ways` need beyond the `store`, which holds the activations of the texts' tokens.

    Raises UserError for a text that does not fit into the context, unless `long` is `truncate`.
    """
    assert long != "split", "refused by the config: pieces of a text cannot be padded as it is"
    before = ids_in_front(lens.model, lens.dictionaries)
    bos = len(before)
    tokens = lens.tokenize(texts, long)
    reader, ids = lens.reader(lens.shapes(tokens)), [text.ids.tolist() for text in tokens]
    batches = [range(start, min(start + BATCH, len(ids))) for start in range(0, len(ids), BATCH)]
    lengths = np.array([len(row) for row in ids])
    widths = np.concatenate([np.full(len(rows), lengths[rows].max()) for rows in batches]) + bos
    padded = PaddedRows(bos, lengths, widths)
    collectors = {d.name: _SiteCollector(d, padded, ways, reader) for d in lens.dictionaries}
    for rows in batches:
        batch = lens.model.pad([before + ids[row] for row in rows])
        values = lens.model.read(batch, list({d.site for d in lens.dictionaries}))
        for collector in collectors.values():
            collector.add(values[collector.dictionary.site].float(), batch.cpu().numpy(), rows)
        tick(len(rows))
    return Extraction(padded, {name: one.result(store) for name, one in collectors.items()})


@dataclass(eq=False)
class _SiteCollector:
    """Collects what one dictionary needs, batch by batch."""

    dictionary: Dictionary
    padded: PaddedRows
    ways: Sequence[Way]
    reader: Reader
    fired: list[tuple[np.ndarray, ...]] = field(default_factory=list)  # as in `_Site`, unsorted
    counts: list[np.ndarray] = field(default_factory=list)
    norms: list[np.ndarray] = field(default_factory=list)
    residuals: dict[Way, list[Tensor]] = field(default_factory=dict)

    def add(self, x: Tensor, ids: np.ndarray, rows: range) -> None:
        """Take in the site's values of a batch `[texts, width, d_in]`, ids `[texts, width]`."""
        padded, n = self.padded, len(self.padded.lengths)
        ends = padded.lengths[rows] + padded.bos
        positions = np.arange(x.shape[1])
        text, position = (positions >= ends[:, None]).nonzero()
        if padded.bos and not self.fired:  # a causal model sees nothing but BOS there
            of_bos = encode(self.dictionary, x[0, : padded.bos])
            places = np.repeat(np.arange(padded.bos), np.diff(of_bos.indptr))
            fires, texts = np.repeat(of_bos.indices, n), np.tile(np.arange(n), of_bos.nnz)
            self.fired.append((fires, texts, np.repeat(places, n), np.repeat(of_bos.data, n)))
        of_padding = encode(self.dictionary, x[text, position])
        at = np.repeat(np.arange(len(text)), np.diff(of_padding.indptr))
        found = of_padding.indices, rows.start + text[at], position[at], of_padding.data
        self.fired.append(found)
        norms = x.norm(dim=-1).cpu().numpy().astype(np.float64)
        of_text = (positions >= padded.bos) & (positions < ends[:, None])
        counts = ~(of_text & self._left_out(norms, ids))
        self.norms.append(norms * counts)
        self.counts.append(counts)
        for way in self.ways:
            if way.order == POOL_FIRST:
                start, end = (edge[rows] for edge in padded.span(way))
                how = Pooling.parse(way.pooling)
                first = _first_pooled(_sums(counts), start, end, how)
                within = counts & (positions >= first[:, None]) & (positions < end[:, None])
                pooled = _pool_values(x, torch.from_numpy(within).to(x.device), how)
                self.residuals.setdefault(way, []).append(pooled)

    def _left_out(self, norms: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Which tokens the lens leaves out, boolean `[texts, width]`."""
        choice, median = self.reader.choice, self.reader.medians.get(self.dictionary.site)
        special = choice.special_of(ids.ravel(), self.reader.model).reshape(ids.shape)
        left_out: np.ndarray = special | choice.massive_of(norms, median)
        return left_out

    def result(self, store: ActivationStore) -> _Site:
        """All that was collected, with the tokens' own activations from `store`."""
        n = len(self.padded.lengths)
        tokens = store.firings(self.dictionary.name)
        of_tokens = tokens.feature, tokens.text, tokens.position + self.padded.bos
        self.fired.append((*of_tokens, tokens.activation))
        columns = [np.concatenate(column) for column in zip(*self.fired, strict=True)]
        shape = self.dictionary.d_sae, n, int(self.padded.widths.max())
        order = np.argsort(np.ravel_multi_index(tuple(columns[:3]), shape))
        widest = int(self.padded.widths.max())
        counted, norms = (_stacked(batches, widest) for batches in (self.counts, self.norms))
        encoded = {
            way: encode(self.dictionary, torch.cat(parts)) for way, parts in self.residuals.items()
        }
        feature, text, position, activation = (column[order] for column in columns)
        return _Site(feature, text, position, activation, counted, norms, encoded)


def _sums(values: np.ndarray) -> np.ndarray:
    """Sums of `values [texts, width]` before each position, `[texts, width + 1]`."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _stacked(batches: Sequence[np.ndarray], widest: int) -> np.ndarray:
    """The sums before each position of texts in batches of unequal width, `[texts, widest + 1]`."""
    wide = [np.pad(batch, [(0, 0), (0, widest - batch.shape[1])]) for batch in batches]
    return _sums(np.concatenate(wide))


def _first_pooled(
    counted: np.ndarray, start: np.ndarray, end: np.ndarray, how: Pooling
) -> np.ndarray:
    """The first position that is pooled of each text, which counts from `start` to before `end`.

    Args:
        counted: how many positions count before each, `[texts, width + 1]`.
    """
    if how.kind != "last":
        return start
    before = counted[np.arange(len(start)), end] - how.k  # so many count in front of the last k
    pairs = zip(counted, before, strict=True)
    reached = np.array([np.searchsorted(row, count, side="right") - 1 for row, count in pairs])
    first: np.ndarray = np.maximum(start, reached)
    return first


def _pool_values(x: Tensor, within: Tensor, how: Pooling) -> Tensor:
    """Pool the site's own values `[texts, width, d_in]` to `[texts, d_in]`, before encoding."""
    if how.kind == "max":
        return x.masked_fill(~within[:, :, None], -torch.inf).amax(dim=1)
    weights = within.float()
    if how.kind != "sum":
        weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights[:, None] @ x)[:, 0]


def _pool(
    site: _Site, start: np.ndarray, end: np.ndarray, how: Pooling
) -> tuple[np.ndarray, np.ndarray]:
    """Pool the activations of each text from position `start` to before `end`, or the last of them.

    Returns the features that fire, `[firing]`, and float32 `[texts, firing]`.
    """
    n, texts = len(start), np.arange(len(start))
    first = _first_pooled(site.counted, start, end, how)
    counts = site.counted[texts, end] - site.counted[texts, first]
    kept = (site.position >= first[site.text]) & (site.position < end[site.text])
    feature, text, activation = site.feature[kept], site.text[kept], site.activation[kept]
    changes = np.diff(feature, prepend=-1) != 0
    starts = np.flatnonzero(changes | (np.diff(text, prepend=-1) != 0))
    column = np.cumsum(changes)[starts] - 1
    feature, text = feature[starts], text[starts]
    table = np.zeros((n, int(changes.sum())), dtype=np.float32)
    if not len(starts):
        return feature, table
    if how.kind == "max":
        table[text, column] = np.maximum.reduceat(activation, starts)
    else:
        sums = np.add.reduceat(activation.astype(np.float64), starts)
        table[text, column] = sums if how.kind == "sum" else sums / counts[text]
    return feature[np.flatnonzero(np.diff(column, prepend=-1))], table


def _fired(matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    columns = np.unique(matrix.indices)
    return columns, matrix[:, columns].toarray()

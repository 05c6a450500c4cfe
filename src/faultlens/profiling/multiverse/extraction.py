"""Extraction: what every way of reading a corpus needs, taken in once and kept.

The tokens of the texts are not encoded again: what fires on them stands in the store that the
profile filled. Added are BOS, which is the same in every text, and padding: texts go through the
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

from faultlens.errors import UserError
from faultlens.features.encode import encode
from faultlens.features.lens import Lens
from faultlens.features.pooling import Pooling
from faultlens.features.reading_config import Long
from faultlens.features.store import ActivationStore
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
class Layout:
    """Where the texts lie in their padded rows: BOS at position 0, the text, then padding.

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

    def window(self, way: Way) -> tuple[np.ndarray, np.ndarray]:
        """Those of them that it pools, from the first to before the last, `[texts]` each."""
        first, last = self.span(way)
        how = Pooling.parse(way.pooling)
        return (np.maximum(first, last - how.k) if how.kind == "last" else first), last


@dataclass(frozen=True, eq=False)
class _Site:
    """What is kept of one dictionary: activations by feature, text and position; norms; residuals.

    Attributes:
        feature: of each activation, ascending, `[activations]`.
        text: ascending within a feature.
        position: in the padded row, ascending within a text.
        activation: above 0.
        norms: sums of the norms of the site's value up to each position, `[texts, widest + 1]`.
        encoded: by each way that pools first, its encoded values, CSR `[texts, d_sae]`.
    """

    feature: np.ndarray
    text: np.ndarray
    position: np.ndarray
    activation: np.ndarray
    norms: np.ndarray
    encoded: dict[Way, csr_matrix]


@dataclass(frozen=True, eq=False)
class Extraction:
    """A corpus as it was read once, to be pooled in any of the ways that were named."""

    layout: Layout
    sites: dict[str, _Site]

    def pooled(self, way: Way) -> dict[str, Pooled]:
        """The corpus read in one way, by dictionary."""
        first, last = self.layout.window(way)
        start, end = self.layout.span(way)
        texts = np.arange(len(first))
        found = {}
        for name, site in self.sites.items():
            norms = (site.norms[texts, end] - site.norms[texts, start]) / (end - start)
            if way.order == POOL_FIRST:
                columns, values = _fired(site.encoded[way])
            else:
                columns, values = _pool(site, first, last, Pooling.parse(way.pooling))
            found[name] = Pooled(columns, values, norms)
        return found


def extract(
    lens: Lens,
    texts: Sequence[str],
    store: ActivationStore,
    ways: Sequence[Way],
    long: Long,
    tick: Tick,
) -> Extraction:
    """Take in what `ways` need beyond the `store`, which holds the tokens of `texts`.

    Raises UserError for a text that does not fit into the context, unless `long` is `truncate`.
    """
    check_long(long)
    bos = int(lens.dictionaries[0].convention.prepend_bos)
    ids = [text.parts[0].tolist() for text in lens.tokenize(texts, long)]
    batches = [range(start, min(start + BATCH, len(ids))) for start in range(0, len(ids), BATCH)]
    lengths = np.array([len(row) for row in ids])
    widths = np.concatenate([np.full(len(rows), lengths[rows].max()) for rows in batches]) + bos
    layout = Layout(bos, lengths, widths)
    taken = {d.name: _Taken(d, layout, ways) for d in lens.dictionaries}
    for rows in batches:
        padded = lens.model.pad([[lens.model.bos_id] * bos + ids[row] for row in rows])
        values = lens.model.read(padded, list({d.site for d in lens.dictionaries}))
        for of_site in taken.values():
            of_site.take(values[of_site.dictionary.site].float(), rows)
        tick(len(rows))
    return Extraction(layout, {name: one.site(store) for name, one in taken.items()})


def check_long(long: Long) -> None:
    """Raises UserError for `split`: pieces of a text cannot be padded as the text is."""
    if long == "split":
        raise UserError(
            "the method study pads every text to the longest of its batch: expected --long error "
            "or truncate, got split"
        )


@dataclass(eq=False)
class _Taken:
    """What is taken in of one dictionary, batch by batch."""

    dictionary: Dictionary
    layout: Layout
    ways: Sequence[Way]
    fired: list[tuple[np.ndarray, ...]] = field(default_factory=list)  # as in `_Site`, unsorted
    norms: list[np.ndarray] = field(default_factory=list)
    residuals: dict[Way, list[Tensor]] = field(default_factory=dict)

    def take(self, x: Tensor, rows: range) -> None:
        """Take in the site's values of a batch, `[texts, width, d_in]`."""
        layout, n = self.layout, len(self.layout.lengths)
        ends = layout.lengths[rows] + layout.bos
        positions = np.arange(x.shape[1])
        text, position = (positions >= ends[:, None]).nonzero()
        if layout.bos and not self.fired:  # a causal model sees nothing but BOS there
            of_bos = encode(self.dictionary, x[:1, 0])
            fires, texts = np.repeat(of_bos.indices, n), np.tile(np.arange(n), of_bos.nnz)
            self.fired.append((fires, texts, np.zeros_like(texts), np.repeat(of_bos.data, n)))
        of_padding = encode(self.dictionary, x[text, position])
        at = np.repeat(np.arange(len(text)), np.diff(of_padding.indptr))
        found = of_padding.indices, rows.start + text[at], position[at], of_padding.data
        self.fired.append(found)
        self.norms.append(x.norm(dim=-1).cpu().numpy().astype(np.float64))
        for way in self.ways:
            if way.order == POOL_FIRST:
                first, last = (edge[rows, None] for edge in layout.window(way))
                within = torch.from_numpy((positions >= first) & (positions < last)).to(x.device)
                pooled = _pool_values(x, within, Pooling.parse(way.pooling))
                self.residuals.setdefault(way, []).append(pooled)

    def site(self, store: ActivationStore) -> _Site:
        """All that was taken in, with the tokens' own activations from `store`."""
        n = len(self.layout.lengths)
        tokens = store.firings(self.dictionary.name)
        of_tokens = tokens.feature, tokens.text, tokens.position + self.layout.bos
        self.fired.append((*of_tokens, tokens.activation))
        columns = [np.concatenate(column) for column in zip(*self.fired, strict=True)]
        shape = self.dictionary.d_sae, n, int(self.layout.widths.max())
        order = np.argsort(np.ravel_multi_index(tuple(columns[:3]), shape))
        norms = np.zeros((n, int(self.layout.widths.max()) + 1))
        start = 0
        for batch in self.norms:
            sums = np.cumsum(batch, axis=1)
            norms[start : start + len(batch), 1 : sums.shape[1] + 1] = sums
            start += len(batch)
        encoded = {
            way: encode(self.dictionary, torch.cat(parts)) for way, parts in self.residuals.items()
        }
        feature, text, position, activation = (column[order] for column in columns)
        return _Site(feature, text, position, activation, norms, encoded)


def _pool_values(x: Tensor, within: Tensor, how: Pooling) -> Tensor:
    """Pool the site's own values `[texts, width, d_in]` to `[texts, d_in]`, before encoding."""
    if how.kind == "max":
        return x.masked_fill(~within[:, :, None], -torch.inf).amax(dim=1)
    weights = within.float()
    if how.kind != "sum":
        weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights[:, None] @ x)[:, 0]


def _pool(
    site: _Site, first: np.ndarray, last: np.ndarray, how: Pooling
) -> tuple[np.ndarray, np.ndarray]:
    """Pool the activations of each text from position `first` to before `last`.

    Returns the features that fire, `[firing]`, and float32 `[texts, firing]`.
    """
    n = len(first)
    kept = (site.position >= first[site.text]) & (site.position < last[site.text])
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
        table[text, column] = sums if how.kind == "sum" else sums / (last - first)[text]
    return feature[np.flatnonzero(np.diff(column, prepend=-1))], table


def _fired(matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    columns = np.unique(matrix.indices)
    return columns, matrix[:, columns].toarray()

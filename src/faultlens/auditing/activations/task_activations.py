"""Task activations: a task as a model and its dictionaries see it, read once and encoded once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from faultlens.auditing.activations.alignment import NO_ROLE, TokenAlignment
from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.site_values import (
    SiteValues,
    audited_sites,
    fit_in_memory,
    spread,
)
from faultlens.auditing.activations.task_tokens import TaskTokens, by_length
from faultlens.corpus.task import Task
from faultlens.features.encoding_choice import renew_screens
from faultlens.features.lens import Lens
from faultlens.features.packing import pack
from faultlens.features.pooled_tables import PooledTables
from faultlens.features.pooling import Pooling
from faultlens.features.reading import Reader, ReadTexts, read_values, windows
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable
from faultlens.features.text_tokens import TextTokens
from faultlens.features.token_activations import EncodedTokens, TokenActivations
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Tick

MOST_BYTES = 2**31  # of all codes that are kept; of a larger task they are encoded when asked for


@dataclass(frozen=True, eq=False)
class TaskActivations:
    """What feature tests, ladder, interventions and attribution know of a task's tokens.

    The prompts are read in the shapes in which `Lens.read` reads texts, and each token is encoded
    by itself, so that the tables are those of `Lens.read`.

    Attributes:
        tokens: the task's.
        alignment: of its tokens.
        values: at the sites of all dictionaries; without any, at some of the lens's sites.
        tables: by dictionary, pooled over the tokens of each prompt; empty if none were asked for.
        reader: what the prompts were read with.
    """

    model: Model
    tokens: TaskTokens
    alignment: TokenAlignment
    values: SiteValues
    tables: Mapping[str, FeatureTable]
    reader: Reader = field(repr=False)
    _codes: Mapping[str, Codes] = field(repr=False)

    @classmethod
    @torch.no_grad()
    def read(
        cls,
        lens: Lens,
        task: Task,
        tokens: TaskTokens,
        *,
        pooling: str | None = None,
        alignment: TokenAlignment | None = None,
        progress: Tick | None = None,
        store: ActivationStore | None = None,
    ) -> TaskActivations:
        """Run the prompts once, and encode every token once.

        Args:
            lens: the model and the dictionaries.
            tokens: the task's.
            pooling: of the tables; None: there are none.
            alignment: of the tokens; None: by the factors of the task.
            progress: told how many prompts are read.
            store: takes in the prompts' token-level activations.

        Raises:
            UserError: an unknown pooling.
        """
        alignment = alignment or TokenAlignment.of(task, tokens)
        pooled = None
        if pooling is not None:
            how = Pooling.parse(pooling)
            pooled = PooledTables(
                lens.model, lens.dictionaries, how, fit_check=lens.fit_check, choice=lens.choice
            )
        run = _TaskReading(lens, tokens)
        for read in run.prompts():
            if pooled is not None:
                pooled.add(read)
            if store is not None:
                store.add(read)
            if progress is not None:
                progress(len(read.texts))
        texts = [prompt.text for prompt in task.prompts]
        return cls(
            lens.model, tokens, alignment, run.values(),
            {} if pooled is None else pooled.result(texts), run.reader, run.codes(alignment),
        )  # fmt: skip

    def prompt_rows(self, dictionary: Dictionary) -> list[np.ndarray]:
        """By prompt the rows of the dictionary's codes that are its own tokens, those that count.

        The start token is none of them, nor is what target and foil share after a prompt.
        """
        roles = self.codes(dictionary).roles
        starts = np.cumsum([0] + [len(row) for row in self.tokens.scored])[:-1]
        spans = [
            np.arange(start + self.tokens.n_start, start + len(row))
            for start, row in zip(starts, self.tokens.rows, strict=True)
        ]
        return [span[roles[span] != NO_ROLE] for span in spans]

    def mean_by_role(self, dictionary: Dictionary, prompts: np.ndarray) -> Tensor:
        """Mean value where a dictionary writes, over the tokens of each role in some prompts.

        A role that none of them has takes the mean over all their tokens that count. Of the codes'
        tokens and roles; `[roles, d]`.
        """
        codes, site = self.codes(dictionary), dictionary.target
        sums = torch.zeros(codes.n_roles, dictionary.W_dec.shape[1])
        counts = torch.zeros(codes.n_roles)
        for batch in by_length([self.tokens.scored[i] for i in prompts]):
            chosen = [int(prompts[i]) for i in batch]
            values = self.values.of(chosen)[site].cpu()
            for place, prompt in enumerate(chosen):
                roles = torch.from_numpy(codes.roles[codes.rows_of(prompt)])
                counted = roles != NO_ROLE
                sums.index_add_(0, roles[counted], values[place, : len(roles)][counted])
                counts += torch.bincount(roles[counted], minlength=codes.n_roles)
        means = sums / counts.clamp(min=1)[:, None]
        means[counts == 0] = sums.sum(dim=0) / counts.sum()
        return means.to(self.model.device)

    def codes(self, dictionary: Dictionary) -> Codes:
        """The dictionary's activations at every token."""
        if dictionary.name in self._codes:
            return self._codes[dictionary.name]
        encoded, n = _Encoded(dictionary), self.tokens.n_start
        for batch in by_length(self.tokens.scored):
            x = self.values.of(batch)[dictionary.site]
            real = [x[place, n : len(self.tokens.scored[i])] for place, i in enumerate(batch)]
            ids = np.concatenate([self.tokens.scored[i][n:] for i in batch])
            read = torch.cat(real)
            encoded.add(batch, read, self.reader.encode(dictionary, read, ids))
        return encoded.codes(self.tokens, self.alignment)


class _TaskReading:
    """One pass over a task's prompts, and what is kept of it."""

    def __init__(self, lens: Lens, tokens: TaskTokens) -> None:
        self._lens, self._tokens = lens, tokens
        self._sites = audited_sites(lens.dictionaries) or spread(lens.sites)
        own = [TextTokens((np.array(row[tokens.n_start :], np.int32),)) for row in tokens.scored]
        shapes = lens.shapes(own)
        if shapes.encoding != "plain":  # the same bits, whatever was read before
            renew_screens(lens.dictionaries, shapes.encoding, lens.first_values(own, shapes))
        self.reader = lens.reader(shapes)
        self._kept: dict[Site, list[Tensor]] | None = None
        if fit_in_memory(lens.model, tokens, self._sites):
            self._kept = {site: [torch.empty(0)] * len(tokens.scored) for site in self._sites}
        self._encoded: dict[str, _Encoded] | None = {
            dictionary.name: _Encoded(dictionary) for dictionary in lens.dictionaries
        }

    def prompts(self) -> Iterator[ReadTexts]:
        """The prompts' tokens as the dictionaries see them, without the start token."""
        own_bos = self._tokens.own_bos
        for prompts, values in self._passes():
            lengths = [len(self._tokens.scored[i]) for i in prompts]
            if self._kept is not None:
                for site in self._sites:
                    for i, value in zip(prompts, torch.split(values[site], lengths), strict=True):
                        self._kept[site][i] = value
            begin = sum(own_bos[i] for i in prompts) if own_bos else 0
            yield ReadTexts(tuple(prompts), begin, self._activations(prompts, lengths, values))

    def values(self) -> SiteValues:
        """The values, where they are few enough to be kept."""
        return SiteValues(self._lens.model, self._tokens, self._sites, self._kept)

    def codes(self, alignment: TokenAlignment) -> dict[str, Codes]:
        """By dictionary, its activations, where they are few enough to be kept."""
        if self._encoded is None:
            return {}
        return {
            name: encoded.codes(self._tokens, alignment) for name, encoded in self._encoded.items()
        }

    def _passes(self) -> Iterator[tuple[list[int], dict[Site, Tensor]]]:
        """Pass by pass some prompts and the values at all tokens, start tokens included."""
        shapes = self.reader.shapes
        texts = [TextTokens((np.array(row, dtype=np.int32),)) for row in self._tokens.scored]
        for start, end in windows([len(text) for text in texts]):
            lengths = [[len(text)] for text in texts[start:end]]
            for packed in pack(lengths, 0, shapes.budget, shapes.row):
                prompts = [start + text for text in packed.texts]
                mine = [texts[i] for i in prompts]
                for values in read_values(self._lens.model, self._sites, packed, mine, []):
                    yield prompts, values

    def _activations(
        self, prompts: Sequence[int], lengths: Sequence[int], values: Mapping[Site, Tensor]
    ) -> dict[str, TokenActivations]:
        """Encode one pass, and keep the codes while they are few enough."""
        n_start = self._tokens.n_start
        position = np.concatenate([np.arange(n) for n in lengths])
        of_prompt = np.repeat([len(self._tokens.rows[i]) for i in prompts], lengths)
        of_text = torch.from_numpy(position >= n_start)
        said = (position < of_prompt)[position >= n_start]  # not what target and foil share
        ids = np.concatenate([self._tokens.scored[i][n_start:] for i in prompts])
        own = np.array([len(self._tokens.rows[i]) - n_start for i in prompts])
        found = {}
        for dictionary in self._lens.dictionaries:
            x = values[dictionary.site]
            x = x[of_text.to(x.device)]
            tokens = self.reader.encode(dictionary, x, ids)
            if self._encoded is not None:
                self._encoded[dictionary.name].add(prompts, x, tokens)
            found[dictionary.name] = tokens.take(said).of_texts(own)
        if self._encoded is not None and self._bytes() > MOST_BYTES:
            self._encoded = None
        return found

    def _bytes(self) -> int:
        assert self._encoded is not None
        return sum(encoded.n_bytes for encoded in self._encoded.values())


class _Encoded:
    """One dictionary's activations, taken in pass by pass."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._prompts: list[int] = []
        self._matrices: list[csr_matrix] = []
        self._counts: list[np.ndarray] = []
        self._scales: list[np.ndarray] = []
        self.n_bytes = 0

    def add(self, prompts: Sequence[int], x: Tensor, tokens: EncodedTokens) -> None:
        """Take in some prompts.

        Args:
            x: what the dictionary reads at their tokens but the start token, `[tokens, d_in]`.
            tokens: these tokens, encoded.
        """
        matrix = tokens.every_token
        self._prompts.extend(prompts)
        self._matrices.append(matrix)
        self._counts.append(tokens.counts)
        self._scales.append(self._dictionary.scale(x).expand(len(x), 1).flatten().cpu().numpy())
        self.n_bytes += matrix.data.nbytes + matrix.indices.nbytes

    def codes(self, tokens: TaskTokens, alignment: TokenAlignment) -> Codes:
        """All prompts' activations in the order of the task.

        The start token and the tokens that do not count have empty rows, and no role.
        """
        lengths = np.array([len(row) for row in tokens.scored])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        order = np.array(self._prompts)
        # Where each token that was taken in stands among all rows; the others stand in front.
        first = starts + tokens.n_start
        rows = np.concatenate([np.arange(first[i], starts[i + 1]) for i in order])
        stacked = csr_matrix(vstack(self._matrices, format="csr"))
        in_order = csr_matrix(stacked[np.argsort(rows)])
        firing = np.zeros(starts[-1], dtype=np.int64)
        firing[np.sort(rows)] = np.diff(in_order.indptr)
        matrix = csr_matrix(
            (in_order.data, in_order.indices, np.concatenate([[0], np.cumsum(firing)])),
            shape=(starts[-1], self._dictionary.d_sae),
        )
        scale: np.ndarray = np.ones(starts[-1], dtype=np.float32)
        scale[rows] = np.concatenate(self._scales)
        roles = np.concatenate(alignment.roles)
        roles[rows[~np.concatenate(self._counts)]] = NO_ROLE
        return Codes(matrix, starts, roles, alignment.n_roles, scale)

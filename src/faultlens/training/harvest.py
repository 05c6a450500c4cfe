"""Harvest: the values at every site of a run, from one pass of the model over a stretch of tokens.

Pieces share rows, as in reading; BOS goes before each piece and is left out, and so are tokens with
massive norms, which would be most of a loss that is a sum of squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.features.packing import ROW, lay_out, plan
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.training.stream import Span, TokenStream

PASS_TOKENS = 4096  # positions of a pass; the model's weights are read once for all of them
MASSIVE = 10.0  # times the median norm at a site, beyond which a token is left out


@dataclass(frozen=True, eq=False)
class Harvest:
    """A model, the sites of a run, and whether BOS goes before each piece."""

    model: Model
    sites: tuple[Site, ...]
    prepend_bos: bool = True

    def block(self, stream: TokenStream, start: int, count: int) -> dict[Site, Tensor]:
        """The values at tokens `start` to `start + count` of a stream, shuffled.

        Returns:
            float32 `[count, d]` by site, rows in one random order for all sites, which `start`
            and the stream's seed decide.
        """
        generator = torch.Generator().manual_seed(_seed(stream.seed, start))
        places = torch.randperm(count, generator=generator)
        return self.read(stream.pieces, stream.spans(start, count), places)

    def read(
        self, pieces: Sequence[np.ndarray], spans: Sequence[Span], places: Tensor | None = None
    ) -> dict[Site, Tensor]:
        """The values at the tokens of some spans, float32 `[tokens, d]` by site.

        Args:
            pieces: token ids of every piece, without BOS.
            spans: which tokens of which pieces.
            places: the row of the n-th token read, `[tokens]`: written there at once, so that
                nothing is held twice. None: as they come.
        """
        whole = [pieces[span.piece][: span.last] for span in spans]  # what comes after is not seen
        bos = [self.model.bos_id] if self.prepend_bos else []
        row = min(ROW, self.model.context) if self.model.packs else 0
        total = sum(span.last - span.first for span in spans)
        device = self.model.device
        found = {
            site: torch.empty(total, self.model.width(site), device=device) for site in self.sites
        }
        done = 0
        lengths = [[len(ids)] for ids in whole]
        for group in plan(lengths, len(bos), PASS_TOKENS, row):
            (one,) = group.passes
            parts = [whole[index] for index in group.texts]
            layout = lay_out(one, parts, bos)
            ids, positions = (
                torch.from_numpy(array).to(device) for array in (layout.ids, layout.positions)
            )
            shared = any(len(line) > 1 for line in one.rows)
            values = self.model.read(ids, self.sites, positions if shared else None)
            wanted = np.concatenate(
                [
                    np.arange(len(ids)) >= spans[i].first
                    for i, ids in zip(group.texts, parts, strict=True)
                ]
            )
            line, column = (
                torch.from_numpy(at[wanted]).to(device) for at in (layout.line, layout.column)
            )
            rows = (
                torch.arange(done, done + len(line))
                if places is None
                else places[done:][: len(line)]
            )
            for site in self.sites:
                found[site][rows.to(device)] = values[site][line, column]
            done += len(line)
        return found


def _seed(seed: int, start: int) -> int:
    """A seed for torch that both numbers decide."""
    return int(np.random.default_rng([seed, start]).integers(2**62))


@dataclass(frozen=True)
class InputScale:
    """What is known of a site's values before anything is learnt from them.

    Attributes:
        factor: values times this have mean norm `sqrt(d)`, as SAELens scales them.
        mean: of the values, `[d]`.
        largest: the norm beyond which a token is massive.
    """

    factor: float
    mean: Tensor
    largest: float

    @classmethod
    def of(cls, values: Tensor) -> InputScale:
        """From a first block, `[tokens, d]`; massive tokens do not count."""
        norms = values.norm(dim=-1)
        largest = MASSIVE * float(norms.median())
        usual = norms <= largest
        mean_norm = float(norms[usual].double().mean())
        factor = values.shape[1] ** 0.5 / mean_norm if mean_norm > 0 else 1.0
        return cls(factor, values[usual].mean(dim=0), largest)

    def usual(self, values: Tensor) -> Tensor:
        """Which tokens are not massive, boolean `[tokens]`."""
        found: Tensor = values.norm(dim=-1) <= self.largest
        return found


def usual_everywhere(scales: Mapping[Site, InputScale], values: Mapping[Site, Tensor]) -> Tensor:
    """Tokens that are massive at none of the sites, boolean `[tokens]`."""
    found = [scales[site].usual(value) for site, value in values.items()]
    return torch.stack(found).all(dim=0)

"""One step of learning where few features fire: SAELens's TopK loss and gradients, sparsely.

SAELens multiplies a dense `[tokens, d_sae]` matrix of activations with the decoder, forwards and
backwards. Here only the rows of features that fire are touched. The loss is the same,

    L = mean over tokens of ‖y − ŷ‖² + aux,      ŷ = Σ_f c_f · W_dec[f] + b_dec (+ W_skip x),

with `c_f` the pre-activation `w_f · x + b_f` of a selected feature, not below 0. SAELens selects by
`c_f · ‖W_dec[f]‖` and divides by that norm again where it decodes, so that the norm decides who is
selected and cancels in every gradient. `aux` lets dead features rebuild what the others left over
(Gao et al. 2024, appendix A.2), as in SAELens.

The one dense product is the encoder's. In bfloat16 it only proposes candidates, `k` and some more;
selection among those, values, loss and gradients are float32. A feature that rounding puts behind
all candidates is not selected: its strength is then within bfloat16's rounding of the weakest one.
The products of `aux`, which has only to bring dead features back, are then in bfloat16 as well,
their sums over tokens in float32.

Nothing here depends on the order in which a device happens to add: the same batch gives the same
gradients, bit for bit, on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from faultlens.training.reading import StepReading

SPARE = 8  # candidates a token beyond k, among which rounding in bfloat16 may have put the k-th
SPARE_SHARE = 1.25  # of the candidates of a batch, likewise
CHUNK_CPU = 1024  # rows of a matrix of all features that a processor holds at once
GROUPS = (8, 16, 32)  # features of a group, by whose largest strength it is looked into or not
STRETCH = 64  # rows that one thread of a GPU adds, one after another
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, eq=False)
class Selection:
    """Which features are selected at which tokens, and their pre-activations.

    Attributes:
        features: the tokens' features, one token after another, `[selected]`.
        starts: where each token's begin, `[tokens]`.
        pre: `w_f · x + b_f`, float32 `[selected]`.
    """

    features: Tensor
    starts: Tensor
    pre: Tensor

    def tokens(self) -> Tensor:
        """The token of each selected feature, `[selected]`."""
        return _owners(self.starts, len(self.features))


@dataclass(frozen=True)
class SparseStep:
    """Computes the loss of a TopK or BatchTopK training SAE, and puts gradients into its fields.

    Attributes:
        sae: SAELens's training SAE; its parameters are read, their `grad` written.
        k: features selected a token.
        over_batch: whether `k` is the mean over the batch (BatchTopK) or exact (TopK).
        coarse: whether candidates come from a product in bfloat16.
        skip: of a skip transcoder, `[d_in, d_out]`.
    """

    sae: Any
    k: int
    over_batch: bool
    coarse: bool
    skip: Tensor | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor, target: Tensor, dead: Tensor) -> StepReading:
        """One batch.

        Args:
            x: scaled input, float32 `[tokens, d_in]`.
            target: what is to be rebuilt, `[tokens, d_out]`; `x` itself for an SAE.
            dead: which features have not fired for long, boolean `[d_sae]`.
        """
        sae = self.sae
        takes_bias = bool(sae.cfg.apply_b_dec_to_input)
        inputs = x - sae.b_dec if takes_bias else x
        encoder, norms = sae.W_enc.T, sae.W_dec.norm(dim=1)
        chosen = self._select(inputs, encoder, norms)
        values = torch.relu(chosen.pre)
        rebuilt = _weighted_sum(sae.W_dec, chosen.features, chosen.starts, values)
        rebuilt += sae.b_dec
        if self.skip is not None:
            rebuilt += x @ self.skip
        error = rebuilt.sub_(target)
        slope = error * (2 / len(x))

        fires = chosen.pre > 0
        gradient = _products(slope, sae.W_dec, chosen.features, chosen.starts)
        gradient = torch.where(fires, gradient, 0.0)
        places = _Transposed.of(chosen, sae.cfg.d_sae)
        decoder_grad = places.sum_over_tokens(values, slope)
        encoder_grad = places.sum_over_tokens(gradient, inputs)
        bias_grad = places.sum(gradient)
        extra = 0.0
        if bool(dead.any()):
            extra = self._revive(inputs, -error, dead, norms, decoder_grad, encoder_grad, bias_grad)

        sae.W_dec.grad = decoder_grad
        sae.W_enc.grad = encoder_grad.T
        sae.b_enc.grad = bias_grad
        sae.b_dec.grad = slope.sum(dim=0)
        if takes_bias:
            sae.b_dec.grad -= encoder.T @ bias_grad
        if self.skip is not None:
            self.skip.grad = x.T @ slope
        fired = places.sum(fires.float()) > 0
        squares, firings = torch.stack([_squares(error), fires.sum()]).tolist()
        return StepReading(squares / len(x) + extra, squares, int(firings), fired)

    def _select(self, inputs: Tensor, encoder: Tensor, norms: Tensor) -> Selection:
        """The features that decide, with exact pre-activations."""
        sae = self.sae
        weights, bias = _rows_times(encoder, norms, self._coarsely), sae.b_enc * norms
        features, starts, found = self._strongest(inputs, weights, bias.to(self._coarsely))
        del weights
        if not self.coarse:
            # Divided, not computed anew: the same numbers but for the last bit.
            return Selection(features, starts, found / norms[features].clamp(min=TINY))
        pre = _products(inputs, encoder, features, starts) + sae.b_enc[features]
        return self._refined(features, starts, pre, norms)

    @property
    def _coarsely(self) -> torch.dtype:
        """What the encoder's product is computed in."""
        return torch.bfloat16 if self.coarse else torch.float32

    def _strongest(
        self, inputs: Tensor, weights: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features, starts and strengths of the largest, a token or over the batch."""
        tokens, d_sae = len(inputs), len(weights)
        if self.over_batch:
            strengths = torch.addmm(bias, inputs.to(bias.dtype), weights.T).flatten()
            share = SPARE_SHARE if self.coarse else 1
            flat = _largest(strengths, min(int(self.k * tokens * share), tokens * d_sae))
            return flat % d_sae, _starts(flat // d_sae, tokens), strengths[flat]
        k = min(self.k + (SPARE if self.coarse else 0), d_sae)
        features, found = [], []
        for part in torch.split(inputs, _chunk(inputs)):  # a token's depend on that token alone
            strengths = torch.addmm(bias, part.to(bias.dtype), weights.T)
            features.append(_largest_of_rows(strengths, k))
            found.append(strengths.gather(1, features[-1]))
        starts = torch.arange(tokens, device=inputs.device) * k
        return torch.cat(features).flatten(), starts, torch.cat(found).flatten()

    def _refined(self, features: Tensor, starts: Tensor, pre: Tensor, norms: Tensor) -> Selection:
        """Of candidates, those that are selected by their exact strength."""
        strengths = pre * norms[features]
        tokens = len(starts)
        if self.over_batch:
            kept = _largest(strengths, min(self.k * tokens, len(strengths)))
            owners = _owners(starts, len(features))[kept]
            return Selection(features[kept], _starts(owners, tokens), pre[kept])
        by_token = strengths.view(tokens, -1)
        k = min(self.k, by_token.shape[1])
        kept = (by_token.topk(k, dim=1, sorted=False).indices + starts[:, None]).flatten()
        return Selection(features[kept], torch.arange(tokens, device=starts.device) * k, pre[kept])

    def _revive(
        self,
        inputs: Tensor,
        residual: Tensor,
        dead: Tensor,
        norms: Tensor,
        decoder_grad: Tensor,
        encoder_grad: Tensor,
        bias_grad: Tensor,
    ) -> float:
        """Adds the auxiliary loss's gradients, and returns that loss.

        Its products are coarse where the encoder's is.
        """
        sae, places = self.sae, dead.nonzero().flatten()
        most = residual.shape[1] // 2
        scale = min(len(places) / most, 1.0) * float(sae.cfg.aux_loss_coefficient)
        kind = self._coarsely
        encoder, decoder = sae.W_enc.T[places].to(kind), sae.W_dec[places].to(kind)
        bias, strength = sae.b_enc[places].to(kind), norms[places].to(kind)
        to_decoder = torch.zeros(decoder.shape, device=decoder.device)
        to_encoder = torch.zeros(encoder.shape, device=encoder.device)
        to_bias, squares = torch.zeros_like(bias_grad[places]), 0.0
        size = _chunk(inputs)
        for wide, left in zip(torch.split(inputs, size), torch.split(residual, size), strict=True):
            x = wide.to(kind)
            pre = torch.addmm(bias, x, encoder.T)
            chosen = None
            if len(places) > most:
                strongest = _strongest_of_many(pre * strength, most)
                chosen = torch.zeros_like(pre).scatter_(1, strongest, 1.0)
                pre *= chosen
            error = pre @ decoder - left
            slope = (error * (2 * scale / len(inputs))).to(kind)
            to_decoder += pre.T @ slope
            back = torch.mm(slope, decoder.T, out=pre)
            if chosen is not None:
                back *= chosen
            to_encoder += back.T @ x
            to_bias += back.sum(dim=0, dtype=torch.float32)
            squares += float(_squares(error))
        decoder_grad[places] += to_decoder
        encoder_grad[places] += to_encoder
        bias_grad[places] += to_bias
        return scale * squares / len(inputs)


@dataclass(frozen=True, eq=False)
class _Transposed:
    """The same selection, feature by feature."""

    order: Tensor
    tokens: Tensor
    counts: Tensor
    starts: Tensor

    @classmethod
    def of(cls, chosen: Selection, d_sae: int) -> _Transposed:
        order = torch.argsort(chosen.features, stable=True)
        counts = torch.bincount(chosen.features, minlength=d_sae)
        return cls(order, chosen.tokens()[order], counts, torch.cumsum(counts, 0) - counts)

    def sum_over_tokens(self, weights: Tensor, rows: Tensor) -> Tensor:
        """`Σ_t weights[t, f] · rows[t]` for every feature, `[d_sae, d]`."""
        weights = weights[self.order]
        if not rows.is_cuda:
            return _weighted_sum(rows, self.tokens, self.starts, weights)
        # One thread adds a stretch, and some features fire on most tokens: those are cut.
        cuts = torch.arange(0, len(weights), STRETCH, device=rows.device)
        starts = torch.cat([self.starts, cuts]).sort(stable=True).values
        parts = _weighted_sum(rows, self.tokens, starts, weights)
        firsts = torch.searchsorted(starts, self.starts)
        places = torch.arange(len(starts), device=rows.device)
        return embedding_bag(places, parts, firsts, mode="sum")

    def sum(self, values: Tensor) -> Tensor:
        """`Σ_t values[t, f]` for every feature, `[d_sae]`."""
        return torch.segment_reduce(
            values[self.order], "sum", lengths=self.counts, unsafe=True, initial=0.0
        )


def _weighted_sum(rows: Tensor, indices: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """`Σ weights[i] · rows[indices[i]]` over each stretch of indices."""
    return embedding_bag(indices, rows, starts, mode="sum", per_sample_weights=weights)


def _products(left: Tensor, rows: Tensor, indices: Tensor, starts: Tensor) -> Tensor:
    """`left[t] · rows[i]` for the indices `i` of every stretch `t`: a sum's weights' gradient.

    PyTorch's operator for that gradient, without the sum that autograd would compute first.
    """
    owners = _owners(starts, len(indices))
    gradient = torch.ops.aten._embedding_bag_per_sample_weights_backward
    found: Tensor = gradient(left, rows, indices, starts, owners, 0)  # 0: of a sum
    return found


def _rows_times(rows: Tensor, factors: Tensor, dtype: torch.dtype) -> Tensor:
    """`rows[i] · factors[i]`, rounded to a type."""
    found = torch.empty(rows.shape, dtype=dtype, device=rows.device)
    parts = (torch.split(tensor, _chunk(rows)) for tensor in (found, rows, factors))
    for into, part, by in zip(*parts, strict=True):
        into.copy_(part * by[:, None])
    return found


def _chunk(rows: Tensor) -> int:
    """How many rows are worked on at once: on a GPU all of them."""
    return len(rows) if rows.is_cuda else CHUNK_CPU


def _largest_of_rows(values: Tensor, count: int) -> Tensor:
    """Columns of the `count` largest values of each row, in any order.

    They are in the `count` groups of columns with the largest maxima, so that most values are
    looked at once.
    """
    tokens, columns = values.shape
    sizes = [size for size in GROUPS if columns % size == 0 and columns > size * count]
    size = min(sizes, key=lambda size: columns // size + count * size, default=1)
    groups = columns // size
    if groups + count * size > columns / 2:  # nothing is gained
        return values.topk(count, dim=1, sorted=False).indices
    grouped = values.view(tokens, size, groups)
    chosen = grouped.amax(dim=1).topk(count, dim=1, sorted=False).indices
    left = grouped.gather(2, chosen[:, None, :].expand(tokens, size, count)).flatten(1)
    places = left.topk(count, dim=1, sorted=False).indices
    return chosen.gather(1, places % count) + places // count * groups


def _strongest_of_many(values: Tensor, count: int) -> Tensor:
    """Columns of the `count` largest values of each row, where that is a good part of them.

    On a processor NumPy's partition takes a third of the time of PyTorch's `topk`.
    """
    if values.is_cuda:
        return values.topk(count, dim=1, sorted=False).indices
    order = np.argpartition(values.float().numpy(), -count, axis=1)
    return torch.from_numpy(order[:, -count:])


def _largest(values: Tensor, count: int) -> Tensor:
    """Places of the `count` largest values, ascending."""
    if count >= len(values):
        return torch.arange(len(values), device=values.device)
    return values.topk(count, sorted=False).indices.sort().values


def _starts(owners: Tensor, count: int) -> Tensor:
    """Where the stretch of each of `count` owners begins, the owners being sorted."""
    return torch.searchsorted(owners, torch.arange(count, device=owners.device))


def _owners(starts: Tensor, total: int) -> Tensor:
    """The stretch that each of `total` places belongs to."""
    ends = torch.cat([starts[1:], starts.new_tensor([total])])
    return torch.repeat_interleave(
        torch.arange(len(starts), device=starts.device), ends - starts, output_size=total
    )


def _squares(values: Tensor) -> Tensor:
    """`Σ values²`, without a copy of all squares."""
    flat = values.flatten()
    return flat.dot(flat)

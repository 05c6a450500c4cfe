"""One step of learning where few features fire: SAELens's TopK loss and gradients, sparsely.

SAELens multiplies a dense `[tokens, d_sae]` matrix of activations with the decoder, forwards and
backwards. Here only the rows of features that fire are touched. The loss is the same,

    L = mean over tokens of ‖y − ŷ‖² + aux,      ŷ = Σ_f c_f · W_dec[f] + b_dec (+ W_skip x),

with `c_f` the pre-activation `w_f · x + b_f` of a selected feature, not below 0. SAELens selects by
`c_f · ‖W_dec[f]‖` and divides by that norm again where it decodes, so that the norm decides who is
selected and cancels in every gradient. `aux` lets dead features rebuild what the others left over
(Gao et al. 2024, appendix A.2), as in SAELens.

The one dense product is the encoder's. In bfloat16 it only proposes candidates; selection, values,
loss and gradients are float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from faultlens.training.reading import StepReading

SPARE = 8  # candidates a token beyond k, among which rounding in bfloat16 may have put the k-th
SPARE_SHARE = 1.25  # of the candidates of a batch, likewise


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
        ends = torch.cat([self.starts[1:], self.starts.new_tensor([len(self.features)])])
        return torch.repeat_interleave(
            torch.arange(len(self.starts), device=self.starts.device), ends - self.starts
        )


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
        rebuilt = _weighted_sum(sae.W_dec, chosen.features, chosen.starts, values) + sae.b_dec
        if self.skip is not None:
            rebuilt += x @ self.skip
        error = rebuilt - target
        squares = float((error**2).sum())
        slope = error * (2 / len(x))

        gradient = _products(slope, sae.W_dec, chosen.features, chosen.starts)
        gradient = torch.where(chosen.pre > 0, gradient, 0.0)
        places = _Transposed.of(chosen, sae.cfg.d_sae)
        decoder_grad = places.sum_over_tokens(values, slope)
        encoder_grad = places.sum_over_tokens(gradient, inputs)
        bias_grad = torch.zeros_like(sae.b_enc).index_add_(0, chosen.features, gradient)
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
        fires = chosen.pre > 0
        fired = torch.zeros(sae.cfg.d_sae, dtype=torch.bool, device=x.device)
        fired[chosen.features[fires]] = True
        return StepReading(squares / len(x) + extra, squares, int(fires.sum()), fired)

    def _select(self, inputs: Tensor, encoder: Tensor, norms: Tensor) -> Selection:
        """The features that decide, with exact pre-activations."""
        sae = self.sae
        if not self.coarse:
            pre = torch.addmm(sae.b_enc, inputs, encoder.T)
            features, starts = self._strongest(pre * norms)
            tokens = torch.repeat_interleave(
                torch.arange(len(inputs), device=inputs.device), _counts(starts, len(features))
            )
            return Selection(features, starts, pre[tokens, features])
        rough = inputs.bfloat16() @ encoder.bfloat16().T
        rough = (rough + sae.b_enc.bfloat16()) * norms.bfloat16()
        features, starts = self._strongest(rough, spare=True)
        pre = _products(inputs, encoder, features, starts) + sae.b_enc[features]
        return self._refined(features, starts, pre, norms)

    def _strongest(self, strengths: Tensor, spare: bool = False) -> tuple[Tensor, Tensor]:
        """Features and starts of the largest strengths, a token or over the batch."""
        tokens, d_sae = strengths.shape
        if not self.over_batch:
            k = min(self.k + (SPARE if spare else 0), d_sae)
            features = strengths.topk(k, dim=1, sorted=False).indices.sort(dim=1).values
            return features.flatten(), torch.arange(tokens, device=strengths.device) * k
        wanted = min(int(self.k * tokens * (SPARE_SHARE if spare else 1)), tokens * d_sae)
        flat = _largest(strengths.flatten(), wanted)
        return flat % d_sae, torch.searchsorted(
            flat // d_sae, torch.arange(tokens, device=flat.device)
        )

    def _refined(self, features: Tensor, starts: Tensor, pre: Tensor, norms: Tensor) -> Selection:
        """Of candidates, those that are selected by their exact strength."""
        strengths = pre * norms[features]
        tokens = len(starts)
        if self.over_batch:
            kept = _largest(strengths, min(self.k * tokens, len(strengths)))
            found = torch.repeat_interleave(
                torch.arange(tokens, device=starts.device), _counts(starts, len(features))
            )[kept]
            return Selection(
                features[kept],
                torch.searchsorted(found, torch.arange(tokens, device=starts.device)),
                pre[kept],
            )
        by_token = strengths.view(tokens, -1)
        k = min(self.k, by_token.shape[1])
        kept = by_token.topk(k, dim=1, sorted=False).indices.sort(dim=1).values
        kept = (kept + starts[:, None]).flatten()
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
        """Adds the auxiliary loss's gradients, and returns that loss."""
        sae, places = self.sae, dead.nonzero().flatten()
        most = residual.shape[1] // 2
        scale = min(len(places) / most, 1.0) * float(sae.cfg.aux_loss_coefficient)
        encoder, decoder = sae.W_enc.T[places], sae.W_dec[places]
        pre = torch.addmm(sae.b_enc[places], inputs, encoder.T)
        if len(places) > most:
            strongest = (pre * norms[places]).topk(most, dim=1, sorted=False).indices
            chosen = torch.zeros_like(pre, dtype=torch.bool).scatter_(1, strongest, True)
            pre = torch.where(chosen, pre, 0.0)
        error = pre @ decoder - residual
        slope = error * (2 * scale / len(inputs))
        back = slope @ decoder.T
        if len(places) > most:
            back = torch.where(chosen, back, 0.0)
        decoder_grad[places] += pre.T @ slope
        encoder_grad[places] += back.T @ inputs
        bias_grad[places] += back.sum(dim=0)
        return scale * float((error**2).sum()) / len(inputs)


@dataclass(frozen=True, eq=False)
class _Transposed:
    """The same selection, feature by feature."""

    order: Tensor
    tokens: Tensor
    starts: Tensor

    @classmethod
    def of(cls, chosen: Selection, d_sae: int) -> _Transposed:
        order = torch.argsort(chosen.features, stable=True)
        counts = torch.bincount(chosen.features, minlength=d_sae)
        return cls(order, chosen.tokens()[order], torch.cumsum(counts, 0) - counts)

    def sum_over_tokens(self, weights: Tensor, rows: Tensor) -> Tensor:
        """`Σ_t weights[t, f] · rows[t]` for every feature, `[d_sae, d]`."""
        return _weighted_sum(rows, self.tokens, self.starts, weights[self.order])


def _weighted_sum(rows: Tensor, indices: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """`Σ weights[i] · rows[indices[i]]` over each stretch of indices."""
    return embedding_bag(indices, rows, starts, mode="sum", per_sample_weights=weights)


def _products(left: Tensor, rows: Tensor, indices: Tensor, starts: Tensor) -> Tensor:
    """`left[t] · rows[i]` for the indices `i` of every stretch `t`: a sum's weights' gradient."""
    with torch.enable_grad():
        weights = torch.zeros(len(indices), device=left.device, requires_grad=True)
        total = _weighted_sum(rows.detach(), indices, starts, weights)
        (found,) = torch.autograd.grad(total, weights, left)
    return found


def _largest(values: Tensor, count: int) -> Tensor:
    """Places of the `count` largest values, ascending."""
    if count >= len(values):
        return torch.arange(len(values), device=values.device)
    return values.topk(count, sorted=False).indices.sort().values


def _counts(starts: Tensor, total: int) -> Tensor:
    ends = torch.cat([starts[1:], starts.new_tensor([total])])
    return ends - starts

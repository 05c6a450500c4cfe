"""Dictionary: the tensors and the convention of one sparse autoencoder or transcoder, frozen.

Whatever a dictionary's file says about its input and its scale is folded into the tensors once,
when it is loaded, so that everything downstream is `encode`: an affine map and an activation, and
`decode`: another affine map. What differs from token to token (see `normalisation`) and what only
SAELens can encode (see `Encoder`) are the exceptions, and stay inside this class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from faultlens.models.normalisation import (
    UNSCALED,
    Normalisation,
    OneFactor,
    Unscaled,
    normalised,
)
from faultlens.models.sites import Site
from faultlens.models.sparse import product


class Activation(Protocol):
    """From pre-activations to activations, `[tokens, d_sae]` both; non-negative."""

    def __call__(self, pre: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Relu:
    """`max(pre, 0)`."""

    def __call__(self, pre: Tensor) -> Tensor:
        return torch.relu(pre)


@dataclass(frozen=True, eq=False)
class JumpRelu:
    """`pre` where it exceeds the feature's threshold, else 0 (Rajamanoharan et al. 2024)."""

    threshold: Tensor  # [d_sae]

    def __call__(self, pre: Tensor) -> Tensor:
        return torch.relu(pre) * (pre > self.threshold)


@dataclass(frozen=True)
class TopK:
    """The `k` largest pre-activations of each token, and of them the positive ones."""

    k: int

    def __call__(self, pre: Tensor) -> Tensor:
        values, places = pre.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(pre).scatter_(-1, places, torch.relu(values))


@dataclass(frozen=True, eq=False)
class Gated:
    """`max(scale · pre + shift, 0)` where `pre > 0`, else 0 (Rajamanoharan et al. 2024).

    The gate and the magnitude read one projection: `pre` is the gate's, and the magnitude's is
    `exp(r_mag) · (pre − b_gate) + b_mag`.
    """

    scale: Tensor  # [d_sae]: exp(r_mag)
    shift: Tensor  # [d_sae]: b_mag − exp(r_mag) · b_gate

    def __call__(self, pre: Tensor) -> Tensor:
        return torch.relu(pre * self.scale + self.shift) * (pre > 0)


def inverse(norm: Tensor) -> Tensor:
    """`1 / norm`, and 0 where the norm is 0: of a dead feature, which then never fires."""
    return torch.where(norm > 0, 1 / norm, torch.zeros_like(norm))


@dataclass(frozen=True, eq=False)
class ByDecoderNorm:
    """`activation(norm · pre) / norm`: SAELens's `rescale_acts_by_decoder_norm`, not folded.

    The decoder's norm decides with it which features are among the `k` largest, or above their
    threshold. Folded into the tensors it is the plain activation, in units of the norm.
    """

    activation: Activation
    norm: Tensor  # [d_sae]

    def __call__(self, pre: Tensor) -> Tensor:
        return self.activation(pre * self.norm) * inverse(self.norm)


class Encoder(Protocol):
    """An encoder that is no affine map and activation: `[tokens, d_in]` to `[tokens, d_sae]`."""

    def __call__(self, prepared: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Convention:
    """What was done to the input of a dictionary; part of every table that it produced."""

    prepend_bos: bool  # trained with BOS at position 0 (which pooling leaves out)
    centred: bool  # trained on residuals with their mean over d_model taken off
    value_bias_folded: bool = False  # at hook_z: trained on values without their bias
    normalisation: str = "none"  # of the input; a factor, where there is one, is folded in
    factor: float | None = None  # that factor
    decoder_norm: bool = False  # activations carry the decoder's norm, which is folded in
    start_token: str | None = None  # what stood in BOS's place, where that was another token
    given: tuple[str, ...] = ()  # the words that put it in force over what the file says

    def to_dict(self) -> dict[str, Any]:
        """For tables, manifest and report; only those that are not always the same."""
        rest = {
            "value_bias_folded": self.value_bias_folded,
            "normalisation": self.normalisation,
            "decoder_norm": self.decoder_norm,
            "start_token": self.start_token,
        }
        usual = {
            "value_bias_folded": False, "normalisation": "none", "decoder_norm": False,
            "start_token": None,
        }  # fmt: skip
        unusual = {name: value for name, value in rest.items() if value != usual[name]}
        return {"prepend_bos": self.prepend_bos, "centred": self.centred, **unusual}


@dataclass(frozen=True)
class Published:
    """What a dictionary's registry entry says of it; None where it says nothing."""

    l0: float | None = None
    variance_explained: float | None = None


NOT_PUBLISHED = Published()


@dataclass(frozen=True, eq=False)
class Dictionary:
    """One SAE: `activations = activation(prepare(x) @ W_enc + b_enc)`, `x̂ = a @ W_dec + b_dec`.

    A feature is written `NAME/INDEX`. `W_dec[f]` is the feature's direction in the units of the
    site, unless the dictionary normalises each token by itself: `raised` knows both.
    """

    name: str  # e.g. "3-res-mini"
    site: Site
    activation: Activation
    W_enc: Tensor  # [d_in, d_sae]
    b_enc: Tensor  # [d_sae]
    W_dec: Tensor  # [d_sae, d_out]
    b_dec: Tensor  # [d_out]
    convention: Convention
    source: str  # where it was loaded from
    digest: str  # SHA-256 of the weight file
    site_out: Site | None = None  # of a transcoder: where its reconstruction belongs
    W_skip: Tensor | None = None  # of a skip transcoder: [d_in, d_out]; past the normalisation
    normalisation: Normalisation = UNSCALED
    value_bias: Tensor | None = None  # taken off at hook_z, [d_in]
    encoder: Encoder | None = None  # in place of the affine map and the activation
    decoder_norm: Tensor | None = None  # that activations carry or could, [d_sae]
    published: Published = NOT_PUBLISHED
    neuronpedia: str | None = None  # what Neuronpedia calls it, `MODEL/NAME`
    threshold_unscaled: bool = False  # SAELens may have left it so when it folded a factor in

    def __post_init__(self) -> None:
        # A feature's weights lie side by side: what computes a few features reads no others, and a
        # product with all of them is as quick either way. (No copy where they lie so already.)
        object.__setattr__(self, "W_enc", self.W_enc.T.contiguous().T)

    @property
    def d_in(self) -> int:
        return self.W_enc.shape[0]

    @property
    def d_sae(self) -> int:
        return self.W_enc.shape[1]

    @property
    def target(self) -> Site:
        """The site whose value is reconstructed, and which a feature's direction is added to."""
        return self.site_out or self.site

    def prepare(self, x: Tensor) -> Tensor:
        """The dictionary's own input, `[..., d_in]`: centred, normalised, as it was trained."""
        return normalised(self.normalisation, self._centred(x))

    def plain_input(self, x: Tensor) -> Tensor:
        """The same before its normalisation, in the site's units."""
        return self._centred(x)

    def encode(self, x: Tensor) -> Tensor:
        """Dense activations `[tokens, d_sae]` of the site's values `x [tokens, d_in]`."""
        prepared = self.prepare(x)
        if self.encoder is not None:
            return self.encoder(prepared)
        return self.activation(torch.addmm(self.b_enc, prepared, self.W_enc))

    def encode_from(self, x: Tensor, projected: Tensor) -> Tensor:
        """`encode(x)` where `projected = x @ W_enc [tokens, d_sae]` is there.

        What a convention does to a token (a shift along all dimensions, a scale) can be done after
        the product, so that conventions of the same tensors share it. Equal to `encode` but for
        rounding, which grows with the mean that centring takes off.
        """
        if self.encoder is not None:
            return self.encode(x)
        how, pre, centred = self.normalisation, projected, self._centred(x)
        if self.value_bias is not None and self.convention.value_bias_folded:
            pre = pre - self.value_bias @ self.W_enc
        if self.convention.centred or not isinstance(how, Unscaled | OneFactor):
            shift = self._mean(x) + how.shift(centred)
            pre = torch.addmm(pre, -shift, self.W_enc.sum(dim=0, keepdim=True))
        if not isinstance(how, Unscaled):
            pre = pre / (how.scale(centred) + how.eps)
        return self.activation(pre + self.b_enc)

    def decode(self, activations: Tensor) -> Tensor:
        """The reconstruction `[tokens, d_out]` in the dictionary's own units.

        Of `prepare(x)` for an SAE; for a transcoder, of the target site's value as `centred` has
        it, without the skip.
        """
        return product(activations, self.W_dec) + self.b_dec

    def reconstruct(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        """The target site's value `[tokens, d_out]` as the dictionary rebuilds it from `x`.

        Args:
            x: the site's values, `[tokens, d_in]`.
            target: of a transcoder, the target site's values; what centring takes off is kept.
        """
        return self.rebuilt_of(self.encode(x), x, target)

    def rebuilt_of(self, activations: Tensor, x: Tensor, target: Tensor | None = None) -> Tensor:
        """`reconstruct` from activations that are there, changed or not."""
        decoded = self.decode(activations)
        if self.site_out is not None:
            assert target is not None, "a transcoder rebuilds another site"
            if self.W_skip is not None:
                decoded = decoded + self._centred(x) @ self.W_skip
            return decoded + (target.float() - self.centred(target))
        centred = self._centred(x)
        rebuilt = decoded * self.normalisation.scale(centred) + self.normalisation.shift(centred)
        return rebuilt + (x.float() - centred)

    def centred(self, target: Tensor) -> Tensor:
        """The target site's value without what the convention takes off: what is to be rebuilt."""
        if self.site_out is None:
            return self._centred(target)
        target = target.float()
        return target - target.mean(-1, keepdim=True) if self.convention.centred else target

    def raised(self, x: Tensor, steps: Tensor, features: list[int] | None = None) -> Tensor:
        """What changing activations by `steps` adds to the target site's value, `[tokens, d_out]`.

        Args:
            x: the site's values, `[tokens, d_in]`; they set the scale of normalised dictionaries.
            steps: `[tokens, features]`.
            features: which features; None for all.
        """
        directions = self.W_dec if features is None else self.W_dec[features]
        return steps @ directions * self.scale(x)

    def scale(self, x: Tensor) -> Tensor:
        """From an activation times its row of `W_dec` to the target site's units, `[tokens, 1]`.

        Not 1 where each token is normalised by itself; a transcoder's output is not scaled back.
        """
        if self.site_out is not None:
            return x.new_ones(len(x), 1, dtype=torch.float32)
        return self.normalisation.scale(self._centred(x))

    def feature(self, index: int) -> str:
        """How a feature is written: `3-res-mini/17`."""
        return f"{self.name}/{index}"

    def under(self, convention: Convention) -> Dictionary:
        """The same tensors read under another convention of BOS and centring."""
        return replace(self, convention=convention)

    def _debiased(self, x: Tensor) -> Tensor:
        x = x.float()
        if self.value_bias is not None and self.convention.value_bias_folded:
            x = x - self.value_bias
        return x

    def _mean(self, x: Tensor) -> Tensor:
        """What centring takes off each token, `[tokens, 1]`."""
        mean = self._debiased(x).mean(-1, keepdim=True)
        return mean if self.convention.centred else torch.zeros_like(mean)

    def _centred(self, x: Tensor) -> Tensor:
        x = self._debiased(x)
        return x - x.mean(-1, keepdim=True) if self.convention.centred else x

"""A configuration and its tensors, folded into a `Dictionary`.

Let the file's encoder be `f((s·x − b_dec) W_enc + b_enc)` on an input whose average norm a factor s
brings to √d, and let activations carry the decoder's norm or not. All of it is affine but f, so all
of it goes into W_enc, b_enc, W_dec and b_dec: `b_dec` when the file is read, and the two scales
after it (see `scales`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import (
    NOT_PUBLISHED,
    Activation,
    Convention,
    Dictionary,
    Encoder,
    Gated,
    JumpRelu,
    Published,
    Relu,
    TopK,
)
from faultlens.models.normalisation import NORMALISATIONS
from faultlens.models.sae_config import SaeConfig
from faultlens.models.scales import with_scales


@dataclass(frozen=True)
class Origin:
    """Where a dictionary comes from.

    Attributes:
        source: folder, or `REPOSITORY@COMMIT/PATH`, for messages and the manifest.
        digest: SHA-256 of what was read.
        name: the dictionary's name; None to make one of the site and `set_name`.
        set_name: the name of the folder or release.
        factor: of `expected_average_only_in`, where the registry gives it.
        published: what the registry says of it.
        neuronpedia: what Neuronpedia calls it, `MODEL/NAME`.
    """

    source: str
    digest: str
    set_name: str
    name: str | None = None
    factor: float | None = None
    published: Published = NOT_PUBLISHED
    neuronpedia: str | None = None


SCALES_THRESHOLD = (6, 54, 10)  # the SAELens that first scaled BatchTopK's threshold with a factor
ALIKE = 0.01  # decoder norms within so much of each other change nothing by being carried
_MAKE: dict[str, Callable[[SaeConfig, dict[str, Tensor]], Activation]] = {
    "relu": lambda config, tensors: Relu(),
    "jumprelu": lambda config, tensors: JumpRelu(_threshold(config, tensors)),
    "topk": lambda config, tensors: TopK(_k(config, tensors)),
    "gated": lambda config, tensors: _gated(config, tensors),
}


@torch.no_grad()
def fold(
    config: SaeConfig,
    tensors: dict[str, Tensor],
    origin: Origin,
    encoder: Encoder | None = None,
) -> Dictionary:
    """Check the tensors against the configuration, and fold both into one dictionary.

    Args:
        config: the configuration.
        tensors: by SAELens's names, float32, on the device where they are to stay.
        origin: where they come from.
        encoder: SAELens's own, for architectures that are not encoded here.

    Raises:
        UserError: a tensor is missing, unknown, not finite, or of a shape that does not fit.
    """
    tensors = {name: tensor for name, tensor in tensors.items() if not _idle(name, tensor)}
    if encoder is not None:
        tensors = {"b_enc": tensors["W_enc"].new_zeros(len(tensors["W_dec"])), **tensors}
    elif config.activation == "gated" and "b_enc" not in tensors:
        _require(config, tensors, "b_gate")
        tensors["b_enc"] = tensors.pop("b_gate")
    _check(config, tensors, origin)
    W_enc, b_enc, W_dec, b_dec = (tensors[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec"))
    if config.b_dec_taken_off:
        b_enc = b_enc - b_dec @ W_enc
    name = origin.name or f"{config.site.short}-{origin.set_name}"
    skip = tensors.get("W_skip")
    plain = Dictionary(
        name=name,
        site=config.site,
        activation=Relu() if encoder else _MAKE[config.activation or ""](config, tensors),
        W_enc=W_enc.contiguous(),
        b_enc=b_enc.contiguous(),
        W_dec=W_dec.contiguous(),
        b_dec=b_dec.contiguous(),
        convention=Convention(
            prepend_bos=config.prepend_bos,
            start_token=config.start_token,
            centred=config.centred,
            value_bias_folded=config.value_bias_folded,
            normalisation=_described(config, origin),
        ),
        source=origin.source,
        digest=origin.digest,
        site_out=config.site_out,
        W_skip=None if skip is None else skip.T.contiguous(),
        normalisation=NORMALISATIONS[config.normalisation],
        encoder=encoder,
        published=origin.published,
        neuronpedia=origin.neuronpedia or config.neuronpedia,
        threshold_unscaled=_threshold_unscaled(config, tensors),
        decoder_norm=_norm_that_counts(config, W_dec) if encoder is None else None,
    )
    factor = origin.factor if config.normalisation == "expected_average_only_in" else None
    return with_scales(plain, factor, config.decoder_norm_in_activations)


def _norm_that_counts(config: SaeConfig, W_dec: Tensor) -> Tensor | None:
    """The decoder's norm where it can decide which features fire, or is said to be carried."""
    norm: Tensor = W_dec.norm(dim=1)
    if config.decoder_norm_in_activations:
        return norm
    if config.activation not in ("topk", "jumprelu"):
        return None
    alike = bool((norm.max() - norm.min()) <= ALIKE * norm.max())
    return None if alike else norm


def _threshold_unscaled(config: SaeConfig, tensors: dict[str, Tensor]) -> bool:
    """Whether it is a BatchTopK dictionary of a SAELens that did not scale its threshold.

    SAELens before 6.54.10, as it folded the factor of the input into a dictionary that carries the
    decoder's norm, divided the decoder by it and left the threshold. Such files have one threshold
    for all features, and unit decoder norms; whether there was a factor, they do not say.
    """
    version, threshold = config.saelens_version, tensors.get("threshold")
    if config.activation != "jumprelu" or version is None or version >= SCALES_THRESHOLD:
        return False
    norm = tensors["W_dec"].norm(dim=1)
    one = threshold is not None and bool((threshold == threshold[0]).all()) and threshold[0] > 0
    return bool(one and ((norm - 1).abs() < ALIKE).all())


def _described(config: SaeConfig, origin: Origin) -> str:
    if config.normalisation != "expected_average_only_in":
        return config.normalisation
    factor = "not known: none applied" if origin.factor is None else f"factor {origin.factor:g}"
    return f"{config.normalisation} ({factor})"


def _idle(name: str, tensor: Tensor) -> bool:
    """`scaling_factor` was written for a while without being used: all ones then."""
    return name == "scaling_factor" and bool((tensor == 1).all())


def _check(config: SaeConfig, tensors: dict[str, Tensor], origin: Origin) -> None:
    """Raises UserError unless the tensors are those that the configuration needs, and finite."""
    for name in ("W_enc", "b_enc", "W_dec", "b_dec"):
        _require(config, tensors, name)
    extra = {"jumprelu": {"threshold", "topk_threshold"}, "gated": {"b_mag", "r_mag"}}
    known = {"W_enc", "b_enc", "W_dec", "b_dec"} | extra.get(config.activation or "", set())
    known |= {"W_skip"} if "skip" in config.architecture else set()
    unknown = sorted(set(tensors) - known)
    if unknown:
        raise UserError(
            f"{origin.source} has a tensor {unknown[0]!r} that {config.architecture} has no use for"
        )
    if tensors["W_enc"].ndim != 2 or tensors["W_dec"].ndim != 2:
        which = "W_enc" if tensors["W_enc"].ndim != 2 else "W_dec"
        shape = tuple(tensors[which].shape)
        raise UserError(f"{origin.source}: {which} has shape {shape}, expected two dimensions")
    d_in, d_sae = tensors["W_enc"].shape
    for field, stated, found in (("d_in", config.d_in, d_in), ("d_sae", config.d_sae, d_sae)):
        if stated is not None and stated != found:
            raise UserError(f"{config.where}: {field} = {stated}, but W_enc has {found}")
    d_out = tensors["W_dec"].shape[1] if config.is_transcoder else d_in
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(tensors, (d_sae,))
    shapes |= {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_out), "b_dec": (d_out,)}
    shapes |= {"W_skip": (d_out, d_in), "topk_threshold": ()}
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != shapes[name]:
            raise UserError(
                f"{origin.source}: {name} has shape {tuple(tensor.shape)}, expected "
                f"{shapes[name]} to go with W_enc {d_in, d_sae}"
            )
        if not torch.isfinite(tensor).all():
            raise UserError(f"{origin.source}: tensor {name!r} has values that are NaN or infinite")


def _require(config: SaeConfig, tensors: dict[str, Tensor], name: str) -> None:
    if name not in tensors:
        raise UserError(
            f"{config.where}: the weights have no tensor {name!r}, which {config.architecture} "
            f"needs; they have {', '.join(sorted(tensors))}"
        )


def _threshold(config: SaeConfig, tensors: dict[str, Tensor]) -> Tensor:
    if "topk_threshold" in tensors:  # a checkpoint of BatchTopK training: one for all features
        return tensors["topk_threshold"].expand(tensors["W_enc"].shape[1]).contiguous()
    _require(config, tensors, "threshold")
    return tensors["threshold"]


def _k(config: SaeConfig, tensors: dict[str, Tensor]) -> int:
    d_sae = tensors["W_enc"].shape[1]
    if config.k is None or config.k > d_sae:
        raise UserError(
            f"{config.where}: k = {config.k}, expected a whole number from 1 to {d_sae}"
        )
    return config.k


def _gated(config: SaeConfig, tensors: dict[str, Tensor]) -> Gated:
    for name in ("b_mag", "r_mag"):
        _require(config, tensors, name)
    scale = tensors["r_mag"].exp()
    return Gated(scale, tensors["b_mag"] - scale * tensors["b_enc"])

"""The two scales that a dictionary's tensors carry: its input's factor, and its decoder's norm.

Let the file's dictionary be `a = f(x W_enc + b_enc)`, `x̂ = a W_dec + b_dec`. A factor s on its
input makes it `f(s·x W_enc + b_enc)` and `x̂ / s`; the decoder's norm n, carried by the activations,
makes it `f(n · (…))` and `(a / n) W_dec`. Both go into the tensors and come out of them again, so
that another convention can be tried and put in force. (A feature whose decoder row is 0 has no
norm to carry: once folded in, it never fires, and does not come back when it is taken out.)
"""

from __future__ import annotations

from dataclasses import replace

import torch

from faultlens.models.dictionary import ByDecoderNorm, Dictionary, inverse
from faultlens.models.normalisation import UNSCALED, OneFactor


def with_scales(plain: Dictionary, factor: float | None, decoder_norm: bool) -> Dictionary:
    """The dictionary with these scales folded into its tensors.

    The factor comes first, since it changes the decoder's norm, which becomes n / s.

    Args:
        plain: with neither folded in.
        factor: of its input; None for none.
        decoder_norm: whether activations carry the decoder's norm.
    """
    W_enc, b_enc, W_dec, b_dec = plain.W_enc, plain.b_enc, plain.W_dec, plain.b_dec
    if factor is not None:
        W_enc, W_dec, b_dec = W_enc * factor, W_dec / factor, b_dec / factor
    if decoder_norm:
        norm = _norm(plain) / (factor or 1.0)
        W_enc, b_enc, W_dec = W_enc * norm, b_enc * norm, W_dec * inverse(norm)[:, None]
    convention = replace(plain.convention, factor=factor, decoder_norm=decoder_norm)
    return replace(plain, W_enc=W_enc, b_enc=b_enc, W_dec=W_dec, b_dec=b_dec, convention=convention)


def without_scales(dictionary: Dictionary) -> Dictionary:
    """The same dictionary with neither scale in its tensors; itself where there is none."""
    factor, decoder_norm = dictionary.convention.factor, dictionary.convention.decoder_norm
    W_enc, b_enc, W_dec, b_dec = (
        dictionary.W_enc, dictionary.b_enc, dictionary.W_dec, dictionary.b_dec
    )  # fmt: skip
    if decoder_norm:
        norm = _norm(dictionary) / (factor or 1.0)
        W_enc, b_enc, W_dec = W_enc * inverse(norm), b_enc * inverse(norm), W_dec * norm[:, None]
    if factor is not None:
        W_enc, W_dec, b_dec = W_enc / factor, W_dec * factor, b_dec * factor
    convention = replace(dictionary.convention, factor=None, decoder_norm=False)
    return replace(
        dictionary, W_enc=W_enc, b_enc=b_enc, W_dec=W_dec, b_dec=b_dec, convention=convention
    )


def on_the_way(plain: Dictionary, factor: float | None, decoder_norm: bool) -> Dictionary:
    """As `with_scales`, but applied while encoding: the tensors stay, and can be shared."""
    normalisation, activation = plain.normalisation, plain.activation
    if factor is not None:
        assert normalisation is UNSCALED, "a factor takes the place of any other normalisation"
        normalisation = OneFactor(factor)
    if decoder_norm:
        activation = ByDecoderNorm(activation, _norm(plain) / (factor or 1.0))
    convention = replace(plain.convention, factor=factor, decoder_norm=decoder_norm)
    return replace(plain, normalisation=normalisation, activation=activation, convention=convention)


def _norm(dictionary: Dictionary) -> torch.Tensor:
    assert dictionary.decoder_norm is not None, "kept where activations carry it"
    return dictionary.decoder_norm

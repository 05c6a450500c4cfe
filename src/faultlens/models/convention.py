"""Conventions that can be mistaken for one another: how each is named, tried and put in force.

A word names a setting that can be given (`--convention centred`); the doctor tries the settings
that are not in force, and names the one that fits better.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.models.dictionary import Dictionary, JumpRelu
from faultlens.models.normalisation import NORMALISATIONS, UNSCALED
from faultlens.models.sae_config import WRITTEN
from faultlens.models.scales import on_the_way, with_scales, without_scales
from faultlens.models.sites import Site
from faultlens.models.start_ids import BOS, NONE

FACTOR, THRESHOLD = "factor=", "threshold="
WORDS: dict[str, tuple[str, Any]] = {
    "centred": ("centred", True),
    "raw": ("centred", False),
    "bos": ("prepend_bos", True),
    "no-bos": ("prepend_bos", False),
    "folded": ("value_bias_folded", True),
    "unfolded": ("value_bias_folded", False),
    "layer_norm": ("normalisation", "layer_norm"),
    "constant_norm_rescale": ("normalisation", "constant_norm_rescale"),
    "unnormalised": ("normalisation", "none"),
    "decoder-norm": ("decoder_norm", True),
    "no-decoder-norm": ("decoder_norm", False),
    "before-gain": ("gain", "mlp_normalized"),
    "after-gain": ("gain", "mlp_in"),
}
"""Word -> field of `Convention` (of `gain`: the point that is read), and its value.

`factor=NUMBER` sets the normalisation too, `threshold=NUMBER` the one threshold of all features.
"""
_SAID = {
    "centred": "residuals centred",
    "raw": "residuals as they are",
    "bos": "BOS prepended",
    "no-bos": "BOS left out",
    "folded": "the value bias taken off",
    "unfolded": "the value bias left in",
    "layer_norm": "each token's mean taken off and its standard deviation brought to 1",
    "constant_norm_rescale": "each token brought to the norm √d",
    "unnormalised": "its input not normalised",
    "decoder-norm": "the decoder's norm in the activations",
    "no-decoder-norm": "the decoder's norm not in the activations",
    "before-gain": "the MLP's norm read before its gain",
    "after-gain": "the MLP's norm read after its gain",
}
SCALES = (
    FACTOR,
    THRESHOLD,
    "layer_norm",
    "constant_norm_rescale",
    "unnormalised",
    "decoder",
    "no-decoder",
)
"""How words start that change a scale."""
GAIN = ("mlp_normalized", "mlp_in")  # a norm's value before its gain, and after
FACTOR_MATTERS = 1.25  # a factor nearer to the one in force than this is not tried


@dataclass(frozen=True, eq=False)
class Rival:
    """A dictionary under a convention: the words that change the one in force to it, if any."""

    words: tuple[str, ...]
    dictionary: Dictionary

    @property
    def said(self) -> str:
        """In words: `residuals centred and BOS left out`."""
        return " and ".join(map(_in_words, self.words))


def _in_words(word: str) -> str:
    if word.startswith(THRESHOLD):
        number = word.removeprefix(THRESHOLD)
        return (
            f"one threshold, {number}, scaled with a factor of its input as SAELens scales it now"
        )
    return _SAID.get(word, f"its input multiplied by {word.removeprefix(FACTOR)}")


def put_in_force(dictionary: Dictionary, words: Sequence[str]) -> Dictionary:
    """The dictionary under the convention that `words` give, whatever its file says.

    Raises UserError for a word that names no convention, or one that this dictionary cannot have.
    """
    check_words(words)
    under = _under(without_scales(dictionary), dictionary, words)
    factor, decoder_norm = under.convention.factor, under.convention.decoder_norm
    return with_scales(under, factor, decoder_norm)


def behind(dictionary: Dictionary, start: str | None) -> Dictionary:
    """The dictionary read behind a start token that was asked for, whatever it was trained with.

    A convention of BOS that was given as well (`bos`, `no-bos`) stands. None: nothing was asked.
    """
    if start is None or {"bos", "no-bos"} & set(dictionary.convention.given):
        return dictionary
    token = None if start in (NONE, BOS) else start
    convention = replace(dictionary.convention, prepend_bos=start != NONE, start_token=token)
    return dictionary.under(convention)


def check_words(words: Sequence[str]) -> None:
    """Raises UserError for a word that names no convention, and for two of one setting."""
    fields = [_meant(word)[0] for word in words]
    for i, word in enumerate(words):
        if fields[i] in fields[:i]:
            other = words[fields.index(fields[i])]
            raise UserError(f"conventions {other!r} and {word!r} exclude each other: give one")


def rivals(dictionary: Dictionary, mean_norm: float) -> Iterator[Rival]:
    """The convention in force, then every other that the dictionary could have been trained under.

    Centred or not and with BOS or not, in all combinations; at `hook_z`, with value biases folded
    or not; its input normalised in every way, or by the factor that brings it to √d; and, where
    it decides which features fire, the decoder's norm in the activations or not; of what reads the
    MLP's norm, before its gain or after; where SAELens may have left its one threshold unscaled,
    that divided by the factor that brings its input to √d. All of them share the tensors of
    `without_scales(dictionary)`.

    Args:
        dictionary: under the convention in force.
        mean_norm: of its input's tokens as the site has them, centred or not.
    """
    plain = without_scales(dictionary)
    now, possible = dictionary.convention, possible_fields(dictionary)
    other_bos = "no-bos" if now.prepend_bos else "bos"
    words: list[tuple[str, ...]] = [(other_bos,)]
    if "centred" in possible:
        other_centring = "raw" if now.centred else "centred"
        words += [(other_centring,), (other_centring, other_bos)]
    if "value_bias_folded" in possible:
        words.append(("unfolded",) if now.value_bias_folded else ("folded",))
    words += [(word,) for word in _other_normalisations(dictionary, possible, mean_norm)]
    if "decoder_norm" in possible:
        words.append(("no-decoder-norm",) if now.decoder_norm else ("decoder-norm",))
    if dictionary.threshold_unscaled and mean_norm:
        words.append((f"{THRESHOLD}{_scaled_threshold(dictionary, mean_norm):.4g}",))
    if "gain" in possible:
        before = dictionary.site.point == "mlp_normalized"
        words.append(("after-gain",) if before else ("before-gain",))
    yield Rival((), _tried(plain, dictionary, ()))
    for chosen in words:
        yield Rival(chosen, _tried(plain, dictionary, chosen))


def possible_fields(dictionary: Dictionary) -> set[str]:
    """The fields of its convention that can differ; `factor` where one can be put in force."""
    possible = {"prepend_bos", "normalisation"}
    if dictionary.site.point in WRITTEN:
        possible.add("centred")
    if dictionary.value_bias is not None:
        possible.add("value_bias_folded")
    if dictionary.encoder is None and dictionary.site_out is None:
        possible.add("factor")
    if dictionary.decoder_norm is not None and dictionary.encoder is None:
        possible.add("decoder_norm")
    if dictionary.site.point in GAIN:
        possible.add("gain")
    if isinstance(dictionary.activation, JumpRelu):
        possible.add("threshold")
    return possible


def sites_read(dictionary: Dictionary) -> set[Site]:
    """Every site that is needed to try all conventions."""
    site = dictionary.site
    also = {Site(site.layer, point) for point in GAIN} if site.point in GAIN else set()
    return {site, dictionary.target, *also}


def _other_normalisations(
    dictionary: Dictionary, possible: set[str], mean_norm: float
) -> Iterator[str]:
    convention, now = dictionary.convention, dictionary.normalisation
    for word in ("unnormalised", "layer_norm", "constant_norm_rescale"):
        how = NORMALISATIONS[WORDS[word][1]]
        if how != now or (word == "unnormalised" and convention.factor is not None):
            yield word
    given = any(word.startswith(FACTOR) for word in convention.given)
    if not mean_norm:  # values of 0 have no factor
        return
    factor = math.sqrt(dictionary.d_in) / mean_norm
    apart = factor / (convention.factor or 1.0)
    if "factor" in possible and not given and not 1 < max(apart, 1 / apart) < FACTOR_MATTERS:
        yield f"{FACTOR}{factor:.4g}"


def _tried(plain: Dictionary, dictionary: Dictionary, words: Sequence[str]) -> Dictionary:
    under = _under(plain, dictionary, words)
    return on_the_way(under, under.convention.factor, under.convention.decoder_norm)


def _under(plain: Dictionary, dictionary: Dictionary, words: Sequence[str]) -> Dictionary:
    """`plain` marked with what is in force for `dictionary` and changed by `words`; not scaled."""
    convention, normalisation = dictionary.convention, plain.normalisation
    activation, unscaled = plain.activation, plain.threshold_unscaled
    site = plain.site
    possible = possible_fields(dictionary)
    for word in words:
        field, value = _meant(word)
        needed = "factor" if field == "normalisation" and word.startswith(FACTOR) else field
        if needed not in possible and value is not False:
            raise UserError(
                f"convention {word!r} means nothing for {dictionary.name} at "
                f"{dictionary.site.name}{_why(dictionary, needed)}: leave it out"
            )
        if field == "gain":
            site = Site(site.layer, value)
            continue
        if field == "threshold":
            assert isinstance(activation, JumpRelu), "possible of no other"
            activation = JumpRelu(torch.full_like(activation.threshold, value))
            unscaled = False
            continue
        if field == "normalisation":
            convention = replace(convention, factor=value if needed == "factor" else None)
            normalisation = UNSCALED if needed == "factor" else NORMALISATIONS[value]
            value = f"factor {value:g}" if needed == "factor" else value
        convention = replace(convention, **{field: value})
    given = _together(dictionary.convention.given, words)
    convention = replace(convention, given=given)
    return replace(
        plain, convention=convention, normalisation=normalisation, site=site,
        activation=activation, threshold_unscaled=unscaled,
    )  # fmt: skip


def _why(dictionary: Dictionary, field: str) -> str:
    if field == "factor":
        return (
            ", whose encoder is SAELens's own"
            if dictionary.encoder is not None
            else ", a transcoder, whose input and output have scales of their own"
        )
    if field == "decoder_norm":
        return ", where the decoder's norm decides nothing"
    if field == "threshold":
        return ", whose features fire by no threshold"
    return ""


def _meant(word: str) -> tuple[str, Any]:
    """The field that a word sets, and its value. Raises UserError for an unknown word."""
    if word.startswith(FACTOR):
        return "normalisation", _number(word, FACTOR)
    if word.startswith(THRESHOLD):
        return "threshold", _number(word, THRESHOLD)
    if word not in WORDS:
        raise UserError(
            f"unknown convention {word!r}: expected {', '.join(WORDS)}, {FACTOR}NUMBER or "
            f"{THRESHOLD}NUMBER"
        )
    return WORDS[word]


def _together(given: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Words in the order given, without those that a later one takes back."""
    together: list[str] = []
    for word in (*given, *more):
        field = _meant(word)[0]
        together = [other for other in together if _meant(other)[0] != field]
        together.append(word)
    return tuple(together)


def _scaled_threshold(dictionary: Dictionary, mean_norm: float) -> float:
    """The one threshold, as it is where the factor that brings the input to √d is folded in."""
    assert isinstance(dictionary.activation, JumpRelu), "said only of thresholds"
    return float(dictionary.activation.threshold[0]) * mean_norm / math.sqrt(dictionary.d_in)


def _number(word: str, prefix: str) -> float:
    try:
        number = float(word.removeprefix(prefix))
    except ValueError:
        number = 0.0
    if not 0 < number < torch.inf:
        raise UserError(f"convention {word!r}: expected {prefix}NUMBER, a number above 0")
    return number

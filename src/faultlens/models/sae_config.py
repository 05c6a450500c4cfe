"""What a SAELens `cfg.json` says, checked and in one form, whatever version wrote it.

Files of SAELens 6 keep what concerns the model under `metadata`, and state every field. Older files
hold all fields side by side, under older names, and leave out what had no other value then. A
registry's overrides win over both. Nothing that changes a number is ignored: it is understood, or
refused in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlens.errors import UserError
from faultlens.models.normalisation import NORMALISATIONS
from faultlens.models.sae_fields import (
    FROM_MODEL,
    OLD_NAMES,
    is_new_form,
    refuse_misspelt,
    version_of,
)
from faultlens.models.sites import Site
from faultlens.runs.files import read_object

CONFIG = "cfg.json"
WRITTEN = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
"""The points that hold what is written to the residual stream: those that centring changes."""
ENCODED_HERE = {
    "standard": "relu",
    "gated": "gated",
    "jumprelu": "jumprelu",
    "topk": "topk",
    "batchtopk": "jumprelu",  # a threshold stands in for the batch
    "matryoshka_batchtopk": "jumprelu",
    "transcoder": "relu",
    "skip_transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
}
"""Architecture -> activation, for those whose encoder is an affine map and an activation."""
BY_SAELENS = ("matching_pursuit",)
"""Architectures that are encoded by SAELens itself."""
_PAGE = re.compile(r"[\w.-]+/[\w.-]+")
_NOT_TOKEN_BY_TOKEN = {
    "temporal": "it encodes a token by those before it, but here each is encoded by itself",
    "abstopk": "its activations can be negative, but here a feature fires where it is above 0",
}


@dataclass(frozen=True)
class SaeConfig:
    """One dictionary's configuration.

    Attributes:
        where: the file, for messages.
        architecture: SAELens's name.
        activation: `relu`, `gated`, `jumprelu`, `topk`; None where SAELens encodes.
        site: what it reads.
        site_out: of a transcoder, what it rebuilds.
        d_in: dimensions read; None where the file does not say.
        d_sae: features; likewise.
        k: of `topk`.
        b_dec_taken_off: the decoder's bias is taken off the input.
        normalisation: a key of `NORMALISATIONS`.
        decoder_norm_in_activations: activations carry the decoder's norm.
        prepend_bos: trained with BOS, or with `start_token` in its place.
        centred: trained on a model whose writing weights were centred.
        value_bias_folded: trained on a model whose value biases were folded.
        neuronpedia: what Neuronpedia calls it, where the file says.
        saelens_version: of the SAELens that wrote the file; None: another program, or not known.
        start_token: what stood in BOS's place, where FaultLens trained it behind another token.
    """

    where: str
    architecture: str
    activation: str | None
    site: Site
    site_out: Site | None
    d_in: int | None
    d_sae: int | None
    k: int | None
    b_dec_taken_off: bool
    normalisation: str
    decoder_norm_in_activations: bool
    prepend_bos: bool
    centred: bool
    value_bias_folded: bool
    start_token: str | None = None
    neuronpedia: str | None = None
    saelens_version: tuple[int, ...] | None = None

    @property
    def is_transcoder(self) -> bool:
        return "transcoder" in self.architecture


def read_json(path: Path) -> dict[str, Any]:
    """A configuration file as a dictionary. Raises UserError if it is not one."""
    config = read_object(path)
    if config is None:
        raise UserError(f"no file {path}: expected the configuration of a dictionary")
    return config


def site_in(raw: Mapping[str, Any], where: str) -> Site:
    """The site that a configuration names, before anything else of it is looked at.

    Raises UserError if it names none, or a field is misspelt.
    """
    refuse_misspelt(raw, where)
    return _site(_fields(raw, {}), where, "hook_name", "hf_hook_name")


def parse_config(
    raw: Mapping[str, Any], where: str, overrides: Mapping[str, Any] | None = None
) -> SaeConfig:
    """Check a configuration and put it into one form.

    Args:
        raw: the file's content.
        where: the file, for messages.
        overrides: a registry's, which win over the file's.

    Raises:
        UserError: a field is missing, misspelt, or has a value that is not supported.
    """
    new_form = is_new_form(raw)
    refuse_misspelt(raw, where)
    fields = _fields(raw, overrides or {})
    architecture = _architecture(fields, where, new_form)
    _refuse_unsupported(fields, where)
    kwargs = fields.get("model_from_pretrained_kwargs") or {}
    if not isinstance(kwargs, Mapping):
        raise UserError(f"{where}: model_from_pretrained_kwargs = {kwargs!r}, expected an object")
    site = _site(fields, where, "hook_name", "hf_hook_name")
    transcoder = "transcoder" in architecture
    return SaeConfig(
        where=where,
        architecture=architecture,
        activation=ENCODED_HERE.get(architecture),
        site=site,
        site_out=_site(fields, where, "hook_name_out") if transcoder else None,
        d_in=_whole(fields, where, "d_in"),
        d_sae=_whole(fields, where, "d_sae"),
        k=_whole(fields, where, "k"),
        b_dec_taken_off=_flag(fields, where, "apply_b_dec_to_input", None if new_form else True)
        and not transcoder,
        normalisation=_normalisation(fields, where, new_form),
        decoder_norm_in_activations=_flag(fields, where, "rescale_acts_by_decoder_norm", False),
        prepend_bos=_flag(fields, where, "prepend_bos", True),
        centred=bool(kwargs.get("center_writing_weights")) and site.point in WRITTEN,
        value_bias_folded=bool(kwargs.get("fold_value_biases")) and site.point == "z",
        start_token=_start_token(fields, where),
        neuronpedia=_neuronpedia(raw),
        saelens_version=version_of(raw),
    )


def _neuronpedia(raw: Mapping[str, Any]) -> str | None:
    """`MODEL/NAME`, where that is what the field holds; it changes no number."""
    metadata = raw.get("metadata")
    named = (metadata if isinstance(metadata, Mapping) else {}, raw)
    name = next((of["neuronpedia_id"] for of in named if of.get("neuronpedia_id")), None)
    return name if isinstance(name, str) and _PAGE.fullmatch(name) else None


def _start_token(fields: Mapping[str, Any], where: str) -> str | None:
    token = fields.get("start_token")
    if token is not None and (not isinstance(token, str) or not token):
        raise UserError(f"{where}: start_token = {token!r}, expected the text of a token, or null")
    return token


def _fields(raw: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """All fields side by side, under their newer names."""
    metadata = raw.get("metadata")
    fields = {OLD_NAMES.get(name, name): value for name, value in raw.items()}
    if isinstance(metadata, Mapping):
        fields.update({name: value for name, value in metadata.items() if name in FROM_MODEL})
    fields.update(overrides)
    kwargs = fields.get("activation_fn_kwargs")
    if fields.get("activation_fn") == "topk" and isinstance(kwargs, Mapping) and "k" in kwargs:
        fields.update(architecture="topk", k=kwargs["k"], activation_fn=None)
    return fields


def _architecture(fields: Mapping[str, Any], where: str, new_form: bool) -> str:
    architecture = fields.get("architecture", None if new_form else "standard")
    known = [*ENCODED_HERE, *BY_SAELENS]
    if isinstance(architecture, str) and architecture in _NOT_TOKEN_BY_TOKEN:
        raise UserError(
            f"{where}: architecture {architecture!r} cannot be read: "
            f"{_NOT_TOKEN_BY_TOKEN[architecture]}"
        )
    if architecture not in known:
        raise UserError(
            f"{where}: architecture {architecture!r} is not known, expected one of "
            f"{', '.join(known)}"
        )
    return str(architecture)


def _refuse_unsupported(fields: Mapping[str, Any], where: str) -> None:
    """Raises UserError for every setting that changes the numbers and is not honoured here."""
    accepted: dict[str, tuple[Any, ...]] = {
        "reshape_activations": ("none", "hook_z", None),  # hook_z is read flat anyway
        "activation_fn": ("relu", None),
        "finetuning_scaling_factor": (False, None),
        "hook_head_index": (None,),
    }
    for field, values in accepted.items():
        value = fields.get(field)
        if value not in values:
            raise UserError(
                f"{where}: {field} = {value!r} is not supported, expected {values[0]!r}"
            )


def _normalisation(fields: Mapping[str, Any], where: str, new_form: bool) -> str:
    value = fields.get("normalize_activations", "" if new_form else "none")
    if isinstance(value, bool):  # the oldest files
        value = "expected_average_only_in" if value else "none"
    if value is None:
        value = "none"
    if value not in list(NORMALISATIONS):
        raise UserError(
            f"{where}: normalize_activations = {value!r}, expected one of "
            f"{', '.join(NORMALISATIONS)}"
        )
    return str(value)


def _site(fields: Mapping[str, Any], where: str, field: str, in_hugging_face: str = "") -> Site:
    """The site that `field` names.

    Gemma Scope 2's transcoders are listed under `hook_mlp_in`, which in TransformerLens is the
    residual before the MLP's norm; the module that they name in Hugging Face's terms is the norm's
    output, and that is what they read.
    """
    hook = fields.get(field)
    if not isinstance(hook, str):
        raise UserError(f"{where} names no site: expected metadata.{field}")
    if hook.endswith(".hook_mlp_in"):
        module = str(fields.get(in_hugging_face) or "")
        after_norm = module.endswith("pre_feedforward_layernorm.output")
        return Site(
            Site.parse(hook.replace("hook_mlp_in", "hook_resid_mid")).layer,
            "mlp_in" if after_norm else "resid_mid",
        )
    return Site.parse(hook)


def _flag(fields: Mapping[str, Any], where: str, field: str, default: bool | None) -> bool:
    value = fields.get(field, default)
    if value is None and default is not None:
        value = default
    if not isinstance(value, bool):
        said = "does not say" if value is None else f"says {value!r} for"
        raise UserError(f"{where} {said} {field}: expected true or false")
    return value


def _whole(fields: Mapping[str, Any], where: str, field: str) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{where}: {field} = {value!r}, expected a whole number from 1 on")
    return value

"""The fields that a SAELens configuration can hold, and those that are misspelt.

A misspelt field would silently have its default value, and nothing that changes a number is ignored
here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from faultlens.errors import UserError

OLD_NAMES = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "activation_fn_str": "activation_fn",
}
# Of SAELens 6: what a configuration can hold beside its metadata.
_FIELDS = frozenset(
    """apply_b_dec_to_input architecture d_in d_out d_sae device dtype k metadata
    normalize_activations rescale_acts_by_decoder_norm reshape_activations
    residual_threshold max_iterations stop_on_duplicate_support
    activation_fn finetuning_scaling_factor hook_head_index""".split()
)
# Beside them in the checkpoints of a training.
_OF_TRAINING = frozenset(
    """aux_loss_coefficient decoder_init_norm jumprelu_bandwidth jumprelu_init_threshold
    jumprelu_sparsity_loss_mode jumprelu_ste_to_input jumprelu_tanh_scale l0_coefficient
    l0_warm_up_steps l1_coefficient l1_warm_up_steps lp_norm matryoshka_widths
    pre_act_loss_coefficient target_l0 topk_threshold_lr use_matryoshka_aux_loss
    use_sparse_activations""".split()
)
FROM_MODEL = frozenset(
    "hook_name hook_name_out hf_hook_name prepend_bos start_token model_from_pretrained_kwargs "
    "hook_head_index seqpos_slice".split()
)
_KWARGS = frozenset(("center_writing_weights", "fold_value_biases"))
# Names that look like one that counts, and are not it.
_LOOK_ALIKE = frozenset(
    """hf_hook_name_out hook_head_index_out hook_point_head_size hook_point_in hook_point_out
    sae_lens_training_version""".split()
)
NEARLY = 0.85  # a likeness (difflib's ratio) from which an unknown field is taken for a known one


def is_new_form(raw: Mapping[str, Any]) -> bool:
    """Whether SAELens 6 or later wrote it, which keeps what concerns the model under `metadata`."""
    version = version_of(raw)
    return version is not None and version >= (6,)


def version_of(raw: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The SAELens that wrote a configuration, `(6, 54, 12)`; None where it does not say."""
    metadata = raw.get("metadata")
    version = raw.get("sae_lens_version")
    if not version and isinstance(metadata, Mapping):
        version = metadata.get("sae_lens_version")
    found = re.match(r"[0-9]{1,6}(?:\.[0-9]{1,6})*(?=\.|$)", str(version or ""))
    return None if found is None else tuple(map(int, found[0].split(".")))


def refuse_misspelt(raw: Mapping[str, Any], where: str) -> None:
    """Raises UserError for a field that is nearly one that counts; in the newer form for any other.

    Fields that count for nothing here are many in the older form, and free in the metadata.
    """
    counting = _FIELDS | set(OLD_NAMES) | FROM_MODEL | {"sae_lens_version"}
    for name in raw:
        near = _near(name, counting)
        if near is None and is_new_form(raw) and name not in counting | _OF_TRAINING | _LOOK_ALIKE:
            raise UserError(f"{where} has an unknown field {name!r}: expected those of SAELens 6")
        _refuse(where, name, near)
    metadata = raw.get("metadata")
    inner = metadata if isinstance(metadata, Mapping) else {}
    for name in inner:
        _refuse(where, f"metadata.{name}", _near(name, FROM_MODEL | {"sae_lens_version"}))
    for holder in (raw, inner):
        kwargs = holder.get("model_from_pretrained_kwargs")
        for name in kwargs if isinstance(kwargs, Mapping) else ():
            _refuse(where, f"model_from_pretrained_kwargs.{name}", _near(name, _KWARGS))


def _near(name: str, counting: AbstractSet[str]) -> str | None:
    """The field that `name` is nearly; None if it is itself one, or like none."""
    if name in counting | _OF_TRAINING | _LOOK_ALIKE:
        return None
    near = difflib.get_close_matches(name, sorted(counting), n=1, cutoff=NEARLY)
    # In a short name two letters that changed places are less alike than that: d_sea.
    near += [known for known in sorted(counting) if sorted(known) == sorted(name)]
    return near[0] if near else None


def _refuse(where: str, name: str, near: str | None) -> None:
    if near is not None:
        raise UserError(f"{where} has an unknown field {name!r}: did you mean {near!r}?")

"""Model families: where each keeps the quantities that sites name, a file a family.

A new family is a function from a block to its taps, in a file of its own, and a line in `FAMILIES`.
Whatever else transformers calls a causal language model is read by `general` at its residuals.
"""

from __future__ import annotations

from typing import Any

from faultlens.errors import UserError
from faultlens.models.adapter import Adapter
from faultlens.models.families.falcon import FALCON
from faultlens.models.families.gemma import GEMMA, GEMMA1, GEMMA4
from faultlens.models.families.general import found_by_structure
from faultlens.models.families.glm4 import GLM4
from faultlens.models.families.gpt2 import GPT2
from faultlens.models.families.granite import GRANITE
from faultlens.models.families.llama import LLAMA
from faultlens.models.families.neox import NEOX
from faultlens.models.families.olmo import OLMO
from faultlens.models.families.qwen_next import QWEN_NEXT

LIKE_LLAMA = (
    "llama", "mistral", "ministral", "ministral3", "mistral3", "mixtral", "qwen2", "qwen3",
    "qwen2_moe", "qwen3_moe", "smollm3", "phi3", "gpt_oss", "glm", "olmoe",
)  # fmt: skip
FAMILIES: dict[str, Adapter] = {
    "gpt2": GPT2,
    "gpt_neox": NEOX,
    **dict.fromkeys(LIKE_LLAMA, LLAMA),
    "gemma": GEMMA1,
    **dict.fromkeys(("gemma2", "gemma3", "gemma3_text"), GEMMA),
    **dict.fromkeys(("gemma4", "gemma4_text"), GEMMA4),
    **dict.fromkeys(("olmo2", "olmo3"), OLMO),
    "glm4": GLM4,
    "granite": GRANITE,
    "falcon": FALCON,
    **dict.fromkeys(("qwen3_next", "qwen3_5", "qwen3_5_text"), QWEN_NEXT),
    **dict.fromkeys(("qwen3_5_moe", "qwen3_5_moe_text"), QWEN_NEXT),
}
"""By Hugging Face's `model_type`."""


def check_family(model_type: str) -> None:
    """Raises UserError for a type that is no causal language model of transformers."""
    if model_type in FAMILIES:
        return
    from transformers.models.auto import modeling_auto as auto

    if model_type not in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise UserError(
            f"models of type {model_type!r} are not supported: transformers has no causal language "
            f"model of that type; expected one, e.g. {', '.join(sorted(FAMILIES))}"
        )


def adapter_of(network: Any) -> Adapter:
    """A network's adapter: its family's, or else one that is found by its structure and checked.

    Raises UserError where no blocks are found, or they do not hold what the model computes.
    """
    found = FAMILIES.get(network.config.model_type)
    return found_by_structure(network) if found is None else found

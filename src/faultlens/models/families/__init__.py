"""Model families: where each keeps the quantities that sites name, a file a family.

A new family is one final class with the protocol `faultlens.models.adapter.Adapter`, in a file of
its own, and a line in `FAMILIES`.
"""

from __future__ import annotations

from faultlens.errors import UserError
from faultlens.models.adapter import Adapter
from faultlens.models.families.gemma import Gemma
from faultlens.models.families.gpt2 import GPT2
from faultlens.models.families.llama import Llama
from faultlens.models.families.neox import NeoX

FAMILIES: dict[str, Adapter] = {
    "gpt2": GPT2(),
    "gpt_neox": NeoX(),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), Llama()),
    **dict.fromkeys(("gemma2", "gemma3", "gemma3_text"), Gemma()),
}
"""By Hugging Face's `model_type`."""


def adapter_for(model_type: str) -> Adapter:
    """The adapter of a family. Raises UserError, naming the known families, for an unknown one."""
    if model_type not in FAMILIES:
        raise UserError(
            f"models of type {model_type!r} are not supported: expected one of "
            f"{', '.join(sorted(FAMILIES))}; a new family is one adapter class, see "
            "faultlens/models/families"
        )
    return FAMILIES[model_type]

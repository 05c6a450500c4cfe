"""LoRA: an adapter that PEFT saved, merged into the weights at load.

It is merged in float32: in half precision the sum of a weight and its small change is off by
1e-2. transformers would apply an adapter that lies beside the weights only where PEFT happens to be
installed, without a word either way; here nothing is applied that was not asked for by name.
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

from faultlens.errors import UserError
from faultlens.models.checkpoints.digest import files_digest
from faultlens.runs.files import read_object

CONFIG, WEIGHTS, PICKLED = (
    "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
)  # fmt: skip
NONE = "none"
"""In the place of a folder: leave out the adapter that lies beside the weights."""
_EMBEDDINGS = {"embed_tokens", "wte", "embed_in", "lm_head", "embed_out", "word_embeddings"}


def refuse_unsaid(name: str, folder: Path, adapter: str | None) -> None:
    """Raises UserError where an adapter lies beside the weights and nothing says what it is for."""
    if adapter is None and (folder / CONFIG).is_file():
        raise UserError(
            f"model {name!r} has a PEFT adapter beside its weights ({CONFIG}): give --adapter "
            f"{name} to apply it, or --adapter {NONE} to leave it out"
        )


def adapter_digest(folder: Path) -> str:
    """SHA-256 of the adapter's files. Raises UserError if one cannot be read."""
    return files_digest([folder / CONFIG, folder / WEIGHTS])


def check_adapter(folder: Path) -> None:
    """Raises UserError unless the folder holds an adapter that can be merged."""
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"no adapter in {folder}: expected a folder that PEFT saved, with {CONFIG} and "
            f"{WEIGHTS}"
        )
    config = _read(folder / CONFIG)
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UserError(
            f"{folder / CONFIG}: peft_type = {kind!r}, expected 'LORA' (DoRA is one too); merge "
            "others with PEFT and give the merged folder as --model"
        )
    if not (folder / WEIGHTS).is_file():
        pickled = (folder / PICKLED).is_file()
        hint = f" ({PICKLED} is pickled, and is never opened)" if pickled else ""
        raise UserError(f"no file {folder / WEIGHTS}{hint}: expected the weights of {CONFIG}")
    if importlib.util.find_spec("peft") is None:
        raise UserError(
            "adapters are merged by PEFT, which is not installed: pip install 'faultlens[peft]'"
        )


def merged(network: Any, folder: Path) -> Any:
    """The network, float32, with the adapter merged into its weights.

    Raises UserError: the adapter is of another model, of a kind that cannot be merged, changes an
    embedding that is tied to the unembedding, or its weights do not belong to its configuration.
    """
    check_adapter(folder)
    _refuse_tied(network, folder)
    from peft import PeftModel, get_peft_model_state_dict

    before = {name for name, _ in network.named_parameters()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is checked here
            tuned = PeftModel.from_pretrained(network, str(folder), is_trainable=False)
            _refuse_unused(folder, set(get_peft_model_state_dict(tuned)))
            whole = tuned.merge_and_unload(safe_merge=True)
    except UserError:
        raise
    except Exception as error:  # whatever its tuners raise for a model that they do not fit
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"adapter {folder} cannot be merged into the model: {reason}") from error
    assert {name for name, _ in whole.named_parameters()} == before, "only values change"
    return whole


def _read(path: Path) -> dict[str, Any]:
    config = read_object(path)
    if config is None:
        raise UserError(f"no file {path}: expected the configuration of an adapter")
    return config


def _refuse_tied(network: Any, folder: Path) -> None:
    """PEFT would merge into the one and leave the other, which is the same tensor."""
    if not network.config.get_text_config().tie_word_embeddings:
        return
    touched = sorted(name for name in _tensors(folder) if set(name.split(".")) & _EMBEDDINGS)
    if touched:
        raise UserError(
            f"adapter {folder} changes {touched[0]}, but the model's embedding and unembedding are "
            "one tensor, into which the change cannot be merged: train it without the embedding, "
            "or on a model with tie_word_embeddings false"
        )


def _refuse_unused(folder: Path, used: set[str]) -> None:
    """Raises UserError unless the file's tensors are those that were applied."""
    there = _tensors(folder)
    apart = sorted(there ^ used)
    if apart:
        which = "has" if apart[0] in there else "has not"
        raise UserError(
            f"{folder / WEIGHTS} {which} the tensor {apart[0]} ({len(apart)} in all), against its "
            f"{CONFIG} and the model: expected an adapter of this model"
        )


def _tensors(folder: Path) -> set[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS} cannot be read as safetensors: {error}") from error

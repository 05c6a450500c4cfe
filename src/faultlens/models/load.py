"""Find and load a model by name: `mini`, a local folder, or a hub name."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL
from faultlens.models import hub
from faultlens.models.adapter import adapter_for
from faultlens.models.lens_config import LensConfig
from faultlens.models.model import Model

BUNDLED = LensConfig.model
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Downloads in bytes, where the name does not tell.
_SIZES = {"gpt2": 548e6, "gpt2-medium": 1.52e9, "gpt2-large": 3.25e9, "gpt2-xl": 6.43e9}
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_IN_BLOCK = re.compile(r"(?:^|\.)(?:h|layers)\.\d+\.")
_PARAMETERS = re.compile(r"(\d+(?:\.\d+)?)([mb])\b", re.IGNORECASE)


def load_model(
    name: str,
    device: str = LensConfig.device,
    dtype: str = LensConfig.dtype,
    revision: str | None = None,
    trust_pickle: bool = False,
) -> Model:
    """Load the bundled model (`"mini"`), a Hugging Face folder, or a model of the hub by its name.

    Args:
        name: what to load; a hub name is taken from the local cache where it is there.
        device: where to run it, e.g. `cuda`.
        dtype: what to run it in, one of `DTYPES`.
        revision: branch, tag or commit of a hub name.
        trust_pickle: also load weights that are pickled, which can run code as they load.

    Raises:
        UserError: there is no such model, its family has no adapter, or it cannot be loaded.
    """
    if dtype not in DTYPES:
        raise UserError(f"dtype {dtype!r} is not known: expected one of {', '.join(DTYPES)}")
    folder = LANGUAGE_MODEL if name == BUNDLED else Path(name)
    local = folder.is_dir()
    if not local and name.startswith((".", "/", "~")):
        raise UserError(f"no folder {name}: expected {BUNDLED!r}, a model folder or a hub name")
    if not local and not _HUB_NAME.fullmatch(name):
        raise UserError(
            f"no model {name!r}: expected {BUNDLED!r}, a model folder or a hub name (OWNER/NAME)"
        )
    if local and revision is not None:
        raise UserError(
            f"--revision {revision} means nothing for {name}, which is not from the hub: leave it "
            "out"
        )
    if local:
        _refuse_pickle(name, folder, trust_pickle)
    source = str(folder) if local else name
    loaded = _from_anywhere(source, name, local, dtype, revision, trust_pickle)
    network, loading, tokenizer, config = loaded
    missing = sorted(loading["missing_keys"])
    if missing:
        raise UserError(
            f"model {name!r} has no weights for {missing[0]} and {len(missing) - 1} other tensors: "
            "they would be random; fetch the model again"
        )
    unused = sorted(key for key in loading["unexpected_keys"] if _of_a_block(key))
    if unused:
        raise UserError(
            f"model {name!r} has weights that its config.json has no place for, e.g. {unused[0]} "
            f"({len(unused)} in all): expected a configuration with as many layers and the same "
            "parts; fetch the model again"
        )
    _refuse_nan(name, network)
    if len(tokenizer) < 2:
        raise UserError(f"model {name!r} has no tokenizer: expected tokenizer.json beside it")
    tokenizer.model_max_length = sys.maxsize  # long texts are split here, without its warning
    network.eval().requires_grad_(False).to(_device(device))
    digest = _folder_digest(folder) if local else hub.commit(name, revision)
    return Model(name, network, tokenizer, adapter_for(config.model_type), digest)


def _from_anywhere(
    source: str, name: str, local: bool, dtype: str, revision: str | None, trust_pickle: bool
) -> tuple[Any, dict[str, Any], Any, Any]:
    """From the folder or the cache; what is not there, from the hub."""
    arguments = (source, dtype, revision, trust_pickle)
    try:
        return _from_transformers(*arguments, local_only=True)
    except UserError:
        raise
    except Exception as error:  # its many loaders raise whatever a broken file leads them to
        if local or not isinstance(error, OSError):  # what is not in the cache is an OSError
            raise UserError(_cannot_be_loaded(name, error)) from error
    if not hub.reachable():
        cached = hub.snapshot(name, revision)
        if cached is not None:
            _refuse_pickle(name, cached, trust_pickle)
        raise UserError(hub.not_at_hand(f"model {name!r}", download_size(name)))
    try:
        return _from_transformers(*arguments, local_only=False)
    except UserError:
        raise
    except Exception as error:
        raise UserError(_cannot_be_loaded(name, error)) from error


def _from_transformers(
    source: str, dtype: str, revision: str | None, trust_pickle: bool, local_only: bool
) -> tuple[Any, dict[str, Any], Any, Any]:
    """Network, what loading said of it, tokenizer and configuration."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig

    where = {"revision": revision or "main", "local_files_only": local_only}
    raw, _ = PretrainedConfig.get_config_dict(source, **where)
    # Before AutoConfig, whose own error for a type it does not know speaks of upgrading.
    if isinstance(raw.get("model_type"), str):
        adapter_for(raw["model_type"])
    config = AutoConfig.from_pretrained(source, **where)
    adapter_for(config.model_type)  # an unknown family is refused before its weights are fetched
    network, loading = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=DTYPES[dtype],
        use_safetensors=None if trust_pickle else True,
        output_loading_info=True,
        **where,
    )
    tokenizer = AutoTokenizer.from_pretrained(source, **where)
    return network, loading, tokenizer, config


def _cannot_be_loaded(name: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if "ignore_mismatched_sizes" in reason:
        reason = "its weights have other shapes than its config.json says"
    return (
        f"model {name!r} cannot be loaded: expected {BUNDLED!r}, a Hugging Face model folder with "
        f"safetensors weights, or a hub name ({reason})"
    )


def _refuse_pickle(name: str, folder: Path, trust_pickle: bool) -> None:
    pickled = sorted(folder.glob("pytorch_model*.bin"))
    if pickled and not trust_pickle and not any(folder.glob("*.safetensors")):
        raise UserError(
            f"model {name!r} has only pickled weights ({pickled[0].name}), which can run code as "
            "they load: expected safetensors; give --trust-pickle if you trust their source"
        )


def _of_a_block(key: str) -> bool:
    """Whether a tensor's name is one of a block, where leaving it out would change the numbers.

    Not the positions' table that old files repeat in each block, nor another half's (of images).
    """
    return bool(_IN_BLOCK.search(key)) and "inv_freq" not in key and "vision" not in key


def _refuse_nan(name: str, network: Any) -> None:
    for tensor, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            raise UserError(
                f"model {name!r} has values that are NaN or infinite in {tensor}: fetch it again"
            )


def _device(name: str) -> torch.device:
    """A device that is there. Raises UserError otherwise."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {name!r} cannot be used: expected cpu, cuda … ({reason})") from (
            error
        )
    return device


def download_size(name: str) -> float | None:
    """About how many bytes a model of the hub takes, told by its name; None where it does not tell.

    Two bytes a parameter, as most are published: `…-2b` takes about 4 GB.

    >>> download_size("EleutherAI/pythia-70m"), download_size("openai-community/gpt2")
    (140000000.0, 548000000.0)
    """
    short = name.rsplit("/", 1)[-1]
    if short in _SIZES:
        return _SIZES[short]
    found = _PARAMETERS.search(short)
    return 2 * float(found[1]) * {"m": 1e6, "b": 1e9}[found[2].lower()] if found else None


def _folder_digest(folder: Path) -> str:
    """SHA-256 over what decides a model's numbers: weights, configuration, tokenizer."""
    digest = hashlib.sha256()
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    for path in sorted([*weights, *folder.glob("*.json")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()

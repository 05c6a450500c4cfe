"""Weights: a network as transformers loads it; what it fills up or leaves out is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.importing import uncollected
from faultlens.models import hub
from faultlens.models.checkpoints.folder_files import check_folder_files, check_generation_config
from faultlens.models.checkpoints.light_weights import light_network
from faultlens.models.checkpoints.sizes import check_sizes
from faultlens.models.checkpoints.source import Source
from faultlens.models.checkpoints.tokenizer import load_tokenizer
from faultlens.models.families import check_family

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Downloads in bytes, where the name does not tell.
_SIZES = {"gpt2": 548e6, "gpt2-medium": 1.52e9, "gpt2-large": 3.25e9, "gpt2-xl": 6.43e9}
_PARAMETERS = re.compile(r"(\d+(?:\.\d+)?)([mb])\b", re.IGNORECASE)
_IN_BLOCK = re.compile(r"(?:^|\.)(?:h|layers|blocks)\.\d+\.")
# Where PEFT is installed transformers looks for an adapter beside the weights, over the network
# too, and applies it without a word: it is told to look where there is none.
_NO_ADAPTER = {"subfolder": "none", "local_files_only": True}
_ALL_THERE: dict[str, Any] = {"missing_keys": (), "unexpected_keys": ()}


def load_weights(
    source: Source, dtype: str, trust_pickle: bool, light: bool = False
) -> tuple[Any, Any]:
    """The network on the processor and its tokenizer, from a folder, the cache or the hub.

    Args:
        source: where the files are; a GGUF file has been converted before.
        dtype: what the weights are cast to, a key of `DTYPES`.
        trust_pickle: also load weights that are pickled, which can run code as they load.
        light: do without transformers' class for the network where that can be (`light_weights`):
            it reads and scores texts, and does not generate.

    Raises:
        UserError: the family has no adapter, a file is missing or broken, or weights and
            configuration do not belong together.
    """
    if source.folder is not None:
        refuse_pickle(source.name, source.folder, trust_pickle)
    network, loading, tokenizer = _from_anywhere(source, dtype, trust_pickle, light)
    missing = sorted(loading["missing_keys"])
    if missing:
        raise UserError(
            f"model {source.name!r} has no weights for {missing[0]} and {len(missing) - 1} other "
            "tensors: they would be random; fetch the model again"
        )
    unused = sorted(key for key in loading["unexpected_keys"] if _of_a_block(key))
    if unused:
        raise UserError(
            f"model {source.name!r} has weights that its config.json has no place for, e.g. "
            f"{unused[0]} ({len(unused)} in all): expected a configuration with as many layers and "
            "the same parts; fetch the model again"
        )
    return network, tokenizer


def _from_anywhere(
    source: Source, dtype: str, trust_pickle: bool, light: bool
) -> tuple[Any, dict[str, Any], Any]:
    """From the folder or the cache; what is not there, from the hub."""
    try:
        return _from_transformers(source, dtype, trust_pickle, light, local_only=True)
    except UserError:
        raise
    except Exception as error:  # its many loaders raise whatever a broken file leads them to
        # What is not in the cache is an OSError.
        if source.folder is not None or not isinstance(error, OSError):
            raise UserError(_cannot_be_loaded(source.name, error)) from error
    if not hub.reachable():
        cached = hub.snapshot(source.name, source.revision)
        if cached is not None:
            refuse_pickle(source.name, cached, trust_pickle)
        raise UserError(hub.not_at_hand(f"model {source.name!r}", download_size(source.name)))
    try:
        return _from_transformers(source, dtype, trust_pickle, light, local_only=False)
    except UserError:
        raise
    except Exception as error:
        raise UserError(_cannot_be_loaded(source.name, error)) from error


def _from_transformers(
    source: Source, dtype: str, trust_pickle: bool, light: bool, local_only: bool
) -> tuple[Any, dict[str, Any], Any]:
    """Network, what loading said of it, and tokenizer."""
    from transformers import AutoConfig, PretrainedConfig

    if source.folder is not None:
        check_folder_files(source.folder)
    path = str(source.folder or source.name)
    where = {"revision": source.revision or "main", "local_files_only": local_only}
    raw, _ = PretrainedConfig.get_config_dict(path, **where)
    check_sizes(raw, source.name)
    # Before AutoConfig, whose own error for a type it does not know speaks of upgrading.
    if isinstance(raw.get("model_type"), str):
        check_family(raw["model_type"])
    config = AutoConfig.from_pretrained(path, **where)
    check_family(config.model_type)  # an unknown type is refused before its weights are fetched
    network, loading = None, _ALL_THERE
    if light and source.folder is not None:
        network = light_network(source.folder, config, DTYPES[dtype])
    if network is None:
        network, loading = _class_of(config).from_pretrained(
            path,
            # Asked for a type, transformers leaves FP8 weights half converted: they are cast below.
            dtype="auto" if _is_fp8(raw) else DTYPES[dtype],
            use_safetensors=None if trust_pickle else True,
            output_loading_info=True,
            adapter_kwargs=_NO_ADAPTER,
            **where,
        )
    if _is_fp8(raw):
        network = network.to(DTYPES[dtype])
    folder = source.folder or hub.snapshot(source.name, source.revision)
    if folder is not None and source.folder is None:
        check_generation_config(folder)
    return network, loading, load_tokenizer(source.name, path, folder, where)


def _is_fp8(raw: Mapping[str, Any]) -> bool:
    """Whether a folder's weights are stored in eight-bit floats, with a scale a block."""
    said = raw.get("quantization_config")
    return isinstance(said, Mapping) and said.get("quant_method") == "fp8"


def _class_of(config: Any) -> Any:
    """The class that loads a model: of language, or, where there is none, of language and images.

    Mistral 3 has only the second.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    with uncollected():  # the lookup imports the class
        causal = type(config) in AutoModelForCausalLM._model_mapping
        auto = AutoModelForCausalLM if causal else AutoModelForImageTextToText
        auto._model_mapping.get(type(config), None)
    return auto


def _cannot_be_loaded(name: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if "ignore_mismatched_sizes" in reason:
        reason = "its weights have other shapes than its config.json says"
    return (
        f"model {name!r} cannot be loaded: {reason.rstrip(':.')}; expected config.json, "
        "safetensors weights and a tokenizer that belong together; fetch it again"
    )


def refuse_pickle(name: str, folder: Path, trust_pickle: bool) -> None:
    """Raises UserError for a folder that holds pickled weights only, unless they are trusted."""
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


def refuse_infinite(name: str, network: Any, dtype: str) -> None:
    """Raises UserError, naming the tensor, for weights that are NaN or infinite."""
    for tensor, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            advice = "fetch it again"
            if dtype == "float16":
                advice += ", or give --dtype bfloat16 or float32 if they pass float16's largest"
            raise UserError(
                f"model {name!r} in {dtype} has values that are NaN or infinite in {tensor}: "
                f"{advice}"
            )


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

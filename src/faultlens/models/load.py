"""Load a model by name: `mini`, a local folder, a GGUF file, or a hub name."""

from __future__ import annotations

import filecmp
import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL
from faultlens.models import hub, offloading
from faultlens.models.checkpoints import gguf, lora
from faultlens.models.checkpoints.digest import folder_digest
from faultlens.models.checkpoints.precision import (
    AUTO,
    dtype_in_force,
    stored_dtype,
    weights_size,
)
from faultlens.models.checkpoints.source import BUNDLED as BUNDLED
from faultlens.models.checkpoints.source import Source, find_source, shortened
from faultlens.models.checkpoints.weights import DTYPES, load_weights, refuse_infinite
from faultlens.models.device_memory import check_fits, free_on
from faultlens.models.families import adapter_of
from faultlens.models.lens_config import LensConfig
from faultlens.models.model import Model
from faultlens.models.model_config import ModelConfig
from faultlens.models.start_token import start_of


def load_model(
    name: str,
    device: str = LensConfig.device,
    dtype: str = LensConfig.dtype,
    revision: str | None = None,
    trust_pickle: bool = False,
    adapter: str | None = None,
    start: str | None = None,
    device_map: str | None = None,
    light: bool = False,
) -> Model:
    """Load the bundled model (`"mini"`), a Hugging Face folder, a GGUF file, or a model of the hub.

    Args:
        name: what to load; a hub name is taken from the local cache where it is there, and a GGUF
            file from the folder that it was converted to before.
        device: where to run it, e.g. `cuda`.
        dtype: what to run it in: one of `DTYPES`, or `auto` (see `precision`).
        revision: branch, tag or commit of a hub name.
        trust_pickle: also load weights that are pickled, which can run code as they load.
        adapter: a folder with a LoRA adapter that PEFT saved, merged into the weights; `"none"`
            leaves out the one that lies beside them.
        start: what is to stand in front of a text: `none`, `bos`, or the text of a token; None:
            what the model expects (see `start_token`).
        device_map: `auto`: what does not fit the device stays in the processor's memory (see
            `offloading`).
        light: for reading a text or two: start sooner where that can be (`light_weights`). Such a
            model does not generate.

    Raises:
        UserError: there is no such model, its family has no adapter, it cannot be loaded, or its
            weights do not fit into the memory that is free.
    """
    if dtype not in (AUTO, *DTYPES):
        known = ", ".join((AUTO, *DTYPES))
        raise UserError(f"dtype {dtype!r} is not known: expected one of {known}")
    source = _readable(name, revision)
    there = _device(device)
    dtype = in_force(source, dtype, there)
    _check_memory(source, dtype, torch.device("cpu") if device_map else there)
    if source.folder is not None:
        lora.refuse_unsaid(name, source.folder, adapter)
    tuning = None if adapter in (None, lora.NONE) else Path(str(adapter))
    if tuning is not None:
        lora.check_adapter(tuning)
    light = light and tuning is None and device_map is None
    network, tokenizer = load_weights(source, "float32" if tuning else dtype, trust_pickle, light)
    if tuning is not None:
        network = lora.merged(network, tuning).to(DTYPES[dtype])
    refuse_infinite(name, network, dtype)
    network.eval().requires_grad_(False)
    adapter_found = adapter_of(network) if device_map else None
    if adapter_found is None:
        network.to(there)
    else:
        free = free_on(there)
        room = 2**62 if free is None else free
        offloading.place(name, network, list(adapter_found.blocks(network)), there, room)
    made = None if source.folder is None else gguf.converted(source.folder)
    model = Model(
        name,
        network,
        tokenizer,
        adapter_found or adapter_of(network),
        _digest(source, made, tuning),
        quantisation=None if made is None else made.quantisation,
        tuning=None if tuning is None else str(tuning),
        is_mini=source.folder is not None and _is_mini(source.folder),
        start=start,
    )
    if start is not None:
        start_of(model)  # says at once what is no token of this model
    return model


def _readable(name: str, revision: str | None) -> Source:
    """Where a model's files are; of a GGUF file, the folder that it is converted to."""
    source = find_source(name, revision)
    if source.gguf is None:
        return source
    return replace(source, folder=gguf.cached_folder(source.gguf))


def in_force(source: Source, dtype: str, device: torch.device) -> str:
    """The format that a model runs in; config.json is only asked where it decides."""
    asks = dtype == AUTO and device.type != "cpu"
    return dtype_in_force(dtype, stored_dtype(source) if asks else None, str(device))


def memory_needed(config: LensConfig | ModelConfig) -> int | None:
    """Bytes that a model's weights will take, told before they are loaded; None: not known.

    Raises UserError where there is no such model or device. Of a GGUF file that was not converted
    before nothing is known.
    """
    source = find_source(config.model, config.revision)
    if source.gguf is not None:
        return None
    return weights_size(source, in_force(source, config.dtype, _device(config.device)))


def _check_memory(source: Source, dtype: str, device: torch.device) -> None:
    """Raises UserError where the weights do not fit: they are read by way of the processor."""
    needed = weights_size(source, dtype)
    if needed is None:
        return
    places = dict.fromkeys((torch.device("cpu"), device))
    for place in places:
        check_fits(source.name, dtype, needed, str(place), free_on(place))


def load_configured(config: ModelConfig | LensConfig, light: bool = False) -> Model:
    """The model that a config names, loaded as `load_model` does; PyTorch takes its threads.

    Raises UserError as `load_model` does.
    """
    options = {field.name: getattr(config, field.name) for field in fields(ModelConfig)}
    threads = options.pop("threads")
    if threads is not None:
        torch.set_num_threads(threads)
    return load_model(options.pop("model"), light=light, **options)  # by the names of its arguments


def _is_mini(folder: Path) -> bool:
    """Whether a folder holds the bundled model's weights under its configuration."""
    if folder == LANGUAGE_MODEL:
        return True
    weights, config = "model.safetensors", "config.json"
    if not (folder / weights).is_file():
        return False
    same = filecmp.cmp(folder / weights, LANGUAGE_MODEL / weights, shallow=False)
    return same and _fields(folder / config) == _fields(LANGUAGE_MODEL / config)


def _fields(config: Path) -> dict[str, Any]:
    """Of a configuration that has been loaded: all but the version that wrote it."""
    fields: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    return {name: value for name, value in fields.items() if name != "transformers_version"}


def _digest(source: Source, made: gguf.Converted | None, tuning: Path | None) -> str:
    """What decides the numbers: the GGUF file, the folder's files or the hub's commit; an adapter.

    A GGUF file and a folder that it was converted to have the file's: they are one model.
    """
    if made is not None:
        base = made.digest
    elif source.folder is not None:
        base = folder_digest(source.folder)
    else:
        base = hub.commit(source.name, source.revision)
    if tuning is None:
        return base
    both = f"{base} {lora.adapter_digest(tuning)}"
    return hashlib.sha256(both.encode()).hexdigest()


def _device(name: str) -> torch.device:
    """A device that is there. Raises UserError otherwise."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"device {shortened(name)!r} cannot be used: expected cpu, cuda … ({reason[:200]})"
        ) from error
    return device

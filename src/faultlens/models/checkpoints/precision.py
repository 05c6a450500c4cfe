"""Precision: what a model's weights are stored in, what it runs in, and how much memory that is.

All of it is known from headers and config.json, before a weight is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultlens.models import hub
from faultlens.models.checkpoints.source import Source
from faultlens.models.checkpoints.weights import DTYPES, download_size

AUTO = "auto"
FLOAT32, BFLOAT16 = "float32", "bfloat16"
LONGEST_HEADER = 100_000_000  # bytes; safetensors allows no more


def dtype_in_force(asked: str, stored: str | None, device: str) -> str:
    """The number format that a model runs in.

    Args:
        asked: a key of `DTYPES`, or `auto`: bfloat16 on a GPU where the weights are stored in it,
            float32 otherwise. A processor is no quicker in bfloat16, and less exact.
        stored: what config.json says that the weights are in; None: nothing.
        device: where it runs, e.g. `cuda:0`.

    >>> [dtype_in_force("auto", "bfloat16", device) for device in ("cuda:0", "cpu")]
    ['bfloat16', 'float32']
    """
    if asked != AUTO:
        return asked
    on_gpu = device.split(":")[0] not in ("cpu", "meta")
    return BFLOAT16 if on_gpu and stored == BFLOAT16 else FLOAT32


def stored_dtype(source: Source) -> str | None:
    """What config.json says that the weights are stored in; None where it says nothing.

    A model of the hub that is not in the cache is asked about over the network.
    """
    raw = _config(source)
    for part in (raw, raw.get("text_config")):
        if isinstance(part, Mapping):
            said = part.get("dtype") or part.get("torch_dtype")
            if isinstance(said, str):
                return said.removeprefix("torch.")
    return None


def weights_size(source: Source, dtype: str) -> int | None:
    """Bytes that the weights take in a format, told before they are read; None: not known.

    Args:
        source: where the files are. Of a model that is not there yet its name tells roughly.
        dtype: a key of `DTYPES`.
    """
    width = DTYPES[dtype].itemsize
    folder = source.folder or hub.snapshot(source.name, source.revision)
    if folder is not None:
        files = sorted(folder.glob("*.safetensors"))
        counts = [_numbers(file) for file in files if file.name != "adapter_model.safetensors"]
        if counts and None not in counts:
            return width * sum(count for count in counts if count is not None)
    if source.folder is not None:
        return None
    download = download_size(source.name)  # two bytes a parameter
    return None if download is None else int(download / 2 * width)


def _numbers(file: Path) -> int | None:
    """How many numbers a safetensors file holds, by its header; None for a damaged one."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if length > LONGEST_HEADER:
                return None
            header = json.loads(opened.read(length))
        shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
        return sum(math.prod(map(int, shape)) for shape in shapes)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # whoever loads it says what is wrong


def _config(source: Source) -> Mapping[str, Any]:
    """config.json's content; empty where it cannot be had, which whoever loads it says."""
    from transformers import PretrainedConfig

    path = str(source.folder or source.name)
    for local_only in (True, False):
        if not local_only and (source.folder is not None or not hub.reachable()):
            break
        try:
            raw, _ = PretrainedConfig.get_config_dict(
                path, revision=source.revision or "main", local_files_only=local_only
            )
        except Exception:  # its loaders raise whatever a broken file leads them to
            continue
        return dict(raw)
    return {}

"""GGUF: a file of llama.cpp's format, made into an ordinary model folder in float32.

transformers reads the weights and the tokenizer, through the package `gguf`. It takes minutes over
a large vocabulary and will not save what it dequantised, so the folder is made once and kept in a
cache, under the file's hash.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.models.checkpoints.digest import files_digest
from faultlens.models.families import check_family
from faultlens.runs.claim import claimed
from faultlens.runs.files import write_json

NOTE = "faultlens_gguf.json"
"""In a converted folder: what it was made of."""
CACHE = "FAULTLENS_CACHE"
"""Environment variable: where converted files are kept, in place of ~/.cache/faultlens."""
SPLIT_AS_GPT2 = frozenset(
    "default gpt-2 phi-2 mpt olmo jais trillion granite-docling "
    "starcoder refact command-r smollm codeshell exaone".split()
)
"""llama.cpp's names of GPT-2's own way to split text, then of those that split digits beside.

A vocabulary that was made with digits apart has no byte pair that joins them, so that the split
makes no difference.
"""
LAYERS_OF_27B = {"gemma2": 46, "gemma3_text": 62}
"""By `model_type`, how many layers the published model with 27 B weights has."""


@dataclass(frozen=True)
class Converted:
    """What a model folder was made of.

    Attributes:
        file: the GGUF file's name.
        digest: its SHA-256.
        quantisation: what its weights were stored in, as llama.cpp calls it, e.g. `Q4_1`.
    """

    file: str
    digest: str
    quantisation: str


def converted(folder: Path) -> Converted | None:
    """What a folder was converted from; None for any other folder.

    Raises UserError where the note that says so is damaged.
    """
    note = folder / NOTE
    if not note.is_file():
        return None
    try:
        return Converted(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{note} is damaged: convert the GGUF file again ({error})") from error


def cached_folder(file: Path) -> Path:
    """The ordinary folder of a GGUF file: from the cache, or else converted into it now.

    Raises what `convert` raises.
    """
    versions = "-".join(metadata.version(package) for package in ("transformers", _needed()))
    folder = cache_root() / "gguf" / f"{files_digest([file], named=False)[:32]}-{versions}"
    if not (folder / NOTE).is_file():
        convert(file, folder)
    return folder


def cache_root() -> Path:
    """Where what was converted is kept."""
    given = os.environ.get(CACHE)
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faultlens"


def convert(file: Path, out: Path) -> Converted:
    """Write the model of a GGUF file to `out`: an ordinary folder, float32, tokenizer included.

    Raises UserError: `gguf` is not installed, the file cannot be read, its architecture is unknown,
    or the folder cannot be written.
    """
    _needed()
    with _read_once():
        made = Converted(file.name, files_digest([file], named=False), _quantisation(file))
        network, tokenizer = _loaded(file)
    _correct_attention_scale(network.config)
    # Both keep transformers from saving the weights, which are dequantised by now.
    network.hf_quantizer = None
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config
    try:
        with claimed(out, overwrite=False) as claim, claim.filled() as folder:
            network.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            write_json(folder / NOTE, asdict(made))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    return made


def _needed() -> str:
    """The package that reads GGUF files. Raises UserError unless it is installed."""
    if importlib.util.find_spec("gguf") is None:
        raise UserError(
            "GGUF files are read through the package gguf, which is not installed: pip install "
            "'faultlens[gguf]'"
        )
    return "gguf"


def _correct_attention_scale(config: Any) -> None:
    """Gemma 2 and 3 divide attention scores by √query_pre_attn_scalar, which no GGUF file holds.

    transformers takes 256 for all of them. llama.cpp, for which the files are made, takes the
    head's dimensions, but the model's width over its heads for the two published with 27 B weights.
    """
    if config.model_type in LAYERS_OF_27B:
        config.query_pre_attn_scalar = config.head_dim
        if config.num_hidden_layers == LAYERS_OF_27B[config.model_type]:
            config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads


@contextmanager
def _read_once() -> Iterator[None]:
    """Within this context a file's header is read once: transformers asks for it four times.

    Of a vocabulary of 50,000 each time takes seconds, and the table of tensor names, which it makes
    anew for every module, half as long again.
    """
    import gguf

    kept = gguf.GGUFReader, gguf.get_tensor_name_map
    reader = cache(kept[0])
    gguf.GGUFReader, gguf.get_tensor_name_map = lambda path: reader(str(path)), cache(kept[1])
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = kept


def _loaded(file: Path) -> tuple[Any, Any]:
    """Network and tokenizer, as transformers reads them."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": file.name, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(file.parent, **where)
        check_family(config.model_type)
        _refuse_unknown_split(file)
        network = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **where)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
    except UserError:
        raise
    except Exception as error:  # its readers raise whatever a broken file leads them to
        raise UserError(_unreadable(file, error)) from error
    return network, tokenizer


def _refuse_unknown_split(file: Path) -> None:
    """Raises UserError where the tokenizer splits text in a way that transformers does not know.

    It would split as GPT-2 does instead, without a word.
    """
    from gguf import GGUFReader
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    reader = GGUFReader(file)
    kind, split = (
        reader.get_field(f"tokenizer.ggml.{name}") for name in ("model", "pre")
    )  # fmt: skip
    if kind is None or split is None or kind.contents() != "gpt2":
        return
    if split.contents() not in {*GGUF_PRE_TOKENIZER_SPLITS, *SPLIT_AS_GPT2}:
        raise UserError(
            f"{file}: its tokenizer splits text as {split.contents()!r}, which transformers does "
            "not know from GGUF files; use the model's original folder, with its tokenizer.json"
        )


def _quantisation(file: Path) -> str:
    """llama.cpp's name of the file's type; where it is not given, that of most of its weights."""
    from gguf import GGUFReader, LlamaFileType

    try:
        reader = GGUFReader(file)
        said = reader.get_field("general.file_type")
        if said is not None:
            name: str = LlamaFileType(int(said.contents())).name
            return name.removeprefix("MOSTLY_")
        sizes: dict[str, int] = {}
        for tensor in reader.tensors:
            kind = tensor.tensor_type.name
            sizes[kind] = sizes.get(kind, 0) + int(tensor.n_elements)
        return max(sizes, key=lambda kind: sizes[kind], default="no weights")
    except Exception as error:  # likewise
        raise UserError(_unreadable(file, error)) from error


def _unreadable(file: Path, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{file} cannot be read as a GGUF model: {reason}"

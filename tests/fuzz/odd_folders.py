"""Odd folders of models and dictionaries: configuration, weights and tokenizer in every state."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from attempts import Case, Content
from families import WIDTH, save_family
from odd_values import damaged
from safetensors.torch import save_file

D_SAE = 32
RUN = ("tokens", "w1", "--feature", "1/5", "--model", "model", "--sae", "sae", "--no-fit-check")
LOST = (
    "nothing",
    "null",
    "number",
    "text",
    "negative",
    "fraction",
    "zero",
    "vast",
    "list",
    "object",
)
VALUES = dict(
    zip(LOST, ("", "null", "7", '"x"', "-1", "0.5", "0", "1e30", "[]", "{}"), strict=True)
)


def folder_cases() -> Iterator[Case]:
    """All of them, on tiny random models."""
    drawn = random.Random(3)
    yield _case("right", {}, {}, "done")
    yield from _dictionary_configs()
    yield from _dictionary_weights(drawn)
    yield from _model_configs()
    yield from _model_files(drawn)
    yield from _tokenizers(drawn)
    yield from _places()


Changed = Mapping[str, Content | None]
"""By name, the files of a folder that are replaced, or gone (None)."""


def _case(
    what: str, model: Changed, sae: Changed, expected: str, family: str = "gpt2", *more: str
) -> Case:
    """The tiny model and its dictionary, with some of their files changed."""

    def made(of: Path, changed: Changed) -> Content:
        def make(path: Path) -> None:
            shutil.copytree(of, path)
            for name, content in changed.items():
                (path / name).unlink(missing_ok=True)
                if isinstance(content, bytes):
                    (path / name).write_bytes(content)
                elif content is not None:
                    content(path / name)

        return make

    files = {"model": made(tiny_model(family), model), "sae": made(tiny_dictionary(), sae)}
    return Case(f"folders/{what}", (*RUN, *more), files, expected)  # type: ignore[arg-type]


@cache
def tiny_model(family: str) -> Path:
    with torch.random.fork_rng():
        return save_family(family, Path(tempfile.mkdtemp(prefix="fuzz-")) / family)


@cache
def tiny_dictionary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")) / "sae"
    folder.mkdir()
    save_file(tensors(), folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(CONFIG))
    return folder


def tensors() -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    enc = torch.randn(WIDTH, D_SAE, generator=drawn)
    return {
        "W_enc": enc, "W_dec": enc.T.contiguous(), "b_enc": torch.zeros(D_SAE),
        "b_dec": torch.zeros(WIDTH),
    }  # fmt: skip


CONFIG: dict[str, Any] = {
    "architecture": "standard", "d_in": WIDTH, "d_sae": D_SAE, "dtype": "float32", "device": "cpu",
    "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
    "metadata": {"hook_name": "blocks.1.hook_resid_pre", "prepend_bos": True, "model_name": "x"},
}  # fmt: skip


def _odd_fields(config: Mapping[str, Any], fields: list[str]) -> Iterator[tuple[str, bytes]]:
    """A configuration with one field odd, or gone."""
    for field in fields:
        for name, value in VALUES.items():
            rest = {key: json.dumps(inner) for key, inner in config.items() if key != field}
            if value:
                rest[field] = value
            text = "{" + ", ".join(f'"{key}": {inner}' for key, inner in rest.items()) + "}"
            yield f"{field}={name}", text.encode()


NO_CONFIG: dict[str, bytes] = {
    "empty": b"", "no JSON": b"{", "a list": b"[]", "null": b"null", "a text": b'"x"',
    "NaN": b"NaN", "nested too deeply": b"[" * 100_000, "not UTF-8": b"\xff\xfe{}",
    "an empty object": b"{}", "a long number": b"9" * 5000, "a page": b"<html></html>",
}  # fmt: skip


def _dictionary_configs() -> Iterator[Case]:
    for name, content in _odd_fields(CONFIG, [*CONFIG, "k", "activation_fn", "hook_name"]):
        yield _case(f"sae cfg {name}", {}, {"cfg.json": content}, "either")
    metadata = CONFIG["metadata"]
    for name, content in _odd_fields(metadata, [*metadata, "hook_head_index", "seqpos_slice"]):
        whole = json.dumps({**CONFIG, "metadata": "HERE"}).replace('"HERE"', content.decode())
        yield _case(f"sae metadata {name}", {}, {"cfg.json": whole.encode()}, "either")
    for name, content in NO_CONFIG.items():
        yield _case(f"sae cfg {name}", {}, {"cfg.json": content}, "refused")
    for site in (
        "blocks.1.hook_resid_pst", "blocks.99.hook_resid_pre", "blocks.-1.hook_resid_pre",
        "blocks.².hook_resid_pre", "blocks.99999999999999999999.hook_resid_pre", "hook_embed", "",
        "blocks.1", "blocks.1.hook_resid_pre\0", "\x1b[2J", "../../x", "blocks.1.attn.hook_z",
    ):  # fmt: skip
        whole = {**CONFIG, "metadata": {**metadata, "hook_name": site}}
        cfg = {"cfg.json": json.dumps(whole).encode()}
        expected = "either" if site == "blocks.1.attn.hook_z" else "refused"
        yield _case(f"sae site {site!a}", {}, cfg, expected)
    for kind in ("topk", "jumprelu", "gated", "batchtopk", "matryoshka", "transcoder", "no such"):
        cfg = {"cfg.json": json.dumps({**CONFIG, "architecture": kind}).encode()}
        yield _case(f"sae architecture {kind}", {}, cfg, "refused")


def _dictionary_weights(drawn: random.Random) -> Iterator[Case]:
    def saved(**changed: torch.Tensor | None) -> Content:
        kept = {k: v for k, v in {**tensors(), **changed}.items() if v is not None}
        return lambda path: save_file(kept, path)

    name = "sae_weights.safetensors"
    whole = (tiny_dictionary() / name).read_bytes()
    for what, content in damaged(whole, drawn):
        fine = what.startswith("bytes changed") or what == "tail changed"
        expected = "either" if fine else "refused"
        yield _case(f"sae weights {what}", {}, {name: content}, expected)
    yield _case("sae weights gone", {}, {name: None}, "refused")
    yield _case("sae weights a folder", {}, {name: lambda path: path.mkdir()}, "refused")
    yield _case(
        "sae weights a link to nothing", {}, {name: lambda path: path.symlink_to("no")}, "refused"
    )
    for tensor, right in tensors().items():
        odd: dict[str, tuple[torch.Tensor | None, str]] = {
            "gone": (None, "refused"),
            "NaN": (torch.full_like(right, float("nan")), "refused"),
            "infinite": (torch.full_like(right, float("inf")), "refused"),
            "zero": (torch.zeros_like(right), "either"),
            "vast": (torch.full_like(right, 3e38), "either"),
            "whole numbers": (torch.ones(right.shape, dtype=torch.int64), "either"),
            "truth values": (torch.ones(right.shape, dtype=torch.bool), "either"),
            "half": (right.half(), "done"),
            "double": (right.double(), "done"),
            "too short": (right[:-1].contiguous(), "refused"),
            "on one more axis": (right[None].contiguous(), "refused"),
            "empty": (right[:0].contiguous(), "refused"),
            "a number": (torch.tensor(1.0), "refused"),
        }
        for what, (changed, expected) in odd.items():
            case = {name: saved(**{tensor: changed})}
            yield _case(f"sae {tensor} {what}", {}, case, expected)
    more = {name: saved(W_more=torch.ones(3))}
    yield _case("sae with a tensor too many", {}, more, "either")
    other = {"W_enc": tensors()["W_enc"].T.contiguous()}
    yield _case("sae W_enc transposed", {}, {name: saved(**other)}, "refused")


def _model_configs() -> Iterator[Case]:
    for family in ("gpt2", "llama"):
        config = json.loads((tiny_model(family) / "config.json").read_text())
        fields = {
            "gpt2": ["n_head", "n_layer", "n_embd", "vocab_size", "n_positions", "model_type",
                     "activation_function", "layer_norm_epsilon", "bos_token_id", "n_inner"],
            "llama": ["num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps",
                      "hidden_act", "rope_parameters", "hidden_size", "eos_token_id"],
        }[family]  # fmt: skip
        for name, content in _odd_fields(config, fields):
            case = {"config.json": content}
            yield _case(f"{family} config {name}", case, {}, "either", family)
    for name, content in NO_CONFIG.items():
        yield _case(f"model config {name}", {"config.json": content}, {}, "refused")
    for kind in ("bert", "t5", "mamba", "no_such", "vit"):
        other = json.dumps({"model_type": kind, "architectures": ["X"]}).encode()
        yield _case(f"model of type {kind}", {"config.json": other}, {}, "refused")
    odd = json.dumps({"num_beams": 4, "do_sample": True, "bad_words_ids": [[3]], "top_k": "x"})
    for what, content in {"odd": odd.encode(), **NO_CONFIG}.items():
        case = {"generation_config.json": content}
        yield _case(f"generation config {what}", case, {}, "either")


def _model_files(drawn: random.Random) -> Iterator[Case]:
    name = "model.safetensors"
    whole = (tiny_model("gpt2") / name).read_bytes()
    for what, content in damaged(whole, drawn):
        fine = what.startswith("bytes changed") or what == "tail changed"
        yield _case(f"model weights {what}", {name: content}, {}, "either" if fine else "refused")
    for missing in ("config.json", name, "tokenizer.json", "tokenizer_config.json"):
        expected = "refused" if missing in ("config.json", name) else "either"
        yield _case(f"model without {missing}", {missing: None}, {}, expected)
    index = json.dumps({"metadata": {}, "weight_map": {"x": "../../etc/passwd"}}).encode()
    yield _case(
        "model with an index that climbs", {name: None, f"{name}.index.json": index}, {}, "refused"
    )
    pickled = {name: None, "pytorch_model.bin": b"cos\nsystem\n(S'touch pwned'\ntR."}
    yield _case("model of a pickle", pickled, {}, "refused")
    yield _case("model of a trusted pickle", pickled | {"pytorch_model.bin": b"x"}, {}, "refused",
                "gpt2", "--trust-pickle")  # fmt: skip
    adapter = {"adapter_config.json": json.dumps({"peft_type": "LORA"}).encode()}
    yield _case("model beside an adapter", adapter, {}, "refused", "gpt2")
    code = {"modeling_x.py": b"import os; os.system('touch pwned')"}
    auto = json.loads((tiny_model("gpt2") / "config.json").read_text())
    auto["auto_map"] = {"AutoModelForCausalLM": "modeling_x.X"}
    yield _case("model with code", {**code, "config.json": json.dumps(auto).encode()}, {}, "either")


def _tokenizers(drawn: random.Random) -> Iterator[Case]:
    whole = (tiny_model("gpt2") / "tokenizer.json").read_bytes()
    for what, content in damaged(whole, drawn):
        if what in ("bytes changed 0", "rubbish", "zeros", "doubled", "cut at 50%"):
            expected = "either" if what.startswith("bytes") else "refused"
            yield _case(f"tokenizer {what}", {"tokenizer.json": content}, {}, expected)
    for what, content in NO_CONFIG.items():
        yield _case(f"tokenizer {what}", {"tokenizer.json": content}, {}, "refused")
        yield _case(f"tokenizer config {what}", {"tokenizer_config.json": content}, {}, "either")
    record = json.loads(whole)
    odd: dict[str, Any] = {
        "without a model": {key: value for key, value in record.items() if key != "model"},
        "without words": {**record, "model": {**record["model"], "vocab": {}}},
        "of one word": {**record, "model": {**record["model"], "vocab": {"w0": 0}}},
        "of ids beyond": {**record, "model": {**record["model"], "vocab": {"w0": 0, "w1": 10**6}}},
        "of another version": {**record, "version": "99"},
    }
    for what, changed in odd.items():
        case = {"tokenizer.json": json.dumps(changed).encode()}
        expected = "either" if what in ("of one word",) else "refused"
        yield _case(f"tokenizer {what}", case, {}, expected)
    for token in ("bos_token", "eos_token", "pad_token", "unk_token"):
        settings = json.loads((tiny_model("gpt2") / "tokenizer_config.json").read_text())
        for what, value in (("null", None), ("unknown", "zz"), ("number", 3), ("list", ["w0"])):
            case = {"tokenizer_config.json": json.dumps({**settings, token: value}).encode()}
            yield _case(f"tokenizer {token} {what}", case, {}, "either")


def _places() -> Iterator[Case]:
    """Names of models and dictionaries that lead nowhere, or somewhere else."""
    for option in ("--model", "--sae"):
        for name in (
            "", ".", "/", "no", "no/such", "./no", "../no", "~/no", "no/such/thing", "n" * 300,
            "a/" * 2000, "file", "loop", "empty", "\x1b[2J", "\u202e", "mini/", "mini\n", "-",
            os.fsdecode(b"\xff"), "https://example.invalid/x", "model", "sae",
        ):  # fmt: skip
            given = {"--model": "mini", "--sae": "mini", option: name}
            arguments = ["tokens", "Mary", "--feature", "3/5", "--no-fit-check"]
            for key, value in given.items():
                arguments += [key, value]
            files: dict[str, Content] = {
                "file": b"x",
                "loop": lambda path: path.symlink_to("loop"),
                "empty": lambda path: path.mkdir(),
                "model": lambda path: shutil.copytree(tiny_model("gpt2"), path),
                "sae": lambda path: shutil.copytree(tiny_dictionary(), path),
            }
            yield Case(f"places/{option} {name[:40]!a}", tuple(arguments), files, "refused")

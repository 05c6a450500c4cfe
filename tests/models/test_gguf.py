"""GGUF files: the network that was written comes back, whatever it was quantised to."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gguf_files import write_gguf
from torch.testing import assert_close

from faultlens.errors import UserError
from faultlens.models.checkpoints import gguf as reading
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.tensor([[1, 5, 99, 33, 7, 12, 140, 41, 2, 9, 17]])
KINDS = [("llama", "Q4_1"), ("llama", "Q8_0"), ("gemma3", "Q4_1"), ("gemma3", "Q8_0")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of converted files, empty."""
    monkeypatch.setenv("FAULTLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=KINDS, ids=lambda kind: "-".join(kind))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any, str]:
    """A file, the network that it stands for, and its quantisation."""
    architecture, quantisation = request.param
    path = tmp_path / "files" / f"tiny.{quantisation}.gguf"
    path.parent.mkdir()
    return path, write_gguf(path, architecture, quantisation), quantisation


def test_every_site_is_the_written_networks(written: tuple[Path, Any, str]) -> None:
    path, network, quantisation = written
    model = load_model(str(path))
    with torch.no_grad():
        theirs = network(IDS, output_hidden_states=True, use_cache=False)
    for layer in range(model.n_layers):
        site = Site(layer, "resid_pre")
        assert_close(
            model.read(IDS, [site])[site], theirs.hidden_states[layer], rtol=1e-5, atol=1e-5
        )
    assert_close(model.logits(IDS), theirs.logits, rtol=1e-5, atol=1e-5)
    assert model.quantisation == quantisation
    assert next(iter(model.network.parameters())).dtype == torch.float32


def test_it_is_what_transformers_makes_of_the_file(written: tuple[Path, Any, str]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path, _, _ = written
    model = load_model(str(path))
    where = {"gguf_file": path.name}
    theirs = AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **where)
    with torch.no_grad():
        assert_close(model.logits(IDS), theirs.eval()(IDS).logits, rtol=1e-5, atol=1e-5)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, **where)
    text = "the theft of the 12 things"
    assert model.ids(text) == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert model.tokenizer.decode(model.ids(text)) == tokenizer.decode(
        tokenizer(text, add_special_tokens=False)["input_ids"]
    )
    assert (model.bos_id, model.tokenizer.eos_token_id) == (1, 2)
    assert max(model.ids(text)) < model.embedded


def test_it_is_converted_once(
    written: tuple[Path, Any, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, _ = written
    first = load_model(str(path))
    (folder,) = (cache / "gguf").iterdir()
    made = json.loads((folder / "faultlens_gguf.json").read_text())
    assert made == {"file": path.name, "digest": first.digest, "quantisation": first.quantisation}
    monkeypatch.setattr(reading, "convert", lambda *_: pytest.fail("converted twice"))
    renamed = path.rename(path.with_name("other.gguf"))
    again = load_model(str(renamed))
    assert torch.equal(again.logits(IDS), first.logits(IDS))
    assert again.digest == first.digest


def test_a_folder_that_holds_one_file_is_that_model(written: tuple[Path, Any, str]) -> None:
    path, _, _ = written
    assert torch.equal(load_model(str(path.parent)).logits(IDS), load_model(str(path)).logits(IDS))
    shutil.copy(path, path.with_name("second.gguf"))
    with pytest.raises(UserError, match=r"holds 2 GGUF files: name one, e\.g\. .*second\.gguf"):
        load_model(str(path.parent))


def test_a_converted_folder_is_an_ordinary_model(
    written: tuple[Path, Any, str], tmp_path: Path
) -> None:
    """Others read it too, and it still says what it was quantised to."""
    from transformers import AutoModelForCausalLM

    path, _, quantisation = written
    out = tmp_path / "plain"
    made = reading.convert(path, out)
    assert made.quantisation == quantisation
    config = json.loads((out / "config.json").read_text())
    assert "quantization_config" not in config
    theirs = AutoModelForCausalLM.from_pretrained(out).eval()
    model, from_file = load_model(str(out)), load_model(str(path))
    with torch.no_grad():
        assert_close(theirs(IDS).logits, model.logits(IDS), rtol=1e-5, atol=1e-5)
    assert (model.quantisation, model.digest) == (quantisation, from_file.digest)


def test_generation_ends_where_the_file_says(written: tuple[Path, Any, str]) -> None:
    model = load_model(str(written[0]))
    assert model.network.generation_config.eos_token_id in (2, [2])


def test_restart_and_edits_work_as_ever(written: tuple[Path, Any, str]) -> None:
    model: Model = load_model(str(written[0]))
    site = Site(1, "resid_mid")
    whole = model.logits(IDS)
    moved = model.logits(IDS, edits={site: lambda x: x + 1.0})
    assert (moved - whole).abs().max() > 1e-2


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"not one", b"GGUF" + b"\x03\0\0\0" + b"\xff" * 40]
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, cache: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=rf"{re.escape(str(path))} cannot be read as a GGUF model: "
    ):
        load_model(str(path))
    assert not list(cache.glob("gguf/*"))


def test_an_architecture_that_nobody_reads_is_one_sentence(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    path = tmp_path / "odd.gguf"
    writer = GGUFWriter(path, "oddity")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match="cannot be read as a GGUF model: .*oddity"):
        load_model(str(path))


def test_without_gguf_the_sentence_says_what_to_install(
    written: tuple[Path, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "gguf" else find(name)
    )
    with pytest.raises(UserError, match=r"not installed: pip install 'faultlens\[gguf\]'"):
        load_model(str(written[0]))


def test_files_that_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(UserError, match=r"is a file that does not end in \.gguf: expected 'mini'"):
        load_model(str(tmp_path / "weights.bin"))
    with pytest.raises(UserError, match=r"no file or folder .*gone\.gguf: expected 'mini'"):
        load_model(str(tmp_path / "gone.gguf"))


def test_gemmas_attention_scale_follows_its_heads(tmp_path: Path) -> None:
    """No file holds it. transformers takes that of heads of 256 dimensions for all."""
    from transformers import AutoModelForCausalLM

    path = tmp_path / "narrow.gguf"
    network = write_gguf(path, "gemma3", "Q8_0", head=32)
    model = load_model(str(path))
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=path.name, dtype="float32")
    with torch.no_grad():
        wanted = network(IDS).logits
        assert_close(model.logits(IDS), wanted, rtol=1e-5, atol=1e-5)
        assert (theirs.eval()(IDS).logits - wanted).abs().max() > 0.01


@pytest.mark.parametrize(
    ("kind", "layers", "width", "heads", "head", "published"),
    [
        ("gemma3_text", 62, 5376, 32, 128, 168),  # google/gemma-3-27b
        ("gemma3_text", 18, 640, 4, 256, 256),  # google/gemma-3-270m
        ("gemma2", 46, 4608, 32, 128, 144),  # google/gemma-2-27b
        ("gemma2", 42, 3584, 16, 256, 256),  # google/gemma-2-9b
    ],
)
def test_gemmas_published_attention_scales(
    kind: str, layers: int, width: int, heads: int, head: int, published: int
) -> None:
    config = SimpleNamespace(
        model_type=kind, num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads,
        head_dim=head, query_pre_attn_scalar=256,
    )  # fmt: skip
    reading._correct_attention_scale(config)
    assert config.query_pre_attn_scalar == published


def test_a_split_that_transformers_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    write_gguf(path, "llama", "Q8_0", pre="poro-chat")
    with pytest.raises(
        UserError,
        match="its tokenizer splits text as 'poro-chat', which transformers does not know from "
        "GGUF files; use the model's original folder, with its tokenizer.json",
    ):
        load_model(str(path))

"""GPT-2 small in shape, with random weights, and four SAEs of 24,576 features, in a local hub.

Nothing is downloaded: TransformerLens, SAELens and FaultLens load the same files by their public
names from a Hugging Face cache made here. The biases of the SAEs are set so that each feature fires
at a rate drawn from a skewed distribution, 109 features a token on average over the texts, as the
published ones do; three of the model's dimensions are large everywhere, as GPT-2's are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

LAYERS, FEATURES, FIRING = [6, 8, 10, 11], 24_576, 109
RELEASE = "gpt2-small-res-jb"
MASSIVE = {138: 1.5, 378: -2.0, 447: 3.0}  # dimension: what is added to it in every embedding
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "models"))


def texts() -> list[str]:
    """The 70 texts of the reference study; without them, the built-in corpus."""
    folder = os.environ.get("FAULTLENS_REFERENCE_DATA")
    if folder is None:
        from faultlens.corpus.texts import seven_categories

        return list(seven_categories().texts)
    import json

    lines = (Path(folder) / "seven_categories" / "texts.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def use(hub: Path) -> None:
    """Make `hub` this process's Hugging Face cache, and fill it; before anything imports that."""
    _name(hub)
    if not (hub / "filled").exists():
        _fill(hub)
        (hub / "filled").touch()


def use_model(hub: Path) -> None:
    """The same with the model alone, no SAEs."""
    _name(hub)
    _put_model(hub)


def _name(hub: Path) -> None:
    os.environ |= {"HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def reference_tokenizer() -> Path:
    """The folder of GPT-2's tokenizer, in the reference data."""
    folder = os.environ.get("FAULTLENS_REFERENCE_DATA")
    if folder is not None:
        return Path(folder) / "gpt2_tokenizer"
    raise SystemExit("set FAULTLENS_REFERENCE_DATA: the benchmark needs GPT-2's tokenizer")


def _fill(hub: Path) -> None:
    from hub_cache import put_saes

    _put_model(hub)
    saes = put_saes(hub, LAYERS, width=768, features=FEATURES)
    _set_firing(saes)


def _put_model(hub: Path) -> None:
    from hub_cache import put_gpt2
    from safetensors.torch import load_file, save_file

    hub.mkdir(parents=True, exist_ok=True)
    model_folder = put_gpt2(hub, reference_tokenizer(), width=768, heads=12)
    weights = load_file(model_folder / "model.safetensors")
    for dimension, shift in MASSIVE.items():
        weights["transformer.wte.weight"][:, dimension] += shift
    save_file(weights, model_folder / "model.safetensors", metadata={"format": "pt"})


def _set_firing(saes: Path) -> None:
    """Biases at the quantile of each feature's values that gives it the rate drawn for it."""
    import torch
    from safetensors.torch import load_file, save_file

    import faultlens as fl

    lens = fl.load("gpt2", RELEASE, layers=LAYERS)
    model = lens.model
    rows = [[model.bos_id, *model.ids(text)][: model.context] for text in texts()]
    sites = [dictionary.site for dictionary in lens.dictionaries]
    seen: dict[str, list[torch.Tensor]] = {d.name: [] for d in lens.dictionaries}
    for row in rows:
        values = model.read(model.pad([row]), sites)
        for dictionary in lens.dictionaries:
            seen[dictionary.name].append(dictionary.prepare(values[dictionary.site][0, 1:]))
    generator = torch.Generator().manual_seed(1)
    for dictionary in lens.dictionaries:
        x = torch.cat(seen[dictionary.name])
        rates = torch.exp(1.2 * torch.randn(FEATURES, generator=generator))
        rates = (rates * FIRING / rates.sum()).clamp(max=0.5)
        path = saes / dictionary.site.name / "sae_weights.safetensors"
        tensors = load_file(path)
        # The old format's input bias is taken off before the encoder, as SAELens does.
        wanted = (rates * len(x)).round().long().clamp(min=0)
        for start in range(0, FEATURES, 1024):
            columns = slice(start, start + 1024)
            pre = (x @ dictionary.W_enc[:, columns]).sort(dim=0, descending=True).values
            tensors["b_enc"][columns] = _bias(
                pre, wanted[columns], tensors["b_dec"] @ tensors["W_enc"][:, columns]
            )
        save_file(tensors, path)


def _bias(pre, wanted, shift):  # type: ignore[no-untyped-def]
    """Between the last value that shall fire and the first that shall not, and on neither.

    Texts that begin alike have equal values: a cut half-way between equals would leave the firing
    to rounding.
    """
    columns = range(pre.shape[1])
    above = pre[(wanted - 1).clamp(min=0), list(columns)]
    below = pre[wanted.clamp(max=len(pre) - 1), list(columns)]
    cut = (above + below) / 2 + 1e-3
    cut[wanted == 0] = pre[0, wanted == 0] + 0.5
    return -cut + shift

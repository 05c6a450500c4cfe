"""How long the doctor takes at GPT-2's shape: `python benchmarks/doctor.py`.

Target: one dictionary of 24,576 features at layer 8 examined in under 5 s on 2 cores, imports and
loading not counted. Its rival measures the same conventions the plain way, in the same run: a pass
through the model for each convention, every one encoded and decoded densely, and a whole pass for
each loss. Weights are random, with about 109 features firing on a token, as in gpt2-small-res-jb.

The tokenizer is read from the folder named by FAULTLENS_REFERENCE_DATA.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from gpt2_shape import reference_tokenizer
from huggingface_hub import constants
from torch import Tensor
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "models"))

from hub_cache import RELEASE, put_gpt2, put_saes

import faultlens as fl
from faultlens.models.convention import put_in_force, rivals
from faultlens.models.dictionary import Dictionary
from faultlens.models.doctor import (
    LOSS_TOKENS,
    RIVAL_TOKENS,
    TOKENS,
    at_least,
    examine,
    read,
)
from faultlens.models.fit import sample_rows
from faultlens.models.losses import padded_texts
from faultlens.models.model import Model

LAYER, FIRING, REPEATS = 8, 109, 3
Replace = Callable[[Tensor], Tensor]


def hidden_states(model: Model, rows: Sequence[Sequence[int]], bos: bool) -> Tensor:
    """All tokens but the first of each row, from a whole pass."""
    parts = []
    for texts in padded_texts(model, rows, [model.bos_id] if bos else []):
        out = model.network.base_model(texts.ids, output_hidden_states=True, use_cache=False)
        parts.append(out.hidden_states[LAYER][texts.real])
    return torch.cat(parts)


def loss(model: Model, rows: Sequence[Sequence[int]], bos: bool, edit: Replace | None) -> float:
    """Of a whole pass with what enters the layer replaced at every token but the first."""

    def hook(module: object, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        assert edit is not None
        return (torch.cat([args[0][:, :1], edit(args[0])[:, 1:]], dim=1), *args[1:])

    block = model.adapter.blocks(model.network)[LAYER]
    handle = block.register_forward_pre_hook(hook) if edit is not None else None
    total, tokens = 0.0, 0
    for texts in padded_texts(model, rows, [model.bos_id] if bos else []):
        logits = model.network(texts.ids, use_cache=False).logits[:, :-1]
        real = texts.real[:, 1:]
        total += float(cross_entropy(logits[real], texts.ids[:, 1:][real], reduction="sum"))
        tokens += int(real.sum())
    if handle is not None:
        handle.remove()
    return total / tokens


def dense(dictionary: Dictionary, x: Tensor) -> tuple[Tensor, Tensor]:
    """Activations and the reconstruction, by two dense products."""
    activations = dictionary.encode(x)
    decoded = activations @ dictionary.W_dec + dictionary.b_dec
    centred = dictionary.plain_input(x)
    how = dictionary.normalisation
    return activations, decoded * how.scale(centred) + how.shift(centred) + (x - centred)


def figures(dictionary: Dictionary, x: Tensor) -> tuple[float, float, float]:
    """FVU, L0 and the share of features that fire."""
    activations, rebuilt = dense(dictionary, x)
    wanted = dictionary.centred(x)
    fvu = ((x - rebuilt) ** 2).sum() / ((wanted - wanted.mean(0)) ** 2).sum()
    fired = activations > 0
    return float(fvu), float(fired.sum(1).float().mean()), float(fired.any(0).float().mean())


@torch.no_grad()
def plainly(model: Model, dictionary: Dictionary) -> list[tuple[float, ...]]:
    """The same figures as the doctor's, convention by convention."""
    rows = sample_rows(model, TOKENS)
    whole = hidden_states(model, rows, dictionary.convention.prepend_bos)
    found: list[tuple[float, ...]] = [figures(dictionary, whole)]
    few, fewer = at_least(rows, RIVAL_TOKENS), at_least(rows, LOSS_TOKENS)
    norm = float(dictionary.plain_input(whole).norm(dim=-1).mean())
    for bos in (True, False):
        mean = hidden_states(model, few, bos).mean(0)
        edits: list[Replace | None] = [None, torch.zeros_like, lambda x, m=mean: m.expand_as(x)]
        found.append(tuple(loss(model, fewer, bos, edit) for edit in edits))
    for rival in rivals(dictionary, norm):
        under = put_in_force(dictionary, rival.words)
        bos = under.convention.prepend_bos
        x = hidden_states(model, few, bos)

        def rebuild(value: Tensor, under: Dictionary = under) -> Tensor:
            return dense(under, value.flatten(0, 1))[1].view_as(value)

        found.append((*figures(under, x), loss(model, fewer, bos, rebuild)))
    return found


def prepared(folder: Path) -> tuple[Model, Dictionary]:
    """GPT-2's shape in a local cache; the encoder's bias set so that FIRING features fire."""
    tokenizer = reference_tokenizer()
    put_gpt2(folder, tokenizer, width=768, heads=12)
    put_saes(folder, [LAYER], width=768, features=24_576)
    constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = str(folder), True
    lens = fl.load("gpt2", RELEASE, layers=[LAYER])
    dictionary = lens.dictionaries[0]
    values, _ = read(lens.model, sample_rows(lens.model, 300), [dictionary.site], [0])
    pre = dictionary.prepare(values[dictionary.site]) @ dictionary.W_enc
    bar = pre.kthvalue(dictionary.d_sae - FIRING, dim=1).values.mean()
    return lens.model, replace(dictionary, b_enc=torch.full_like(dictionary.b_enc, -float(bar)))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of processor time."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def main() -> None:
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        model, dictionary = prepared(Path(folder))
        work = {
            "doctor": lambda: examine(model, [dictionary]),
            "plainly": lambda: plainly(model, dictionary),
            # 302 GFLOP of matrix products: how fast the machine is at this moment
            "yardstick": lambda: [torch.randn(2000, 768) @ dictionary.W_enc for _ in range(4)],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
        for _ in range(REPEATS):
            for name, run in work.items():
                times[name].append(timed(run))
    load = os.getloadavg()[0]
    print(f"{torch.get_num_threads()} threads, load {load:.1f}, {REPEATS} runs in turn")
    for name, of in times.items():
        clock, used = ([pair[i] for pair in of] for i in (0, 1))
        print(
            f"  {name:<10} {statistics.median(clock):6.2f} s ({min(clock):.2f} to {max(clock):.2f})"
            f", {statistics.median(used):6.2f} s of processor time"
        )
    ratios = [[b[i] / a[i] for a, b in zip(*map(times.get, ("doctor", "plainly")), strict=True)]  # type: ignore[arg-type]
              for i in (0, 1)]  # fmt: skip
    print(
        f"  plainly takes {statistics.median(ratios[0]):.1f} times as long, and "
        f"{statistics.median(ratios[1]):.1f} times the processor time"
    )


if __name__ == "__main__":
    main()

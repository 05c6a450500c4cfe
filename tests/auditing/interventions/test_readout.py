"""Answers read off few tokens equal those of the whole vocabulary."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.auditing.interventions.readout import AnswerMargins, Readout
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model

VOCABULARY, D = 6000, 48
RIGHT = torch.tensor([[7, 7, 7], [30, 31, 32], [5999, 0, 5999], [12, 12, 12]])
FOIL = torch.tensor([8, -1, 0, 4000])


@cache
def model(cap: float | None = None) -> Model:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=8, n_embd=D, n_layer=1, n_head=2)
    network = GPT2LMHeadModel(config).eval().requires_grad_(False)
    network.lm_head.weight = torch.nn.Parameter(torch.randn(VOCABULARY, D), requires_grad=False)
    config.final_logit_softcapping = cap
    return Model("random", network, None, FAMILIES["gpt2"], digest="")


def whole(of: Model, hidden: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Margin and difference, token by token."""
    logits = hidden.double() @ of.network.lm_head.weight.double().T
    cap = of.network.config.final_logit_softcapping
    logits = (logits if cap is None else torch.tanh(logits / cap) * cap).numpy()
    margin, difference = np.zeros(logits.shape[:2]), np.full(logits.shape[:2], np.nan)
    for copy in range(logits.shape[0]):
        for prompt in range(logits.shape[1]):
            row, right = logits[copy, prompt], set(RIGHT[prompt].tolist())
            others = max(row[token] for token in range(VOCABULARY) if token not in right)
            margin[copy, prompt] = max(row[token] for token in right) - others
            if FOIL[prompt] >= 0:
                difference[copy, prompt] = row[RIGHT[prompt, 0]] - row[FOIL[prompt]]
    return margin, difference


def read(
    of: Model, size: float, monkeypatch: pytest.MonkeyPatch
) -> tuple[AnswerMargins, Tensor, list[int]]:
    """Answers after changes of a size, the hidden states, and how many tokens were computed."""
    generator = torch.Generator().manual_seed(1)
    untouched = torch.randn(4, D, generator=generator)
    hidden = untouched + size * torch.randn(9, 4, D, generator=generator)
    readout, asked, unembed = Readout.of(of, RIGHT, FOIL, untouched), [], Model.unembed

    def counted(self: Model, hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        asked.append(VOCABULARY if tokens is None else len(tokens))
        return unembed(self, hidden, tokens)

    monkeypatch.setattr(Model, "unembed", counted)
    return readout.answers(hidden), hidden, asked


@pytest.mark.parametrize("cap", [None, 20.0])
@pytest.mark.parametrize("size", [0.0, 1e-4, 0.01, 0.1, 1.0, 30.0])
def test_answers_are_those_of_the_whole_vocabulary(
    size: float, cap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, hidden, _ = read(model(cap), size, monkeypatch)
    margin, difference = whole(model(cap), hidden)
    np.testing.assert_allclose(found.margin, margin, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found.difference, difference, rtol=1e-5, atol=1e-4)
    assert np.isnan(found.difference[:, 1]).all()


def test_small_changes_ask_for_few_tokens_and_large_ones_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert max(read(model(), 0.01, monkeypatch)[2]) < VOCABULARY / 100
    assert max(read(model(), 30.0, monkeypatch)[2]) == VOCABULARY


def test_some_prompts_are_read_as_they_are_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found, hidden, _ = read(model(), 0.05, monkeypatch)
    generator = torch.Generator().manual_seed(1)
    readout = Readout.of(model(), RIGHT, FOIL, torch.randn(4, D, generator=generator))
    places = torch.tensor([2, 0])
    part = readout.some(places).answers(hidden[:, places])
    np.testing.assert_allclose(part.margin, found.margin[:, places], atol=1e-5)


@pytest.mark.parametrize("size", [0.01, 30.0])
def test_choices_are_compared_with_the_foil_alone(size: float) -> None:
    """The referee: the largest right logit less the foil's, whatever other tokens say."""
    generator = torch.Generator().manual_seed(1)
    untouched, foil = torch.randn(4, D, generator=generator), torch.tensor([8, 9, 1, 4000])
    hidden = untouched + size * torch.randn(9, 4, D, generator=generator)
    readout = Readout.of(model(), RIGHT, foil, untouched, foil_alone=True)
    logits = (hidden.double() @ model().network.lm_head.weight.double().T).numpy()
    rows = np.arange(4)
    right = logits[:, rows[:, None], RIGHT.numpy()].max(axis=2)
    expected = right - logits[:, rows, foil.numpy()]
    places = torch.tensor([2, 0])
    for found, columns in (
        (readout.answers(hidden).margin, slice(None)),
        (readout.some(places).answers(hidden[:, places]).margin, [2, 0]),
    ):
        np.testing.assert_allclose(found, expected[:, columns], rtol=1e-5, atol=1e-4)

"""A whole audit reads each prompt once, encodes each token once, and tokenises each prompt once.

Generation and the interventions run prompts again, for that is what they are; they are told apart
and counted by themselves.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.auditing.activations import task_activations
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.corpus.task import Prompt, Task
from faultlens.features import encode
from faultlens.features.lens import Lens
from faultlens.models.model import Model
from faultlens.models.start_token import start_of

PROMPTS = 60


class Counts:
    """What was run, and for what."""

    def __init__(self) -> None:
        self.now = "reading"
        self.positions: Counter[str] = Counter()
        self.rows: list[list[int]] = []  # of the passes that read
        self.encoded: Counter[tuple[str, str]] = Counter()
        self.texts: Counter[str] = Counter()

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        before = self.now
        if before == "reading":  # what an intervention generates is its own
            self.now = what
        try:
            yield
        finally:
            self.now = before


def texts_of(ids: torch.Tensor, positions: torch.Tensor | None) -> list[list[int]]:
    """The token ids of every text in the rows of one pass: a text begins at position 0."""
    found: list[list[int]] = []
    for line, row in enumerate(ids.tolist()):
        of_row = range(len(row)) if positions is None else positions[line].tolist()
        for token, position in zip(row, of_row, strict=True):
            if position == 0:
                found.append([])
            found[-1].append(token)
    return found


@pytest.fixture(scope="module")
def lens() -> Lens:
    lens = fl.load("mini", layers=[3, 4], sites=["resid_pre"])
    # Once a model: whether texts can share rows, median norms, and what it expects in front.
    lens.read(["Ann met Tom."])
    start_of(lens.model)
    return lens


@pytest.fixture(scope="module")
def task() -> Task:
    return fl.tasks.mini_ioi(n=PROMPTS, seed=0)


@pytest.fixture(scope="module")
def counts(lens: Lens, task: Task) -> Counts:
    """Of one audit with all its steps: two sites, the ladder, classes, attribution and swaps."""
    counts = Counts()
    with pytest.MonkeyPatch.context() as patch:
        counted(patch, counts, lens)
        audit = fl.audit(lens, task, permutations=199, repeats=1, test_classes=1, fit_check=False)
    assert audit.attribution and audit.counterfactuals is not None and audit.counterfactuals.swaps
    assert any(reading.intervention for _, reading in audit.classes)
    assert audit.baselines is not None and audit.baselines["random_dictionary"].auroc is not None
    return counts


def counted(patch: pytest.MonkeyPatch, counts: Counts, lens: Lens) -> None:
    def within(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with counts.during(what):
                return function(*args, **kwargs)

        return call

    forward, read = lens.model.network.base_model.forward, Model.read

    def passed(*args: Any, **kwargs: Any) -> Any:
        ids = args[0] if args else kwargs["input_ids"]
        counts.positions[counts.now] += ids.numel()
        return forward(*args, **kwargs)

    def reads(
        self: Model, ids: torch.Tensor, sites: Any, positions: torch.Tensor | None = None
    ) -> Any:
        if counts.now == "reading":
            counts.rows.extend(texts_of(ids, positions))
        return read(self, ids, sites, positions)

    encodes = encode.encode

    def encoded(dictionary: Any, x: torch.Tensor, *rest: Any) -> Any:
        counts.encoded[counts.now, dictionary.name] += len(x)
        return encodes(dictionary, x, *rest)

    tokenizes = type(lens.model.tokenizer).__call__

    def tokenized(self: Any, text: str, *args: Any, **kwargs: Any) -> Any:
        counts.texts[text] += 1
        return tokenizes(self, text, *args, **kwargs)

    patch.setattr(lens.model.network.base_model, "forward", passed)
    patch.setattr(Model, "read", reads)
    patch.setattr(Model, "continuations", within("generation", Model.continuations))
    patch.setattr(CausalTests, "run", within("interventions", CausalTests.run))
    patch.setattr(type(lens.model.tokenizer), "__call__", tokenized)
    for module in list(sys.modules.values()):
        if getattr(module, "encode", None) is encodes:
            patch.setattr(module, "encode", encoded)


def test_each_prompt_is_read_once(counts: Counts, lens: Lens, task: Task) -> None:
    tokens = tokenize(task, lens.model)
    given = Counter(map(tuple, tokens.scored))
    padding = lens.model.bos_id
    # What lies behind the last text of a row is padding, and counts as one more text.
    seen = Counter(tuple(row) for row in counts.rows if len(row) > 1 and set(row) - {0, padding})
    assert seen == given
    real = sum(map(len, tokens.scored))
    assert real <= counts.positions["reading"] < 1.35 * real, "and little padding"


def test_each_token_is_encoded_once(counts: Counts, lens: Lens, task: Task) -> None:
    after_bos = sum(len(row) - 1 for row in tokenize(task, lens.model).scored)
    assert counts.encoded == {
        ("reading", dictionary.name): after_bos for dictionary in lens.dictionaries
    }, "and none again: not for the ladder, attribution or the interventions"


def test_each_prompt_is_tokenised_once(counts: Counts, task: Task) -> None:
    assert [counts.texts[prompt.text] for prompt in task.prompts] == [1] * PROMPTS
    swapped = [n for text, n in counts.texts.items() if text not in set(map(asked, task.prompts))]
    again = {t: n for t, n in counts.texts.items() if n > 1}
    assert max(swapped) == 1, again


def asked(prompt: Prompt) -> str:
    return prompt.text


def test_generation_and_interventions_are_told_apart(
    counts: Counts, lens: Lens, task: Task
) -> None:
    """Each prompt and its eight tokens are run once to see what the model answers."""
    tokens = tokenize(task, lens.model)
    rows = tokens.rows
    assert counts.positions["interventions"] > counts.positions["reading"]
    assert set(counts.positions) == {"reading", "generation", "interventions"}
    padded = len(rows) * max(map(len, rows))  # 60 prompts are one batch
    decoded = (tokens.new_tokens - 1) * len(rows)
    assert padded < counts.positions["generation"] <= padded + decoded


@pytest.mark.parametrize("pooling", ["max", "mean", "last-2"])
def test_the_tables_are_those_that_the_lens_reads(lens: Lens, task: Task, pooling: str) -> None:
    texts = [prompt.text for prompt in task.prompts]
    activations = TaskActivations.read(lens, task, tokenize(task, lens.model), pooling=pooling)
    for name, expected in lens.read(texts, pooling).items():
        found = activations.tables[name]
        assert (found.matrix != expected.matrix).nnz == 0
        assert found.rows.equals(expected.rows)
        assert (found.convention, found.layer) == (expected.convention, expected.layer)


@pytest.mark.parametrize("most", [0, task_activations.MOST_BYTES])
def test_codes_of_every_token_are_those_of_the_prompt_alone(
    lens: Lens, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tokens that target and foil share behind the prompt; kept, or too many to be kept."""
    monkeypatch.setattr(task_activations, "MOST_BYTES", most)
    task = Task("shared", tuple(
        Prompt(p.text, f"the {p.target}", f"the {p.foil}")
        for p in fl.tasks.mini_ioi(n=12, seed=1).prompts
    ))  # fmt: skip
    tokens = tokenize(task, lens.model)
    assert any(
        len(row) < len(scored) for row, scored in zip(tokens.rows, tokens.scored, strict=True)
    )
    activations = TaskActivations.read(lens, task, tokens, pooling="max")
    for dictionary in lens.dictionaries:
        codes = activations.codes(dictionary)
        assert (dictionary.name in activations._codes) == (most > 0)
        pooled = []
        for i, row in enumerate(tokens.scored):
            x = lens.model.read(torch.tensor([row]), [dictionary.site])[dictionary.site][0]
            alone = dictionary.encode(x).numpy()
            alone[0] = 0
            found = codes.matrix[codes.rows_of(i)].toarray()
            np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-4)
            assert ((found > 0) == (alone > 1e-6)).mean() > 0.9999
            pooled.append(alone[1 : len(tokens.rows[i])].max(axis=0))
        table = activations.tables[dictionary.name].matrix.toarray()
        np.testing.assert_allclose(table, pooled, rtol=1e-4, atol=1e-4)
        inside = codes.matrix[np.concatenate(activations.prompt_rows(dictionary))]
        assert inside.shape[0] == sum(len(row) - 1 for row in tokens.rows)
        np.testing.assert_array_equal(inside.max(axis=0).toarray()[0], table.max(axis=0))

"""Audits of dictionaries and models that expect different things in front of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.from_task import READ_TWICE
from faultlens.auditing.interventions.patching.swaps import aligned, swap_level
from faultlens.auditing.result.audit import Audit
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.models.convention import put_in_force
from faultlens.models.sites import Site

QUICK = {"permutations": 99, "repeats": 1, "test_classes": 0, "test_attributed": 0}


@pytest.fixture(scope="module")
def lens() -> Lens:
    """Model and dictionary both behind BOS."""
    return fl.load("mini", layers=[3])


@pytest.fixture(scope="module")
def task() -> Task:
    return fl.tasks.mini_ioi(n=60, seed=0)


def without_bos(lens: Lens) -> Lens:
    """The same dictionaries, as if trained without BOS."""
    return replace(lens, dictionaries=tuple(put_in_force(d, ["no-bos"]) for d in lens.dictionaries))


def started(lens: Lens, start: str) -> Lens:
    return replace(lens, model=replace(lens.model, start=start))


def audited(lens: Lens, task: Task, features: Sequence[str] = (), baselines: bool = False) -> Audit:
    return fl.audit(
        lens, task, fit_check=False, test_features=tuple(features), baselines=baselines, **QUICK
    )


def generated(lens: Lens, task: Task, start: list[int]) -> list[str]:
    """By transformers alone, prompt by prompt, whatever stands in front."""
    model, found = lens.model, []
    for prompt in task.prompts[:12]:
        row = torch.tensor([[*start, *model.ids(prompt.text)]])
        whole = model.network.generate(
            row, attention_mask=torch.ones_like(row), max_new_tokens=8, do_sample=False,
            pad_token_id=0,
        )  # fmt: skip
        new = whole[0, row.shape[1] :].tolist()
        ends = [i for i, token in enumerate(new) if token == model.tokenizer.eos_token_id]
        found.append(model.tokenizer.decode(new[: ends[0]] if ends else new))
    return found


@pytest.fixture(scope="module")
def differing(lens: Lens, task: Task) -> Audit:
    """The model answers behind BOS, and the dictionary was trained without."""
    return audited(without_bos(lens), task, ["3-res-mini/808"], baselines=True)


@pytest.fixture(scope="module")
def agreeing(lens: Lens, task: Task) -> Audit:
    return audited(lens, task, ["3-res-mini/808"])


def test_the_model_answers_behind_its_own_start_token(
    lens: Lens, task: Task, differing: Audit
) -> None:
    expected = generated(lens, task, [0])
    assert [outcome.generated for outcome in differing.outcomes[:12]] == expected
    assert expected != generated(lens, task, []), "else nothing would be shown"


def test_a_dictionary_is_read_as_it_was_trained(lens: Lens, task: Task) -> None:
    """What is pooled is what `Lens.read` gives of the same texts under its convention."""
    bare = without_bos(lens)
    texts = [prompt.text for prompt in task.prompts]
    expected = bare.read(texts)["3-res-mini"]
    tokens = tokenize(task, lens.model, [])
    read = TaskActivations.read(bare, task, tokens, pooling="max").tables["3-res-mini"]
    assert abs(read.matrix - expected.matrix).max() < 1e-4
    behind_bos = lens.read(texts)["3-res-mini"]
    assert abs(read.matrix - behind_bos.matrix).max() > 0.1, "the other reading is another"


def test_accuracy_is_given_behind_both_start_tokens(
    lens: Lens, task: Task, differing: Audit, agreeing: Audit
) -> None:
    found = differing.accuracy_by_start
    assert list(found) == ["<|endoftext|>", "nothing"]
    assert found["<|endoftext|>"] == 1 - agreeing.failures / agreeing.n
    bare = audited(started(without_bos(lens), "none"), task)
    assert found["nothing"] == 1 - bare.failures / bare.n
    assert bare.accuracy_by_start == {}, "both expect nothing: one reading"


def test_a_run_says_that_it_read_twice(differing: Audit, agreeing: Audit) -> None:
    assert READ_TWICE in differing.warnings
    (said,) = [w for w in differing.warnings if w.startswith("In front of a text")]
    assert said.startswith("In front of a text the model expects <|endoftext|>: it ends texts too")
    assert said.endswith("3-res-mini is read with nothing in front, as trained (--start sets both)")
    assert not any(w == READ_TWICE or "In front" in w for w in agreeing.warnings)
    assert agreeing.accuracy_by_start == {}
    assert Audit.from_dict(differing.to_dict()) == replace(differing, features=None)


def test_interventions_are_made_where_the_model_answers(differing: Audit, agreeing: Audit) -> None:
    """The pass is the same one, so a feature's effects are those that it has read behind BOS."""
    (one,), (other,) = differing.requested, agreeing.requested
    assert one.intervention is not None and other.intervention is not None
    for field in ("change", "control_change", "low", "high", "p_value"):
        mine, theirs = (getattr(t.intervention.necessity, field) for t in (one, other))
        assert mine == pytest.approx(theirs, abs=1e-5)


def test_nothing_in_front_of_either_is_one_reading(lens: Lens, task: Task) -> None:
    """Every token is the prompt's own, the first one with them; edits reach it too."""
    bare = started(without_bos(lens), "none")
    tokens = tokenize(task, bare.model)
    assert tokens.n_start == 0
    assert tokens.rows[0] == lens.model.ids(task.prompts[0].text)
    activations = TaskActivations.read(bare, task, tokens, pooling="max")
    codes = activations.codes(bare["3-res-mini"])
    row = torch.tensor([tokens.scored[0]])
    x = lens.model.read(row, [Site(3, "resid_pre")])[Site(3, "resid_pre")][0]
    expected = bare["3-res-mini"].encode(x).numpy()
    found = codes.matrix[codes.rows_of(0)].toarray()
    counted = codes.roles[codes.rows_of(0)] >= 0
    assert counted[1:].all()
    assert np.allclose(found[counted], expected[counted], atol=1e-3)
    edited = fl.intervene(bare, task, "3-res-mini/808", prompts=[0], positions="all")
    assert edited["edited"].tolist() == [int(counted.sum())]
    assert edited["generated_before"].tolist() == generated(lens, task, [])[:1]


def test_swapped_prompts_pair_up_from_the_first_token_on(lens: Lens, task: Task) -> None:
    bare = started(without_bos(lens), "none")
    tokens = tokenize(task, bare.model)
    level = task.factors["object"][0]
    swap = swap_level(task, tokens, bare.model, "object", level)
    assert not isinstance(swap, str), swap
    assert swap.tokens.n_start == 0
    assert swap.partners[0][0] == 0, "no start token stands there"
    assert aligned([5, 6, 9], [5, 7, 9], 0) == [0, 1, 2]
    assert aligned([5, 6, 7, 9], [5, 8, 9], 0) == [0, -1, 1, 2]
    assert aligned([0, 5, 6], [0, 7, 6]) == [-1, 1, 2]

"""What is kept of a task's tokens is what the model gives, prompt by prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import faultlens as fl
from faultlens.auditing.activations import site_values
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.models.model import Model
from faultlens.models.sites import Site


@pytest.mark.parametrize("most", [site_values.MOST_BYTES, 0])
def test_values_are_those_of_each_prompt_alone(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_values, "MOST_BYTES", most)
    lens, task = fl.load("mini"), fl.tasks.induction(n=20, seed=1)
    tokens = tokenize(task, lens.model)
    values = TaskActivations.read(lens, task, tokens).values
    assert (values.kept is None) == (most == 0)
    assert {d.site for d in lens.dictionaries} <= set(values.sites)
    read, passes = Model.read, []

    def counted(self: Model, ids: torch.Tensor, *rest: object) -> object:
        passes.append(len(ids))
        return read(self, ids, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Model, "read", counted)
    for prompts in ([3, 11], [0], list(np.arange(20))):
        found = values.of(prompts)
        for place, i in enumerate(prompts):
            row = tokens.scored[i]
            alone = read(lens.model, torch.tensor([row]), values.sites)
            for site in values.sites:
                assert_close(found[site][place, : len(row)], alone[site][0], rtol=1e-4, atol=1e-4)
    assert sum(passes) == (0 if most else 23), "kept: nothing is read again"
    assert Site(2, "resid_pre") in values.sites

"""The effect in a user's other words, in a model edited by hand: it holds, or it is not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from by_hand import CLEAR, FAILING, RIGHT, WORDS, asked, axes, dictionary, made

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.after_find.reworded_prompts import (
    RewordedPrompts,
    under_rewordings,
)
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.result import UnderRewordings
from faultlens.corpus.task import Prompt, Task
from faultlens.features.lens import Lens
from faultlens.features.token_choice import TokenChoice
from faultlens.models.model import Model

CAUSE, BYSTANDER = FeatureSet("1-res-hand", (0,)), FeatureSet("1-res-hand", (1,))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("clear"), CLEAR)


def measured(model: Model, task: Task, features: FeatureSet = CAUSE) -> UnderRewordings:
    axis = axes()
    found = dictionary(1, {"push": axis["push"], "bystander": axis["bystander"]})
    lens = Lens(model, (found,), choice=TokenChoice(massive="keep"))
    tokens = tokenize(task, model)
    read = TaskActivations.read(lens, task, tokens)
    failed = np.array([prompt.factors["object"] in FAILING for prompt in task.prompts])
    right = WORDS.index(RIGHT)

    def succeeds(ids: list[int], prompt: int) -> bool:
        return ids[:1] == [right]

    ablation = Ablation(
        found, read, CachedRuns(model, tokens, read.values.sites), failed, succeeds, 0
    )
    again = RewordedPrompts.of(lens, task, succeeds, 0)
    assert again is not None
    return under_rewordings(again, ablation, features, reverse=False)


def with_words(words: dict[str, list[str]]) -> Task:
    """Prompts with rewordings that end in these words, by object."""

    def of(prompt: Prompt) -> Prompt:
        ends = words.get(prompt.factors["object"], [prompt.factors["object"]])
        return replace(prompt, rewordings=tuple(f"w1 w2 {end} w3 {end}" for end in ends))

    task = asked(60)
    return replace(task, prompts=tuple(map(of, task.prompts)))


def test_an_effect_that_is_not_of_the_words_holds(model: Model) -> None:
    task = with_words({"keys": ["keys", "phone"]})
    found = measured(model, task)
    assert (found.rewordings, found.failures, found.fires, found.prompts) == (36, 36, 36, 30)
    assert found.change is not None
    assert found.on_originals is not None
    assert found.low is not None
    assert found.change > 1
    assert found.low > 1
    assert found.holds
    assert (found.turned, found.could_turn, found.missing) == (30, 30, None)
    # keys and phone push by 5 and 3.5, in the rewordings of keys both: less on the whole
    assert found.change < found.on_originals


def test_a_bystander_of_the_same_prompts_does_nothing_there(model: Model) -> None:
    found = measured(model, with_words({}), BYSTANDER)
    assert found.change == pytest.approx(0, abs=0.1)  # through the last norm, a little
    assert found.holds is False


def test_where_they_do_not_fail_it_is_said_why_nothing_was_measured(model: Model) -> None:
    found = measured(model, with_words({"keys": ["book"], "phone": ["pen"]}))
    assert (found.rewordings, found.failures, found.fires, found.prompts) == (24, 0, 0, 0)
    assert (found.change, found.holds) == (None, None)
    assert found.missing == (
        "of 24 rewordings of its failures 0 fail, and 0 of these, of 0 prompts, have it: of at "
        "least 5 prompts they are needed"
    )
    wrong = {name: ["keys"] for name in ("book", "pen", "ball")}
    found = measured(model, with_words(wrong))
    assert found.missing == "0 rewordings succeed: at least 5 are needed"


def test_of_one_prompt_many_wordings_are_one(model: Model) -> None:
    task = with_words({})
    many = tuple(f"w1 w{i} keys w3 keys" for i in range(2, 12))
    prompts = tuple(
        replace(p, rewordings=many if i == 0 else p.rewordings if i % 5 > 1 else ())
        for i, p in enumerate(task.prompts)
    )
    found = measured(model, replace(task, prompts=prompts))
    assert (found.rewordings, found.fires) == (10, 10)
    assert found.missing == (
        "of 10 rewordings of its failures 10 fail, and 10 of these, of 1 prompts, have it: of at "
        "least 5 prompts they are needed"
    )

"""What is asked once an effect is shown, in models edited by hand whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import cause_samples
import numpy as np
import pytest
import torch
from by_hand import CLEAR, FAILING, RIGHT, WORDS, asked, axes, dictionary, made

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.after_find.absorption import absorption
from faultlens.auditing.interventions.after_find.dose import dose_response
from faultlens.auditing.interventions.after_find.error_recovery import error_recovery
from faultlens.auditing.interventions.after_find.off_task import TextsElsewhere, _cost
from faultlens.auditing.interventions.after_find.rewording import by_wording
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.result import AfterFind, Dose, OffTask, Variant
from faultlens.auditing.verdicts.evidence import Evidence
from faultlens.auditing.verdicts.rules import of_class
from faultlens.corpus.task import Task
from faultlens.features.lens import Lens
from faultlens.features.token_choice import TokenChoice
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

CAUSE = FeatureSet("1-res-hand", (0,))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("clear"), CLEAR)


def ablation(model: Model, found: Dictionary, task: Task) -> Ablation:
    lens = Lens(model, (found,), choice=TokenChoice(massive="keep"))
    tokens = tokenize(task, model)
    activations = TaskActivations.read(lens, task, tokens)
    failed = np.array([prompt.factors["object"] in FAILING for prompt in task.prompts])
    runs = CachedRuns(model, tokens, activations.values.sites)
    right = WORDS.index(RIGHT)
    return Ablation(found, activations, runs, failed, lambda ids, _: ids[:1] == [right], 0)


def with_doses(changes: dict[float, float], reverse: bool = False) -> Dose | None:
    variants = [Variant(f"× {s:g}", "there", 9, change, 0.0, s) for s, change in changes.items()]
    return dose_response(replace(cause_samples.cause(), variants=variants, reversed=reverse))


@pytest.mark.parametrize(
    ("changes", "reverse", "monotone"),
    [
        ({0.0: 3.0, 0.5: 1.5, 1.5: -1.0, 2.0: -2.0}, False, True),
        ({0.0: 3.0, 0.5: 3.1, 1.5: -1.0, 2.0: -2.0}, False, True),  # within a twentieth
        ({0.0: 3.0, 0.5: 1.5, 1.5: 1.0, 2.0: 2.0}, False, False),
        ({0.5: 1.0, 1.0: 2.0, 1.5: 3.0, 2.0: 3.5}, True, True),
        ({0.5: 1.0, 1.0: 2.0, 1.5: 1.0, 2.0: 0.5}, True, False),
    ],
)
def test_more_moves_the_margin_one_way_or_does_not(
    changes: dict[float, float], reverse: bool, monotone: bool
) -> None:
    found = with_doses(changes, reverse)
    assert found is not None
    assert found.monotone == monotone
    kept = 0.0 if reverse else 1.0
    assert found.scales == sorted({*changes, kept})
    assert found.changes[found.scales.index(kept)] == 0.0


def split(where: str) -> Dictionary:
    """The cause as two features: one for `keys`, a narrower one for `phone`, alike but for that."""
    axis = axes()
    found = dictionary(1, {"push": axis["push"], "other": axis["push"]})
    with torch.no_grad():
        found.W_enc[:, 0] += 4 * axis["copy"]  # which keys alone has
        found.b_enc[0] = -9.0
        if where == "nowhere":
            found.b_enc[1] = -99.0
    return found


@pytest.fixture(scope="module")
def absorbing(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Phone pushes harder than keys does."""
    strengths = {"keys": {"push": 4.0, "copy": 3.0}, "phone": {"push": 5.0}}
    return made(tmp_path_factory.mktemp("absorbing"), strengths)


def test_a_feature_that_fires_in_its_place_is_found_and_taken_away_with_it(
    absorbing: Model,
) -> None:
    tested = ablation(absorbing, split("phone"), asked(100))
    fires = tested.codes.fires([0])
    objects = np.array(asked(100).factors["object"])
    assert set(objects[fires]) == {"keys"}, "silent on phone, though phone has its direction"
    found = absorption(tested, CAUSE)
    assert found.silent == (objects == "phone").sum() == 20
    assert found.children == ["1-res-hand/1"]
    assert found.prompts == 30, "of 40, as many as a test takes"
    assert found.alone is not None and found.with_children is not None
    assert found.with_children > 1.5 * found.alone, "phone comes right as well"


def test_nothing_stands_in_where_no_such_feature_fires(absorbing: Model) -> None:
    found = absorption(ablation(absorbing, split("nowhere"), asked(100)), CAUSE)
    assert found.children == []
    assert (found.alone, found.with_children) == (None, None)


def test_what_the_dictionary_leaves_out_comes_back_through_the_error_term(model: Model) -> None:
    """A feature that reads half of what its direction carries leaves the other half."""
    axis = axes()
    whole, half = dictionary(1, {"push": axis["push"]}), dictionary(1, {"push": axis["push"]})
    with torch.no_grad():
        half.W_enc[:, 0] *= 0.5
    told, held = (error_recovery(ablation(model, d, asked(100)), CAUSE) for d in (whole, half))
    assert told is not None and held is not None
    assert told.with_error - told.features < 0.6, "but for the half that its threshold takes off"
    assert held.features < 0.6 * held.with_error
    assert held.with_error == pytest.approx(told.with_error, abs=0.05), "nothing is left"


def test_the_cost_elsewhere_is_the_divergence_of_the_predictions(model: Model) -> None:
    tested = ablation(model, dictionary(1, {"push": axes()["push"]}), asked(100))
    rows = [[0, WORDS.index("keys"), WORDS.index("w1")], [0, WORDS.index("book")]]
    texts = TextsElsewhere("two texts", model, rows)
    found = _cost(tested, CAUSE, texts)
    assert _cost(tested, CAUSE, texts) == found
    assert (found.text, found.tokens, found.fires, found.controls) == ("two texts", 3, 1, 9)
    ids = model.pad(rows)
    site = tested.dictionary.site
    x = model.read(ids, [site])[site]
    normal = tested.codes.mean(np.flatnonzero(~tested.failed))[0]
    own = torch.relu(x[0, 1] @ axes()["push"] - 0.5)
    change = torch.zeros_like(x)
    change[0, 1] = (float(normal) - own) * axes()["push"]
    clean, changed = model.logits(ids), model.logits(ids, edits={site: lambda v: v + change})
    p, q = clean[0, 1].log_softmax(0), changed[0, 1].log_softmax(0)
    assert found.kl == pytest.approx(float((p.exp() * (p - q)).sum()) / 3, rel=1e-4)
    assert found.kl > 0
    silent = _cost(tested, CAUSE, TextsElsewhere("none of it", model, [[0, WORDS.index("book")]]))
    assert silent == OffTask("none of it", 1, 0, 0.0, 0.0, 0, 0)


def test_the_effect_is_measured_again_by_wording(model: Model) -> None:
    prompts = [
        replace(prompt, factors={**prompt.factors, "template": str(i % 3)})
        for i, prompt in enumerate(asked(90).prompts)
    ]
    task = Task("worded", tuple(prompts))
    tested = ablation(model, dictionary(1, {"push": axes()["push"]}), task)
    found = by_wording(tested, CAUSE, task, reverse=False)
    assert [one.level for one in found] == ["0", "1", "2"]
    assert sum(one.prompts for one in found) == 36
    assert all(one.turned == one.could_turn == one.prompts for one in found)
    assert all(one.change > 1 for one in found)
    assert by_wording(tested, CAUSE, asked(90), reverse=False) == [], "no factor gives wordings"


def test_a_verdict_says_where_a_change_disturbs_the_model_elsewhere() -> None:
    found = Evidence(active=(42, 3), p_deciding=0.002, least_p=1e-30, tested=700, alpha=0.05)

    def sentence(kl: float, as_large: int, control: float = 0.1) -> str:
        cost = OffTask("general text", 300, 20, kl, control, 9, as_large)
        after = AfterFind(None, None, None, [cost], [])
        done = replace(cause_samples.cause(), after=after)
        return of_class(replace(found, intervention=done))[0].sentence

    said = "yet on general text it changes predictions more than its controls do (0.3 nats a token"
    assert said in sentence(0.3, 0)
    assert "general text" not in sentence(0.3, 1)
    assert "general text" not in sentence(0.15, 0)
    assert "general text" not in sentence(0.005, 0, control=0.0001), "too little to matter"

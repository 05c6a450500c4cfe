"""Interventions on a model edited by hand, so that it is known which direction causes failure.

The last token of a prompt is `plain` or `trigger`. Both push the target; `trigger` also carries a
direction that pushes a wrong token harder. A dictionary has a feature that reads and writes that
direction (the cause), and one that fires at the same places but writes elsewhere (a bystander).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.audit.interventions import (
    CONTROLS,
    MOST_FEATURES,
    Assay,
    SetToMean,
    edit_decoding,
    necessity,
)
from faultlens.audit.running import TaskTokens
from faultlens.audit.steps import Intervention
from faultlens.models.adapter import adapter_for
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.model import Model
from faultlens.models.sites import Site

TARGET, WRONG, PLAIN, TRIGGER = 30, 31, 20, 21
D = 32
SITE = Site(1, "resid_pre")


class Special:
    """As much of a tokenizer as token ids need: BOS, which is also the padding."""

    bos_token_id = eos_token_id = 0


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm()


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=40, n_positions=16, n_embd=D, n_layer=2, n_head=2, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, initializer_range=0.02,
    )  # fmt: skip
    network = GPT2LMHeadModel(config).eval().requires_grad_(False)
    embedding = network.transformer.wte.weight
    embedding.data = torch.randn(40, D) / D**0.5
    push, pull = unit(embedding[WRONG]), unit(embedding[TARGET])
    embedding.data[PLAIN] = 2 * pull
    embedding.data[TRIGGER] = 2 * pull + 5 * push
    network.lm_head.weight = torch.nn.Parameter(torch.zeros(40, D), requires_grad=False)
    network.lm_head.weight.data[TARGET], network.lm_head.weight.data[WRONG] = pull, push
    return Model("by hand", network, Special(), adapter_for("gpt2"), digest="")


@pytest.fixture(scope="module")
def dictionary(model: Model) -> Dictionary:
    """Feature 0 is the cause, 1 the bystander, the rest random."""
    generator = torch.Generator().manual_seed(0)
    push = model.network.lm_head.weight[WRONG]
    W_enc = torch.randn(D, 64, generator=generator) * 0.3
    W_dec = torch.randn(64, D, generator=generator)
    W_enc[:, 0] = W_enc[:, 1] = push
    vocabulary = model.network.lm_head.weight[[TARGET, WRONG]]
    elsewhere = torch.randn(D, generator=generator)
    elsewhere -= elsewhere @ torch.linalg.pinv(vocabulary) @ vocabulary
    W_dec[0], W_dec[1] = push, unit(elsewhere)
    b_enc = torch.full((64,), -2.0)
    return Dictionary(
        "1-res-hand", SITE, Relu(), W_enc, b_enc, W_dec, torch.zeros(D),
        Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip


@pytest.fixture(scope="module")
def tokens() -> TaskTokens:
    """60 prompts of two to five tokens, the last of 20 the trigger."""
    rng = np.random.default_rng(0)
    rows = [
        [0, *rng.integers(1, 19, rng.integers(1, 4)).tolist(), TRIGGER if i < 20 else PLAIN]
        for i in range(60)
    ]
    return TaskTokens(rows, np.full(60, TARGET), np.full(60, WRONG))


FAILED = np.arange(60) < 20


def succeeds(ids: list[int], prompt: int) -> bool:
    return bool(ids) and ids[0] == TARGET


@pytest.fixture(scope="module")
def measured(
    model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> Callable[[int], Intervention]:
    def measure(feature: int) -> Intervention:
        found = necessity(model, dictionary, [feature], tokens, FAILED, FAILED, 0.05, 0, succeeds)
        assert found is not None
        return found

    return measure


def test_the_model_fails_where_it_was_made_to(model: Model, tokens: TaskTokens) -> None:
    generated = model.generate(tokens.rows, 1)
    assert [succeeds(ids, i) for i, ids in enumerate(generated)] == (~FAILED).tolist()


def test_taking_the_cause_away_is_shown_to_restore(measured: Callable[[int], Intervention]) -> None:
    cause = measured(0)
    assert cause.shown
    assert cause.p_value == pytest.approx(1 / (CONTROLS + 1))
    assert cause.adjusted > 1.0
    assert cause.low > 0
    assert cause.foil_effect is not None
    assert cause.foil_effect > 1.0
    assert cause.restored == 1.0
    assert cause.control_restored < 0.2
    assert cause.flips.failure_to_success == 20
    assert cause.flips.success_to_failure == 0
    assert cause.flips.p_mcnemar == pytest.approx(2 * 0.5**20)


def test_a_bystander_that_fires_at_the_same_places_is_not_shown(
    measured: Callable[[int], Intervention],
) -> None:
    bystander = measured(1)
    assert not bystander.shown
    assert bystander.restored == 0.0
    assert bystander.flips.failure_to_success == 0


def test_the_cause_is_a_matched_control_of_the_bystander(
    measured: Callable[[int], Intervention],
) -> None:
    """Both fire at the same positions and change the residual by the same norm."""
    assert 1 <= measured(1).control_features <= MOST_FEATURES


def test_a_class_that_fires_on_too_few_failures_is_not_measured(
    model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    silent = FAILED & (np.arange(60) < 4)  # four failures: one too few
    assert necessity(model, dictionary, [0], tokens, FAILED, silent, 0.05, 0, succeeds) is None


def test_the_error_term_is_kept_and_silent_positions_are_untouched(
    model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    assay = Assay.of(model, SITE, tokens, np.arange(60))
    x = assay.values
    change = SetToMean(dictionary, [0], torch.tensor([1.5])).change(x)
    before = dictionary.encode(x.reshape(-1, D)).reshape(*x.shape[:2], -1)[..., 0]
    fires = before > 0
    assert fires.any()
    assert not fires.all()
    assert (change[~fires] == 0).all()
    assert_close(change[fires], (1.5 - before[fires])[:, None] * dictionary.W_dec[0])


def test_an_assay_without_a_change_is_the_model_itself(model: Model, tokens: TaskTokens) -> None:
    assay = Assay.of(model, SITE, tokens, np.arange(60))
    margin, difference, right = assay.measure(None)
    for i, row in enumerate(tokens.rows):
        logits = model.network(torch.tensor([row])).logits[0, -1]
        others = torch.cat([logits[:TARGET], logits[TARGET + 1 :]])
        assert margin[i] == pytest.approx(float(logits[TARGET] - others.max()), abs=1e-4)
        assert difference[i] == pytest.approx(float(logits[TARGET] - logits[WRONG]), abs=1e-4)
        assert right[i] == (int(logits.argmax()) == TARGET)


def test_an_assay_of_a_model_in_half_precision_restarts_it(
    model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    half = replace(model, network=deepcopy(model.network).to(torch.bfloat16))
    assay = Assay.of(half, SITE, tokens, np.arange(60))
    margin, _, right = assay.measure(None)
    change = SetToMean(dictionary, [0], torch.tensor([0.0])).change(assay.values)
    new_margin, _, _ = assay.measure(change)
    assert right.tolist() == (~FAILED).tolist()
    assert (new_margin[FAILED] > margin[FAILED] + 1).all()


def test_bos_and_padding_are_never_edited_while_decoding(
    model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    rows = [tokens.rows[0], tokens.rows[1][-3:]]
    longest = max(map(len, rows))
    fires_everywhere = SetToMean(
        Dictionary(
            "x", SITE, Relu(), torch.zeros(D, 4), torch.ones(4), torch.ones(4, D),
            torch.zeros(D), dictionary.convention, "", "",
        ), [0], torch.tensor([3.0]),
    )  # fmt: skip
    edit = edit_decoding(fires_everywhere, rows)
    changed = (edit(torch.zeros(2, longest, D)) != 0).any(dim=-1)
    expected = [[i > longest - len(row) for i in range(longest)] for row in rows]
    assert changed.tolist() == expected
    assert (edit(torch.zeros(2, 1, D)) != 0).all(), "every decoding step is edited too"


def test_decoding_under_an_edit_is_a_forward_pass_recomputed_at_every_step(
    model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    """The referee has no padding, no cache, and edits the whole text anew for each token."""
    rows = [tokens.rows[i] for i in (0, 1, 25, 3)]
    assert len({len(row) for row in rows}) > 1
    intervention = SetToMean(dictionary, [0, 5, 9], torch.tensor([0.3, 2.0, 4.0]))
    generated = model.generate(rows, 4, {SITE: edit_decoding(intervention, rows)})

    def edit(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x[:, :1], (x + intervention.change(x))[:, 1:]], dim=1)

    for row, ids in zip(rows, generated, strict=True):
        grown = list(row)
        for token in ids:
            logits = model.logits(torch.tensor([grown]), edits={SITE: edit})[0, -1]
            assert int(logits.argmax()) == token
            grown.append(token)
    assert generated != model.generate(rows, 4), "the edit must matter"

"""Interventions on a model edited by hand, so that it is known which direction causes failure.

The last token of a prompt is `plain` or `trigger`. Both push the target; `trigger` also carries a
direction that pushes a wrong token harder. A dictionary has a feature that reads and writes that
direction (the cause), and one that fires at the same places but writes elsewhere (a bystander).
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from activated import ablation_of, activated, by_distance, run_at
from torch.testing import assert_close
from transformers import GPT2Config, GPT2LMHeadModel

from faultlens.auditing.activations.alignment import TokenAlignment
from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions import redecoding
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.decoding import DecodingEdit, generate, generate_edited
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.edits import Add, Clamp
from faultlens.auditing.interventions.effects import with_holm
from faultlens.auditing.interventions.equivalence import equivalence_test, margin_gap
from faultlens.auditing.interventions.placed_edit import PlacedEdit, edit_where_firing, place_edit
from faultlens.auditing.interventions.random_decoder import with_random_decoder
from faultlens.auditing.interventions.redecoding import redecode
from faultlens.auditing.result import Effect, Intervention
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.families import FAMILIES
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
    return Model("by hand", network, Special(), FAMILIES["gpt2"], digest="")


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
def roles(tokens: TaskTokens) -> TokenAlignment:
    return by_distance(tokens)


@pytest.fixture(scope="module")
def ablation(
    model: Model, dictionary: Dictionary, tokens: TaskTokens, roles: TokenAlignment
) -> Ablation:
    return ablation_of(activated(model, dictionary, tokens, roles), dictionary, FAILED, succeeds)


def some(*indices: int) -> FeatureSet:
    return FeatureSet("1-res-hand", indices)


def run(ablation: Ablation, feature: int) -> Intervention:
    found = ablation.run(some(feature))
    assert isinstance(found, Intervention)
    assert found.sufficiency is not None
    need, enough = with_holm([found.necessity, found.sufficiency], 0.05, least=0.1)
    return replace(found, necessity=need, sufficiency=enough)


@pytest.fixture(scope="module")
def cause(ablation: Ablation) -> Intervention:
    return run(ablation, 0)


@pytest.fixture(scope="module")
def bystander(ablation: Ablation) -> Intervention:
    return run(ablation, 1)


def test_the_model_fails_where_it_was_made_to(model: Model, tokens: TaskTokens) -> None:
    generated = model.generate(tokens.rows, 1)
    assert [succeeds(ids, i) for i, ids in enumerate(generated)] == (~FAILED).tolist()


def test_taking_the_cause_away_is_shown_to_restore(cause: Intervention) -> None:
    need = cause.necessity
    assert need.shown
    assert need.prompts == 20
    assert need.p_value == pytest.approx(1 / (CONTROLS + 1))
    assert need.p_holm == pytest.approx(2 / (CONTROLS + 1))
    assert need.adjusted > 1.0
    assert 0 < need.low < need.low_90 < need.adjusted < need.high_90 < need.high
    assert need.foil_change is not None
    assert need.foil_change > 1.0
    assert (need.turned, need.turned_share) == (20, 1.0)
    assert need.control_turned_share < 0.2
    assert cause.flips.failure_to_success == 20
    assert cause.flips.success_to_failure == 0
    assert cause.flips.p_mcnemar == pytest.approx(2 * 0.5**20)


def test_bringing_the_cause_in_is_shown_to_break(cause: Intervention) -> None:
    enough = cause.sufficiency
    assert enough is not None
    assert enough.shown
    assert enough.prompts == 30, "drawn from 40"
    assert enough.adjusted < -1.0
    assert enough.high < 0
    assert (enough.turned, enough.turned_share) == (30, 1.0)
    assert cause.is_cause


def test_a_bystander_that_fires_at_the_same_places_is_not_shown(bystander: Intervention) -> None:
    """Its direction touches neither answer; what it does through the norm, controls do too."""
    assert bystander.sufficiency is not None
    for effect in (bystander.necessity, bystander.sufficiency):
        assert not effect.shown
        assert effect.turned == 0
    assert bystander.flips.failure_to_success == 0
    assert not bystander.is_cause


def test_half_of_the_failures_must_be_restored_beyond_the_controls(cause: Intervention) -> None:
    need = replace(cause.necessity, turned_share=0.6, control_turned_share=0.15)
    assert not replace(cause, necessity=need).is_cause, "0.45 beyond them"
    need = replace(cause.necessity, turned_share=0.6, control_turned_share=0.05, turned_low=0.24)
    assert not replace(cause, necessity=need).is_cause, "the lower bound is below a quarter"
    assert replace(cause, necessity=replace(need, turned_low=0.26)).is_cause
    assert not replace(cause, sufficiency=None).is_cause


def test_a_push_of_borderline_prompts_is_not_shown(
    model: Model, dictionary: Dictionary, tokens: TaskTokens, roles: TokenAlignment
) -> None:
    """Every change of that size turns some prompts: turning them does not make an effect.

    The class's direction pushes neither target nor wrong token, but the failures are made so narrow
    that any push flips about half of them.
    """
    narrow = replace(model, network=deepcopy(model.network))
    embedding = narrow.network.transformer.wte.weight.data
    push, pull = unit(model.network.lm_head.weight[WRONG]), model.network.lm_head.weight[TARGET]
    for _ in range(40):  # bring the trigger to where it fails by a hair
        logits = narrow.logits(torch.tensor([[0, 5, TRIGGER]]))[0, -1]
        embedding[TRIGGER] += 0.2 * float(logits[TARGET] - logits[WRONG] + 0.01) * (push - pull)
    margin = run_at(narrow, SITE, tokens, np.flatnonzero(FAILED)).untouched.margin
    assert np.abs(margin).max() < 0.3
    activations = activated(narrow, dictionary, tokens, roles)
    found = run(ablation_of(activations, dictionary, FAILED, succeeds), 1)
    assert found.necessity.control_turned_share > 0.1, "controls turn prompts too"
    assert not found.necessity.shown


def test_dose_and_response(cause: Intervention, bystander: Intervention) -> None:
    by_kind = {(v.kind, v.positions): v for v in cause.variants}
    doses = [by_kind[f"scaled by {s}", "where the class fires"].change for s in ("0", "0.5")]
    more = [by_kind[f"scaled by {s}", "where the class fires"].change for s in ("1.5", "2")]
    assert doses[0] > doses[1] > 0 > more[0] > more[1]
    assert {v.scale for v in cause.variants} == {0.0, 0.5, 1.5, 2.0, None}
    assert by_kind["scaled by 1.5", "where the class fires"].scale == 1.5
    away = by_kind["set to the successes' mean", "last position"]
    assert away.change == pytest.approx(cause.necessity.change, abs=0.05)
    assert by_kind["resampled from successes", "where the class fires"].turned_share == 1.0
    clamped = by_kind["clamped to its largest on successes", "where the class fires"]
    assert clamped.change > 0
    assert all(v.turned_share == 0 for v in bystander.variants)


def test_a_null_is_proven_only_where_patching_the_whole_value_restores(
    model: Model, tokens: TaskTokens, bystander: Intervention
) -> None:
    margin = run_at(model, SITE, tokens, np.arange(60)).untouched.margin
    gap = margin_gap(margin, FAILED)
    assert gap > 1
    need = replace(bystander.necessity, could_turn=29)  # the least number whose bound is 0.10
    assert equivalence_test(need, gap, 0.5, 29).proven
    assert not equivalence_test(need, gap, 0.49, 29).proven
    assert not equivalence_test(need, gap, None, 0).proven
    assert equivalence_test(need, gap, None, 0).positive_control_passed is None
    assert not equivalence_test(replace(need, could_turn=28), gap, 1.0, 28).proven
    assert not equivalence_test(replace(need, turned=1), gap, 1.0, 29).proven
    few, many = (
        equivalence_test(need, gap, 0.5, 29),
        equivalence_test(replace(need, turned=1), gap, 0.5, 29),
    )
    assert (few.few_restored, many.few_restored) == (True, False)
    assert few.restoration_high <= few.restoration_bound == 0.1 < many.restoration_high
    assert few.positive_control_bound == 0.5
    assert not equivalence_test(replace(need, high_90=0.11 * gap), gap, 1.0, 29).proven
    assert not equivalence_test(replace(need, low_90=-0.11 * gap), gap, 1.0, 29).proven


def test_effects_are_corrected_together(cause: Intervention) -> None:
    """Holm over all of them: with ten others in the family 1/200 is 11/200, and not shown."""
    many: list[Effect] = [cause.necessity] + [replace(cause.necessity, p_value=0.5)] * 10
    first = with_holm(many, 0.05, least=0.1)[0]
    assert first.p_holm == pytest.approx(11 / 200)
    assert not first.shown
    wrong_side = replace(cause.necessity, low=-0.1)
    assert not with_holm([wrong_side], 0.05, least=0.1)[0].shown


def test_a_class_that_fires_on_too_few_failures_is_not_tested(
    model: Model, dictionary: Dictionary, tokens: TaskTokens, roles: TokenAlignment
) -> None:
    few = np.arange(60) < 4  # one too few
    activations = activated(model, dictionary, tokens, roles)
    found = ablation_of(activations, dictionary, few, succeeds).run(some(0))
    assert found == "it fires on 4 failures: at least 5 are needed"


def test_the_same_seed_gives_the_same_numbers(ablation: Ablation, cause: Intervention) -> None:
    assert run(ablation, 0) == cause


def test_more_prompts_than_are_needed_are_drawn_from(ablation: Ablation) -> None:
    found = replace(ablation, most=8).run(some(0))
    assert isinstance(found, Intervention)
    assert found.sufficiency is not None
    assert (found.necessity.prompts, found.sufficiency.prompts) == (8, 8)
    assert found.flips.prompts == 20, "flips are counted on all"


def test_the_error_term_is_kept_and_silent_positions_are_untouched(ablation: Ablation) -> None:
    run = run_at(ablation.runs.model, SITE, ablation.runs.tokens, np.arange(60))
    rows = ablation.codes.firing_rows([0], np.arange(60))
    placed = PlacedEdit(rows, some(0), np.full((len(rows), 1), 1.5, dtype=np.float32))
    change = ablation.runner.change(placed, run)
    before = ablation.dictionary.encode(run.values.reshape(-1, D))
    before = before.reshape(*run.values.shape[:2], -1)[..., 0] * run.editable
    fires = before > 0
    assert fires.any()
    assert not fires[run.editable].all()
    assert (change[~fires] == 0).all()
    expected = (1.5 - before[fires])[:, None] * ablation.dictionary.W_dec[0]
    assert_close(change[fires], expected, rtol=1e-4, atol=1e-4)


def test_a_run_without_a_change_is_the_model_itself(model: Model, tokens: TaskTokens) -> None:
    found = run_at(model, SITE, tokens, np.arange(60)).untouched
    margin, difference = found.margin, found.difference
    for i, row in enumerate(tokens.rows):
        logits = model.network(torch.tensor([row])).logits[0, -1]
        others = torch.cat([logits[:TARGET], logits[TARGET + 1 :]])
        assert margin[i] == pytest.approx(float(logits[TARGET] - others.max()), abs=1e-4)
        assert difference[i] == pytest.approx(float(logits[TARGET] - logits[WRONG]), abs=1e-4)
        assert (margin[i] > 0) == (int(logits.argmax()) == TARGET)


def test_many_changes_at_once_are_each_as_alone(model: Model, tokens: TaskTokens) -> None:
    run = run_at(model, SITE, tokens, np.arange(10))
    generator = torch.Generator().manual_seed(0)
    changes = torch.randn(3, *run.values.shape, generator=generator)
    changes[:, :, :2] = 0
    together = run.measure_all(changes)
    for place in range(3):
        hooked = model.logits(
            run.cached.ids, at=run.last, edits={SITE: lambda x, p=place: x + changes[p]}
        )
        expected = hooked[:, TARGET] - hooked.index_fill(1, torch.tensor([TARGET]), -1e9).amax(1)
        np.testing.assert_allclose(together.margin[place], expected, atol=1e-4)


def test_a_model_in_half_precision_is_restarted(
    model: Model, dictionary: Dictionary, tokens: TaskTokens, roles: TokenAlignment
) -> None:
    half = replace(model, network=deepcopy(model.network).to(torch.bfloat16))
    ablation = ablation_of(activated(half, dictionary, tokens, roles), dictionary, FAILED, succeeds)
    need = ablation.effect(ablation.necessity_test(some(0), np.flatnonzero(FAILED)))
    assert need.adjusted > 1
    assert need.turned == 20


def test_bos_and_padding_are_never_edited_while_decoding(ablation: Ablation) -> None:
    prompts = np.array([0, 1, 2, 30])
    rows = [ablation.runs.tokens.rows[i] for i in prompts]
    longest = max(map(len, rows))
    assert min(map(len, rows)) < longest
    placed = place_edit(Add(3.0), ablation.context, some(0), ablation.codes.rows(prompts))
    (edit,) = DecodingEdit.of(ablation.runner, placed, prompts).hooks().values()
    changed = (edit(torch.zeros(4, longest, D)) != 0).any(dim=-1)
    expected = [[i > longest - len(row) for i in range(longest)] for row in rows]
    assert changed.tolist() == expected
    assert (edit(torch.zeros(4, 1, D)) != 0).any(dim=-1).all(), "every decoding step is edited too"


def test_decoding_under_an_edit_is_a_forward_pass_recomputed_at_every_step(
    ablation: Ablation, model: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    """The referee has no padding, no cache, and edits the whole text anew for each token."""
    prompts = np.array([0, 1, 25, 3])
    rows = [tokens.rows[i] for i in prompts]
    assert len({len(row) for row in rows}) > 1
    features = [0, 5, 9]
    placed = edit_where_firing(Clamp(2.0), ablation.context, some(*features), prompts)
    generated = generate_edited(ablation.runner, placed, prompts)

    def edit(x: torch.Tensor) -> torch.Tensor:
        flat = x.reshape(-1, D)
        activations = dictionary.encode(flat)[:, features]
        fires = (activations > 0).any(dim=-1, keepdim=True)
        change = ((2.0 - activations) * fires) @ dictionary.W_dec[features]
        return torch.cat([x[:, :1], (x + change.reshape(x.shape))[:, 1:]], dim=1)

    for row, ids in zip(rows, generated, strict=True):
        grown = list(row)
        for token in ids:
            logits = model.logits(torch.tensor([grown]), edits={SITE: edit})[0, -1]
            assert int(logits.argmax()) == token
            grown.append(token)
    assert generated != generate(model, rows), "the edit must matter"
    assert generate(model, rows) == model.generate(rows, 8)


def generated(model: Model, rows: list[list[int]]) -> Generated:
    found = Generated.for_rows(model, [SITE], rows, 8)
    for batch in (range(40), range(40, len(rows))):
        found.continuations(batch, [rows[i] for i in batch], 8)
    return found


def test_the_residual_of_what_is_generated_is_that_of_a_plain_pass(
    model: Model, tokens: TaskTokens
) -> None:
    found = generated(model, tokens.rows)
    assert [found.ids[i] for i in range(60)] == model.generate(tokens.rows, 8)
    for i in (0, 1, 25, 59):
        row = [*tokens.rows[i], *found.ids[i][:7]]
        expected = model.read(torch.tensor([row]), [SITE])[SITE][0]
        assert_close(found.residual[SITE][i], expected, rtol=1e-4, atol=1e-4)
    too_many = Generated.for_rows(model, [SITE], [[0] * 10**7], 8)
    assert not too_many.sites and not too_many.has([0], SITE)


@pytest.mark.parametrize("ends", [[0], [0, 7, 11, 13, 17, 23]])
def test_only_what_changes_is_decoded_again(
    ablation: Ablation, model: Model, monkeypatch: pytest.MonkeyPatch, ends: list[int]
) -> None:
    """The same ids as decoding everything, whether a text ends after a token or not."""
    monkeypatch.setattr(model.network.generation_config, "eos_token_id", ends)
    rows, every = ablation.runs.tokens.rows, np.arange(60)
    before = generated(model, rows)
    placed = edit_where_firing(Clamp(2.0), ablation.context, some(0, 5, 9), every)
    expected = generate_edited(ablation.runner, placed, every)
    anew: list[int] = []

    def noting(runner: EditRunner, placed: PlacedEdit, prompts: np.ndarray) -> list[list[int]]:
        anew.extend(prompts.tolist())
        return generate_edited(runner, placed, prompts)

    monkeypatch.setattr(redecoding, "generate_edited", noting)
    assert redecode(ablation.runner, placed, every, before) == expected
    changed = [i for i in range(60) if expected[i] != before.ids[i]]
    assert 0 < len(changed) < 60
    assert anew == changed
    anew.clear()
    assert redecode(ablation.runner, placed, every, Generated(model, ())) == expected
    assert anew == every.tolist(), "nothing is known of them"


def test_prompts_that_were_read_are_taken_up_where_they_are_changed(
    model: Model, ablation: Ablation, tokens: TaskTokens
) -> None:
    """The same answers under a change, and block 0 is not run again."""
    assert model.skips, "tried out before anything is counted"
    prompts = np.arange(0, 60, 7)
    whole = CachedRuns(model, tokens, ablation.runs.sites).of(prompts, SITE)
    calls: list[int] = []
    attention = model.network.transformer.h[0].attn
    handle = attention.register_forward_pre_hook(lambda *_: calls.append(1))
    taken_up = CachedRuns(model, tokens, ablation.runs.sites, ablation.runs.values).of(
        prompts, SITE
    )
    handle.remove()
    assert not calls
    change = torch.randn(whole.values.shape, generator=torch.Generator().manual_seed(0))
    change[:, :2] = 0
    for found, expected in (
        (taken_up.untouched, whole.untouched), (taken_up.measure(change), whole.measure(change)),
    ):  # fmt: skip
        np.testing.assert_allclose(found.margin, expected.margin, atol=1e-4)
    start = int(whole.last.min())
    several = torch.stack([change[:, start:], 2 * change[:, start:]])
    np.testing.assert_allclose(
        taken_up.measure_all(several, start).margin, whole.measure_all(several, start).margin,
        atol=1e-4,
    )  # fmt: skip


def test_a_random_decoder_fires_as_the_real_one_and_writes_at_random(ablation: Ablation) -> None:
    """Positive control: the cause is shown. With a random direction of its length it is not."""
    real = ablation.dictionary
    twin = with_random_decoder(real, seed=1)
    assert_close(twin.W_dec.norm(dim=1), real.W_dec.norm(dim=1))
    cosine = torch.nn.functional.cosine_similarity(twin.W_dec, real.W_dec)
    assert cosine.abs().mean() < 0.3
    assert_close(twin.W_enc, real.W_enc)
    other = replace(ablation, dictionary=twin, _means={})
    found = [other.effect(one) for one in other.deciding(some(0))]
    assert [effect.claim for effect in found] == ["necessity", "sufficiency"]
    assert not any(effect.shown for effect in with_holm(found, 0.05, least=0.1))
    effects = [ablation.effect(one) for one in ablation.deciding(some(0))]
    shown = with_holm(effects, 0.05, least=0.1)
    assert all(effect.shown for effect in shown)

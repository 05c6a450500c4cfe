"""Attribution: exact on a linear model, complete on real ones, a planted cause on top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from activated import activated
from scipy.stats import spearmanr
from torch import nn
from torch.testing import assert_close
from transformers import GPT2Config, GPT2LMHeadModel

import faultlens as fl
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.auditing.interventions.attribution import mean_gradient
from faultlens.auditing.interventions.attribution.changes import measured_changes, rank_correlation
from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition
from faultlens.auditing.interventions.attribution.mean_gradient import MeanGradient
from faultlens.auditing.interventions.attribution.site_attribution import site_attribution
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.normalisation import PerTokenNorm
from faultlens.models.sites import Site

D, WORDS, FEATURES = 16, 40, 48
PLAIN, TRIGGER, TARGET = 20, 21, 30
SITE = Site(1, "resid_pre")


class Special:
    """As much of a tokenizer as token ids need."""

    bos_token_id = eos_token_id = 0


class Mixing(nn.Module):
    """A block that is linear over positions and dimensions: each sees the mean of those before."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.attn, self.mlp, self.ln_2 = block.attn, block.mlp, block.ln_2  # where sites lie
        generator = torch.Generator().manual_seed(4)
        self.register_buffer("W", torch.randn(D, D, generator=generator) / D**0.5)

    def forward(self, hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        seen = torch.arange(1, hidden.shape[1] + 1)[:, None]
        return hidden + (hidden.cumsum(dim=1) / seen) @ self.W


def tiny_gpt2() -> Any:
    torch.manual_seed(5)
    config = GPT2Config(
        vocab_size=WORDS, n_positions=16, n_embd=D, n_layer=3, n_head=2, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny() -> Model:
    return Model("tiny", tiny_gpt2(), Special(), FAMILIES["gpt2"], digest="")


@pytest.fixture(scope="module")
def linear() -> Model:
    """Linear from the site on: its blocks mix linearly, and its last norm does nothing."""
    network = tiny_gpt2()
    for layer in (1, 2):
        network.transformer.h[layer] = Mixing(network.transformer.h[layer])
    network.transformer.ln_f = nn.Identity()
    return Model("linear", network, Special(), FAMILIES["gpt2"], digest="")


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    generator = torch.Generator().manual_seed(1)
    return Dictionary(
        "1-res-test", SITE, Relu(), torch.randn(D, FEATURES, generator=generator) * 0.5,
        torch.full((FEATURES,), -0.3), torch.randn(FEATURES, D, generator=generator) * 0.5,
        torch.randn(D, generator=generator) * 0.3,
        Convention(prepend_bos=True, centred=True), "made in a test", "",
    )  # fmt: skip


@pytest.fixture(scope="module")
def tokens() -> TaskTokens:
    """40 prompts of two to six tokens; the targets differ."""
    rng = np.random.default_rng(0)
    rows = [[0, *rng.integers(1, 19, rng.integers(1, 6)).tolist(), PLAIN] for _ in range(40)]
    return TaskTokens(rows, rng.integers(22, WORDS, 40), np.full(40, -1))


FAILED = np.arange(40) < 15
EVERY = np.arange(40)


def decomposed_by(
    model: Model, dictionary: Dictionary, tokens: TaskTokens, prompts: np.ndarray
) -> SiteDecomposition:
    return SiteDecomposition.of(dictionary, activated(model, dictionary, tokens), prompts)


def normalised_by_token(dictionary: Dictionary) -> Dictionary:
    return replace(dictionary, normalisation=PerTokenNorm())


def transcoder(dictionary: Dictionary) -> Dictionary:
    return replace(dictionary, site_out=Site(1, "mlp_out"))


KINDS = [lambda d: d, normalised_by_token, transcoder]


def test_the_margin_is_over_the_foil_where_that_alone_counts(
    linear: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    """Untouched and changed: the strongest right token against the foil, not against all."""
    foil = (tokens.target + 1) % WORDS
    alone = replace(tokens, foil=foil, foil_alone=True)
    found = decomposed_by(linear, dictionary, alone, EVERY)
    assert found.competitor.tolist() == foil.tolist()
    logits = [linear.logits(torch.tensor([row]))[0, -1] for row in tokens.scored]
    expected = [float(at[t] - at[f]) for at, t, f in zip(logits, tokens.target, foil, strict=True)]
    np.testing.assert_allclose(found.margin.numpy(), expected, atol=1e-4)
    smooth, now = found.margins(found.values)
    np.testing.assert_allclose(now.detach().numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(smooth.detach().numpy(), expected, atol=1e-4)
    usual = decomposed_by(linear, dictionary, tokens, EVERY)
    assert (usual.margin <= found.margin + 1e-5).all() and (usual.margin < found.margin).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["gradient", "integrated"])
def test_on_a_linear_model_attribution_is_the_effect_of_zero_ablation(
    linear: Model, dictionary: Dictionary, tokens: TaskTokens, kind: Any, by: str
) -> None:
    """The referee takes each feature away by hand, prompt by prompt, in the bare network."""
    dictionary = kind(dictionary)
    if dictionary.site_out is not None:  # a linear block has no MLP: leave its own block alone
        linear = replace(linear, network=tiny_gpt2())
        last = linear.network.transformer.h
        last[2] = Mixing(last[2])
        linear.network.transformer.ln_f = nn.Identity()
    decomposed = decomposed_by(linear, dictionary, tokens, EVERY)
    gradient = decomposed.gradient
    if by == "integrated":
        gradient = MeanGradient.of(decomposed, 16, 1.0).gradient
    due = decomposed.slopes(gradient) * decomposed.activation
    for prompt in (0, 7, 33):
        ids = torch.tensor([tokens.rows[prompt]])
        read = linear.read(ids, [dictionary.site, dictionary.target])
        x, value = read[dictionary.site][0], read[dictionary.target][0]
        activations = dictionary.encode(x)
        activations[0] = 0  # BOS is never touched
        clean = linear.logits(ids)[0, -1]
        others = clean.clone()
        others[tokens.target[prompt]] = -torch.inf
        assert int(decomposed.competitor[prompt]) == int(others.argmax())
        for feature in activations.any(dim=0).nonzero().flatten().tolist()[:12]:
            taken = value - dictionary.raised(x, activations[:, [feature]], [feature])
            edits = {dictionary.target: lambda v, taken=taken: taken[None]}
            after = linear.logits(ids, edits=edits)[0, -1]
            pair = [int(tokens.target[prompt]), int(decomposed.competitor[prompt])]
            exact = (clean - after)[pair[0]] - (clean - after)[pair[1]]
            ours = due[(decomposed.prompt == prompt) & (decomposed.feature == feature)].sum()
            assert_close(ours, exact, rtol=1e-3, atol=2e-4)


def test_the_gradient_is_the_slope_that_finite_differences_find(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    decomposed = decomposed_by(tiny, dictionary, tokens, EVERY)
    slopes, step = decomposed.slopes(decomposed.gradient), 1e-2
    for firing in (0, 50, 120, len(slopes) - 1):
        token, prompt = int(decomposed.token[firing]), int(decomposed.prompt[firing])
        both = []
        for sign in (1, -1):
            values = decomposed.values.clone()
            shift = sign * step * dictionary.W_dec[decomposed.feature[firing]]
            values[tuple(decomposed.place[token])] += shift
            both.append(float(decomposed.margins(values)[0][prompt]))
        expected = (both[0] - both[1]) / (2 * step)
        assert float(slopes[firing]) == pytest.approx(expected, rel=0.02, abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_base_and_features_and_error(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens, kind: Any
) -> None:
    dictionary = kind(dictionary)
    decomposed = decomposed_by(tiny, dictionary, tokens, EVERY[:5])
    read = tiny.read(
        decomposed.ids, sorted({dictionary.site, dictionary.target}, key=lambda s: s.depth)
    )
    where = tuple(decomposed.place.T)
    x, value = read[dictionary.site][where], read[dictionary.target][where]
    assert_close(decomposed.error, value - dictionary.reconstruct(x, value), rtol=1e-4, atol=1e-5)
    activations = dictionary.encode(x)
    assert len(decomposed.feature) == int((activations > 0).sum())
    of_features = dictionary.raised(x, activations)
    assert_close(decomposed.base + of_features + decomposed.error, value, rtol=1e-4, atol=1e-5)


def test_integrated_gradients_sum_to_the_difference(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    for kind in KINDS:
        decomposed = decomposed_by(tiny, kind(dictionary), tokens, EVERY)
        mean = MeanGradient.of(decomposed, 2000, 1e-4)
        scale = float(mean.difference.abs().mean())
        assert scale > 0.5
        assert (mean.gap(decomposed).abs() <= 1e-3 * scale).all()
        by_gradient = decomposed.of_features(decomposed.gradient) + decomposed.of_error(
            decomposed.gradient
        )
        assert ((by_gradient - mean.difference).abs() > 0.1 * scale).any(), "not the same thing"


def test_integrated_gradients_sum_to_the_difference_on_mini() -> None:
    lens, task = fl.load("mini", layers=[4]), fl.tasks.mini_ioi(4)
    activations = TaskActivations.read(lens, task, tokenize(task, lens.model))
    decomposed = SiteDecomposition.of(lens.dictionaries[0], activations, np.arange(4))
    mean = MeanGradient.of(decomposed, 2000, 2e-4)
    assert (mean.gap(decomposed).abs() <= 1e-3 * mean.difference.abs().mean()).all()
    coarse = MeanGradient.of(decomposed, 17, 2e-4)
    assert (coarse.nodes == 17).all()
    assert coarse.gap(decomposed).abs().max() > 0.1, "too few nodes are seen to be too few"


@pytest.fixture(scope="module")
def planted() -> tuple[Model, Dictionary, TaskTokens]:
    """The last token of failures carries a direction that pushes a wrong answer.

    Feature 0 reads and writes it; feature 1 fires with it and writes what no answer reads.
    """
    network = tiny_gpt2()
    for block in network.transformer.h[:1]:
        block.attn.c_proj.weight.zero_()
        block.mlp.c_proj.weight.zero_()
    random = torch.randn(D, 3, generator=torch.Generator().manual_seed(2))
    apart = torch.linalg.qr(torch.cat([torch.ones(D, 1), random], dim=1))[0].T
    right, wrong, nothing = apart[1:]  # a norm's centring touches none of them
    embedding = network.transformer.wte.weight
    network.lm_head.weight = nn.Parameter(torch.zeros(WORDS, D), requires_grad=False)
    network.lm_head.weight[TARGET], network.lm_head.weight[TARGET + 1] = right, wrong
    embedding[PLAIN], embedding[TRIGGER] = 4 * right, 4 * right + 6 * wrong
    network.transformer.wpe.weight *= 0.1
    for block in network.transformer.h[1:]:
        for part in (block.attn.c_proj, block.mlp.c_proj):
            part.weight *= 0.05
    model = Model("planted", network, Special(), FAMILIES["gpt2"], digest="")
    generator = torch.Generator().manual_seed(0)
    W_enc = torch.randn(D, FEATURES, generator=generator) * 0.3
    W_dec = torch.randn(FEATURES, D, generator=generator) * 0.3
    W_enc[:, 0] = W_enc[:, 1] = wrong
    W_dec[0], W_dec[1] = wrong, nothing
    dictionary = Dictionary(
        "1-res-planted", SITE, Relu(), W_enc, torch.full((FEATURES,), -2.0), W_dec,
        torch.zeros(D), Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    rows = [
        [0, *rng.integers(1, 19, rng.integers(1, 4)).tolist(), TRIGGER if i < 15 else PLAIN]
        for i in range(40)
    ]
    return model, dictionary, TaskTokens(rows, np.full(40, TARGET), np.full(40, -1))


def test_a_planted_cause_is_on_top_and_a_bystander_is_not(
    planted: tuple[Model, Dictionary, TaskTokens],
) -> None:
    model, dictionary, tokens = planted
    done: list[int] = []
    found = site_attribution(
        dictionary, activated(model, dictionary, tokens), FAILED, seed=0, classes={0: 3},
        top=5, progress=done.append,
    ).attribution  # fmt: skip
    first = found.top[0]
    assert first.feature == "1-res-planted/0"
    assert first.in_class == 3
    assert first.effect is first.effect_missing is None, "testing it is not the attribution's"
    assert first.gradient_failures < -1.0
    assert first.gradient_successes == 0.0
    assert first.integrated_failures is not None
    assert first.integrated_failures < -1.0
    bystanders = [named for named in found.top if named.feature == "1-res-planted/1"]
    assert all(named.gradient_failures > 0.1 * first.gradient_failures for named in bystanders)
    assert found.prompts == 6
    assert found.completeness is not None
    assert found.completeness < 0.3
    assert found.linearity is not None
    assert found.linearity > 0.8
    assert found.ranking_agreement is not None
    assert found.ranking_agreement_integrated is not None
    assert min(found.ranking_agreement, found.ranking_agreement_integrated) > 0.5
    assert sum(done) == 40


def test_what_setting_a_feature_to_normal_promises_is_counted_where_it_fires(
    planted: tuple[Model, Dictionary, TaskTokens],
) -> None:
    """Slope × (activation − mean over the successes at the role), from a loop over firings."""
    model, dictionary, tokens = planted
    read = activated(model, dictionary, tokens)
    ranked = site_attribution(dictionary, read, FAILED, seed=0, classes={}, top=400, most=0)
    codes, roles = read.codes(dictionary), read.alignment.roles
    normal = codes.mean_by_role(np.flatnonzero(~FAILED))
    promise, prompts = np.zeros(FEATURES), np.zeros(FEATURES)
    for i in np.flatnonzero(FAILED):
        decomposed = decomposed_by(model, dictionary, tokens, np.array([i]))
        slopes = decomposed.slopes(decomposed.gradient)
        fired = set()
        for slope, token, feature, activation in zip(
            slopes, decomposed.token, decomposed.feature, decomposed.activation, strict=True
        ):
            role = roles[i][int(decomposed.place[token, 1])]
            promise[feature] += float(slope) * (float(activation) - normal[role, feature])
            fired.add(int(feature))
        prompts[list(fired)] += 1
    promise /= FAILED.sum()
    for named in ranked.attribution.top:
        expected = promise[int(named.feature.split("/")[1])]
        assert named.from_normal == pytest.approx(expected, abs=1e-5)
    able = [f for f in np.argsort(promise) if promise[f] < 0 and prompts[f] >= 5]
    assert ranked.expected_indices == able[:6]
    assert [named.feature for named in ranked.expected] == [f"1-res-planted/{f}" for f in able[:6]]


def test_failures_are_held_against_successes(
    planted: tuple[Model, Dictionary, TaskTokens],
) -> None:
    """Means over groups of unequal size, from a plain loop over single prompts."""
    model, dictionary, tokens = planted
    found = site_attribution(
        dictionary,
        activated(model, dictionary, tokens),
        FAILED,
        seed=0,
        classes={},
        top=400,
        most=0,
    ).attribution
    sums = np.zeros((40, FEATURES))
    errors = np.zeros(40)
    for i in range(40):
        decomposed = decomposed_by(model, dictionary, tokens, np.array([i]))
        gradient = decomposed.gradient
        due = (decomposed.slopes(gradient) * decomposed.activation).numpy()
        np.add.at(sums[i], decomposed.feature.numpy(), due)
        errors[i] = float((gradient * decomposed.error).sum())
    for named in found.top:
        column = sums[:, int(named.feature.split("/")[1])]
        assert named.gradient_failures == pytest.approx(column[FAILED].mean(), abs=1e-5)
        assert named.gradient_successes == pytest.approx(column[~FAILED].mean(), abs=1e-5)
        assert named.integrated_failures is None
        assert named.in_class is None
    difference = sums[FAILED].mean(axis=0) - sums[~FAILED].mean(axis=0)
    assert found.features_gradient == pytest.approx(difference.sum(), abs=1e-4)
    assert found.error_gradient == pytest.approx(
        errors[FAILED].mean() - errors[~FAILED].mean(), abs=1e-5
    )
    shown = [difference[int(named.feature.split("/")[1])] for named in found.top]
    down = [value for value in shown if value < 0]
    assert shown[: len(down)] == sorted(down), "what pushes failures down most comes first"
    assert shown[len(down) :] == sorted(shown[len(down) :], reverse=True)
    assert found.completeness is found.error_integrated is None
    assert found.ranking_agreement is found.ranking_agreement_integrated is None
    assert found.linearity is found.linearity_integrated is None
    assert (found.prompts, found.measured) == (0, 0)


def test_a_measured_change_is_what_one_plain_pass_gives(
    linear: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    decomposed = decomposed_by(linear, dictionary, tokens, EVERY[:9])
    normal = torch.from_numpy(
        activated(linear, dictionary, tokens).codes(dictionary).mean(EVERY[15:])
    )
    rows = [torch.tensor([tokens.rows[i]]) for i in range(40)]
    each = [dictionary.encode(linear.read(ids, [SITE])[SITE][0, 1:]) for ids in rows]
    assert_close(normal, torch.cat(each[15:]).mean(dim=0), rtol=1e-4, atol=1e-6)
    among = np.arange(9) < 6
    changes = measured_changes(decomposed, among, decomposed.gradient, [8, 3], normal)
    assert [change.feature for change in changes] == [8, 3]
    for change in changes:
        normally = float(normal[change.feature])
        expected = measured_by_hand(linear, dictionary, tokens, range(6), change.feature, normally)
        assert change.measured == pytest.approx(expected, abs=2e-4)
        assert change.by_gradient == pytest.approx(change.by_mean_gradient)


def measured_by_hand(
    model: Model,
    dictionary: Dictionary,
    tokens: TaskTokens,
    prompts: Iterable[int],
    feature: int,
    normally: float,
) -> float:
    """One prompt at a time, in the bare network; the mean over those where the feature fires."""
    moved = []
    for i in prompts:
        ids, target = torch.tensor([tokens.rows[i]]), int(tokens.target[i])
        activation = dictionary.encode(model.read(ids, [SITE])[SITE][0])[1:, feature]
        if not (activation > 0).any():
            continue
        step = torch.where(activation > 0, normally - activation, 0.0)
        shift = torch.cat([torch.zeros(1, D), step[:, None] * dictionary.W_dec[feature]])
        both = [
            model.logits(ids, edits={SITE: lambda x, s=s: x + s})[0, -1]
            for s in (shift, torch.zeros_like(shift))
        ]
        after, before = (
            logits[target] - logits[torch.arange(WORDS) != target].max() for logits in both
        )
        moved.append(float(after - before))
    assert moved
    return float(np.mean(moved))


def test_agreement_is_of_what_ranks_the_features_and_linearity_is_not(
    linear: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    """On a linear model slopes predict each change, and the ranking still does not tell effects.

    All failures are taken, and all features that fire on them: nothing is left to a draw.
    """
    found = site_attribution(
        dictionary,
        activated(linear, dictionary, tokens),
        FAILED,
        seed=0,
        classes={},
        top=400,
        most=15,
    ).attribution
    scores = {
        int(named.feature.split("/")[1]): named.gradient_failures - named.gradient_successes
        for named in found.top
    }
    read = [linear.read(torch.tensor([row]), [SITE])[SITE][0, 1:] for row in tokens.rows]
    each = [dictionary.encode(x) for x in read]
    normal = torch.cat(each[15:]).mean(dim=0)
    on_failures = torch.cat(each[:15])
    firing = on_failures.any(dim=0).nonzero().flatten().tolist()
    effects = [
        measured_by_hand(linear, dictionary, tokens, range(15), feature, float(normal[feature]))
        for feature in firing
    ]
    assert found.measured == len(firing) >= 30
    expected = spearmanr([-scores[feature] for feature in firing], effects).statistic
    assert found.ranking_agreement == pytest.approx(expected, abs=5e-3)
    assert found.linearity is not None
    assert found.linearity > 0.8, "not 1, for on the path another token may become the strongest"
    assert abs(found.linearity - expected) > 0.5, "the data tell the two apart"


def test_no_point_of_a_path_is_computed_twice(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    decomposed = decomposed_by(tiny, dictionary, tokens, EVERY[:9])
    points: list[tuple[int, float]] = []
    evaluated = mean_gradient._Path.evaluated

    def counted(path: Any, prompt: torch.Tensor, share: torch.Tensor) -> Any:
        points.extend(zip(prompt.tolist(), share.tolist(), strict=True))
        return evaluated(path, prompt, share)

    monkeypatch.setattr(mean_gradient._Path, "evaluated", counted)
    mean = MeanGradient.of(decomposed, 400, 1e-4)
    assert_close(decomposed.margin_at(decomposed.values), decomposed.margins(decomposed.values)[0])
    assert int((mean.nodes - 17).sum()) // 4 > 9, "panels were halved"
    assert mean.nodes.max() < 100, "each panel is held against its own rise, and soon small enough"
    assert len(set(points)) == len(points) == int(mean.nodes.sum())


def test_the_nodes_of_a_panel_integrate_a_polynomial_of_the_fifth_degree_exactly() -> None:
    nodes = torch.linspace(0.25, 1.0, 5, dtype=torch.float64)
    weights = torch.tensor(mean_gradient.BOOLE, dtype=torch.float64)
    for degree in range(7):
        found = float((weights * nodes**degree).sum()) * 0.75
        exact = (1 - 0.25 ** (degree + 1)) / (degree + 1)
        assert (abs(found - exact) < 1e-12) == (degree <= 5)


def test_where_nodes_are_few_the_panels_with_the_largest_error_are_halved(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens
) -> None:
    decomposed = decomposed_by(tiny, dictionary, tokens, EVERY[:9])
    exact = MeanGradient.of(decomposed, 4000, 1e-6)
    gaps = []
    for most in (17, 24, 25, 400):
        found = MeanGradient.of(decomposed, most, 1e-4)
        assert found.nodes.max() <= most
        gaps.append(float((found.gradient - exact.gradient).norm()))
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3]


def test_short_prompts_are_not_run_to_the_length_of_long_ones(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    decomposed = decomposed_by(tiny, dictionary, tokens, EVERY[:9])
    together = MeanGradient.of(decomposed, 64, 1e-2)
    hidden, columns = Model.hidden, set()

    def noted(model: Model, ids: torch.Tensor, **given: Any) -> torch.Tensor:
        assert ids.shape[1] == int(given["at"].max()) + 1
        columns.add(ids.shape[1])
        return hidden(model, ids, **given)

    monkeypatch.setattr(Model, "hidden", noted)
    monkeypatch.setattr(mean_gradient, "PASS_TOKENS", 40)
    monkeypatch.setattr(mean_gradient, "HELD", 1)  # prompt by prompt
    apart = MeanGradient.of(decomposed, 64, 1e-2)
    assert len(columns) > 1
    path = mean_gradient._Path(decomposed, decomposed.values, decomposed.path)
    prompts = torch.arange(9).repeat(5)
    passes = torch.cat(path.passes(prompts))
    assert sorted(passes.tolist()) == list(range(45))
    assert (decomposed.last[prompts[passes]].diff() >= 0).all(), "those of one length together"
    assert_close(apart.nodes, together.nodes)
    assert_close(apart.gradient, together.gradient, rtol=1e-3, atol=1e-5)


def test_each_prompt_is_read_once(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    of = SiteDecomposition.of

    def noted(
        by: Dictionary, activations: TaskActivations, of_these: np.ndarray
    ) -> SiteDecomposition:
        read.extend(of_these.tolist())
        return of(by, activations, of_these)

    monkeypatch.setattr(SiteDecomposition, "of", noted)
    site_attribution(dictionary, activated(tiny, dictionary, tokens), FAILED, seed=0, classes={})
    assert sorted(read) == list(range(40))


def test_agreement_needs_five_features_that_differ() -> None:
    assert rank_correlation([(1.0, 2.0)] * 9) is None
    assert rank_correlation([(1.0, 2.0), (2.0, 1.0), (0.0, 0.0), (4.0, 4.0)]) is None
    pairs = [(1.0, 10.0), (2.0, 20.0), (3.0, 15.0), (4.0, 40.0), (9.0, 41.0)]
    assert rank_correlation(pairs) == pytest.approx(0.9)


@pytest.mark.parametrize("failed", [np.zeros(40, dtype=bool), np.ones(40, dtype=bool)])
def test_one_outcome_only_is_refused(
    tiny: Model, dictionary: Dictionary, tokens: TaskTokens, failed: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="compares failures with successes"):
        site_attribution(
            dictionary, activated(tiny, dictionary, tokens), failed, seed=0, classes={}
        )

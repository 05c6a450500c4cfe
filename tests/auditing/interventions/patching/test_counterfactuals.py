"""Counterfactual pairs on a model made by hand: it is known what a swap's effect passes through.

A word of the prompt, `bad`, carries a direction that pushes a wrong answer. Feature 0 reads and
writes it, feature 1 fires with it and writes what no answer reads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from statsmodels.stats.contingency_tables import mcnemar
from transformers import GPT2Config, GPT2LMHeadModel

import faultlens as fl
from faultlens.auditing.activations.site_values import audited_sites
from faultlens.auditing.activations.task_tokens import TaskTokens, tokenize
from faultlens.auditing.behaviour.answer_scores import answer_scores
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.patching.counterfactuals import (
    answers_after,
    run_counterfactuals,
    share_restored,
)
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.patching.patching import Patching, share
from faultlens.auditing.interventions.patching.swaps import LevelSwap, aligned, swap_level
from faultlens.auditing.result import Counterfactuals, SelectedLevel, Selection
from faultlens.corpus.task import Prompt, Task
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import SILENT, Progress, Tick
from faultlens.stats.intervals import paired_bootstrap

D = 32
FILLERS = [f"w{i}" for i in range(20)]
VOCABULARY = ["<bos>", *FILLERS, "bad", "good", "odd", "even", "right", "wrong"]
SITE = Site(1, "resid_pre")


class Words:
    """A tokenizer of whole words."""

    bos_token_id = eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        return {"input_ids": [VOCABULARY.index(word) for word in text.split()]}

    def decode(self, ids: list[int], clean_up_tokenization_spaces: bool = False) -> str:
        return " ".join(VOCABULARY[i] for i in ids)


def at(word: str) -> int:
    return VOCABULARY.index(word)


def directions() -> torch.Tensor:
    """Four that are orthogonal to each other, and that a norm's centring does not touch."""
    random = torch.randn(D, 4, generator=torch.Generator().manual_seed(2))
    return torch.linalg.qr(torch.cat([torch.ones(D, 1), random], dim=1))[0].T[1:]


@pytest.fixture(scope="module")
def lens() -> Lens:
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=len(VOCABULARY), n_positions=16, n_embd=D, n_layer=2, n_head=2,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        initializer_range=0.1,
    )  # fmt: skip
    network: Any = GPT2LMHeadModel(config).eval().requires_grad_(False)
    right, wrong, nothing, other = directions()
    for block in network.transformer.h:  # what a token says stays where it is
        block.attn.c_proj.weight.zero_()
        block.mlp.c_proj.weight.zero_()
    embedding = network.transformer.wte.weight
    embedding[at("bad")] = 4 * right + 6 * wrong
    embedding[at("good")] = 4 * right + 1.5 * wrong
    embedding[at("odd")], embedding[at("even")] = 4 * right + other, 4 * right - other
    network.lm_head.weight = torch.nn.Parameter(torch.zeros(len(VOCABULARY), D))
    network.lm_head.weight.requires_grad_(False)
    network.lm_head.weight[at("right")], network.lm_head.weight[at("wrong")] = right, wrong
    model = Model("by hand", network, Words(), FAMILIES["gpt2"], digest="", start="bos")
    generator = torch.Generator().manual_seed(0)
    W_enc = torch.randn(D, 24, generator=generator) * 0.3
    W_dec = torch.randn(24, D, generator=generator)
    b_enc = torch.full((24,), -2.0)
    W_enc[:, 0] = W_enc[:, 1] = wrong
    W_dec[0], W_dec[1] = wrong, 0.3 * nothing
    b_enc[:2] = 0.0
    dictionary = Dictionary(
        "1-res-hand", SITE, Relu(), W_enc, b_enc, W_dec, torch.zeros(D),
        Convention(prepend_bos=True, centred=False), "made in a test", "",
    )  # fmt: skip
    return Lens(model, (dictionary,))


def a_task(*words: str, then: str = "") -> Task:
    """60 prompts that end in one of the words in turn, and in what follows it."""
    rng = np.random.default_rng(0)
    prompts = []
    for i in range(60):
        before = rng.choice(FILLERS, rng.integers(2, 6)).tolist()
        word = words[i % len(words)]
        text = " ".join([*before, word, *then.split()])
        prompts.append(Prompt(text, "right", "wrong", factors={"word": word, "n": str(i % 2)}))
    return Task("by hand", tuple(prompts))


def taking(*levels: tuple[str, str]) -> Selection:
    return Selection([SelectedLevel(*le, 9, 9, 0, 9, 0.0, 0.0, 0.0) for le in levels], [], [])


def runs_of(lens: Lens, tokens: TaskTokens) -> CachedRuns:
    return CachedRuns(lens.model, tokens, audited_sites(lens.dictionaries))


def patching_of(
    lens: Lens, tokens: TaskTokens, swap: LevelSwap, pairs: np.ndarray, read: list[int]
) -> Patching:
    """At the lens's first dictionary."""
    return Patching.of(lens.dictionaries[0], PairRuns.of(swap, runs_of(lens, tokens)), pairs, read)


class Stages:
    """Notes the stages of the work, with their totals and what was done of them."""

    def __init__(self) -> None:
        self.seen: list[list[object]] = []

    def start(self, stage: str, total: int) -> Tick:
        noted: list[object] = [stage, total, 0]
        self.seen.append(noted)

        def tick(done: int) -> None:
            noted[2] = done + int(str(noted[2]))

        return tick


def run(
    lens: Lens,
    task: Task,
    selection: Selection,
    classes: list[FeatureSet],
    progress: Progress = SILENT,
) -> tuple[Counterfactuals, list[PairRuns], np.ndarray]:
    tokens = tokenize(task, lens.model)
    margin = np.array([score.margin for score in answer_scores(lens.model, tokens)])
    found, swaps = run_counterfactuals(
        lens, task, runs_of(lens, tokens), margin, margin <= 0, selection, classes,
        succeeds=lambda ids, i: ids[:1] == [at("right")], alpha=0.05, seed=0, progress=progress,
    )  # fmt: skip
    return found, swaps, margin


def test_a_stage_is_announced_of_the_prompts_that_are_swapped_and_of_nothing_else(
    lens: Lens,
) -> None:
    task, stages = a_task("bad", "good", "w1"), Stages()
    taken = taking(("n", "1"), ("word", "bad"), ("word", "good"))
    found, _, _ = run(lens, task, taken, [], stages)
    pairs = sum(swap.pairs for swap in found.swaps)
    assert 20 < pairs < 60, "no level of n stands in a prompt"
    assert stages.seen == [["Swapping levels", pairs, pairs]]
    stages = Stages()
    run(lens, task, taking(("n", "1")), [], stages)
    run(lens, task, taking(), [], stages)
    assert stages.seen == []


def test_the_effect_of_a_swap_passes_through_the_cause_and_not_the_bystander(lens: Lens) -> None:
    task = a_task("bad", "good")
    classes = [FeatureSet("1-res-hand", (feature,)) for feature in (0, 1)]
    found, _, margin = run(lens, task, taking(("word", "bad")), classes)
    (swap,) = found.swaps
    assert (swap.factor, swap.level, swap.swapped_for) == ("word", "bad", "good")
    assert (swap.pairs, swap.unaligned) == (30, 0)
    assert (swap.failures_original, swap.failures_swapped) == (30, 0)
    assert (swap.failure_to_success, swap.success_to_failure) == (30, 0)
    assert swap.p_mcnemar == pytest.approx(mcnemar([[0, 30], [0, 0]], exact=True).pvalue)
    swapped = Task("x", tuple(replace(p, text=p.text.replace("bad", "good")) for p in task.prompts))
    after = np.array([s.margin for s in answer_scores(lens.model, tokenize(swapped, lens.model))])
    bad = np.array(task.factors["word"]) == "bad"
    assert swap.margin_change.value == pytest.approx(float((after - margin)[bad].mean()), abs=1e-5)
    assert swap.margin_change.low > 1.0
    cause, bystander, whole = swap.patches
    assert (cause.features, bystander.features, whole.features) == (
        ["1-res-hand/0"], ["1-res-hand/1"], [],
    )  # fmt: skip
    for patch in (cause, whole):
        assert patch.denoise is not None and patch.noise is not None
        assert patch.denoise.value == pytest.approx(1.0, abs=1e-4)
        assert patch.noise.value == pytest.approx(1.0, abs=1e-4)
        assert patch.denoise_change == pytest.approx(swap.margin_change.value, abs=1e-4)
        assert patch.noise_change == pytest.approx(-swap.margin_change.value, abs=1e-4)
        assert (patch.restored, patch.restorable) == (30, 30)
    assert bystander.denoise is not None and bystander.noise is not None
    assert abs(bystander.denoise.value) < 0.05
    assert abs(bystander.noise.value) < 0.05
    assert (bystander.restored, bystander.restorable) == (0, 30)
    assert cause.activation_original == pytest.approx(6.0, abs=0.5)
    assert cause.activation_swapped == pytest.approx(1.5, abs=0.5)
    assert whole.activation_original is None


def test_a_swap_without_an_effect_has_no_shares(lens: Lens) -> None:
    task = a_task("odd", "even", then="good")
    found, _, _ = run(lens, task, taking(("word", "odd")), [FeatureSet("1-res-hand", (0,))])
    (swap,) = found.swaps
    assert abs(swap.margin_change.value) < 1e-5
    assert (swap.failures_original, swap.failures_swapped) == (0, 0)
    assert swap.p_mcnemar == 1.0
    for patch in swap.patches:
        assert patch.denoise is None
        assert patch.noise is None


def test_what_cannot_be_swapped_is_listed_with_the_reason(lens: Lens) -> None:
    task = a_task("bad", "good")
    found, swaps, _ = run(lens, task, taking(("n", "1"), ("word", "bad")), [])
    assert list(found.not_swapped) == ["n = 1"]
    assert "do not stand" in found.not_swapped["n = 1"]
    assert [swap.level for swap in found.swaps] == ["bad"]
    assert len(swaps) == 1
    assert [patch.features for patch in found.swaps[0].patches] == [[]], "whole, at every site"
    nothing, swaps, _ = run(lens, task, taking(), [])
    assert nothing.swaps == swaps == []
    assert nothing.reason is not None
    assert "forward selection took none" in nothing.reason
    neither, _, _ = run(lens, task, taking(("n", "1")), [])
    assert neither.reason == "no level that forward selection took can be swapped"


def test_at_most_three_levels_are_swapped_in_order(lens: Lens) -> None:
    levels = [("word", word) for word in ("odd", "bad", "good", "even")]
    found, _, _ = run(lens, a_task("odd", "bad", "good", "even", "w1"), taking(*levels), [])
    assert [swap.level for swap in found.swaps] == ["odd", "bad", "good"]
    assert {swap.swapped_for for swap in found.swaps} == {"w1"}, "none that was taken"


def test_identical_pairs_change_nothing(lens: Lens) -> None:
    task = a_task("bad", "good")
    tokens = tokenize(task, lens.model)
    every = np.arange(60)
    partners = [aligned(row, row) for row in tokens.scored]
    same = LevelSwap("word", "bad", "bad", every, task, tokens, partners, 0)
    patching = patching_of(lens, tokens, same, every, [0, 1, 5])
    for indices in ((0,), (5, 1), None):
        features = None if indices is None else FeatureSet("1-res-hand", indices)
        patch = patching.patch(features, 0.05, 0)
        assert patch.denoise_change == patch.noise_change == 0.0
        assert patch.denoise is None


@pytest.fixture(scope="module")
def mini() -> Lens:
    return fl.load("mini", layers=[3])


@pytest.fixture(scope="module")
def keys(mini: Lens) -> tuple[Task, Any, LevelSwap]:
    task = fl.tasks.mini_ioi(80)
    tokens = tokenize(task, mini.model)
    swap = swap_level(task, tokens, mini.model, "object", "the keys", ["the keys"])
    assert isinstance(swap, LevelSwap)
    return task, tokens, swap


def test_the_whole_residual_carries_the_whole_effect(
    mini: Lens, keys: tuple[Task, Any, LevelSwap]
) -> None:
    _, tokens, swap = keys
    even = [
        place
        for place, i in enumerate(swap.prompts)
        if len(tokens.scored[i]) == len(swap.tokens.scored[place])
    ]
    assert len(even) >= 5
    patching = patching_of(mini, tokens, swap, np.array(even), [7])
    whole = patching.patch(None, 0.05, 0)
    assert whole.denoise is not None and whole.noise is not None
    for interval in (whole.denoise, whole.noise):
        assert [interval.value, interval.low, interval.high] == pytest.approx([1.0] * 3, abs=1e-4)


def test_a_class_takes_the_partners_activations_at_the_tokens_that_pair_up(mini: Lens) -> None:
    """Rows of unequal length; the referee goes token by token."""
    task = fl.tasks.ioi(60)
    tokens = tokenize(task, mini.model)
    swap = swap_level(task, tokens, mini.model, "object", "a drink", ["the bag"])
    assert isinstance(swap, LevelSwap)
    longer = replace(swap.task.prompts[0], text="Before that, " + swap.task.prompts[0].text)
    twins = Task("x", (longer, *swap.task.prompts[1:]))
    twin_tokens = tokenize(twins, mini.model)
    partners = [
        aligned(tokens.scored[i], row)
        for i, row in zip(swap.prompts, twin_tokens.scored, strict=True)
    ]
    assert -1 in partners[0][1:] or len(partners[0]) < len(twin_tokens.scored[0])
    swap = replace(swap, task=twins, tokens=twin_tokens, partners=partners)
    dictionary = mini.dictionaries[0]
    pairs, features = np.arange(len(swap)), [11, 4, 900]
    patching = patching_of(mini, tokens, swap, pairs, [4, 11, 900, 1000])
    change = patching.of_features(patching.original, patching.swapped, features)
    for place in (0, 1):
        row, twin = tokens.scored[swap.prompts[place]], twin_tokens.scored[place]
        mine, theirs = (
            dictionary.encode(mini.model.read(torch.tensor([ids]), [dictionary.site])[
                dictionary.site
            ][0])[:, features]
            for ids in (row, twin)
        )  # fmt: skip
        expected = torch.zeros(change.shape[1:])
        for position, partner in enumerate(partners[place]):
            if partner >= 0:
                steps = theirs[partner] - mine[position]
                expected[position] = steps @ dictionary.W_dec[features]
        torch.testing.assert_close(change[place], expected, rtol=1e-3, atol=1e-4)


def test_a_share_is_a_ratio_of_means() -> None:
    effect = np.array([1.0, 2.0, 3.0, 10.0])
    patched = np.array([1.0, 1.0, 0.0, 6.0])
    found = share(patched, effect, 0.05, 0)
    assert found is not None
    assert found.value == pytest.approx(0.5)  # the mean of ratios is 0.525
    assert found.low < 0.5 < found.high
    ends = paired_bootstrap(
        lambda rows: float(patched[rows].mean() / effect[rows].mean()), 4,
        np.random.default_rng(0), resamples=2000,
    )  # fmt: skip
    assert (found.low, found.high) == ends
    assert share(patched, np.array([-1.0, 2.0, -3.0, 2.5]), 0.05, 0) is None
    assert share(patched, np.full(4, 1e-6), 0.05, 0) is None


def test_patching_the_whole_value_restores_where_the_word_is_and_not_elsewhere(
    lens: Lens,
) -> None:
    task = a_task("bad", "good")
    tokens = tokenize(task, lens.model)
    swap = swap_level(task, tokens, lens.model, "word", "bad")
    assert isinstance(swap, LevelSwap)
    dictionary = lens.dictionaries[0]
    at_word, before = np.zeros((60, 12), dtype=bool), np.zeros((60, 12), dtype=bool)
    at_word[np.arange(60), tokens.last] = True
    before[np.arange(60), tokens.last - 1] = True
    bad = np.array(task.factors["word"]) == "bad"

    def restored(edited: np.ndarray, swaps: list[LevelSwap]) -> tuple[float | None, int]:
        runs = runs_of(lens, tokens)
        return share_restored(dictionary, [PairRuns.of(swap, runs) for swap in swaps], edited)

    assert restored(at_word, [swap, swap]) == (1.0, 30)
    assert restored(before, [swap]) == (0.0, 30)
    some = at_word & bad[:, None]
    some[np.flatnonzero(bad)[:11]] = False
    assert restored(some, [swap]) == (1.0, 19)
    assert restored(at_word & ~bad[:, None], [swap]) == (None, 0)
    assert restored(at_word, []) == (None, 0)
    only_bos = np.zeros((60, 12), dtype=bool)
    only_bos[:, 0] = True
    assert restored(only_bos, [swap]) == (None, 0), "BOS is never patched"


def test_swapped_prompts_are_decoded_by_the_rule_of_their_original(lens: Lens) -> None:
    task = a_task("bad", "good")
    tokens = tokenize(task, lens.model)
    swap = swap_level(task, tokens, lens.model, "word", "bad")
    assert isinstance(swap, LevelSwap)
    asked: list[int] = []

    def succeeds(ids: list[int], prompt: int) -> bool:
        asked.append(prompt)
        return ids[0] == at("right") and prompt % 4 == 0

    done: list[int] = []
    scores, right = answers_after(lens.model, swap, succeeds, done.append)
    expected = [score.margin for score in answer_scores(lens.model, swap.tokens)]
    np.testing.assert_allclose([score.margin for score in scores], expected, atol=1e-5)
    assert sorted(asked) == swap.prompts.tolist()
    assert sum(done) == 30
    assert right.tolist() == (swap.prompts % 4 == 0).tolist()

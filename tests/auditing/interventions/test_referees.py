"""An audit's interventions against TransformerLens and SAELens, prompt by prompt, without padding.

The referee encodes with SAELens, sets some features to given values where any of them fires after
BOS, and adds the difference of SAELens's two reconstructions to the value in TransformerLens's
pass: the error term stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from activated import ALL_TOKENS, ablation_of
from hub_cache import RELEASE, put_gpt2, put_saes
from referees import hooked_gpt2, quietly, registry_sae
from torch.testing import assert_close

import faultlens as fl
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.edits import Mean
from faultlens.auditing.interventions.placed_edit import PlacedEdit, edit_where_firing
from faultlens.corpus.task import Prompt, Task
from faultlens.features.lens import Lens
from faultlens.models import hub
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sae_folder import load_sae_folder

WIDTH, FEATURES, LAYER = 48, 256, 8
CLOSE = 1e-4
TEXTS = [
    "When Mary and John went to the store, John gave the keys to",
    "John gave a book to",
    "After the long rain Susan and Tom met at the gym, and Tom handed the flowers to",
    "Once Anna and Paul arrived, Paul passed the ball to",
    "The keys were given by Lisa to",
    "While Alex and Emily were at the office, Emily gave the bag to",
]
FAILED = np.array([True, False, True, False, True, False])
Wanted = Callable[[torch.Tensor, int], torch.Tensor]
"""What the chosen features are set to, from a prompt's activations and its length in tokens."""


@pytest.fixture(scope="module")
def hub_in_use(tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Iterator[Path]:
    """A narrow random `gpt2` and an SAE of layer 8, in the hub's layout."""
    from huggingface_hub import constants

    cache = tmp_path_factory.mktemp("hub")
    put_gpt2(cache, reference_data / "gpt2_tokenizer", width=WIDTH, heads=4)
    put_saes(cache, [LAYER], width=WIDTH, features=FEATURES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        hub.reachable.cache_clear()
        yield cache


@dataclass(frozen=True)
class Case:
    """A dictionary as it is read here, the same one in SAELens, and the model in TransformerLens.

    In the reference pass the dictionary reads `hook_in` and what it rebuilds is `hook_out`.
    """

    dictionary: Dictionary
    sae: Any
    reference: Any
    hook_in: str
    hook_out: str

    def logits(self, ids: list[int], chosen: list[int], wanted: Wanted | None) -> torch.Tensor:
        """After the last token, `[vocabulary]`; up to a constant, which processing takes off."""
        seen: dict[str, torch.Tensor] = {}

        def read(x: torch.Tensor, hook: object) -> torch.Tensor:
            seen["in"] = x
            return x

        def edit(x: torch.Tensor, hook: object) -> torch.Tensor:
            if wanted is None:
                return x
            activations = self.sae.encode(seen["in"])
            fires = (activations[0][:, chosen] > 0).any(dim=-1)
            fires[0] = False
            changed = activations.clone()
            changed[0, :, chosen] = torch.where(
                fires[:, None], wanted(activations[0], len(ids)), activations[0][:, chosen]
            )
            return x + self.rebuilt(changed, seen["in"]) - self.rebuilt(activations, seen["in"])

        with torch.no_grad(), quietly():
            found = self.reference.run_with_hooks(
                torch.tensor([ids]), fwd_hooks=[(self.hook_in, read), (self.hook_out, edit)]
            )
        last: torch.Tensor = found[0, -1]
        return last.log_softmax(-1)

    def rebuilt(self, activations: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Encoding before each decoding: SAELens keeps a token's scale for one use only."""
        self.sae.encode(x)
        found: torch.Tensor = self.sae.decode(activations)
        return found

    def activations(self, ids: list[int]) -> torch.Tensor:
        """Of a prompt's tokens, BOS first, `[tokens, features]`."""
        with torch.no_grad(), quietly():
            _, cache = self.reference.run_with_cache(torch.tensor([ids]))
            found: torch.Tensor = self.sae.encode(cache[self.hook_in])[0]
        return found


def made(architecture: str, hook: str, folder: Path, **options: Any) -> tuple[Dictionary, Any]:
    """A random dictionary of SAELens's own, saved by it and read by us."""
    with quietly():
        from sae_lens.registry import get_sae_class
        from sae_lens.saes.sae import SAEMetadata

        metadata = SAEMetadata(hook_name=hook, prepend_bos=True)
        if architecture == "transcoder":
            metadata.hook_name_out = f"blocks.{LAYER}.hook_mlp_out"
            options = {"d_out": WIDTH, "apply_b_dec_to_input": False, **options}
        sae_class, config_class = get_sae_class(architecture)
        sae = sae_class(config_class(d_in=WIDTH, d_sae=FEATURES, metadata=metadata, **options))
    torch.manual_seed(5)
    for name, parameter in sae.named_parameters():
        scale = {"W_enc": 0.15, "b_enc": 0.5}.get(name, 0.6)
        parameter.data = scale * torch.randn_like(parameter) - (0.8 if name == "b_enc" else 0)
    sae.save_model(folder)
    return load_sae_folder(folder, "made", torch.device("cpu")), sae


@pytest.fixture(scope="module")
def model(hub_in_use: Path) -> Model:
    return fl.load("gpt2", RELEASE, layers=[LAYER]).model


@pytest.fixture(scope="module", params=["relu", "normalised by token", "transcoder"])
def case(request: pytest.FixtureRequest, hub_in_use: Path, tmp_path_factory: Any) -> Case:
    residual = f"blocks.{LAYER}.hook_resid_pre"
    if request.param == "relu":
        (dictionary,) = fl.load("gpt2", RELEASE, layers=[LAYER]).dictionaries
        sae = registry_sae(RELEASE, residual)
        return Case(dictionary, sae, hooked_gpt2(), residual, residual)
    folder = tmp_path_factory.mktemp("sae")
    if request.param == "normalised by token":
        dictionary, sae = made("standard", residual, folder, normalize_activations="layer_norm")
        return Case(dictionary, sae, hooked_gpt2(), residual, residual)
    with quietly():
        from transformer_lens import HookedTransformer

        raw = HookedTransformer.from_pretrained_no_processing(
            "gpt2", device="cpu", local_files_only=True
        )
    middle = f"blocks.{LAYER}.hook_resid_mid"
    dictionary, sae = made("transcoder", middle, folder)
    return Case(dictionary, sae, raw, middle, f"blocks.{LAYER}.hook_mlp_out")


@pytest.fixture(scope="module")
def ablation(case: Case, model: Model) -> Ablation:
    task = Task("names", tuple(Prompt(text, "Mary", "John") for text in TEXTS))
    tokens = tokenize(task, model)
    activations = TaskActivations.read(
        Lens(model, (case.dictionary,), choice=ALL_TOKENS), task, tokens
    )
    return ablation_of(activations, case.dictionary, FAILED, lambda ids, i: False)


@pytest.fixture(scope="module")
def chosen(ablation: Ablation) -> list[int]:
    """Three features that fire on some tokens of most prompts, and not on all."""
    often = ablation.codes.matrix.getnnz(axis=0) / ablation.codes.matrix.shape[0]
    assert 0.02 < often.mean() < 0.9
    return [int(f) for f in np.argsort(np.abs(often - 0.3))[:3]]


def of(case: Case, chosen: list[int]) -> FeatureSet:
    return FeatureSet(case.dictionary.name, tuple(chosen))


def margins(logits: torch.Tensor, target: int) -> float:
    others = logits.clone()
    others[target] = -torch.inf
    return float(logits[target] - others.max())


def test_features_set_to_given_values_give_the_same_logits(
    case: Case, ablation: Ablation, chosen: list[int]
) -> None:
    values = torch.tensor([0.0, 5.0, 20.0])
    prompts = np.arange(len(TEXTS))
    rows = ablation.codes.firing_rows(chosen, prompts)
    placed = PlacedEdit(rows, of(case, chosen), np.tile(values.numpy(), (len(rows), 1)))
    dictionary, model, tokens = case.dictionary, ablation.runs.model, ablation.runs.tokens
    run = ablation.runs.of(prompts, dictionary.target)
    change = ablation.runner.change(placed, run)
    start = int(torch.nonzero((change != 0).any(dim=-1).any(dim=0)).min())
    resumed = run.cached.resumed(LAYER, start)
    ours = resumed.logits(run.last, {dictionary.target: lambda x: x + change[:, start:]})
    whole = model.logits(
        run.cached.ids, at=run.last, edits={dictionary.target: lambda x: x + change}
    )
    assert_close(ours, whole, rtol=CLOSE, atol=CLOSE)
    before, _, after, _ = ablation.runner.margins(placed, prompts)
    for i, row in enumerate(tokens.scored):
        theirs = case.logits(row, chosen, lambda activations, n: values)
        plain = case.logits(row, chosen, None)
        assert_close(ours[i].log_softmax(-1), theirs, rtol=CLOSE, atol=CLOSE)
        assert (theirs - plain).abs().max() > 0.2, "the change must show"
        assert before[i] == pytest.approx(margins(plain, tokens.target[i]), abs=CLOSE)
        assert after[i] == pytest.approx(margins(theirs, tokens.target[i]), abs=CLOSE)


def test_the_scale_of_a_change_is_known_token_by_token(
    case: Case, ablation: Ablation, chosen: list[int]
) -> None:
    """By which controls are matched: |change| = scale · |step| · |W_dec[f]|."""
    prompts, feature = np.arange(len(TEXTS)), chosen[0]
    rows = ablation.codes.firing_rows([feature], prompts)
    now = ablation.codes.values(rows, [feature])
    placed = PlacedEdit(rows, of(case, [feature]), now + 3)
    norm = float(case.dictionary.W_dec[feature].norm())
    expected = 3 * norm * ablation.codes.scales(rows)
    found = np.zeros(len(rows))
    for run in ablation.runner.cached_runs(placed, prompts):
        change = ablation.runner.change(placed, run).norm(dim=-1)
        for place, prompt in enumerate(run.prompts):
            mine = ablation.codes.rows_of(int(prompt))
            here = (rows >= mine.start) & (rows < mine.stop)
            found[here] = change[place, rows[here] - mine.start]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_set_to_the_successes_mean_at_the_same_distance_from_the_end(
    case: Case, ablation: Ablation, chosen: list[int]
) -> None:
    """Where no success is as long, to their mean over all tokens but BOS."""
    successes = [case.activations(ablation.runs.tokens.scored[i]) for i in np.flatnonzero(~FAILED)]
    overall = torch.cat([a[1:] for a in successes])[:, chosen].mean(dim=0)

    def wanted(activations: torch.Tensor, n: int) -> torch.Tensor:
        means = []
        for position in range(n):
            back = n - position
            able = [a[-back, chosen] for a in successes if back < len(a)]
            means.append(torch.stack(able).mean(dim=0) if able else overall)
        return torch.stack(means)

    prompts = np.flatnonzero(FAILED)
    lengths = [len(row) for row in ablation.runs.tokens.scored]
    assert max(lengths[i] for i in prompts) > max(map(len, successes)), "some have no partner"
    placed = edit_where_firing(Mean(among="successes"), ablation.context, of(case, chosen), prompts)
    before, _, after, _ = ablation.runner.margins(placed, prompts)
    for place, i in enumerate(prompts):
        theirs = case.logits(ablation.runs.tokens.scored[i], chosen, wanted)
        assert after[place] == pytest.approx(
            margins(theirs, ablation.runs.tokens.target[i]), abs=CLOSE
        )
    assert np.abs(after - before).max() > 0.02, "the change must show"

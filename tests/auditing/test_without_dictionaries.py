"""An audit without dictionaries: everything that needs none, against plain transformers."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.dictionary_sources import no_dictionaries
from faultlens.auditing.interventions import causal_tests
from faultlens.auditing.interventions.patching.counterfactuals import MOST_PATCHED
from faultlens.auditing.interventions.patching.swaps import swap_level
from faultlens.auditing.result import Counterfactual, Patch
from faultlens.auditing.result.audit import Audit
from faultlens.cli.main import app, main
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.mini import SAES
from faultlens.models.registry import releases_for
from faultlens.models.sites import Site
from faultlens.report.audit.layers import passage_words
from faultlens.report.terminal.summary import summary
from faultlens.runs.checkpoint import Checkpoint

QUICK = {"baselines": False, "permutations": 99}


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", sae="none")


@pytest.fixture(scope="module")
def task() -> Task:
    return fl.tasks.mini_ioi(n=80, seed=0)


@pytest.fixture(scope="module")
def audit(lens: Lens, task: Task) -> Audit:
    return fl.audit(lens, task, **QUICK)


@pytest.fixture(scope="module")
def swap(audit: Audit) -> Counterfactual:
    assert audit.counterfactuals is not None
    return next(s for s in audit.counterfactuals.swaps if s.level == "the keys")


def patch(swap: Counterfactual, layer: int, positions: str) -> Patch:
    site = Site(layer, "resid_pre").name
    return next(p for p in swap.patches if (p.site, p.positions) == (site, positions))


def test_outcomes_factors_and_swaps_are_those_of_an_audit_with_dictionaries(
    audit: Audit, task: Task
) -> None:
    beside = fl.audit(
        fl.load("mini", layers=[3]), task, baselines=False, test_classes=0, test_attributed=0,
        permutations=99, fit_check=False,
    )  # fmt: skip
    assert (audit.outcomes, audit.factors, audit.selection, audit.scoring) == (
        beside.outcomes, beside.factors, beside.selection, beside.scoring
    )  # fmt: skip
    assert audit.counterfactuals is not None and beside.counterfactuals is not None
    assert len(audit.counterfactuals.swaps) >= 1

    def bare(swaps: list[Counterfactual]) -> list[Counterfactual]:
        return [replace(swap, patches=[]) for swap in swaps]

    assert bare(audit.counterfactuals.swaps) == bare(beside.counterfactuals.swaps)
    assert audit.sites == {} and audit.leading is None and audit.attribution == {}


def test_at_the_embeddings_the_exchanged_words_carry_all_of_a_swap_and_the_last_token_nothing(
    swap: Counterfactual,
) -> None:
    words, last = patch(swap, 0, "swapped"), patch(swap, 0, "last")
    for found, expected in ((words, 1.0), (last, 0.0)):
        assert found.denoise is not None and found.noise is not None
        assert found.denoise.value == pytest.approx(expected, abs=1e-4)
        assert found.noise.value == pytest.approx(expected, abs=1e-4)
    assert words.restored == words.restorable > 0 and last.restored == 0
    late = patch(swap, 5, "last").denoise
    assert late is not None and late.value > 0.9, "by the last layer the last token has read it"
    assert passage_words(swap).startswith("most of the change passes through the exchanged words")


@pytest.mark.parametrize("layer", [2, 4])
@pytest.mark.parametrize("positions", ["swapped", "last"])
def test_a_patch_is_plain_transformers_with_the_values_put_in(
    lens: Lens, task: Task, audit: Audit, swap: Counterfactual, layer: int, positions: str
) -> None:
    tokens = tokenize(task, lens.model)
    assert audit.selection is not None
    taken = [s.level for s in audit.selection.selected if s.factor == swap.factor]
    pairs = swap_level(task, tokens, lens.model, swap.factor, swap.level, taken)
    assert not isinstance(pairs, str) and len(pairs) <= MOST_PATCHED, "all pairs are patched"
    network, changes = lens.model.network, []
    for i, prompt in enumerate(pairs.prompts):
        mine, twin = tokens.scored[prompt], pairs.tokens.scored[i]
        there = pairs.partners[i]
        at = [len(mine) - 1]
        if positions == "swapped":
            at = [p for p, q in enumerate(there) if q >= 0 and mine[p] != twin[q]]
        with torch.no_grad():
            theirs = network(torch.tensor([twin]), output_hidden_states=True).hidden_states[layer]

        def put_in(
            module: Any, args: Any, at: list[int] = at, there: list[int] = there,
            theirs: torch.Tensor = theirs,
        ) -> Any:  # fmt: skip
            x = args[0].clone()
            x[0, at] = theirs[0, [there[place] for place in at]]
            return (x, *args[1:])

        def margin(ids: list[int], target: int = int(tokens.target[prompt])) -> float:
            with torch.no_grad():
                logits = network(torch.tensor([ids])).logits[0, -1]
            others = torch.cat([logits[:target], logits[target + 1 :]])
            return float(logits[target] - others.max())

        before = margin(mine)
        handle = network.transformer.h[layer].register_forward_pre_hook(put_in)
        changes.append(margin(mine) - before)
        handle.remove()
    found = patch(swap, layer, positions)
    assert found.pairs == len(changes)
    assert found.denoise_change == pytest.approx(np.mean(changes), abs=1e-4)


def test_the_residual_rung_is_the_mean_of_hidden_states_over_each_prompts_tokens(
    lens: Lens, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    import faultlens.auditing.study as study

    seen: dict[str, Any] = {}
    climbed = study.build_ladder

    def noting(*arguments: Any, **options: Any) -> Any:
        seen.update(options)
        return climbed(*arguments, **options)

    monkeypatch.setattr(study, "build_ladder", noting)
    few = Task("few", task.prompts[:60])
    found = fl.audit(lens, few, repeats=1)
    read = found.no_dictionaries
    assert read is not None
    assert read.ladder == [f"blocks.{layer}.hook_resid_pre" for layer in (0, 2, 3, 5)]
    assert read.patched == [f"blocks.{layer}.hook_resid_pre" for layer in range(6)]
    for i in (0, 7, 59):
        ids = torch.tensor([[lens.model.bos_id, *lens.model.ids(few.prompts[i].text)]])
        with torch.no_grad():
            states = lens.model.network(ids, output_hidden_states=True).hidden_states
        expected = torch.cat([states[layer][0, 1:].mean(0) for layer in (0, 2, 3, 5)])
        np.testing.assert_allclose(seen["residual"][i], expected.numpy(), atol=2e-4)
    assert found.baselines is not None and found.baselines["residual"].auroc is not None
    for rung in ("random_dictionary", "sae_top_k", "sae_all"):
        assert found.baselines[rung].reason == "needs a dictionary: none was given"


def test_massive_activations_are_left_out_of_the_residual_and_named(task: Task) -> None:
    lens = fl.load("mini", sae="none", layers=[2])
    embedding = lens.model.network.transformer.wte.weight
    keys = lens.model.ids(" keys")[0]
    before = embedding[keys].clone()
    try:
        embedding[keys] = 3e3
        found = fl.audit(lens, Task("few", task.prompts[:60]), repeats=1)
    finally:
        embedding[keys] = before
    count = sum(" keys" in prompt.text for prompt in task.prompts[:60])
    sentence = (
        f"blocks.2.hook_resid_pre: {count} tokens beyond 10 times the median norm were left out "
        f'(" keys" {count})'
    )
    assert count > 2 and sentence in found.warnings


def test_what_was_finished_is_not_done_again(
    lens: Lens, task: Task, audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Checkpoint.kept_in(tmp_path, {"run": 1})
    first = fl.audit(lens, task, checkpoint=kept, **QUICK)
    assert kept.stages == ["outcomes", "swaps"]

    def again(*arguments: object, **options: object) -> None:
        raise AssertionError("the swaps were run again")

    monkeypatch.setattr(causal_tests, "run_counterfactuals", again)
    assert fl.audit(lens, task, checkpoint=kept, **QUICK) == first == audit


def test_sites_and_layers_are_those_asked_for(task: Task) -> None:
    chosen = fl.load("mini", sae="none", layers=[4, 1], sites=["mlp_out", "attn_out"])
    assert [site.name for site in chosen.sites] == [
        "blocks.1.hook_attn_out", "blocks.1.hook_mlp_out",
        "blocks.4.hook_attn_out", "blocks.4.hook_mlp_out",
    ]  # fmt: skip
    found = fl.audit(chosen, Task("few", task.prompts[:80]), baselines=False)
    assert found.counterfactuals is not None
    positions = {(p.site, p.positions) for p in found.counterfactuals.swaps[0].patches}
    every = {(s.name, p) for s in chosen.sites for p in ("aligned", "swapped", "last")}
    assert positions == every
    everything = fl.load("mini", sae="none", layers=[0], sites=["all"])
    assert [site.point for site in everything.sites] == [
        "resid_pre", "z", "attn_out", "resid_mid", "mlp_normalized", "mlp_in", "mlp_out",
        "resid_post",
    ]  # fmt: skip


def test_the_command_is_the_library_and_says_how_to_get_dictionaries(
    audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    words = ["audit", "mini-ioi", "-n", "80", "--task-seed", "0", "--sae", "none"]
    options = ["--no-baselines", "--permutations", "99", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["faultlens", *words, *options])
    with pytest.raises(SystemExit) as leave:
        main()
    out = capsys.readouterr().out
    assert leave.value.code == 0
    written = json.loads((tmp_path / "run" / "audit.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(audit.to_dict()))
    assert Audit.from_dict(written) == audit
    assert out.splitlines()[:-1] == summary(None, audit)
    said = " ".join(out.split())
    own = len(list(SAES.rglob("cfg.json")))
    assert (
        f"To see features: dictionaries of this model are published as mini ({own} dictionaries); "
        "give one as --sae. Or train some: faultlens train TEXTS --model mini --layers 0,2,3,5 "
        "--sites resid_pre --out FOLDER"
    ) in said
    assert "anything of features: no dictionary was given" in said
    assert sum(len(line) > 100 for line in out.splitlines()) == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for words in ("Share of a swap&#39;s effect that comes with the values of hook_resid_pre",
                  "the whole value at blocks.3.hook_resid_pre, at the last token",
                  "To see features:"):  # fmt: skip
        assert words in page
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["dictionaries"] == {}
    assert manifest["inputs"]["sites"][-1] == "blocks.5.hook_resid_pre"
    assert not (tmp_path / "run" / "activations").exists()


def test_the_command_that_trains_can_be_given_as_it_stands(lens: Lens) -> None:
    read = no_dictionaries(replace(lens, model=replace(lens.model, name="a b", tuning="x/y")))
    assert read is not None
    _, bound, _ = app.parse_args(shlex.split(read.train)[1:], print_error=False)
    assert bound.arguments == {
        "corpus": "TEXTS", "out": "FOLDER", "model": "a b", "adapter": "x/y",
        "layers": "0,2,3,5", "sites": "resid_pre",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("gpt2", "gpt2-small-res-jb"),
        ("openai-community/gpt2", "gpt2-small-res-jb"),
        ("google/gemma-3-270m", "gemma-scope-2-270m-pt-res"),
        ("models/gemma-3-270m-Q4_K_M.gguf", "gemma-scope-2-270m-pt-res"),
        ("EleutherAI/pythia-70m-deduped", "pythia-70m-deduped-res-sm"),
    ],
)
def test_releases_are_found_by_the_models_name(name: str, release: str) -> None:
    found = releases_for([name])
    assert release in found and all(found.values())
    assert not {"gpt2-small-res-jb", "gemma-scope-2-270m-pt-res"} <= set(found)


@pytest.mark.parametrize("name", ["SmolLM2-135M-Instruct", "mini", "", "gemma-3-270m-tuned"])
def test_another_model_has_no_releases(name: str) -> None:
    assert releases_for([name]) == {}


def test_what_needs_dictionaries_says_so(lens: Lens, task: Task) -> None:
    def said(call: Any) -> str:
        with pytest.raises(UserError) as refused:
            call()
        return str(refused.value)

    needs = "needs dictionaries, and model mini was loaded without any: name them with sae (--sae)"
    assert said(lambda: lens.read(["a text"])) == f"reading texts {needs}"
    assert said(lambda: lens.tokens("a text")) == f"reading a text {needs}"
    assert said(lambda: fl.profile(lens, fl.seven_categories())) == f"a profile {needs}"
    assert said(lambda: fl.audit(lens, task, test_features=["3-res-mini/8"])) == (
        f"'3-res-mini' in this lens {needs}"
    )
    assert said(lambda: fl.load("mini", sae="none", layers=[7])) == (
        "model mini has no site blocks.7.hook_resid_pre: its layers are 0 to 5"
    )
    assert said(lambda: fl.load("x/y", convention=["raw"])) == (
        "convention (--convention) says how dictionaries read, and there are none: name them with "
        "sae (--sae)"
    )

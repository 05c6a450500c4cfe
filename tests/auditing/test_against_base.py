"""A tuned model against its base: planted changes are found where they are, and no others."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

import faultlens as fl
from faultlens.auditing.result import BaseComparison
from faultlens.auditing.result.audit import Audit
from faultlens.cli.main import main
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.fit import measure_fit, sample_rows
from faultlens.models.model import Model
from faultlens.report.terminal.summary import summary
from tests.models.referees import quietly

TASK = fl.tasks.mini_ioi(n=90, seed=0)
QUICK: dict[str, Any] = {"baselines": False, "test_attributed": 0, "permutations": 99}


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", sae="none", layers=[3])


@pytest.fixture(scope="module")
def base() -> Model:
    return fl.load("mini", sae="none").model


def tuned(word: str, like: str) -> Lens:
    """`mini`, one word of which reads as another."""
    lens = fl.load("mini", sae="none", layers=[3])
    model = lens.model
    embedding = model.network.transformer.wte.weight
    embedding[model.ids(word)[0]] = embedding[model.ids(like)[0]]
    return replace(lens, model=replace(model, name="tuned"))


@pytest.fixture(scope="module")
def alone(lens: Lens) -> Audit:
    """Of `mini` by itself."""
    return fl.audit(lens, TASK, **QUICK)


def compared(lens: Lens, base: Model) -> tuple[Audit, BaseComparison]:
    audit = fl.audit(lens, TASK, base=base, **QUICK)
    assert audit.against_base is not None
    return audit, audit.against_base


@pytest.fixture(scope="module")
def broken(base: Model) -> tuple[Audit, BaseComparison]:
    """Tuned so that the ball reads as the keys, at which `mini` fails."""
    return compared(tuned(" ball", " keys"), base)


def test_new_failures_are_found_where_they_were_planted_and_nowhere_else(
    broken: tuple[Audit, BaseComparison], alone: Audit
) -> None:
    audit, found = broken
    assert found.all.failures_base == alone.failures and found.all.failures_tuned == audit.failures
    assert found.all.new == found.levels["object"]["the ball"].new >= 5 and found.all.gone == 0
    elsewhere = [r for level, r in found.levels["object"].items() if level != "the ball"]
    assert all((r.new, r.gone) == (0, 0) for r in elsewhere) and len(elsewhere) > 3
    assert {TASK.prompts[one.prompt].factors["object"] for one in found.turned} == {"the ball"}
    assert {one.became for one in found.turned} == {"failure"}
    for one in found.turned:
        assert one.generated_base == alone.outcomes[one.prompt].generated
        assert one.generated_tuned == audit.outcomes[one.prompt].generated


def test_p_values_are_statsmodels(broken: tuple[Audit, BaseComparison]) -> None:
    _, found = broken
    levels = [reading for of in found.levels.values() for reading in of.values()]
    for reading in [found.all, *levels]:
        stay = reading.failures_base - reading.gone
        table = [[stay, reading.gone], [reading.new, reading.n - stay - reading.gone - reading.new]]
        assert reading.p_mcnemar == pytest.approx(mcnemar(table, exact=True).pvalue)
    adjusted = multipletests([r.p_mcnemar for r in levels], method="holm")[1]
    np.testing.assert_allclose([r.p_holm for r in levels], adjusted)
    assert min(adjusted) < 0.5 and found.all.p_holm is None


def test_the_margins_change_is_the_mean_over_prompts(
    broken: tuple[Audit, BaseComparison], alone: Audit
) -> None:
    audit, found = broken
    changes = [
        float(a.margin or 0) - float(b.margin or 0)
        for a, b in zip(audit.outcomes, alone.outcomes, strict=True)
    ]
    assert found.margin_change is not None
    assert found.margin_change.value == pytest.approx(np.mean(changes), abs=1e-4)
    assert found.margin_change.low < found.margin_change.value < 0


def test_a_model_against_itself_turns_nothing(lens: Lens, base: Model) -> None:
    _, found = compared(lens, base)
    assert (found.all.new, found.all.gone, found.all.p_mcnemar) == (0, 0, 1.0)
    assert found.turned == [] and found.margin_change is not None
    assert found.margin_change.value == 0.0


def test_mended_failures_are_gone(base: Model) -> None:
    audit, found = compared(tuned(" keys", " ball"), base)
    assert found.all.gone == found.levels["object"]["the keys"].gone >= 5 and found.all.new == 0
    assert audit.failures == found.all.failures_base - found.all.gone


def adapter(folder: Path, base: Model) -> Path:
    """A LoRA adapter of `mini` with random weights, saved by PEFT."""
    config = peft.LoraConfig(r=4, lora_alpha=64, target_modules=["c_fc"], fan_in_fan_out=True)
    torch.manual_seed(1)
    with quietly():
        network = peft.get_peft_model(fl.load("mini", sae="none").model.network, config)
    for name, parameter in network.named_parameters():
        if "lora" in name:
            parameter.data = 0.12 * torch.randn_like(parameter)
    with quietly():
        network.save_pretrained(str(folder))
    return folder


def test_the_command_pairs_an_adapter_with_its_base(
    tmp_path: Path, base: Model, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = adapter(tmp_path / "adapter", base)
    words = ["mini-ioi", "-n", "60", "--sae", "none", "--layers", "3", "--no-baselines",
             "--test-attributed", "0"]  # fmt: skip
    options = ["--adapter", str(folder), "--against-base", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["faultlens", "audit", *words, *options])
    with pytest.raises(SystemExit) as leave:
        main()
    assert leave.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    written = json.loads((tmp_path / "run" / "audit.json").read_text(encoding="utf-8"))
    found = Audit.from_dict(written)
    paired = found.against_base
    assert paired is not None and (paired.base, paired.adapter) == ("mini", str(folder))
    assert paired.all.n == 60 and paired.turned, "the adapter changes some outcome"
    assert (
        f"Against the base: of 60 prompts the base fails {paired.all.failures_base} and the tuned "
        f"model {paired.all.failures_tuned}:"
    ) in out
    assert summary(None, found) == summary(None, Audit.from_dict(found.to_dict()))
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Prompts whose outcome is another under the tuned model." in page
    inputs = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    assert inputs["base"] == {"name": "mini", "digest": base.digest}
    assert inputs["model"]["adapter"] == str(folder)
    assert inputs["base"]["digest"] != inputs["model"]["digest"]


def test_the_fit_check_is_of_the_merged_weights(tmp_path: Path, base: Model) -> None:
    """Dictionaries of the base fit the tuned model less, and the run says why they may."""
    folder = adapter(tmp_path / "adapter", base)
    tuned = fl.load("mini", layers=[3], adapter=str(folder))
    rows = sample_rows(base, 400)
    (dictionary,) = tuned.dictionaries
    before, after = (measure_fit(model, dictionary, rows, 1) for model in (base, tuned.model))
    assert after.fvu > 1.05 * before.fvu
    assert f"the adapter {folder} is merged into model mini: dictionaries trained on its base " in (
        " ".join(tuned.model.caveats)
    )


def test_what_has_no_base_is_refused(
    lens: Lens, base: Model, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["faultlens", "audit", "mini-ioi", "--against-base"])
    with pytest.raises(SystemExit) as leave:
        main()
    assert leave.value.code == 2
    assert capsys.readouterr().err == (
        "faultlens: --against-base compares a tuned model with the one it was tuned from: give the "
        "adapter (--adapter FOLDER)\n"
    )
    other = replace(base, start="none", name="other")
    with pytest.raises(UserError) as refused:
        fl.audit(lens, TASK, base=other, **QUICK)
    assert str(refused.value) == (
        "the base other reads other tokens in the prompts of mini-ioi than the tuned model does: "
        "expected models that share a tokenizer"
    )

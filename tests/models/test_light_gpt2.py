"""The light GPT-2 against transformers': every value, packed and edited, and when it is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import faultlens as fl
from faultlens.features.opening import open_configured
from faultlens.mini import LANGUAGE_MODEL
from faultlens.models.doctor import examine
from faultlens.models.light_gpt2 import LightGPT2
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site
from tests.cli.calling import run

IDS = torch.tensor([[0, 5, 99, 7, 1200, 31, 8, 2], [0, 411, 3, 3, 17, 950, 60, 4]])


@pytest.fixture(scope="module")
def light() -> Model:
    model = load_model("mini", light=True)
    assert isinstance(model.network, LightGPT2)
    return model


@pytest.fixture(scope="module")
def referee() -> Model:
    return load_model("mini")


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Within 1e-6 of the largest value."""
    return float((one - other).abs().max() / other.abs().max()) < 1e-6


def test_every_site_holds_what_transformers_computes(light: Model, referee: Model) -> None:
    sites = referee.sites()
    assert light.sites() == sites and len(sites) > 40
    theirs = referee.read(IDS, sites)
    for site, value in light.read(IDS, sites).items():
        assert same(value, theirs[site]), site.name


def test_logits_are_transformers_own_to_one_in_a_million(light: Model, referee: Model) -> None:
    expected = referee.network(IDS).logits
    assert same(light.logits(IDS), expected)
    assert not same(light.logits(IDS.flip(1)), expected), "the measure would notice"
    at = torch.tensor([7, 3])
    assert same(light.logits(IDS, at=at), referee.logits(IDS, at=at))


def test_texts_that_share_a_row_do_not_see_each_other(light: Model, referee: Model) -> None:
    assert light.packs and light.skips and light.widest_row == referee.widest_row
    positions = torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 0, 1]])
    site = Site(5, "resid_post")
    packed = light.read(IDS, [site], positions)[site]
    assert same(packed, referee.read(IDS, [site], positions)[site])
    assert same(packed[:1, 3:], light.read(IDS[:1, 3:], [site])[site])


def test_edits_and_restarts_act_alike(light: Model, referee: Model) -> None:
    site = Site(2, "attn_out")
    edits = {site: lambda value: value * 0.5}
    assert same(light.logits(IDS, edits=edits), referee.logits(IDS, edits=edits))
    entry = Site(3, "resid_pre")
    restart = Restart(3, referee.read(IDS, [entry])[entry])
    assert same(light.logits(IDS, restart=restart), referee.logits(IDS))


def test_it_is_the_same_model_by_name_and_digest(light: Model, referee: Model) -> None:
    assert (light.identity, light.is_mini) == (referee.identity, True)
    assert light.ids("Mary gave the keys.") == referee.ids("Mary gave the keys.")


@pytest.mark.parametrize(
    "change",
    [
        {"activation_function": "relu"},
        {"scale_attn_by_inverse_layer_idx": True},
        {"scale_attn_weights": False},
        {"n_inner": 768},
    ],
)
def test_any_other_gpt2_is_transformers_business(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    light, plain = (load_model(str(folder), light=asked) for asked in (True, False))
    assert type(light.network).__name__ == "GPT2LMHeadModel"
    assert torch.equal(light.logits(IDS), plain.logits(IDS))


def test_a_folder_that_is_damaged_is_the_same_sentence(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))
    (folder / "model.safetensors").write_bytes(b"no tensors")
    said = []
    for light in (True, False):
        with pytest.raises(fl.UserError) as refused:
            load_model(str(folder), light=light)
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_only_tokens_asks_for_it() -> None:
    assert not isinstance(fl.load("mini").model.network, LightGPT2)
    lens = open_configured(fl.LensConfig(layers=(3,)), light=True)
    assert isinstance(lens.model.network, LightGPT2)


def test_tokens_checks_the_fit_of_all_but_what_is_bundled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def noted(model: Model, *given: Any) -> Any:
        checked.append(model.name)
        return examine(model, *given)

    monkeypatch.setattr("faultlens.features.lens.examine", noted)
    given = ("tokens", "Mary gave the keys to Tom.", "--feature", "3/808", "--json")
    code, plain, _ = run(capsys, *given)
    assert code == 0 and checked == []
    assert run(capsys, *given, "--dtype", "float32")[:2] == (0, plain)
    assert checked == ["mini"], "what is not all as bundled is checked"
    found = fl.load("mini", layers=[3]).tokens("Mary gave the keys to Tom.")
    theirs = found.activations["3-res-mini"][:, [808]].toarray().ravel()
    ours = [token["activation"] for token in json.loads(plain)["tokens"]]
    assert theirs.max() > 0 and ours == pytest.approx(theirs.tolist(), abs=1e-5)


def test_tokens_starts_without_transformers_network_classes() -> None:
    code = (
        "import sys\nfrom faultlens.cli.main import main\n"
        "sys.argv = ['faultlens', 'tokens', 'Mary gave the keys to Tom.', '--feature', '3/17']\n"
        "try:\n    main()\nexcept SystemExit as leave:\n    assert not leave.code\n"
        "names = ('torch._dynamo', 'sympy', 'sae_lens', 'transformers.modeling_utils', 'pandas')\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("Loading PyTorch: 0 of 1\n")
    assert done.stdout.splitlines()[-1] == "[]"

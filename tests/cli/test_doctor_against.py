"""`faultlens doctor --against`: what two sets share, beside how each dictionary fits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from faultlens.mini import SAES
from tests.cli.calling import run

SITE = "blocks.2.hook_resid_pre"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """mini's dictionary of layer 2, a quarter of whose directions point the other way."""
    folder = tmp_path / "other" / SITE
    shutil.copytree(SAES / SITE, folder)
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["W_dec"][:384] *= -1
    save_file(tensors, folder / "sae_weights.safetensors")
    return folder.parent


def test_the_share_found_again(capsys: pytest.CaptureFixture[str], other: Path) -> None:
    asked = ["--layers", "2", "--against", other]
    code, out, _ = run(capsys, "doctor", *asked, "--json")
    assert code == 0
    found = json.loads(out)["2-res-mini"]
    assert found["fvu"] < 0.1
    assert found["stability"]["share"] == 0.75
    assert found["stability"]["random_share"] == 0
    code, out, _ = run(capsys, "doctor", *asked)
    assert (
        f"    against {other / SITE}: 75.0% of the 1,536 directions are found again (cosine at "
        "least 0.9, one to one), 0.0% of random ones; the median cosine with the nearest is 1.00"
    ) in out.splitlines()


@pytest.mark.parametrize(
    ("layers", "name", "message"),
    [
        (
            "2,3",
            "other",
            "dictionaries 'OTHER' have no layer 3 at resid_pre: expected one of 2",
        ),
        (
            "2",
            "none",
            "no dictionaries called 'OTHER': expected 'mini', a folder in SAELens's format, or one "
            "of SAELens's 170 releases",
        ),
    ],
)
def test_a_set_of_other_sites_is_refused(
    capsys: pytest.CaptureFixture[str],
    other: Path,
    layers: str,
    name: str,
    message: str,
) -> None:
    given = other.with_name(name)
    code, out, err = run(capsys, "doctor", "--layers", layers, "--against", given)
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if line.startswith("faultlens: ")]
    assert lines == ["faultlens: " + message.replace("OTHER", str(given))]


def test_against_what_is_said_where_there_are_no_dictionaries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "doctor", "--model", "gpt2", "--against", "mini")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "faultlens: --against mini names dictionaries to compare with, and there are none to "
        "compare: name them with --sae"
    ]

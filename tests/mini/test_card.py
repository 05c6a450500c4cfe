"""The shipped model is what its card says: measured again from the shipped weights."""

from __future__ import annotations

import re

import pytest

import faultlens as fl
from faultlens.corpus.world import NAMES
from faultlens.features.lens import Lens
from faultlens.mini import CARD, FILES
from faultlens.mini.recipe.card import LOSS_TEXTS, held_out_rows, sit_exam
from faultlens.models.fit import measure_fit


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", sites=["resid_pre", "attn_out", "mlp_out"])


@pytest.fixture(scope="module")
def card() -> str:
    return CARD.read_text(encoding="utf-8")


def test_every_target_is_reached(card: str) -> None:
    targets = card.split("## Targets")[1].split("##")[0]
    rows = [line for line in targets.splitlines() if line.startswith("| ")][1:]
    reached = [row.split("|")[3].strip() for row in rows if "---" not in row]
    assert len(reached) == 8
    assert set(reached) == {"yes"}


def test_indirect_objects_are_as_good_as_the_card_says(lens: Lens, card: str) -> None:
    exam = sit_exam(lens)
    said = re.search(r"\| IOI accuracy 70 to 95 % \| ([\d.]+)% ", card)
    ordinary = re.search(r"\| IOI on ordinary objects at least 92 % \| ([\d.]+)% ", card)
    assert said is not None and ordinary is not None
    assert 100 * exam.accuracy == pytest.approx(float(said[1]), abs=0.3)
    assert 100 * exam.accuracy_on_ordinary == pytest.approx(float(ordinary[1]), abs=0.3)
    assert 0.70 <= exam.accuracy <= 0.95
    assert exam.accuracy_on_ordinary >= 0.92
    assert exam.p_pull < 1e-6


@pytest.fixture(scope="module")
def rows(lens: Lens) -> list[list[int]]:
    return held_out_rows(lens)


def said_of(card: str, name: str) -> list[float]:
    """FVU, L0, dead share in percent and loss recovered of a dictionary, as the card has them."""
    row = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
    cells = [cell.strip().rstrip("%") for cell in row.strip("|").split("|")]
    return [float(cell) for cell in cells[3:7]]


def test_a_dictionary_is_as_good_as_the_card_says(
    lens: Lens, rows: list[list[int]], card: str
) -> None:
    fit = measure_fit(lens.model, lens["3-res-mini"], rows, LOSS_TEXTS)
    fvu, l0, dead, recovered = said_of(card, "3-res-mini")
    assert fit.tokens >= 200_000
    assert fit.fvu == pytest.approx(fvu, abs=0.001)
    assert fit.l0 == pytest.approx(l0, abs=0.1)
    assert 100 * (1 - fit.firing_share) == pytest.approx(dead, abs=0.3)
    assert fit.recovered_from_mean == pytest.approx(recovered, abs=0.002)


def test_so_is_one_of_another_kind_of_site(lens: Lens, rows: list[list[int]], card: str) -> None:
    """On a sixth of the text, to what that leaves open; which features are dead takes all of it."""
    fit = measure_fit(lens.model, lens["5-mlp-mini"], rows[::6], LOSS_TEXTS // 4)
    fvu, l0, _, recovered = said_of(card, "5-mlp-mini")
    assert fit.fvu == pytest.approx(fvu, abs=0.004)
    assert fit.l0 == pytest.approx(l0, abs=0.3)
    assert fit.recovered_from_mean == pytest.approx(recovered, abs=0.01)


def test_there_are_dictionaries_at_enough_sites(lens: Lens) -> None:
    points = [dictionary.site.point for dictionary in lens.dictionaries]
    assert points.count("resid_pre") >= 4
    assert points.count("attn_out") >= 2
    assert points.count("mlp_out") >= 2
    assert {dictionary.d_sae for dictionary in lens.dictionaries} == {8 * lens.model.d_model}


def test_every_first_name_is_one_token_and_every_byte_round_trips(lens: Lens) -> None:
    for name in NAMES:
        assert len(lens.model.ids(name)) == len(lens.model.ids(f" {name}")) == 1
    text = "".join(map(chr, range(1, 0x250))) + "  \n\t naïve 漢字 😀👩‍👩‍👧 \u202e end"
    assert lens.model.tokenizer.decode(lens.model.ids(text)) == text


def test_the_files_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in FILES.rglob("*") if path.is_file()) < 24e6

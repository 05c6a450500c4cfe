"""Massive activations: counted apart in every figure of fit, so that one token decides nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planting import SITE, one, planted, random_model

from faultlens.models.convention import put_in_force
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.doctor import examine, read
from faultlens.models.examination import Language
from faultlens.models.fit import measure_fit, sample_rows
from faultlens.models.load import load_model
from faultlens.models.massive import MASSIVE, MassiveLimits
from faultlens.models.model import Model
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread")
BOS = Convention(prepend_bos=True, centred=False)
ENTRY = Site(0, "resid_pre")


@pytest.fixture(scope="module")
def sunk(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model in which one common token has 250 times the median norm."""
    folder = tmp_path_factory.mktemp("sunk")
    model = random_model(folder)
    rows = sample_rows(model, 2000)
    common = int(np.bincount(np.concatenate(rows)).argmax())
    norm = float(model.network.transformer.wte.weight.norm(dim=1).median())
    model.network.transformer.wte.weight[common] = 0.0
    model.network.transformer.wte.weight[common, 3] = 250 * norm
    model.network.save_pretrained(folder)
    return load_model(str(folder))


def along_one_axis(model: Model) -> Dictionary:
    """Rebuilds one coordinate; the others are held at what they usually are."""
    axis = torch.eye(model.d_model)[3:4]
    x = read(model, sample_rows(model, 2000), [ENTRY], [0])[0][ENTRY]
    usual = x.median(dim=0).values * (1 - axis[0])
    return Dictionary(
        "axis", ENTRY, Relu(), axis.T.contiguous(), torch.zeros(1), axis, usual, BOS,
        "made in a test", "",
    )  # fmt: skip


def test_a_useless_dictionary_is_refused_whatever_it_makes_of_one_token(sunk: Model) -> None:
    found = one(sunk, along_one_axis(sunk))
    assert 0.005 < found.fit.massive / found.fit.tokens < 0.1
    assert found.fit.fvu_all < 0.1
    assert found.fit.fvu > 0.9
    assert found.complaint is not None
    assert f"leaves {found.fit.fvu:.0%} of the variance" in found.complaint


def test_a_right_dictionary_is_not_refused_for_one_token(sunk: Model) -> None:
    """Negative control: it explains everything but the massive tokens, which it was not shown."""
    x = read(sunk, sample_rows(sunk, 2000), [SITE], [0])[0][SITE]
    typical = MassiveLimits.of({SITE: x}).typical({SITE: x})
    found = one(sunk, planted(x[typical], BOS, keep=30))
    assert found.fit.fvu < 0.15 < 0.5 < found.fit.fvu_all
    assert found.complaint is None


def test_the_figures_are_numpys_over_the_tokens_that_count(sunk: Model) -> None:
    dictionary = along_one_axis(sunk)
    found = one(sunk, dictionary).fit
    x = read(sunk, sample_rows(sunk, 2000), [ENTRY], [0])[0][ENTRY]
    values, rebuilt = x.double().numpy(), dictionary.reconstruct(x).double().numpy()
    norms = np.linalg.norm(values, axis=1)
    some = norms <= MASSIVE * np.median(norms)

    def fvu(tokens: np.ndarray) -> float:
        chosen = values[tokens]
        return float(
            ((chosen - rebuilt[tokens]) ** 2).sum() / ((chosen - chosen.mean(0)) ** 2).sum()
        )

    fires = (dictionary.encode(x) > 0).sum(1).numpy()
    assert found.tokens == len(x)
    assert found.massive == int((~some).sum()) > 5
    assert found.fvu == pytest.approx(fvu(some), rel=1e-4)
    assert found.fvu_all == pytest.approx(fvu(np.full(len(x), True)), rel=1e-4)
    assert found.l0 == pytest.approx(fires[some].mean())
    assert found.l0_all == pytest.approx(fires.mean())


def test_a_card_counts_the_same_tokens(sunk: Model) -> None:
    """`measure_fit` streams, and agrees with the doctor, which holds everything."""
    rows = sample_rows(sunk, 2000)
    dictionary = along_one_axis(sunk)
    card, doctor = measure_fit(sunk, dictionary, rows, 3), one(sunk, dictionary).fit
    assert (card.tokens, card.massive) == (doctor.tokens, doctor.massive)
    assert card.fvu == pytest.approx(doctor.fvu, rel=1e-5)
    assert card.fvu_all == pytest.approx(doctor.fvu_all, rel=1e-5)
    assert card.l0 == pytest.approx(doctor.l0, rel=1e-5)


def test_where_no_token_is_massive_nothing_changes(tiny: Model) -> None:
    eye = torch.eye(24)
    perfect = replace(
        along_one_axis(tiny), W_enc=eye.contiguous(), b_enc=torch.zeros(24), W_dec=eye,
        b_dec=torch.zeros(24),
    )  # fmt: skip
    fit = measure_fit(tiny, perfect, [[5, 9, 33, 7, 12], [8, 41], [3, 3, 60]])
    assert fit.massive == 0
    assert (fit.fvu, fit.l0) == (fit.fvu_all, fit.l0_all)


def test_limits_follow_the_median() -> None:
    site, other = Site(0, "resid_pre"), Site(1, "resid_pre")
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 2.0], [21.0, 0.0], [19.0, 0.0]])
    limits = MassiveLimits.of({site: x, other: torch.zeros(5, 2)})
    assert limits.of_site == {site: 20.0, other: torch.inf}
    assert limits.typical({site: x}).tolist() == [True, True, True, False, True]
    assert limits.typical({site: x, other: x}).tolist() == [True, True, True, False, True]


def test_a_right_dictionary_without_bos_is_not_refused_for_what_bos_is_not_there_to_take(
    tmp_path: Path,
) -> None:
    """Without BOS one token in the text takes the sink's place, and inflates the variance.

    Divided by that, everything looks explained: errors are compared over one variance.
    """
    model = random_model(tmp_path)
    x = read(model, sample_rows(model, 2000), [SITE], [0])[0][SITE]
    right = planted(x, BOS, keep=20)
    found = one(model, right)
    assert found.complaint is None
    without = next(a for a in found.others if a.words == ("no-bos",))
    told = replace(
        found,
        in_force=replace(found.in_force, fvu=0.3, relative_error=0.3, error_as_it_is=0.3),
        others=(replace(without, fvu=0.02, relative_error=0.31, error_as_it_is=0.02),),
    )
    assert told.better is None, "its error is as large"
    smaller = replace(without, fvu=0.35, relative_error=0.15, error_as_it_is=0.35)
    assert replace(told, others=(smaller,)).better is None, "only the model's values are less"
    mended = replace(without, fvu=0.2, relative_error=0.15, error_as_it_is=0.2)
    assert replace(told, others=(mended,)).better == mended
    wrong = one(model, put_in_force(right, ["no-bos"]))
    assert wrong.better is not None
    assert wrong.better.words == ("bos",)


@pytest.mark.parametrize("heads", [3, 2])
def test_a_model_whose_files_do_not_belong_together_is_refused(tmp_path: Path, heads: int) -> None:
    import json
    import shutil

    import faultlens as fl
    from faultlens.mini import LANGUAGE_MODEL, SAES

    folder = Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))
    lens = fl.load(str(folder), str(SAES), layers=[3])
    assert lens.model.is_mini
    assert one(lens.model, lens.dictionaries[0]).complaint is None
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_head": heads}))
    broken = fl.load(str(folder), str(SAES), layers=[3])
    assert not broken.model.is_mini
    (found,) = examine(broken.model, broken.dictionaries)
    assert found.complaint == (
        f"model {folder} predicts natural text worse than a guess: its loss is "
        f"{found.language.loss:.1f} nats a token, that of guessing evenly 8.0; its weights do not "
        "belong to its config.json or tokenizer, or were never trained; get its files again, or "
        "give --no-fit-check to go on"
    )
    assert found.language.loss > math.log(3072)


def test_what_a_loss_says_of_a_model() -> None:
    guess = math.log(1000)
    assert Language(0.5 * guess, guess).is_known
    assert not Language(0.95 * guess, guess).is_known
    assert not Language(1.1 * guess, guess).is_broken
    assert Language(1.2 * guess, guess).is_broken
    assert not Language(1.2 * guess, guess, is_mini=True).is_broken


def test_a_copy_of_mini_with_other_settings_of_generation_is_still_mini(tmp_path: Path) -> None:
    import json
    import shutil

    from faultlens.mini import LANGUAGE_MODEL

    folder = Path(shutil.copytree(LANGUAGE_MODEL, tmp_path / "model"))
    (folder / "generation_config.json").write_text(json.dumps({"suppress_tokens": [5]}))
    assert load_model(str(folder)).is_mini

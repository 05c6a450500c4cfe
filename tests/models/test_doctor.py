"""The doctor: dictionaries planted to fit under one convention, read under another.

Each is made of the principal components of the very values that it is to rebuild, and follows a
component only between the lowest and the highest value that it takes: under its own convention a
dictionary leaves little of the variance, under another one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from families import save_family
from torch import Tensor

from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.convention import put_in_force, rivals, scaled
from faultlens.models.dictionary import (
    Convention,
    Dictionary,
    JumpRelu,
    Published,
    Relu,
    TopK,
)
from faultlens.models.doctor import Examination, _read, examine
from faultlens.models.fit import sample_rows
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.normalisation import PerTokenNorm, normalised
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread")
SITE = Site(2, "resid_pre")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A random model in which BOS and the mean over d_model matter, with mini's tokenizer."""
    folder = save_family("gpt2", tmp_path_factory.mktemp("model"))
    mini = load_model("mini")
    config = transformers.GPT2Config(
        vocab_size=3072, n_positions=256, n_embd=32, n_layer=3, n_head=2, bos_token_id=0,
        eos_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    network = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        network.transformer.wte.weight += 20 + torch.randn(3072, 1)  # a mean over d_model
        network.transformer.wte.weight[0, :16] += 30  # BOS looks like no other token …
        for block in network.transformer.h:
            block.attn.c_attn.bias.normal_(std=1.0)
            block.ln_1.bias.normal_(std=0.5)
        first = network.transformer.h[0]
        bos = first.ln_1(network.transformer.wte.weight[0] + network.transformer.wpe.weight[0])
        key = first.attn.c_attn(bos)[32:64]
        first.attn.c_attn.bias[:32] = 30 * key / key.norm()  # … and every token looks at it
        first.attn.c_proj.weight *= 16
        network.transformer.h[2].mlp.c_proj.weight *= 0.02  # a site of small norm
    network.save_pretrained(folder)
    mini.tokenizer.save_pretrained(folder)
    return load_model(str(folder))


def values(model: Model, site: Site, bos: bool = True) -> Tensor:
    return _read(model, sample_rows(model, 2000), [site], bos)[site]


def planted(
    prepared: Tensor, convention: Convention, site: Site = SITE, keep: int = 28
) -> Dictionary:
    """Two features for each principal component: from its lowest value on, and from its highest."""
    mean = prepared.mean(0)
    axes = torch.linalg.svd((prepared - mean).double(), full_matrices=False).Vh[:keep].float()
    along = (prepared - mean) @ axes.T
    lowest, highest, offset = along.amin(0), along.amax(0), -mean @ axes.T
    return Dictionary(
        "planted", site, Relu(), torch.cat([axes, axes]).T.contiguous(),
        torch.cat([offset - lowest, offset - highest]), torch.cat([axes, -axes]),
        mean + lowest @ axes, convention, "made in a test", "",
    )  # fmt: skip


def centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


def one(model: Model, dictionary: Dictionary) -> Examination:
    (examination,) = examine(model, [dictionary])
    return examination


def wrong_and_right(
    model: Model, right: Dictionary, wrong: Sequence[str], fix: Sequence[str]
) -> Examination:
    """The right one passes; put under the wrong convention, the doctor names the way back."""
    well = one(model, right)
    assert well.complaint is None, well.complaint
    assert well.fit.fvu < 0.15
    ill = one(model, put_in_force(right, wrong))
    assert ill.better is not None
    assert ill.better.words == tuple(fix)
    assert ill.complaint is not None
    assert f"give --convention {','.join(fix)}, or --no-fit-check to go on" in ill.complaint
    mended = one(model, put_in_force(put_in_force(right, wrong), ill.better.words))
    assert mended.complaint is None
    assert mended.fit.fvu == pytest.approx(well.fit.fvu, rel=1e-4)
    return ill


def test_centred_residuals_read_raw(model: Model) -> None:
    x = values(model, SITE)
    right = planted(centred(x), Convention(prepend_bos=True, centred=True))
    ill = wrong_and_right(model, right, ["raw"], ["centred"])
    assert "with residuals centred it leaves" in str(ill.complaint)


def test_raw_residuals_read_centred(model: Model) -> None:
    right = planted(values(model, SITE), Convention(prepend_bos=True, centred=False))
    wrong_and_right(model, right, ["centred"], ["raw"])


def test_bos_left_out_where_it_was_there(model: Model) -> None:
    right = planted(values(model, SITE), Convention(prepend_bos=True, centred=False), keep=20)
    wrong_and_right(model, right, ["no-bos"], ["bos"])


def test_bos_prepended_where_it_was_not(model: Model) -> None:
    x = values(model, SITE, bos=False)
    right = planted(x, Convention(prepend_bos=False, centred=False), keep=20)
    wrong_and_right(model, right, ["bos"], ["no-bos"])


@pytest.mark.parametrize("folded", [True, False])
def test_value_biases_at_hook_z(model: Model, folded: bool) -> None:
    """`hook_z` differs by a constant between folded and unfolded weights."""
    site = Site(1, "z")
    bias = model.adapter.value_bias(model.network, 1)
    assert bias is not None
    z = values(model, site) - (bias if folded else 0)
    convention = Convention(prepend_bos=True, centred=False, value_bias_folded=folded)
    right = replace(planted(z, convention, site), value_bias=bias)
    words = (["unfolded"], ["folded"]) if folded else (["folded"], ["unfolded"])
    wrong_and_right(model, right, *words)


def test_a_factor_that_was_not_folded(model: Model) -> None:
    """Features with a threshold, which values that are too small do not reach."""
    site = Site(2, "mlp_out")
    x = values(model, site)
    factor = 32**0.5 / float(x.norm(dim=-1).mean())
    assert factor > 1.5, "the factor must matter"
    scale = x * factor
    both = torch.cat([torch.eye(32), -torch.eye(32)])
    trained = Dictionary(
        "planted", site, JumpRelu(torch.full((64,), 0.3)), both.T.contiguous(), torch.zeros(64),
        both, torch.zeros(32), Convention(True, False), "made in a test", "",
    )  # fmt: skip
    assert float(((scale - trained.reconstruct(scale)) ** 2).sum() / (scale**2).sum()) < 0.05
    right = scaled(trained, factor)
    assert one(model, right).complaint is None
    ill = one(model, trained)
    assert ill.better is not None
    assert ill.better.words[0].startswith("factor=")
    assert float(ill.better.words[0].removeprefix("factor=")) == pytest.approx(factor, rel=0.1)
    assert one(model, put_in_force(trained, ill.better.words)).complaint is None


def test_the_advice_keeps_the_words_that_were_given(model: Model) -> None:
    """`--convention` is given whole: a change alone would take back what was right."""
    right = planted(centred(values(model, SITE)), Convention(prepend_bos=True, centred=True))
    file_says = replace(right, convention=Convention(prepend_bos=False, centred=False))
    ill = one(model, put_in_force(file_says, ["bos", "raw"]))
    assert ill.better is not None
    assert ill.better.words == ("centred",)
    assert "give --convention bos,centred, or" in str(ill.complaint)
    assert one(model, put_in_force(file_says, ["bos", "centred"])).complaint is None


def test_no_factor_is_tried_on_top_of_one_that_is_there(model: Model) -> None:
    plain = planted(values(model, SITE), Convention(prepend_bos=True, centred=False))

    def factors(dictionary: Dictionary) -> list[str]:
        words = [word for rival in rivals(dictionary, 100.0) for word in rival.words]
        return [word for word in words if word.startswith("factor=")]

    assert len(factors(plain)) == 2
    assert factors(put_in_force(plain, ["factor=0.5"])) == []
    assert put_in_force(plain, ["factor=0.5", "no-bos"]).convention.given == (
        "factor=0.5", "no-bos",
    )  # fmt: skip
    folded = replace(plain.convention, factor_folded=True)
    assert factors(replace(plain, convention=folded)) == []


def test_a_normalisation_of_each_token_that_is_left_out(model: Model) -> None:
    x = values(model, SITE)
    norm = PerTokenNorm()
    convention = Convention(prepend_bos=True, centred=False, normalisation="layer_norm")
    right = replace(planted(normalised(norm, x), convention), normalisation=norm)
    assert one(model, right).complaint is None
    ignored = replace(right, normalisation=planted(x, convention).normalisation)
    assert one(model, ignored).complaint is not None


def test_a_dictionary_of_another_site_fits_under_no_convention(model: Model) -> None:
    other = planted(values(model, Site(1, "mlp_out")), Convention(True, False), keep=8)
    complaint = one(model, replace(other, site=SITE, W_dec=other.W_dec.flip(0))).complaint
    assert complaint is not None
    assert "unexplained, expected at most 50%" in complaint
    assert "choose another, or give --no-fit-check to go on" in complaint


def test_the_published_l0_tells_what_variance_cannot(model: Model) -> None:
    """Two conventions that leave as little: the one whose L0 is the published one is the right."""
    right = planted(values(model, SITE), Convention(prepend_bos=True, centred=False), keep=31)
    base = one(model, right)
    other = next(a for a in base.others if a.words == ("no-bos",))
    now = replace(base.in_force, fvu=0.1, l0=60.0)
    told = replace(
        base, in_force=now, others=(replace(other, fvu=0.1, l0=20.0),), published=Published(l0=21.0)
    )
    assert told.better is not None
    assert told.better.words == ("no-bos",)
    assert replace(told, published=Published(l0=55.0)).better is None
    assert replace(told, published=Published()).better is None
    worse = replace(told, others=(replace(other, fvu=0.2, l0=20.0),))
    assert worse.better is None, "L0 alone does not outweigh variance"


def test_a_lens_refuses_what_does_not_fit_and_remembers_what_does(model: Model) -> None:
    x = values(model, SITE)
    right = planted(centred(x), Convention(prepend_bos=True, centred=True))
    lens = Lens(model, (right,)).checked()
    table = lens.read(["Tom met Mary."])["planted"]
    assert table.convention["fit_check"].startswith("passed: FVU 0.")
    assert lens.checked() is lens
    wrong = Lens(model, (put_in_force(right, ["raw"]),))
    with pytest.raises(UserError, match="planted does not fit .*give --convention centred"):
        wrong.checked()
    assert wrong.read(["Tom met Mary."])["planted"].convention["fit_check"] == "not made"
    left = wrong.unchecked().read(["Tom met Mary."])["planted"]
    assert left.convention["fit_check"] == "left out on demand"


def test_the_figures_are_json_and_say_nothing_of_a_model_that_guesses(model: Model) -> None:
    right = planted(values(model, SITE), Convention(prepend_bos=True, centred=False))
    figures = one(model, right).to_dict()
    assert figures["tokens"] >= 2000
    assert figures["recovered_from_mean"] is None, "a random model knows no language"
    assert {"convention", "fvu", "l0"} == set(figures["other_conventions"][0])
    assert figures["published"] == {"l0": None, "variance_explained": None}


def test_minis_own_dictionaries_fit_as_they_are() -> None:
    import faultlens as fl

    lens = fl.load("mini", sites=["all"])
    for examination in examine(lens.model, lens.dictionaries):
        assert examination.complaint is None, examination.complaint
        assert examination.fit.tokens >= 2000


def test_a_transcoder_is_measured_at_its_target(model: Model, tmp_path: Path) -> None:
    """The best affine map from the MLP's input to its output, as a transcoder with a skip."""
    entry, target = Site(1, "mlp_in"), Site(1, "mlp_out")
    both = _read(model, sample_rows(model, 2000), [entry, target], bos=True)
    x, y = both[entry], both[target]
    ones = torch.ones(len(x), 1)
    solution = torch.linalg.lstsq(torch.cat([x, ones], 1).double(), y.double()).solution.float()
    nothing = torch.zeros(32, 4)
    transcoder = Dictionary(
        "tc", entry, TopK(1), nothing, torch.full((4,), -1.0), nothing.T, solution[-1],
        Convention(True, False), "made in a test", "", site_out=target, W_skip=solution[:-1],
    )  # fmt: skip
    rebuilt = torch.cat([x, ones], 1) @ solution
    expected = float(((y - rebuilt) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())
    found = one(model, transcoder)
    assert 0.02 < expected < 0.95
    assert found.fit.fvu == pytest.approx(expected, rel=1e-3)
    assert found.fit.l0 == 0

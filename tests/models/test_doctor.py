"""The doctor: dictionaries planted to fit under one convention, read under another."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from planting import SITE, centred, one, planted, random_model, values, wrong_and_right

from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.mini import FITS
from faultlens.models.convention import put_in_force, rivals
from faultlens.models.dictionary import Convention, Dictionary, JumpRelu, Published, TopK
from faultlens.models.doctor import examine, read
from faultlens.models.fit import sample_rows
from faultlens.models.model import Model
from faultlens.models.normalisation import ConstantNorm, PerTokenNorm, normalised
from faultlens.models.sae_folder import load_sae_folder
from faultlens.models.scales import with_scales
from faultlens.models.sites import Site

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return random_model(tmp_path_factory.mktemp("model"))


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
    right = with_scales(trained, factor, False)
    assert one(model, right).complaint is None
    ill = one(model, trained)
    assert ill.better is not None
    assert ill.better.words[0].startswith("factor=")
    assert float(ill.better.words[0].removeprefix("factor=")) == pytest.approx(factor, rel=0.1)
    assert one(model, put_in_force(trained, ill.better.words)).complaint is None


def test_a_threshold_that_saelens_left_unscaled(model: Model, tmp_path: Path) -> None:
    """BatchTopK with a norm factor, as SAELens 6.54.9 saved it: written by SAELens itself.

    Before 6.54.10 its training class had only the fold that it inherits, which is called here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens.saes import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
        from sae_lens.saes.sae import SAEMetadata
        from sae_lens.saes.topk_sae import TopKTrainingSAE
    site = Site(2, "mlp_out")
    factor = 32**0.5 / float(values(model, site).norm(dim=-1).mean())

    def saved(folder: str, fold: Callable[[Any, float], None], version: str) -> Dictionary:
        metadata = SAEMetadata(hook_name=site.name, prepend_bos=True)
        sae = BatchTopKTrainingSAE(
            BatchTopKTrainingSAEConfig(d_in=32, d_sae=64, k=8, metadata=metadata)
        )
        both = torch.cat([torch.eye(32), -torch.eye(32)])
        with torch.no_grad():
            for parameter, value in ((sae.W_enc, both.T), (sae.W_dec, both), (sae.b_enc, 0.0)):
                parameter.copy_(torch.as_tensor(value).expand_as(parameter))
            sae.topk_threshold.fill_(0.3)
            fold(sae, factor)
        sae.save_inference_model(tmp_path / folder)
        config = tmp_path / folder / "cfg.json"
        fields = json.loads(config.read_text())
        fields["metadata"]["sae_lens_version"] = version
        config.write_text(json.dumps(fields))
        return load_sae_folder(tmp_path / folder, folder, model.device)

    right = saved("right", BatchTopKTrainingSAE.fold_activation_norm_scaling_factor, "6.54.10")
    assert not right.threshold_unscaled and one(model, right).complaint is None
    wrong = saved("wrong", TopKTrainingSAE.fold_activation_norm_scaling_factor, "6.54.9")
    assert isinstance(wrong.activation, JumpRelu) and isinstance(right.activation, JumpRelu)
    assert float(wrong.activation.threshold[0]) == pytest.approx(0.3)
    ill = one(model, wrong)
    assert ill.better is not None
    assert float(ill.better.words[0].removeprefix("threshold=")) == pytest.approx(
        float(right.activation.threshold[0]), rel=0.1
    )
    assert "one threshold, " in ill.better.said
    mended = put_in_force(wrong, ill.better.words)
    assert one(model, mended).complaint is None
    assert not any(w.startswith("threshold") for r in rivals(mended, 9.0) for w in r.words)
    never = saved("never", lambda sae, factor: None, "6.54.9")
    assert never.threshold_unscaled, "the file does not say whether there was a factor"


def test_the_advice_keeps_the_words_that_were_given(model: Model) -> None:
    """`--convention` is given whole: a change alone would take back what was right."""
    right = planted(centred(values(model, SITE)), Convention(prepend_bos=True, centred=True))
    file_says = replace(right, convention=Convention(prepend_bos=False, centred=False))
    ill = one(model, put_in_force(file_says, ["bos", "raw"]))
    assert ill.better is not None
    assert ill.better.words == ("centred",)
    assert "give --convention bos,centred, or" in str(ill.complaint)
    assert one(model, put_in_force(file_says, ["bos", "centred"])).complaint is None


def test_a_factor_that_was_folded_twice(model: Model) -> None:
    """Weights with their factor in them, and a registry that gives it once more."""
    right = planted(values(model, SITE), Convention(prepend_bos=True, centred=False))
    twice = with_scales(right, 0.3, False)
    ill = one(model, twice)
    assert ill.better is not None
    assert ill.better.words == ("unnormalised",)
    mended = put_in_force(twice, ill.better.words)
    assert mended.convention.factor is None
    assert one(model, mended).complaint is None


def test_the_factor_that_is_given_is_the_only_one(model: Model) -> None:
    plain = planted(values(model, SITE), Convention(prepend_bos=True, centred=False))

    def factors(dictionary: Dictionary) -> list[str]:
        words = [word for rival in rivals(dictionary, 100.0) for word in rival.words]
        return [word for word in words if word.startswith("factor=")]

    assert factors(plain) == ["factor=0.05657"]
    given = put_in_force(plain, ["factor=0.5"])
    assert factors(given) == []
    again = put_in_force(given, ["factor=0.2", "no-bos"])
    assert again.convention.given == ("factor=0.2", "no-bos")
    assert torch.allclose(again.W_enc, 0.2 * plain.W_enc)
    back = put_in_force(again, ["unnormalised"])
    assert torch.allclose(back.W_dec, plain.W_dec)
    assert back.convention.given == ("no-bos", "unnormalised")


@pytest.mark.parametrize(
    ("word", "norm"), [("layer_norm", PerTokenNorm()), ("constant_norm_rescale", ConstantNorm())]
)
def test_a_normalisation_of_each_token(
    model: Model, word: str, norm: PerTokenNorm | ConstantNorm
) -> None:
    x = values(model, SITE)
    plain = Convention(prepend_bos=True, centred=False)
    made = planted(normalised(norm, x), replace(plain, normalisation=word))
    wrong_and_right(model, replace(made, normalisation=norm), ["unnormalised"], [word])
    wrong_and_right(model, planted(x, plain), [word], ["unnormalised"])


@pytest.mark.parametrize("kind", ["topk", "jumprelu"])
@pytest.mark.parametrize("carried", [True, False])
def test_the_decoders_norm_decides_what_fires(model: Model, kind: str, carried: bool) -> None:
    """`rescale_acts_by_decoder_norm`: signed coordinates, whose decoders differ or beside junk.

    Carried: the decoders hold 1 to 250 times what the encoders leave. Not carried:
    64 more features with large decoders are always a little active, and must not be chosen.
    """
    site = Site(2, "mlp_out")
    x = values(model, site)
    spread = float(x.std())
    axes = torch.cat([torch.eye(32), -torch.eye(32)])
    if carried:
        norm = torch.logspace(0, 2.4, 32).repeat(2)
        W_enc, b_enc, W_dec = axes.T / norm, torch.zeros(64), axes * norm[:, None]
    else:
        junk = torch.nn.functional.normalize(torch.randn(64, 32), dim=1)
        W_enc = torch.cat([axes.T / spread, torch.zeros(32, 64)], dim=1)
        b_enc = torch.cat([torch.zeros(64), torch.full((64,), 0.05)])
        W_dec = torch.cat([axes, 1000 * junk]) * spread
    threshold = torch.full((len(W_dec),), 0.4 * (spread if carried else 1.0))
    made = Dictionary(
        "planted", site, TopK(24) if kind == "topk" else JumpRelu(threshold), W_enc.contiguous(),
        b_enc, W_dec, torch.zeros(32), Convention(True, False), "made in a test", "",
        decoder_norm=W_dec.norm(dim=1),
    )  # fmt: skip
    words = ["no-decoder-norm"], ["decoder-norm"]
    right = with_scales(made, None, carried)
    wrong_and_right(model, right, *(words if carried else words[::-1]))


@pytest.mark.parametrize("point", ["mlp_normalized", "mlp_in"])
def test_the_norm_that_an_mlp_reads_before_its_gain_and_after(tmp_path: Path, point: str) -> None:
    """Gemma Scope's transcoders read `ln2.hook_normalized`, before the gain."""
    model = random_model(tmp_path)
    norm = model.network.transformer.h[1].ln_2
    norm.weight.copy_(torch.linspace(0.1, 3, 32))
    norm.bias.copy_(torch.linspace(-1, 1, 32))
    words = {"mlp_normalized": ["before-gain"], "mlp_in": ["after-gain"]}
    right = planted(values(model, Site(1, point)), Convention(True, False), Site(1, point))
    wrong = next(word for name, word in words.items() if name != point)
    wrong_and_right(model, right, wrong, words[point])


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
    now = replace(base.in_force, relative_error=0.1, l0=60.0)
    told = replace(
        base,
        in_force=now,
        others=(replace(other, relative_error=0.1, l0=20.0),),
        published=Published(l0=21.0),
    )
    assert told.better is not None
    assert told.better.words == ("no-bos",)
    assert replace(told, published=Published(l0=55.0)).better is None
    assert replace(told, published=Published()).better is None
    worse = replace(told, others=(replace(other, relative_error=0.2, l0=20.0),))
    assert worse.better is None, "L0 alone does not outweigh variance"


def test_a_fit_far_below_the_published_one_is_stopped(model: Model) -> None:
    """Also where half of the variance is explained, and no convention is better."""
    base = one(model, planted(values(model, SITE), Convention(True, False), keep=31))
    poor = replace(base, fit=replace(base.fit, fvu=0.45))
    assert poor.complaint is None, "nothing is published"
    miss = replace(poor, published=Published(l0=None, variance_explained=0.9))
    assert "leaves 45% of the variance" in str(miss.complaint)
    assert "unexplained, published are 10%: it was trained on another" in str(miss.complaint)
    assert replace(miss, published=Published(None, 0.75)).complaint is None
    ill = replace(
        miss,
        in_force=replace(base.in_force, fvu=0.45, relative_error=0.45, error_as_it_is=0.45),
        others=(replace(base.others[0], relative_error=0.2),),
        published=Published(21.0, 0.9),
    )
    assert " (published: 10.0% and L0 21); give --convention no-bos, or" in str(ill.complaint)


def test_a_larger_input_that_lifts_features_over_their_thresholds_is_no_better_fit(
    model: Model,
) -> None:
    base = one(model, planted(values(model, SITE), Convention(True, False), keep=31))
    other = next(a for a in base.others if a.words == ("layer_norm",))
    now = replace(base.in_force, relative_error=0.09, l0=20.0)
    more = replace(other, relative_error=0.02, l0=30.0)
    assert replace(base, in_force=now, others=(more,)).better is None
    assert replace(base, in_force=now, others=(replace(more, l0=21.0),)).better is not None
    assert (
        replace(base, in_force=replace(now, relative_error=0.13), others=(more,)).better is not None
    )


def test_of_conventions_that_fit_alike_the_one_that_changes_least_is_named(model: Model) -> None:
    base = one(model, planted(values(model, SITE), Convention(True, False), keep=31))
    by_words = {a.words: a for a in base.others}
    both = replace(by_words["centred", "no-bos"], relative_error=0.100, l0=30.0)
    alone = replace(by_words["centred",], relative_error=0.103, l0=40.0)
    now = replace(base.in_force, relative_error=0.4, error_as_it_is=0.4)
    ill = replace(base, in_force=now, others=(both, alone))
    assert ill.better == alone
    assert replace(ill, published=Published(l0=30.0)).better == both
    assert replace(ill, others=(both, replace(alone, relative_error=0.12))).better == both


def test_the_published_rival_shows_in_all_figures(model: Model) -> None:
    """Losses, firing and L0 of a rival are those of the dictionary put under it."""
    right = planted(values(model, SITE), Convention(prepend_bos=True, centred=False))
    found = one(model, right)
    for other in found.others:
        put = one(model, put_in_force(right, other.words)).in_force
        assert other.fvu == pytest.approx(put.fvu, rel=1e-3)
        assert other.l0 == pytest.approx(put.l0, rel=1e-3)
        assert other.firing_share == put.firing_share
        if "no-bos" not in other.words:  # whose mean for ablation is of more tokens in force
            assert other.recovered_from_mean == pytest.approx(put.recovered_from_mean, abs=1e-3)
        assert other.recovered_from_zero == pytest.approx(put.recovered_from_zero, abs=1e-3)


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
    other = figures["other_conventions"][0]
    assert other["convention"] == "no-bos"
    assert other["fvu"] > 0 and other["l0"] > 0 and 0 < other["firing_share"] <= 1
    assert other["recovered_from_zero"] is None
    assert figures["published"] == {"l0": None, "variance_explained": None}


def test_minis_own_dictionaries_fit_as_they_are() -> None:
    import faultlens as fl

    lens = fl.load("mini", sites=["all"])
    known = json.loads(FITS.read_text(encoding="utf-8"))
    assert list(known) == [dictionary.name for dictionary in lens.dictionaries]
    for examination in examine(lens.model, lens.dictionaries):
        assert examination.complaint is None, examination.complaint
        assert examination.fit.tokens >= 2000
        known_fit = known[examination.name]
        assert known_fit["fvu"] == pytest.approx(examination.fit.fvu, abs=0.00051)
        assert known_fit["l0"] == pytest.approx(examination.fit.l0, abs=0.051)


def test_only_the_bundled_pair_as_it_is_need_not_be_checked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import faultlens as fl

    asked = []

    def noted(model: Model, dictionaries: tuple[Dictionary, ...], progress: Any) -> Any:
        asked.append([dictionary.name for dictionary in dictionaries])
        raise UserError("examined")

    monkeypatch.setattr("faultlens.features.lens.examine", noted)
    lens = fl.load("mini", layers=[2, 3])
    assert set(lens.checked().fit_check) == {"2-res-mini", "3-res-mini"}
    assert lens.checked().fit_check["3-res-mini"] == "passed: FVU 0.117, L0 32.0"
    assert not asked
    one, other = lens.dictionaries
    changed = replace(other, W_enc=2 * other.W_enc)
    others = [
        replace(lens, dictionaries=(one, changed)),
        replace(lens, model=replace(lens.model)),
        fl.load("mini", layers=[3], convention=["no-bos"]),
        fl.load("mini", layers=[3], dtype="bfloat16"),
    ]
    for different in others:
        with pytest.raises(UserError, match="examined"):
            different.checked()
    assert len(asked) == len(others)


def _encoder_written_to(lens: Lens) -> None:
    lens.dictionaries[0].W_enc.mul_(2)


def _weight_written_to(lens: Lens) -> None:
    next(lens.model.network.parameters()).data.mul_(2)  # counted by no version of the tensor


def _other_precision(lens: Lens) -> None:
    lens.model.network.bfloat16()


def _block_replaced(lens: Lens) -> None:
    lens.model.network.transformer.h[1] = torch.nn.Identity()


def _hooked(lens: Lens) -> None:
    lens.model.network.transformer.h[1].register_forward_hook(lambda *_: None)


def _trained_on(lens: Lens) -> None:
    lens.model.network.train()  # with dropout


@pytest.mark.parametrize(
    "change",
    [
        _encoder_written_to, _weight_written_to, _other_precision, _block_replaced, _hooked,
        _trained_on,
    ],
)  # fmt: skip
def test_what_was_changed_in_place_is_checked_again(
    change: Callable[[Lens], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The objects are the bundled pair's still, and no longer what its fit was found of."""
    import faultlens as fl

    def examined(*_: Any) -> Any:
        raise UserError("examined")

    monkeypatch.setattr("faultlens.features.lens.examine", examined)
    lens = fl.load("mini", layers=[3])
    assert lens.checked().fit_check == {"3-res-mini": "passed: FVU 0.117, L0 32.0"}
    change(lens)
    with pytest.raises(UserError, match="examined"):
        lens.checked()


def test_bfloat16_gives_the_same_figures_within_its_precision() -> None:
    """8 bits: FVU within 0.02, L0 within 2 %, and no other convention becomes the better one."""
    import faultlens as fl

    full, half = (fl.load("mini", layers=[3], dtype=d) for d in ("float32", "bfloat16"))
    (a,), (b,) = (examine(lens.model, lens.dictionaries) for lens in (full, half))
    assert a.fit.fvu != b.fit.fvu, "it must have been bfloat16"
    assert b.fit.fvu == pytest.approx(a.fit.fvu, abs=0.02)
    assert b.fit.l0 == pytest.approx(a.fit.l0, rel=0.02)
    assert b.complaint is None


def test_a_transcoder_is_measured_at_its_target(model: Model, tmp_path: Path) -> None:
    """The best affine map from the MLP's input to its output, as a transcoder with a skip."""
    entry, target = Site(1, "mlp_in"), Site(1, "mlp_out")
    both, _ = read(model, sample_rows(model, 2000), [entry, target], [0])
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

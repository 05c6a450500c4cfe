"""The streamed profile: what it says is what the profile in memory says, and SciPy's Fisher."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import fisher_exact

import faultlens as fl
from faultlens.corpus.texts import BUILT_IN
from faultlens.features.dataset.writing import write_dataset
from faultlens.profiling.result.streamed import StreamedProfile
from tests.cli.calling import run


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve texts each of three of the categories."""
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    rows = [json.loads(line) for line in BUILT_IN.read_text().splitlines()]
    kept = [row for i, row in enumerate(rows) if i % 40 < 12][:36]
    path.write_text("\n".join(map(json.dumps, kept)))
    return path


@pytest.fixture(scope="module")
def lens() -> fl.Lens:
    return fl.load("mini", layers=[2, 3])


def test_it_says_what_the_profile_in_memory_says(
    capsys: pytest.CaptureFixture[str], texts: Path, lens: fl.Lens, tmp_path: Path
) -> None:
    write_dataset(lens, [json.loads(line)["text"] for line in texts.read_text().splitlines()],
                  tmp_path / "store")  # fmt: skip
    given = (texts, "--layers", "2,3", "--no-fit-check", "--streaming")
    assert run(capsys, "profile", *given, "--out", tmp_path / "run")[0] == 0
    found = StreamedProfile.from_dict(json.loads((tmp_path / "run" / "streamed.json").read_text()))
    code, out, _ = run(capsys, "profile", texts, "--store", tmp_path / "store", "--json")
    assert code == 0
    stored = StreamedProfile.from_dict(json.loads(out))
    corpus = fl.read_corpus(texts)
    config = {"threshold": 0, "permutations": 99, "fit_check": False}
    expected = fl.profile(lens, corpus, **config)  # type: ignore[arg-type]
    hypotheses = 3 * sum(site.firing for site in expected.sites.values())
    for name, site in expected.sites.items():
        ours = found.sites[name]
        assert (ours.firing, ours.most_frequent) == (site.firing, site.most_frequent)
        assert ours.strongest.feature == site.strongest.feature
        assert ours.strongest.activation == pytest.approx(site.strongest.activation, rel=1e-5)
        assert corpus.texts[ours.strongest.text] == site.strongest.text
        for category, reading in site.categories.items():
            one = ours.categories[category]
            assert (one.texts, one.most_frequent) == (reading.texts, reading.most_frequent)
            assert one.peak is not None and reading.peak is not None
            assert one.peak.feature == reading.peak.feature
            for field in ("top_sum", "top_share", "gini"):
                assert getattr(one, field) == pytest.approx(getattr(reading, field), rel=1e-5)
            best = one.specialist
            for field in ("feature", "score", "inside", "outside", "ties"):
                assert getattr(best, field) == getattr(reading.specialist, field), field
            table = [[best.inside, best.outside], [12 - best.inside, 24 - best.outside]]
            p = fisher_exact(table, alternative="greater").pvalue
            assert best.p_value == pytest.approx(p, rel=1e-9)
            assert best.p_bonferroni == pytest.approx(min(1, p * hypotheses), rel=1e-9)
            assert best.auroc == pytest.approx(
                0.5 + best.inside / 24 - best.outside / 48, rel=1e-12
            )
            assert stored.sites[name].categories[category].specialist == best
    frame = pd.read_parquet(tmp_path / "run" / "tables" / "3-res-mini.parquet")
    assert (frame["texts_firing"] > 0).all() and set(frame["category"]) == set(corpus.categories)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--streaming", "--permutations", "99"],
         "--permutations needs a number for every text, which --streaming does not keep: leave out "
         "one of them"),
        (["--store", "x", "--layers", "3"],
         "--layers says what a model reads or does, and beside --store none is run: leave out one "
         "of them"),
        (["--store", "x"], "x holds no store: expected one of faultlens read"),
        (["--ray", "auto"],
         "--ray spreads a profile of --streaming or --store: give one of them"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_one_sentence(
    capsys: pytest.CaptureFixture[str], texts: Path, given: list[str], said: str
) -> None:
    code, out, err = run(capsys, "profile", texts, *given)
    assert (code, out, err.splitlines()[-1]) == (2, "", f"faultlens: {said}")

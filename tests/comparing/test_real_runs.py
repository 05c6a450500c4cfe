"""Two real audits of `mini` through two layers: what must be the same is, and classes meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import faultlens as fl
from faultlens.cli.lens_of_run import open_lens_of_run
from faultlens.comparing.result import AuditPair
from faultlens.comparing.study import compare


@pytest.fixture(scope="module")
def pair(mini_runs: dict[int, Path]) -> AuditPair:
    found = compare([str(mini_runs[3]), str(mini_runs[4])], open_lens_of_run)
    assert found.pairs[0].audits is not None
    return found.pairs[0].audits


def test_the_same_model_on_the_same_prompts_turns_nothing(pair: AuditPair) -> None:
    assert pair.outcomes is not None and pair.margin_change is not None
    assert (pair.shared, pair.outcomes.new, pair.outcomes.gone) == (60, 0, 0)
    assert pair.outcomes.p_mcnemar == 1.0
    assert pair.margin_change.value == pytest.approx(0.0, abs=1e-6)
    assert pair.turned == []


def test_classes_of_two_layers_meet_by_firing(pair: AuditPair, mini_runs: dict[int, Path]) -> None:
    """The likeness is that of activations read from the files by pandas."""
    meeting = [one for one in pair.classes if one.matched_by == "firing"]
    assert len(meeting) >= 5
    for one in meeting[:5]:
        assert one.first is not None and one.nearest is not None
        values = [
            largest(mini_runs[layer], feature)
            for layer, feature in ((3, one.first.features[0]), (4, one.nearest))
        ]
        fires = [value > 0 for value in values]
        expected = (fires[0] & fires[1]).sum() / (fires[0] | fires[1]).sum()
        assert one.jaccard == pytest.approx(expected)
        assert expected >= 0.5


def largest(folder: Path, feature: str) -> np.ndarray:
    name, _, index = feature.rpartition("/")
    rows = pd.read_parquet(folder / "activations" / "task" / f"{name}.parquet")
    of = rows[rows["feature"] == int(index)].groupby("text_id")["activation"].max()
    return of.reindex(range(60), fill_value=0.0).to_numpy()


def test_cosines_are_those_of_the_decoders(pair: AuditPair) -> None:
    assert pair.no_directions is None
    rows = {
        dictionary.name: dictionary.W_dec.numpy()
        for dictionary in fl.load("mini", layers=[3, 4]).dictionaries
    }
    known = [one for one in pair.classes if one.cosine is not None]
    assert len(known) >= 10
    for one in known[:10]:
        shown = one.first or one.second
        assert shown is not None and one.nearest is not None
        vectors = [
            rows[feature.rpartition("/")[0]][int(feature.rpartition("/")[2])]
            for feature in (shown.features[0], one.nearest)
        ]
        expected = vectors[0] @ vectors[1] / np.prod([np.linalg.norm(v) for v in vectors])
        assert one.cosine == pytest.approx(float(expected), abs=1e-5)

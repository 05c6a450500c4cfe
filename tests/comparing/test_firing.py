"""Firing on the same texts: read from a run folder, and compared as NumPy and scikit-learn do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import run_samples
from sklearn.metrics import jaccard_score

from faultlens.comparing.firing import correlation, jaccard, prompt_firings
from faultlens.errors import UserError


def test_the_largest_activation_on_each_prompt_is_kept_in_the_order_asked_for(
    tmp_path: Path,
) -> None:
    rows = [(0, 1, 3, 0.5), (0, 4, 3, 2.0), (2, 0, 3, 1.0), (2, 0, 1, 4.0), (1, 0, 0, 9.0)]
    folder = run_samples.write(
        tmp_path / "run", run_samples.audit([True] * 10), firings={"4-res": rows}
    )
    found = prompt_firings(folder, ["4-res", "5-res"], np.array([2, 0]))
    assert found is not None
    assert list(found.by_dictionary) == ["4-res"]
    of_three, of_nine = found.of("4-res/3"), found.of("4-res/9")
    assert of_three is not None and of_nine is not None
    assert of_three.tolist() == [1.0, 2.0]
    assert of_nine.tolist() == [0.0, 0.0], "beyond the last that fires: silent"
    assert found.of("5-res/3") is None
    assert prompt_firings(folder, ["5-res"], np.array([0])) is None
    path = folder / "activations" / "task" / "4-res.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="is not the file that the run wrote"):
        prompt_firings(folder, ["4-res"], np.array([0]))


def test_the_feature_that_fires_most_alike_is_found_over_all_dictionaries(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    wanted = np.where(rng.random(40) < 0.4, rng.random(40) + 0.5, 0.0)
    near, far = wanted * 2.0, np.where(rng.random(40) < 0.4, 1.0, 0.0)
    same_places = np.where(wanted > 0, rng.random(40) + 0.5, 0.0)

    def rows(*columns: np.ndarray) -> list[tuple[int, int, int, float]]:
        return [
            (text, 0, feature, float(column[text]))
            for feature, column in enumerate(columns)
            for text in range(40)
            if column[text] > 0
        ]

    prompts = [f"prompt {i}" for i in range(40)]
    folder = run_samples.write(
        tmp_path / "run",
        run_samples.audit([True] * 40, prompts=prompts),
        firings={"4-res": rows(far, same_places), "5-res": rows(far, far, near)},
    )
    found = prompt_firings(folder, ["4-res", "5-res"], np.arange(40))
    assert found is not None
    assert found.most_alike(wanted) == "5-res/2", "of two on the same prompts the correlated one"
    assert found.most_alike(np.zeros(40)) is None
    assert jaccard(wanted, far) == pytest.approx(jaccard_score(wanted > 0, far > 0))
    assert correlation(wanted, far) == pytest.approx(np.corrcoef(wanted, far)[0, 1])
    assert correlation(wanted, np.zeros(40)) is None

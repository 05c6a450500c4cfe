"""Dictionaries on which an intervention would be wrong are refused before the model runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import faultlens as fl
from faultlens.audit.from_task import audit_task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.normalisation import PerTokenNorm
from faultlens.models.sites import Site


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"normalisation": PerTokenNorm()}, "normalised by token"),
        ({"site_out": Site(2, "mlp_out")}, "a transcoder"),
    ],
)
def test_directions_that_are_not_in_the_sites_units_are_refused(
    change: dict[str, Any], kind: str
) -> None:
    lens = fl.load("mini", layers=[2])
    lens = Lens(lens.model, (replace(lens.dictionaries[0], **change),))
    with pytest.raises(UserError, match=f"2-res-mini is {kind}, on which an audit cannot interv"):
        audit_task(lens, fl.tasks.mini_ioi(n=5, seed=0))

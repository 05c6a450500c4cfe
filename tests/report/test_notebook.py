"""A notebook shows the page's answer and list, word for word, and no markup of the data."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import audit_samples
import numpy as np
import pandas as pd
import pytest
import samples
from IPython.core.formatters import DisplayFormatter
from scipy.sparse import csr_matrix

from faultlens.errors import UserError
from faultlens.features.lens import TokenView
from faultlens.features.table import FeatureTable
from faultlens.report.audit.study import audit_study
from faultlens.report.notebook import view


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_an_audit_shows_its_answer_and_its_classes() -> None:
    audit = audit_samples.audit()
    shown = plain(view(audit))
    for sentence in audit_study(audit).headline.sentences:
        assert f"{sentence.label} {sentence.text}" in shown
    assert (
        "4-res-mini/91 and 11 alike CONTRIBUTES ✓ 42 failures, 3 successes both effects shown"
        in (shown)
    )
    assert audit.warnings[0] in shown


def test_a_profile_shows_its_answer_and_its_categories() -> None:
    shown = plain(view(samples.profile()))
    assert "for 6 of 7 categories of seven categories (70 texts) some feature tells" in shown
    assert "Python 2-res-mini/700 0.990 ✓ 0.0014" in shown


def test_only_the_first_rows_are_shown_and_the_rest_is_counted() -> None:
    audit = audit_samples.audit()
    site = audit.sites["4-res-mini"]
    many = [dataclasses.replace(site.classes[6], rank=i) for i in range(33)]
    sites = {"4-res-mini": dataclasses.replace(site, classes=many)}
    html = view(dataclasses.replace(audit, sites=sites))
    assert html.count("<tr>") == 21 and "The first 20 of 33 classes." in html


def test_hostile_text_is_inert_and_nothing_is_fetched_or_run() -> None:
    profile = dataclasses.replace(samples.whole_profile(), corpus=samples.INJECTED)
    audit = dataclasses.replace(audit_samples.audit(), task=samples.INJECTED)
    for html in (view(profile), view(audit)):
        assert "<script" not in html and "<style" not in html and "src=" not in html
        assert samples.INJECTED in plain(html)


def in_jupyter(shown: object) -> str:
    """What Jupyter's own formatter makes of an object."""
    data, _ = DisplayFormatter().format(shown)
    return str(data["text/html"])


def test_a_table_and_a_features_view_show_themselves_in_jupyter() -> None:
    matrix = csr_matrix(np.array([[0, 2.0, 1.0], [0, 0, 0]], dtype=np.float32))
    rows = pd.DataFrame({"text": [samples.INJECTED, "b"]})
    table = FeatureTable("3-res-x", matrix, rows, {"pooling": "max"})
    html = in_jupyter(table)
    assert samples.INJECTED in plain(html) and "<script" not in html
    assert "3-res-x: 2 texts × 3 features, pooled by max" in plain(html)
    assert "2 3-res-x/1 2, 3-res-x/2 1" in plain(html) and "b 0" in plain(html)
    seen = csr_matrix(np.array([[0, 0], [0, 4.0], [1.0, 2.0]], dtype=np.float32))
    view = TokenView(["<b>", " the", " keys"], {"3-res-x": seen}, {})
    assert "&lt;b&gt;" in in_jupyter(view) and "3-res-x/1 4" in plain(in_jupyter(view))
    shaded = in_jupyter(view.feature("3-res-x/1"))
    assert plain(shaded) == "3-res-x/1 <b> the keys the 4, keys 2"
    assert shaded.count("background: rgba") == 2 and 'title="4"' in shaded
    silent = TokenView([" a"], {"3-res-x": csr_matrix((1, 2))}, {}).feature("3-res-x/0")
    assert "it fires on none of these tokens" in in_jupyter(silent)


def test_a_feature_that_there_is_not_is_refused_with_those_there_are() -> None:
    view = TokenView([" a"], {"3-res-x": csr_matrix((1, 2))}, {})
    for name in ("3-res-x/2", "4-res-x/0", "3-res-x/-1", "3-res-x"):
        with pytest.raises(UserError) as caught:
            view.feature(name)
        assert str(caught.value) == f"no feature {name!r}: expected one of 3-res-x/0 to 1"

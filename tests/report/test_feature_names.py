"""Labels and pages of features: beside them wherever they are named, and marked as no evidence."""

from __future__ import annotations

import dataclasses

import reading_samples
import samples

from faultlens.report.document import document
from faultlens.report.feature_names import READINGS, FeatureNames, pages_in
from faultlens.report.html import build_page
from faultlens.report.parts import Table
from faultlens.report.terminal.summary import summary
from faultlens.report.tree import parts_of

NAMES = FeatureNames(
    {"4-res-mini/91": "keys & <doors>", "4-res-mini/200": "never named alone"},
    {"4-res-mini": "mini/4-res"},
)


def test_each_cell_that_names_a_feature_has_its_label_and_page() -> None:
    audit = reading_samples.audit()
    whole = document(samples.whole_profile(), audit, None, reading_samples.readings(), NAMES)
    cells = [
        cell
        for study in whole.studies
        for part in parts_of(study)
        if isinstance(part, Table)
        for row in part.rows
        for cell in row.cells
    ]
    of_91 = [cell for cell in cells if cell.text.split(" ")[0] == "4-res-mini/91"]
    assert of_91 and {cell.label for cell in of_91} == {"keys & <doors>"}
    assert {cell.page for cell in of_91} == {"https://www.neuronpedia.org/mini/4-res/91"}
    assert all(not cell.label for cell in cells if not cell.text.startswith("4-res-mini/"))
    found = whole.studies[0].found
    assert found is not None and found.caption.endswith(READINGS)


def test_the_page_and_the_terminal_show_them() -> None:
    audit = reading_samples.audit()
    page = build_page(document(None, audit, None, reading_samples.readings(), NAMES))
    assert '<small class="label">“keys &amp; &lt;doors&gt;”</small>' in page
    assert 'href="https://www.neuronpedia.org/mini/4-res/91" rel="noreferrer"' in page
    lines = " ".join(" ".join(summary(None, audit, NAMES)).split())
    assert "“keys & <doors>”" in lines and "somebody's label" in lines


def test_without_labels_nothing_changes() -> None:
    audit = reading_samples.audit()
    assert summary(None, audit, FeatureNames()) == summary(None, audit)
    only_pages = dataclasses.replace(NAMES, labels={})
    whole = document(None, audit, None, None, only_pages)
    found = whole.studies[0].found
    assert found is not None and READINGS not in found.caption


def test_pages_come_from_the_manifest() -> None:
    known = {"8-res-jb": {"digest": "a", "neuronpedia": "gpt2-small/8-res-jb"}, "x": {}}
    assert pages_in({"inputs": {"dictionaries": known}}) == {"8-res-jb": "gpt2-small/8-res-jb"}
    assert pages_in(None) == pages_in({}) == pages_in({"inputs": {"dictionaries": [1]}}) == {}
    names = FeatureNames(pages=pages_in({"inputs": {"dictionaries": known}}))
    assert names.page("8-res-jb/17") == "https://www.neuronpedia.org/gpt2-small/8-res-jb/17"
    assert names.page("6-res-jb/17") == names.page("no feature") == ""

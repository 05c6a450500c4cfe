"""Links: a feature that has a page is led to from wherever it is named."""

from __future__ import annotations

import reading_samples
import samples
from page_reading import read

from faultlens.report.document import document
from faultlens.report.html import build_page, place
from faultlens.report.links import linked
from faultlens.report.parts import Table
from faultlens.report.tree import parts_of


def test_cells_lead_to_the_pages_there_are_and_nowhere_else() -> None:
    whole = linked(document(None, reading_samples.audit(), None, reading_samples.readings()))
    links = {
        cell.text: cell.link
        for part in parts_of(whole.studies[0])
        if isinstance(part, Table)
        for row in part.rows
        for cell in row.cells
        if cell.link
    }
    assert links["4-res-mini/91 and 11 alike"] == "4-res-mini/91"
    assert set(links.values()) == {"4-res-mini/91", "4-res-mini/200"}


def test_a_cell_that_opens_its_row_is_no_link() -> None:
    whole = linked(document(None, reading_samples.audit(), None, reading_samples.readings()))
    found = whole.studies[0].found
    assert found is not None and found.rows[0].opens and not found.rows[0].cells[0].link


def test_links_lead_to_places_that_are_there() -> None:
    page = build_page(
        document(samples.whole_profile(), reading_samples.audit(), None, reading_samples.readings())
    )
    reader = read(page)
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    assert f"#{place('4-res-mini/91')}" in reader.links
    assert len(reader.ids) == len(set(reader.ids))
    assert " <keys>" in page.replace("&lt;", "<").replace("&gt;", ">")
    assert "<keys>" not in page

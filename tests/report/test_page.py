"""The page is whole, opens without a network, says everything, and lets no text become markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import audit_samples
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import samples
from scipy.sparse import csr_matrix

from faultlens.auditing.result.audit import Audit
from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.profiling.config import ProfileConfig
from faultlens.profiling.result import ClassShare, Profile
from faultlens.profiling.study import profile_tables
from faultlens.report.audit.page import audit_parts
from faultlens.report.figures.plots import profile_figures
from faultlens.report.html import build_page, script_json, write_page
from faultlens.report.parts import Callout, Figure, Paragraph, Part, Table
from faultlens.report.profile.page import profile_parts
from faultlens.report.terminal.summary import summary
from faultlens.report.text import as_text

VOID = {"meta", "br", "img", "hr", "link", "input"}
AUDITS = {
    "whole": audit_samples.audit(),
    "cause": audit_samples.cause(),
    "untested": audit_samples.untested(),
    "tables": audit_samples.tables_only(),
    "few": audit_samples.underpowered(),
}


class Reader(HTMLParser):
    """Checks that elements nest, and collects what the tests ask about."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[int] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "th":
            assert given.get("scope") in {"row", "col"}
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(without_plotly(page))
    reader.close()
    assert not reader.open
    return reader


def without_plotly(page: str) -> str:
    return re.sub(r'<script id="plotly">.*?</script>', "", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def page() -> str:
    return build_page(samples.whole_profile(), audit_samples.audit(), samples.manifest())


def test_page_is_well_formed_and_navigable(page: str) -> None:
    reader = read(page)
    assert page.startswith("<!DOCTYPE html>")
    assert ("lang", "en") in reader.attributes
    assert len(reader.ids) == len(set(reader.ids))
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    assert reader.headings[0] == 1 and reader.headings.count(1) == 1
    steps = zip(reader.headings, reader.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)


def test_page_fetches_nothing(page: str) -> None:
    assert page.count("plotly.js v") == 1
    assert "default-src 'none'" in page
    shell = without_plotly(page).replace("https://evil.", "")  # in the samples' own text
    assert "http://" not in shell and "https://" not in shell
    names = {name for name, _ in read(page).attributes}
    assert not names & {"src", "srcset", "background", "poster"}
    assert "@import" not in shell and "url(" not in shell


def test_page_without_figures_holds_no_plotly() -> None:
    page = build_page(None, audit_samples.underpowered(), None)
    assert "plotly.js v" not in page and len(page) < 100_000


def test_text_from_data_never_becomes_markup(page: str) -> None:
    reader = read(page)
    figures = sum(isinstance(part, Figure) for part in both())
    assert reader.scripts == figures + 1  # the figures' data, and the page's own
    assert "<script>alert" not in without_plotly(page)
    assert samples.INJECTED in reader.words
    assert json.loads(script_json({"a": "</script><b>&"})) == {"a": "</script><b>&"}
    assert "<" not in script_json("</script>")


def test_what_only_a_model_can_tell_is_told_or_said_to_be_missing() -> None:
    bare = " ".join(as_text(profile_parts(samples.profile()), width=10_000).split())
    assert "Not done: where a feature fires needs a model" in bare
    assert "Not done: no minimal pairs were given" in bare
    assert "Method study" not in bare
    whole = " ".join(as_text(profile_parts(samples.whole_profile()), width=10_000).split())
    assert "Labels were shuffled only within 4 strata of length" in whole
    assert "What to know of the input | 1 text stands more than once" in whole
    assert "see⏎⟦<script>⟧ there" in whole
    assert "Python on operators and punctuation (18%, random 2%)" in whole
    assert "2 keep" not in whole and "1 keep the index" in whole
    assert "1 of 2 persist: they go to the feature that is nearest in direction" in whole
    assert "Features go with meaning or its shared words across forms at 1 of 2 sites" in whole
    assert "The words alone go with meaning as well (+0.15, p 0.003)" in whole
    assert "12 of 14 claims hold throughout" in whole
    assert "✗ padding is pooled as if it were text" in whole
    assert "Padding goes up to the longest of 8 texts in the corpus's order" in whole


def test_a_common_class_of_token_is_no_evidence_of_meaning() -> None:
    profile = samples.whole_profile()
    assert profile.tokens is not None
    usual = {
        name: replace(seen, classes={"operators and punctuation": ClassShare(1.0, 0.2, 0.06)})
        for name, seen in profile.tokens.features.items()
    }
    tokens = replace(profile.tokens, corpus={"operators and punctuation": 1.0}, features=usual)
    parts = profile_parts(replace(profile, tokens=tokens))
    said = " ".join(as_text(parts, width=10_000).split())
    assert "more than nearly all random features do. That is no evidence of meaning" in said
    assert "surface alone does not explain" not in said


def test_meaning_is_named_alone_where_words_alone_do_not_tell_it() -> None:
    whole = samples.whole_profile()
    assert whole.pairs is not None
    words = replace(whole.pairs.words, p_value=0.06)
    silent = replace(whole, pairs=replace(whole.pairs, words=words))
    text = " ".join(as_text(profile_parts(silent), width=10_000).split())
    assert "Features go with meaning across forms at 1 of 2 sites" in text
    assert "The words alone do not (p 0.06)" in text


def test_the_norm_is_not_said_to_grow_where_nobody_measured_it() -> None:
    parts = profile_parts(samples.whole_profile())
    captions = [part.caption for part in parts if isinstance(part, Figure | Table)]
    assert not [c for c in captions if "norm" in c and "grows with depth by itself" in c]
    assert not [c for c in captions if "which grows with depth" in c]
    assert any("so peaks are also given relative to its mean norm" in c for c in captions)


def test_figures_are_handed_out_as_plotly_objects() -> None:
    drawn = profile_figures(samples.whole_profile())
    assert list(drawn) == [
        "specialists",
        "selectivity",
        "peaks",
        "coverage",
        "long-tail",
        "minimal-pairs",
        "specifications-selectivity",
        "specifications-specialist",
    ]
    assert all(isinstance(figure, go.Figure) for figure in drawn.values())
    cells = drawn["specialists"].data[0]
    assert cells.text[0][0] == "9 ✓" and cells.text[6][0] == "3", (
        "the mark is the p's, not the score's"
    )
    peaks = drawn["peaks"].data
    assert {trace.yaxis for trace in peaks} == {None, "y2"}
    assert list(peaks[7].y) == [0.081, 0.081], "Gini below the peaks"
    assert drawn["minimal-pairs"].data[0].z[0][2] is None
    curve = drawn["specifications-selectivity"].data
    assert [trace.name for trace in curve[:2]] == ["unsound", "the default"]
    assert list(curve[0].x) == [0] and list(curve[1].x) == [1], "sorted by what they find"
    bare = profile_figures(samples.profile((4,)))
    assert list(bare) == ["specialists", "selectivity", "long-tail"]


def both() -> list[Part]:
    return profile_parts(samples.whole_profile()) + audit_parts(audit_samples.audit())


def test_page_shows_every_category_verdict_and_claim(page: str) -> None:
    words, audit = read(page).words, audit_samples.audit()
    for category in samples.CATEGORIES:
        assert category in words
    for _, reading in audit.classes:
        assert reading.verdict.label in words
        assert reading.features[0] in words
    for said in (*audit.outcome_kinds, *audit.factors["object"], "family-wise error"):
        assert said in words
    assert "6 of 7 categories beyond chance" in words
    assert "42 of 45" in words and "[81.7%, 98.6%]" in words and "8.8e-33" in words


def test_underpowered_audit_stops_with_its_reason() -> None:
    audit = audit_samples.underpowered()
    words = read(build_page(None, audit, None)).words
    assert audit.verdict is not None and words.count(str(audit.verdict)) == 1
    assert "6 Baseline ladder. Not done: the audit as a whole is UNDERPOWERED." in words
    assert "Not done: the prompts come with no factors." in words


@pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)
def test_both_renderers_show_every_part(audit: Audit) -> None:
    parts = profile_parts(samples.whole_profile()) + audit_parts(audit)
    page = read(build_page(samples.whole_profile(), audit, None)).words
    text = " ".join(as_text(parts, width=10_000).split())
    for part in parts:
        for said in words_of(part):
            assert " ".join(said.split()) in page
            if len(said) < 40:  # the terminal cuts long cells
                assert " ".join(said.split()) in text


def words_of(part: Part) -> list[str]:
    match part:
        case Table():
            cells = [text for row in part.rows for cell in row for text in (cell.text, cell.note)]
            return [part.caption, *(column.header for column in part.columns), *cells]
        case Figure():
            return [part.caption]
        case Callout():
            return [part.title, part.text]
        case _:
            return [part.text]


def test_figures_are_valid_plotly_and_ordered() -> None:
    figures = [part.figure for part in both() if isinstance(part, Figure)]
    assert len(figures) == 12
    for figure in figures:
        go.Figure(figure)  # raises on a property that plotly does not know
    rates, ladder = figures[-4:-2]
    assert rates["data"][0]["name"] == "differs from the rest after Holm"
    assert sum(len(trace["x"]) for trace in rates["data"]) == 10
    prompt, model = ladder["data"]
    assert prompt["x"] == [0.5, 0.935, 0.917] and model["x"] == [0.914, 0.899, 0.921]
    assert prompt["error_x"]["array"][0] is None  # the base rate has no interval
    assert prompt["error_x"]["array"][1] == pytest.approx(0.988 - 0.935)
    assert prompt["error_x"]["arrayminus"][1] == pytest.approx(0.935 - 0.882)
    assert "random dictionary" not in json.dumps(ladder)  # it was not climbed
    assert "<script>" not in json.dumps(rates)


def test_one_layer_draws_no_line() -> None:
    parts = profile_parts(samples.profile((4,)))
    assert sum(isinstance(part, Figure) for part in parts) == 3
    assert any(
        "fewer than two layers" in part.text for part in parts if isinstance(part, Paragraph)
    )


def brought(names: tuple[str, ...]) -> Profile:
    """Tables that were brought; on the texts of B nothing fires."""
    rng = np.random.default_rng(0)
    corpus = Corpus("own", tuple(f"text {i}" for i in range(24)), ("A",) * 8 + ("B",) * 16)
    tables = {}
    for name in names:
        dense = rng.gamma(2.0, size=(24, 30)) * (np.arange(24) < 8)[:, None]
        rows = pd.DataFrame({"text": corpus.texts})
        head = name.partition("-")[0]
        layer = int(head) if head.isdigit() else None
        tables[name] = FeatureTable(name, csr_matrix(dense), rows, {"pooling": "mean"}, layer)
    return profile_tables(tables, corpus, ProfileConfig.of(permutations=99))


def test_a_category_on_which_nothing_fires_is_said_to_be_one() -> None:
    result = brought(("6-res", "8-res"))
    parts = profile_parts(result)
    rows = [row for part in parts if isinstance(part, Table) for row in part.rows]
    silent = [row for row in rows if any(cell.text == "nothing fires" for cell in row)]
    assert {(row[0].text, row[1].text) for row in silent} == {("B", "6-res"), ("B", "8-res")}
    assert len(silent) == 6, "scores, peaks, and each category by itself"
    drawn = [json.dumps(part.figure) for part in parts if isinstance(part, Figure)]
    assert sum('"y": [null, null]' in figure for figure in drawn) == 2, "peaks and coverage"
    assert result.layers is not None and "B" not in result.layers.steps[0].peak
    assert read(build_page(result, None, {})).words and summary(result, None)


def test_sites_without_a_layer_are_named_where_layers_are_not_compared() -> None:
    parts = profile_parts(brought(("one", "two")))
    words = [part.text for part in parts if isinstance(part, Paragraph)]
    assert (
        "Not compared: the layers of one, two are not known. A site's name starts with its "
        "layer, and names that agree in the rest are compared: 6-res-jb, 8-res-jb." in words
    )


def test_page_is_written_from_a_run_folder(tmp_path: Path) -> None:
    audit_samples.audit().save(tmp_path)
    path = write_page(tmp_path)
    assert path == tmp_path / "report.html"
    assert "No manifest was found" in path.read_text(encoding="utf-8")
    samples.profile().save(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(samples.manifest()), encoding="utf-8")
    words = read(write_page(tmp_path).read_text(encoding="utf-8")).words
    assert "faultlens demo --out RUN" in words and "2025-11-21 02:53:43 UTC" in words


def test_folder_without_results_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_page(tmp_path)
    expected = f"{tmp_path} holds neither profile.json nor audit.json: expected the folder of a run"
    assert str(caught.value) == expected
    (tmp_path / "audit.json").write_text('{"task": "x"}', encoding="utf-8")
    with pytest.raises(UserError) as caught:
        write_page(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'audit.json'}: it says no format_version, and this version of FaultLens "
        "reads format 1: run the study again"
    )


def test_samples_survive_their_json() -> None:
    for profile in (samples.profile(), samples.whole_profile()):
        assert Profile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile
    for audit in AUDITS.values():
        assert Audit.from_dict(json.loads(json.dumps(audit.to_dict()))) == audit

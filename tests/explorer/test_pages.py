"""The explorer's pages over a real run and a store: true to the files and to the model."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from serving import client_of, words
from starlette.testclient import TestClient

import faultlens as fl
from faultlens.auditing.result.audit import Audit
from faultlens.corpus.prompt import Prompt
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.explorer.edit_trial import control_features, edit_of, try_edit
from faultlens.explorer.source import Source, open_source
from faultlens.numbers import number, signed

NAME = "3-res-mini"


@pytest.fixture(scope="module")
def audit(run_source: Source) -> Audit:
    assert run_source.audit is not None
    return run_source.audit


def test_the_overview_says_what_the_report_says(run_client: TestClient, audit: Audit) -> None:
    page = run_client.get("/").text
    shown = words(page)
    assert f"{audit.failures} of {audit.n} prompts" in shown
    strongest = audit.classes[0][1].features[0]
    assert f'href="/feature?name={strongest.replace("/", "%2F")}"' in page
    assert "Dictionaries; each leads to its features that fire." in shown


def test_a_feature_has_its_examples_and_its_numbers(
    run_client: TestClient, audit: Audit, mini_runs: dict[int, Path]
) -> None:
    feature = audit.classes[0][1].features[0]
    index = int(feature.rpartition("/")[2])
    rows = pd.read_parquet(mini_runs[3] / "activations" / "task" / f"{NAME}.parquet")
    mine = rows[rows["feature"] == index]
    shown = words(run_client.get("/feature", params={"name": feature}).text)
    assert f"Fires in {mine['text_id'].nunique()} of 60 texts" in shown
    assert f"On {len(mine)} tokens" in shown
    largest = mine.loc[mine["activation"].idxmax()]
    assert f"Prompt {int(largest['text_id'])}: " in shown
    assert f" · {number(float(largest['activation']))} " in shown
    assert audit.classes[0][1].verdict.label in shown


@pytest.mark.parametrize(
    ("words_asked", "feature"),
    [("3-res-mini/17", "3-res-mini/17"), ("3/17", "3-res-mini/17"), (" 17 ", "3-res-mini/17")],
)
def test_a_feature_is_looked_up(run_client: TestClient, words_asked: str, feature: str) -> None:
    answer = run_client.get("/features", params={"q": words_asked}, follow_redirects=False)
    there = feature.replace("/", "%2F")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/feature?name={there}")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/features?q=9/1", "There is no dictionary '9' here: expected one of 3-res-mini."),
        ("/feature?name=3/9999", "3-res-mini has the features 0 to 1,535, and no 9,999."),
        ("/feature?name=keys", "'keys' names no feature: expected NAME/NUMBER."),
        ("/features?dictionary=x", "There are no activations of 'x': expected one of 3-res-mini."),
        ("/read?text=%20a&dictionary=9-x", "9-x"),
        ("/edit?features=3-res-mini/1&prompt=A", "A prompt of your own needs its right answer."),
        ("/edit?features=x&prompt_id=0", "Features 'x': expected DICTIONARY/INDEX"),
        ("/edit?features=3-res-mini/1&prompt_id=99", "There is no prompt '99' that could be"),
        ("/edit?features=3-res-mini/1&prompt_id=0&edit=melt", "Edit 'melt': expected one of zero"),
        ("/edit?features=3-res-mini/1&prompt_id=0&amount=much", "Amount 'much': expected a number"),
    ],
)
def test_mistakes_are_a_sentence_on_the_page(
    run_client: TestClient, address: str, sentence: str
) -> None:
    answer = run_client.get(address)
    assert answer.status_code == 400
    shown = words(answer.text)
    assert "That cannot be shown:" in shown and sentence in shown


def test_an_unknown_address_is_a_page(run_client: TestClient) -> None:
    answer = run_client.get("/<script>")
    assert answer.status_code == 404
    assert "No such page" in answer.text and "<script>There" not in answer.text


def test_a_text_is_read_as_the_lens_reads_it(run_client: TestClient) -> None:
    text = "Mary gave the keys to <script>alert(1)</script>"
    view = fl.load("mini", layers=[3]).tokens(text)
    row = view.activations[NAME].getrow(3)
    place = row.data.argmax()
    page = run_client.get("/read", params={"text": text}).text
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    address = f"/feature?name={NAME}%2F{row.indices[place]}"
    assert f'href="{address}">{row.indices[place]}</a>' in page
    assert number(float(row.data[place])) in words(page)
    assert "expected at most 4,000" in run_client.get("/read", params={"text": "a" * 4001}).text


def test_an_edit_does_what_intervene_does_and_stands_beside_its_controls(
    run_client: TestClient, audit: Audit
) -> None:
    lens = fl.load("mini", layers=[3])
    outcome = audit.outcomes[0]
    foil = fl.tasks.mini_ioi(n=60, seed=0).prompts[0].foil
    prompt = Prompt(outcome.prompt, outcome.target, foil)
    fires = lens.tokens(outcome.prompt).activations[NAME].getnnz(axis=0)
    leading = [reading.features[0] for _, reading in audit.classes]
    feature = next(one for one in leading if fires[int(one.rpartition("/")[2])])
    expected = fl.intervene(lens, Task("one", (prompt,)), feature, edit=fl.Scale(0.25)).iloc[0]
    found = try_edit(lens, prompt, feature, edit_of("scale", 0.25))
    assert found.trial.margin == pytest.approx(
        (expected["margin_before"], expected["margin_after"]), abs=1e-5
    )
    assert found.trial.generated[1] == expected["generated_after"]
    assert outcome.margin == pytest.approx(found.trial.margin[0], abs=1e-3)
    assert len(found.controls) == 5
    assert feature not in [control.features for control in found.controls]
    asked = {"features": feature, "edit": "scale", "amount": "0.25", "prompt_id": "0"}
    page = run_client.get("/edit", params=asked).text
    shown = words(page)
    assert f"the margin moves by {signed(found.trial.change)} nats" in shown
    assert "this is one prompt" in shown and "it was given to the model in another way" not in shown
    for control in found.controls:
        assert f"{control.features} control {signed(control.change)}" in shown


def test_controls_are_the_features_that_fire_about_as_much() -> None:
    lens = fl.load("mini", layers=[3])
    text = "Mary gave the keys to"
    sums = lens.tokens(text).activations[NAME].toarray().sum(axis=0)
    firing = [int(i) for i in sums.nonzero()[0]]
    member = firing[len(firing) // 2]
    found = control_features(lens, NAME, (member,), text, 4)
    distances = sorted(abs(sums[i] - sums[member]) for i in firing if i != member)[:4]
    assert [abs(sums[i] - sums[member]) for i in found] == pytest.approx(distances)


def test_a_store_shows_its_texts_where_they_are_named(
    mini_store: Path, store_client: TestClient
) -> None:
    listed = store_client.get("/features").text
    first = listed.split('href="/feature?name=3-res-mini%2F')[1].split('"')[0]
    page = store_client.get("/feature", params={"name": f"{NAME}/{first}"}).text
    shown = words(page)
    assert "The texts of the store:" in shown and "of 9 texts" in shown
    assert "<b>" not in page, "a text of the corpus is text"

    def unnamed(digest: str) -> list[str]:
        raise UserError("name the corpus that it is of with --corpus")

    bare = client_of(open_source(mini_store, lambda manifest: fl.load("mini", layers=[3]), unnamed))
    shown = words(bare.get("/feature", params={"name": f"{NAME}/{first}"}).text)
    assert "its words are not shown: name the corpus that it is of with --corpus." in shown


def test_a_model_that_is_gone_is_a_sentence_where_it_is_needed(mini_store: Path) -> None:
    def gone(manifest: object) -> fl.Lens:
        raise UserError("model 'elsewhere': no such folder")

    client = client_of(open_source(mini_store, gone, lambda digest: []))
    assert client.get("/").status_code == 200
    answer = client.get("/read", params={"text": "Mary"})
    assert answer.status_code == 400
    assert "Model 'elsewhere': no such folder." in words(answer.text)

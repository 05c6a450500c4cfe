"""A run folder's page: a pure function of its results, or one sentence about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import audit_samples
import pytest
import samples
from page_reading import read

from faultlens.auditing.result.audit import Audit
from faultlens.errors import UserError
from faultlens.profiling.result import Profile
from faultlens.report.page import write_page


def test_page_is_written_from_a_run_folder(tmp_path: Path) -> None:
    audit_samples.audit().save(tmp_path)
    path = write_page(tmp_path)
    assert path == tmp_path / "report.html"
    assert "No manifest was found" in path.read_text(encoding="utf-8")
    samples.profile().save(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(samples.manifest()), encoding="utf-8")
    words = read(write_page(tmp_path).read_text(encoding="utf-8")).words
    assert "Audit of mini-ioi, Profile of seven categories" in words


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    audit_samples.audit().save(tmp_path)
    first = write_page(tmp_path).read_bytes()
    assert write_page(tmp_path).read_bytes() == first


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
    for audit in (
        audit_samples.audit(),
        audit_samples.cause(),
        audit_samples.untested(),
        audit_samples.tables_only(),
        audit_samples.underpowered(),
    ):
        assert Audit.from_dict(json.loads(json.dumps(audit.to_dict()))) == audit

"""Runs compared as a whole: each with the first, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_samples
import samples
from statsmodels.stats.multitest import multipletests

from faultlens.comparing.result import Comparison
from faultlens.comparing.study import compare
from faultlens.errors import UserError

BEFORE = [False] * 6 + [True] * 4
AFTER = [True] * 8 + [False] * 2
audit = run_samples.audit


def test_two_audits_are_paired_and_written_and_read_again(tmp_path: Path) -> None:
    first = run_samples.write(tmp_path / "a", audit(BEFORE), model="mini", dtype="float32")
    second = run_samples.write(tmp_path / "b", audit(AFTER), model="mini", dtype="bfloat16")
    found = compare([str(first), str(second)])
    (pair,) = found.pairs
    assert pair.profiles is None and pair.audits is not None and pair.audits.outcomes is not None
    outcomes = pair.audits.outcomes
    assert (outcomes.n, outcomes.new, outcomes.gone) == (10, 2, 6)
    assert outcomes.p_holm == outcomes.p_mcnemar
    assert pair.audits.rate_change is not None
    assert pair.audits.rate_change.value == pytest.approx(-0.4)
    assert [(one.setting, one.first, one.second) for one in pair.settings] == [
        ("arguments.dtype", "float32", "bfloat16")
    ]
    became = [(turned.became, turned.generated_second) for turned in pair.audits.turned]
    assert became == [("success", " Tom")] * 6 + [("failure", " him")] * 2
    assert Comparison.from_dict(found.to_dict()) == found


def test_several_runs_are_each_compared_with_the_first(tmp_path: Path) -> None:
    other = [False] * 5 + [True] * 5
    folders = [
        str(run_samples.write(tmp_path / name, audit(of)))
        for name, of in (("a", BEFORE), ("b", AFTER), ("c", other))
    ]
    found = compare(folders)
    outcomes = [pair.audits.outcomes for pair in found.pairs if pair.audits is not None]
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        (folders[0], folders[1]), (folders[0], folders[2]),
    ]  # fmt: skip
    expected = multipletests([of.p_mcnemar for of in outcomes if of], method="holm")[1]
    assert [of.p_holm for of in outcomes if of] == pytest.approx(list(expected))


def test_profiles_are_compared_by_category_and_over_the_same_texts(tmp_path: Path) -> None:
    profile = samples.profile()
    name = next(iter(profile.sites))
    best = {
        category: of.selectivity.feature for category, of in profile.sites[name].categories.items()
    }
    category, feature = next(iter(best.items()))
    index = int(feature.rpartition("/")[2])
    site_names = list(profile.sites)
    pooled = {site: [(0, index, 1.0), (1, index, 2.0)] for site in site_names}
    digests = dict.fromkeys(site_names, "x")
    one = run_samples.write(
        tmp_path / "a", profile=profile, corpus="c", pooled=pooled, digests=digests
    )
    other = run_samples.write(
        tmp_path / "b", profile=profile, corpus="c", digests=digests,
        pooled={site: [(0, index, 3.0)] for site in site_names},
    )  # fmt: skip
    (pair,) = compare([str(one), str(other)]).pairs
    assert pair.audits is None and pair.profiles is not None
    assert pair.profiles.same_texts and pair.profiles.no_firing is None
    found = pair.profiles.categories[category]
    assert found.same_feature and not found.changed
    assert found.first == found.second
    assert found.jaccard == 0.5 or found.first is None or found.first.feature != feature
    elsewhere = run_samples.write(tmp_path / "c", profile=profile, corpus="d", digests=digests)
    (pair,) = compare([str(one), str(elsewhere)]).pairs
    assert pair.profiles is not None and pair.profiles.no_firing == (
        "the runs are not of the same texts, as far as their manifests say"
    )


def test_cautions_say_what_stands_between_the_numbers_and_belief(tmp_path: Path) -> None:
    others = [text.replace(" gave ", " lent ") for text in run_samples.PROMPTS]
    one = run_samples.write(tmp_path / "a", audit(BEFORE))
    other = run_samples.write(tmp_path / "b", audit(AFTER, prompts=others, rule="contains"))
    (pair,) = compare([str(one), str(other)]).pairs
    assert pair.audits is not None
    assert (pair.audits.shared, pair.audits.only_first, pair.audits.only_second) == (0, 10, 10)
    assert pair.audits.outcomes is None and pair.audits.p_fisher is not None
    assert pair.audits.no_firing == "the runs share no prompts"
    assert pair.audits.cautions == [
        "the first run counts success by exact-word and the second by contains: an outcome may be "
        "another because the rule is",
        "the runs share no prompts: outcomes are not paired, and what differs may be the prompts",
    ]


def test_what_cannot_be_compared_is_said_in_a_sentence(tmp_path: Path) -> None:
    one = str(run_samples.write(tmp_path / "a", audit(BEFORE)))
    profile = str(run_samples.write(tmp_path / "p", profile=samples.profile()))
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = {
        (one,): "nothing to compare: expected two run folders or more",
        (one, one): f"{one} is named twice: expected different run folders",
        (one, profile): f"{one} holds an audit and {profile} holds a profile, which cannot be "
        "compared: expected two audits or two profiles",
        (one, str(empty)): f"{empty} holds neither profile.json nor audit.json: expected the "
        "folder of a run",
    }
    for runs, expected in cases.items():
        with pytest.raises(UserError) as raised:
            compare(runs)
        assert str(raised.value) == expected

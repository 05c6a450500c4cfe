"""Outcome rules: where they come from, and the outcomes that each leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

import faultlens as fl
from faultlens.auditing.behaviour.kinds import kind_of
from faultlens.auditing.behaviour.outcomes import RULES, outcome_rule, resolve_rule
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Prompt

PROMPT = "When Ann and Bob met, Bob gave the keys to"


def answers(*generated: str | None, target: str = "Ann", success: bool | None = None) -> Answers:
    return Answers.from_records(
        {"prompt": f"{PROMPT} {i}", "target": target, "foil": "Bob", "generated": text,
         "success": success}
        for i, text in enumerate(generated)
    )  # fmt: skip


def failures(given: Answers, rule: object = None) -> list[int]:
    result = fl.audit(None, given, rule=rule, baselines=False)  # type: ignore[arg-type]
    return [i for i, outcome in enumerate(result.outcomes) if not outcome.success]


@pytest.mark.parametrize(
    ("generated", "target", "found"),
    [
        (" it was ann.", "Ann", True),
        (" Anna's", "Ann", True),
        (" die STRASSE", "Straße", True),
        (" An n", "Ann", False),
        ("", "Ann", False),
    ],
)
def test_contains_looks_anywhere_and_at_no_case(generated: str, target: str, found: bool) -> None:
    assert RULES["contains"](generated, target) is found


def test_rules_take_targets_as_text_not_as_patterns() -> None:
    for name in ("first-token", "named-later", "contains"):
        assert RULES[name](" a.b (c) d", "a.b (c)")
        assert not RULES[name](" axb (c) d", "a.b (c)")


def test_each_rule_decides_the_audit_that_names_it() -> None:
    given = answers(" Ann", " Ann's", " the one called Ann", " Anna", " Bob")
    assert failures(given) == [1, 2, 3, 4]
    assert failures(given, "first-token") == [2, 3, 4]
    assert failures(given, "named-later") == [3, 4]
    assert failures(given, "contains") == [4]


def test_every_listed_rule_is_shown_beside_the_one_that_decides() -> None:
    result = fl.audit(None, answers(" Ann", " Ann's", " Bob"), rule="contains", baselines=False)
    assert result.rule == "contains"
    assert result.scoring_sensitivity == pytest.approx(
        {"contains": 2 / 3, "exact-word": 1 / 3, "first-token": 2 / 3, "named-later": 2 / 3}
    )
    assert result.outcome_kinds == {"success": 2, "names the foil": 1}


def test_a_function_is_a_rule_and_gives_its_name() -> None:
    def shouted(generated: str, target: str) -> int | None:
        return 1 if target.upper() in generated else None

    result = fl.audit(None, answers(" ANN", " Ann"), rule=shouted, baselines=False)  # type: ignore[arg-type]
    assert result.rule == "shouted"
    assert [outcome.success for outcome in result.outcomes] == [True, False]
    assert next(iter(result.scoring_sensitivity)) == "shouted"


def test_a_listed_rule_can_be_added_and_is_applied_to_every_audit() -> None:
    outcome_rule("long enough")(lambda generated, target: len(generated) > 3)
    try:
        result = fl.audit(None, answers(" Ann", " x"), baselines=False)
        assert result.scoring_sensitivity["long enough"] == 0.5
    finally:
        del RULES["long enough"]
    with pytest.raises(fl.UserError, match="unknown outcome rule 'long enough': expected one of"):
        resolve_rule("long enough")


def test_a_packages_rule_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "polite_rules.py").write_text(
        "def polite(generated, target):\n    return generated.endswith('please')\n"
    )
    package = tmp_path / "polite-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: polite\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[faultlens.outcome_rules]\npolite = polite_rules:polite\n"
    )
    with pytest.raises(fl.UserError, match="unknown outcome rule 'polite'"):
        resolve_rule("polite")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert failures(answers(" Ann", " Ann, please"), "polite") == [0]
    finally:
        RULES.pop("polite", None)


def test_outcomes_that_were_given_stand_unless_a_rule_is_named() -> None:
    given = answers(" Ann", " Bob", success=True)
    result = fl.audit(None, given, baselines=False)
    assert (result.rule, result.failures) == ("given", 0)
    assert result.scoring_sensitivity["exact-word"] == 0.5, "the listed rules are shown beside it"
    assert failures(given, "exact-word") == [1]


def test_a_rule_needs_every_continuation() -> None:
    given = answers(" Ann", None, success=False)
    with pytest.raises(
        fl.UserError,
        match="prompt 2 has no 'generated', which the rule exact-word needs: leave the rule out",
    ):
        fl.audit(None, given, rule="exact-word")
    result = fl.audit(None, given, baselines=False)
    assert result.outcome_kinds == {"first token right, word wrong": 1, "not recorded": 1}
    assert result.scoring_sensitivity == {"given": 0.0}, "no other rule can be applied to all"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("New York", "is more than one word, which the rule exact-word never finds: choose"),
        ("Mr.", "is not a word free of .,!?;: and spaces, which the rule exact-word never finds"),
    ],
)
def test_a_target_that_the_rule_never_finds_is_refused(target: str, why: str) -> None:
    given = answers(f" {target} is", " x", target=target)
    with pytest.raises(fl.UserError) as refused:
        fl.audit(None, given)
    assert f"the target of prompt 1, {target!r}, {why}" in str(refused.value)
    assert failures(given, "first-token") == [1]


@pytest.mark.parametrize(
    ("generated", "kind"),
    [
        ("'s", "suffix of the prompt's last word"),
        ("“ ”", "empty or degenerate"),
        ("\u2028", "empty or degenerate"),
        ("\x00", "empty or degenerate"),
        ("'s 's", "suffix of the prompt's last word"),
        ("...a", "another noun phrase"),
        ("...her", "pronoun"),
        ("THE KEYS’ owner", "possessive noun phrase"),
    ],
)
def test_every_continuation_has_a_kind(generated: str, kind: str) -> None:
    assert kind_of(Prompt(PROMPT, "Ann", "Bob"), generated, False) == kind

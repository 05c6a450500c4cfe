"""The published audit, from its outcomes alone: every number that METHODS gives of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact as scipy_fisher
from scipy.stats import hypergeom
from statsmodels.stats.proportion import proportion_confint

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.result import SCORED_WRONG
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import audit_answers
from faultlens.auditing.verdicts.rules import Evidence, of_class
from faultlens.corpus.answers import Answers, read_answers
from faultlens.stats.fisher import RELATIVE_TIE, attainable_p, fisher_exact, least_attainable
from faultlens.stats.moments import moments_from_summary
from faultlens.stats.multiplicity import holm
from faultlens.stats.two_sample import welch

FACTORS = ("object", "template_id", "place", "subject", "indirect_object")


@pytest.fixture(scope="module")
def table(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's prompts, continuations and factors as one table of outcomes."""
    folder = reference_data / "ioi_audit"
    tasks = [json.loads(line) for line in (folder / "tasks.jsonl").read_text().splitlines()]
    given = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    rows = [
        {
            "prompt": task["prompt"],
            "target": task["expected"],
            "foil": task["subject"],
            "generated": generated,
            "success": int(success),
            "factors": {name: task[name] for name in FACTORS},
        }
        for task, generated, success in zip(
            tasks, given["generated"], given["success"], strict=True
        )
    ]
    path = tmp_path_factory.mktemp("published") / "outcomes.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def audited(table: Path, factors: Sequence[str] = FACTORS, *, baselines: bool = False) -> Audit:
    return audit_answers(
        read_answers(table, factors), config=AuditConfig.of(folds="study", baselines=baselines)
    )


@pytest.fixture(scope="module")
def audit(table: Path) -> Audit:
    return audited(table)


def test_no_failure_names_the_subject_and_five_have_the_first_token_right(audit: Audit) -> None:
    assert (audit.n, audit.failures, audit.rule) == (300, 61, "given")
    assert audit.outcome_kinds == {
        "success": 239,
        SCORED_WRONG: 5,
        "another phrase of the prompt": 34,
        "possessive noun phrase": 15,  # METHODS 3.1 counts "her sister" among 16 pronouns
        "pronoun": 1,
        "another noun phrase": 6,
    }
    assert "names the foil" not in audit.outcome_kinds
    pronouns = [o for o in audit.outcomes if o.kind in ("possessive noun phrase", "pronoun")]
    assert {o.generated.split()[0].strip(".") for o in pronouns} == {"her", "his"}
    places = [o for o in audit.outcomes if o.kind == "another phrase of the prompt"]
    assert sum(o.generated.endswith(" to") for o in places) == 19
    scored_wrong = [o for o in audit.outcomes if o.kind == SCORED_WRONG]
    assert Counter(f"{o.target}'s" for o in scored_wrong) == {
        "Susan's": 2, "Jessica's": 1, "Rachel's": 1, "Paul's": 1,
    }  # fmt: skip
    assert all(o.generated.startswith(f"{o.target}'s") for o in scored_wrong)


def test_a_failure_that_did_name_the_subject_would_be_told(table: Path, audit: Audit) -> None:
    """Positive control: the first failure, made to name the subject, is counted as such."""
    given = read_answers(table)
    place = [outcome.success for outcome in audit.outcomes].index(False)
    texts = list(given.generated)
    texts[place] = f" {given.task.prompts[place].foil}."
    changed = audit_answers(
        Answers(given.task, tuple(texts), given.success), config=AuditConfig.of(baselines=False)
    )
    assert changed.outcome_kinds["names the foil"] == 1
    assert changed.outcomes[place].kind == "names the foil"
    assert changed.failures == 61


def test_the_rule_of_the_study_decides_as_the_study_decided(table: Path) -> None:
    given = read_answers(table)
    decided = audit_answers(
        Answers(given.task, given.generated), config=AuditConfig.of(baselines=False)
    )
    assert decided.rule == "exact-word"
    assert [outcome.success for outcome in decided.outcomes] == list(given.success)


def test_under_the_first_token_rule_fewer_fail_and_the_keys_still_most(audit: Audit) -> None:
    assert audit.scoring["exact-word"].failures == 61
    assert audit.scoring["exact-word"].levels["object"]["the keys"] == 42
    first = audit.scoring["first-token"]
    assert first.failures == 56
    assert first.levels["object"]["the keys"] == 37
    assert audit.factors["object"]["the keys"].n == 45
    assert first.accuracy == audit.scoring_sensitivity["first-token"] == pytest.approx(244 / 300)


def test_the_keys_fail_and_the_rest_hardly(audit: Audit) -> None:
    keys = audit.factors["object"]["the keys"]
    assert (keys.failures, keys.n) == (42, 45)
    assert (round(keys.rate, 3), round(keys.low, 3), round(keys.high, 3)) == (0.933, 0.817, 0.986)
    assert keys.p_value == pytest.approx(8.79e-33, abs=5e-36)
    referee = scipy_fisher([[42, 3], [19, 236]])
    assert keys.p_value == pytest.approx(referee.pvalue, rel=1e-9)
    assert keys.odds_ratio == pytest.approx(173.9, abs=0.05)
    assert keys.odds_ratio == pytest.approx(referee.statistic)

    rest = audit.selection.selected[0]
    assert (rest.rest_failures, rest.rest_n) == (19, 255)
    interval = proportion_confint(rest.rest_failures, rest.rest_n, method="beta")
    assert [round(end, 3) for end in interval] == [0.045, 0.114]


def test_selection_takes_the_keys_then_a_template_and_drops_two_shadows(audit: Audit) -> None:
    keys, template = audit.selection.selected
    assert (keys.factor, keys.level, keys.failures, keys.n) == ("object", "the keys", 42, 45)
    assert (template.factor, template.level) == ("template_id", "3")
    counts = (template.failures, template.n, template.rest_failures, template.rest_n)
    assert counts == (13, 77, 6, 178)
    assert template.p_value == pytest.approx(4.0e-4, abs=5e-6)
    assert audit.selection.kept == ["object", "template_id"]
    dropped = {(d.factor, d.level): d for d in audit.selection.dropped}
    assert set(dropped) == {("object", "a card"), ("object", "the bag")}
    for level, marginal, p in (("a card", 0.004, 0.05), ("the bag", 0.018, 0.085)):
        found = dropped["object", level]
        assert found.p_marginal_holm == pytest.approx(marginal, abs=5e-4)
        assert found.p_value == pytest.approx(p, abs=1e-3)


def test_by_object_six_strata_tell_and_by_all_factors_none(audit: Audit) -> None:
    others = {tuple(count.factors): count for count in audit.strata.others}
    by_object, by_all = others["object",], others[FACTORS]
    assert (by_object.informative, by_object.strata, by_object.failures_in_them) == (6, 8, 61)
    assert (by_all.informative, by_all.strata, by_all.failures_in_them) == (0, 300, 0)
    assert audit.strata.factors == ["object", "template_id"]
    assert (audit.strata.informative, audit.strata.strata) == (12, 32)
    assert audit.strata.failures_in_them == 40
    assert len(others) == 6, "each factor alone, and all together"


@pytest.mark.parametrize(
    ("factors", "auroc"), [(FACTORS[:1], 0.897), (FACTORS[:2], 0.938), (FACTORS, 0.945)]
)
def test_the_studys_folds_give_the_studys_ladder(
    table: Path, factors: Sequence[str], auroc: float
) -> None:
    found = audited(table, factors, baselines=True)
    assert found.baselines["factors"].auroc == pytest.approx(auroc, abs=0.002)
    assert found.baselines["factors"].low is None
    assert found.baselines["base_rate"].auroc == 0.5
    assert (found.ladder.scheme, found.ladder.repeats, found.ladder.folds) == ("study", 1, 5)


def test_the_residual_predicts_no_better_than_the_prompts_description(
    table: Path, reference_data: Path
) -> None:
    residual = np.load(reference_data / "ioi_audit" / "residuals.npy")
    answers, config = read_answers(table, FACTORS[:2]), AuditConfig.of(folds="study")
    found = audit_answers(answers, residuals={"8": residual}, config=config)
    assert found.baselines["residual"].auroc == pytest.approx(0.929, abs=0.002)
    assert found.baselines["residual"].auroc < found.baselines["factors"].auroc
    for rung, reason in (
        ("random_dictionary", "needs token residuals: the outcomes came without a model"),
        ("sae_all", "needs features: none were given"),
    ):
        assert found.baselines[rung].auroc is None
        assert found.baselines[rung].reason == reason
    (claim,) = {claim.claim for claim in found.claims}
    assert claim == "features predict failure better than the prompt's description"
    assert {claim.outcome for claim in found.claims} == {"not done"}


def test_the_argument_survives_being_written(table: Path, tmp_path: Path) -> None:
    found = audited(table, baselines=True)
    written = json.loads(found.save(tmp_path).read_text())
    assert Audit.from_dict(written) == found
    assert written["sites"] == {}, "there are no features, and none were invented"


def no_keys(folder: Path, least_support: int) -> tuple[dict[int, Evidence], set[int]]:
    """The evidence on the study's five in the family of features that fire often enough.

    The table holds no activations, hence no permutations. Fisher's p is adjusted in two ways that
    the margins allow, and the smaller is taken: by Holm, and as single-step min-P would if features
    fired independently, `1 − Π_j (1 − P(p_j ≤ p))`. As in an audit it is doubled, since either of
    two tests may decide.
    """
    stats = pd.read_csv(folder / "ioi_audit" / "feature_stats_no_keys.csv")
    columns = (stats[key].to_numpy() for key in ("mean_fail", "mean_succ", "cohens_d", "t_stat"))
    flagged = holm(welch(*moments_from_summary(*columns, 19, 236), rule="study").p) <= 0.05
    failing = stats["n_fail_active"].to_numpy()
    active = failing + stats["n_succ_active"].to_numpy()
    family = active >= least_support
    fisher = fisher_exact(failing, active, failures=19, n=255)
    by_holm = np.ones(len(stats))
    by_holm[family] = holm(fisher[family])
    least = least_attainable(active, failures=19, n=255)
    margins, features = np.unique(active[family], return_counts=True)
    attainable = np.ones((len(margins), 20))
    for row, margin in enumerate(margins):
        low, p_values = attainable_p(int(margin), failures=19, n=255)
        attainable[row, low : low + len(p_values)] = p_values
    chance = hypergeom.pmf(np.arange(20), 255, margins[:, None], 19)

    def min_p(p: float) -> float:
        at_most = (chance * (attainable <= p * (1 + RELATIVE_TIE))).sum(axis=1)
        return float(1 - np.prod((1 - np.minimum(at_most, 1)) ** features))

    five = {}
    for row in np.flatnonzero(flagged & family):
        smaller = min(float(by_holm[row]), min_p(fisher[row]))
        five[int(stats["feature"][row])] = Evidence(
            active=(int(failing[row]), int(active[row] - failing[row])),
            p_deciding=min(1.0, 2 * smaller),
            p_smaller=smaller,
            least_p=float(least[row]),
            tested=int(family.sum()),
            alpha=0.05,
            flagged_by=["the study's rule"],
        )
    return five, set(stats["feature"][by_holm <= 0.05])


@pytest.mark.parametrize(
    ("least_support", "tested", "smallest"), [(5, 700, 0.164), (0, 24_576, 0.179)]
)
def test_without_the_keys_the_studys_five_are_artefacts_of_its_test(
    reference_data: Path, least_support: int, tested: int, smallest: float
) -> None:
    """In the family of this tool, the 700 features on at least five prompts, as in the study's."""
    five, found = no_keys(reference_data, least_support)
    assert set(five) == {5495, 11082, 11154, 12246, 18780}
    assert not found & set(five)
    assert min(evidence.p_smaller for evidence in five.values()) == pytest.approx(
        smallest, abs=1e-3
    )
    for feature, evidence in five.items():
        assert evidence.tested == tested
        assert evidence.active[0] <= 2
        assert evidence.least_p <= 0.05 / tested
        verdict, _ = of_class(evidence)
        assert verdict.label == "ARTEFACT (of a test)", feature
        assert "flagged by the study's rule, but by neither deciding test" in verdict.sentence
        assert f"fires on {evidence.active[0]} failures" in verdict.sentence

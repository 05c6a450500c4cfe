"""The failure audit: outcomes, factors, correlates, confounds, baselines, causes, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, hstack

from faultlens.auditing.behaviour.kinds import counted_kinds
from faultlens.auditing.behaviour.rule_sensitivity import (
    failures_by_rule,
    failures_over_foil,
    scoring_table,
    scoring_warnings,
)
from faultlens.auditing.factors.derived import derived_factors
from faultlens.auditing.factors.levels import factor_table, left_out, prepared, trends
from faultlens.auditing.factors.selection import pair_table, select_levels
from faultlens.auditing.held_out.ladder import Scheme, build_ladder
from faultlens.auditing.replication.agreement import with_replication
from faultlens.auditing.replication.split_half import replicate
from faultlens.auditing.result import Ladder, PromptOutcome, Robustness, Rung
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.verdicts import conclusions
from faultlens.auditing.verdicts import rules as verdicts
from faultlens.auditing.verdicts.ledger import ledger
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.progress import SILENT, Progress
from faultlens.runs.checkpoint import Checkpoint
from faultlens.stats.cross_validation import REPEATS

if TYPE_CHECKING:  # it loads the model's libraries, which an audit of answers can do without
    from faultlens.auditing.interventions.causal_tests import CausalTests

ALPHA = 0.05


@dataclass(frozen=True)
class AuditConfig:
    """How an audit is carried out."""

    min_support: int = 5
    """Least number of prompts on which a feature must fire to be tested."""
    permutations: int = 10_000
    """Random outcome vectors behind the deciding tests."""
    seed: int = 0
    """Of the permutations, the folds and the random controls."""
    strata: tuple[str, ...] = ()
    """Factors to hold constant beside those that forward selection keeps."""
    folds: Scheme = "repeated"
    """Of the ladder: `repeated`, or the reference `study`'s one split."""
    baselines: bool = True
    """Whether the ladder is climbed."""
    tried: int = 3
    """Classes that are put to the test by intervening, the most certain first; 0: none are.

    Levels are swapped, causes searched for and suspects tried all the same.
    """
    searched: int = 1
    """Features that attribution names first, over all sites, which are put to the test as well.

    0: causes are not searched for, and nothing is attributed.
    """
    repeats: int = REPEATS
    """Of the ladder's five folds, under `repeated`."""
    suspects: tuple[str, ...] = ()
    """Features to be tried whatever the statistics say: `SITE/INDEX`, several joined by `+`."""


@dataclass(frozen=True)
class Observed:
    """What an audit concludes from: outcomes, what describes the prompts, and what was measured.

    Attributes:
        name: the task's.
        outcomes: one a prompt.
        rule: the name of the rule that decided them.
        factors: for each factor the level of every prompt; empty: they are derived.
        tables: by dictionary, rows = prompts; may be empty.
        ladder_inputs: gives the residual `[prompts, d]` and the random dictionary's activations,
            or None for either; called when the ladder is climbed.
        causal_tests: tests classes by intervening in the model; None: there is none.
    """

    name: str
    outcomes: Sequence[PromptOutcome]
    rule: str
    factors: Mapping[str, Sequence[str]]
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    ladder_inputs: Callable[[], tuple[np.ndarray | None, csr_matrix | None]] = lambda: (None, None)
    causal_tests: CausalTests | None = None


def audit_outcomes(
    observed: Observed,
    config: AuditConfig,
    progress: Progress = SILENT,
    kept: Checkpoint | None = None,
) -> Audit:
    """The argument, step by step, in the order in which it is to be read.

    Args:
        kept: finished stages of the same audit, interrupted before.
    """
    _check_config(config)
    outcomes, tables = observed.outcomes, observed.tables
    by_rule = failures_by_rule(outcomes, observed.rule)
    failed = by_rule[observed.rule]
    n, failures = len(failed), int(failed.sum())
    texts = [outcome.prompt for outcome in outcomes]

    brought = {name: [*map(str, levels)] for name, levels in observed.factors.items()}
    given = brought or derived_factors(texts)
    factors = prepared(given)
    scoring = scoring_table(by_rule, factors)
    selection = select_levels(factors, failed, ALPHA)

    verdict = verdicts.of_audit(n, failures)
    drawn = conclusions.Conclusions()
    baselines: dict[str, Rung] | None = None
    ladder: Ladder | None = None
    if verdict is None:
        drawn = conclusions.conclude(
            tables,
            by_rule,
            observed.rule,
            conclusions.Description(factors, selection, config.strata),
            alpha=ALPHA,
            min_support=config.min_support,
            permutations=config.permutations,
            seed=config.seed,
            causal_tests=observed.causal_tests,
            tried=config.tried,
            progress=progress,
        )
        if config.baselines:
            climbed = (kept or Checkpoint()).once(
                "ladder", _Climbed, lambda: _ladder(observed, given, failed, config, progress)
            )
            baselines, ladder = climbed.baselines, climbed.ladder
    audit = Audit(
        task=observed.name,
        n=n,
        failures=failures,
        rule=observed.rule,
        alpha=ALPHA,
        seed=config.seed,
        permutations=config.permutations,
        min_support=config.min_support,
        verdict=verdict,
        outcome_kinds=counted_kinds(outcome.kind for outcome in outcomes),
        scoring_sensitivity={rule: reading.accuracy for rule, reading in scoring.items()},
        factors=factor_table(factors, failed),
        sites=drawn.sites,
        claims=[]
        if verdict
        else ledger(
            drawn.suspect,
            drawn.tested,
            ALPHA,
            drawn.strata,
            baselines,
            ladder,
            drawn.causes.named,
            drawn.causes.untried,
        ),
        outcomes=list(outcomes),
        scoring=scoring,
        factors_derived=not observed.factors and bool(given),
        factors_left_out=left_out(given),
        selection=selection,
        pairs=pair_table(factors, failed, ALPHA),
        trends=trends(given, failed, config.seed),
        strata=drawn.strata,
        baselines=baselines,
        ladder=ladder,
        counterfactuals=drawn.causes.counterfactuals,
        attribution=dict(drawn.causes.attribution),
        untried=dict(drawn.causes.untried),
        named=list(drawn.causes.named),
        robustness=_robustness(tables, failed, config) if verdict is None and tables else None,
        warnings=[*scoring_warnings(by_rule, observed.rule), *_warnings(texts, outcomes)],
        failures_over_foil=failures_over_foil(outcomes),
        features=drawn.features,
    )
    return with_replication(audit)


@dataclass(frozen=True)
class _Climbed:
    """The ladder, as it is kept."""

    baselines: dict[str, Rung]
    ladder: Ladder


def _robustness(
    tables: Mapping[str, FeatureTable], failed: np.ndarray, config: AuditConfig
) -> Robustness:
    """What the two halves of one corpus say; other seeds are added where there are any."""
    readings, shrinkage = replicate(
        tables,
        failed,
        alpha=ALPHA,
        min_support=config.min_support,
        permutations=config.permutations,
        seed=config.seed,
    )
    return Robustness([], [], 0, readings, shrinkage, "no prompts from other seeds were run")


def _check_config(config: AuditConfig) -> None:
    if config.min_support < 1 or config.permutations < 1:
        raise UserError(
            f"min_support {config.min_support} and permutations {config.permutations}: expected at "
            "least 1 of each"
        )
    if config.tried < 0 or config.searched < 0:
        raise UserError(
            f"tried {config.tried} and searched {config.searched}: expected 0 or more of each"
        )
    if not 0 <= config.seed < 2**31:
        raise UserError(f"seed {config.seed}: expected 0 to {2**31 - 1}")


def _ladder(
    observed: Observed,
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    config: AuditConfig,
    progress: Progress,
) -> _Climbed:
    residual, random = observed.ladder_inputs()
    matrices = [table.matrix for table in observed.tables.values()]
    rungs, ladder = build_ladder(
        [outcome.prompt for outcome in observed.outcomes],
        factors,
        failed,
        residual=residual,
        random=random,
        features=csr_matrix(hstack(matrices, format="csr")) if matrices else None,
        scheme=config.folds,
        repeats=config.repeats,
        seed=config.seed,
        progress=progress,
    )
    return _Climbed(rungs, ladder)


def _warnings(texts: Sequence[str], outcomes: Sequence[PromptOutcome]) -> list[str]:
    """What a reader should know of the input, a sentence each."""
    found = []
    more = len(texts) - len(set(texts))
    if more:
        found.append(
            f"{more} of {len(texts)} prompts repeat another word for word: the tests take prompts "
            "as independent, and the ladder may train on what it is tested on; leave them out"
        )
    empty = sum(outcome.generated == "" for outcome in outcomes)
    if empty:
        found.append(f"{empty} of {len(texts)} continuations are empty")
    return found

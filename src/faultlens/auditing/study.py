"""The failure audit: every step, in the order of the argument. Only this file calls them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, hstack

from faultlens.auditing.behaviour.against_base import compare_with_base
from faultlens.auditing.behaviour.rule_sensitivity import (
    failures_by_rule,
    other_rules,
    scoring_table,
)
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.factors.findings import FactorFindings, find_factors
from faultlens.auditing.factors.groups import group_prompts
from faultlens.auditing.feature_tests.findings import FeatureFindings, find_features
from faultlens.auditing.feature_tests.strata import check_held, stratify
from faultlens.auditing.findings import Findings
from faultlens.auditing.from_answers import observe_answers
from faultlens.auditing.held_out.ladder import (
    MISSING,
    WITHOUT_DICTIONARIES,
    LadderFindings,
    build_ladder,
)
from faultlens.auditing.interventions.causal_findings import CausalFindings, not_tested
from faultlens.auditing.observed import Observed
from faultlens.auditing.replication.robustness import robustness_of
from faultlens.auditing.replication.seeds import (
    SeedComparison,
    SeedRun,
    compare_seeds,
    config_of_other_seed,
)
from faultlens.auditing.replication.split_half import replicate
from faultlens.auditing.replication.spread_seeds import others_audited
from faultlens.auditing.result import Verdict
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.conclusions import leading_class
from faultlens.auditing.spread import Spread
from faultlens.auditing.spread_stages import stages_elsewhere
from faultlens.auditing.verdicts.conclusions import conclude
from faultlens.auditing.verdicts.ledger import ledger
from faultlens.auditing.verdicts.rules import of_audit
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.progress import SILENT, Progress
from faultlens.runs.checkpoint import Checkpoint
from faultlens.runs.stages import Elsewhere, Stages

if TYPE_CHECKING:
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.features.recorder import Recorder
    from faultlens.models.model import Model


def audit_task(
    lens: Lens,
    task: Task,
    *,
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
    recorder: Recorder | None = None,
    kept: Checkpoint | None = None,
    base: Model | None = None,
    spread: Spread | None = None,
) -> Audit:
    """Run a task, and audit what goes with its failures.

    Args:
        lens: the model, and the dictionaries it is read through.
        task: the prompts.
        base: the model that it was tuned from, to be run on the same prompts.
        config: how to carry it out; None: as by default.
        progress: told of the stages.
        recorder: takes in what is read of the prompts.
        kept: finished stages of the same audit, interrupted before.
        spread: who makes the stages that need nothing of each other (see spread_stages.py); None:
            this process.

    Raises:
        UserError: an unknown rule or factor, a prompt that does not fit, features to test
            that there are not or that never fire.
    """
    # Both load the model's libraries.
    from faultlens.auditing.feature_directions import with_directions
    from faultlens.auditing.from_task import observe_task

    config, kept = config or AuditConfig(), kept or Checkpoint()
    with stages_elsewhere(task, config, spread) as elsewhere:
        observed = observe_task(
            lens, task, config, progress=progress, recorder=recorder, kept=kept, base=base
        )
        found = _findings(observed, config, progress, kept, elsewhere=elsewhere(observed))
    return with_directions(_audit(found, config), lens)


def audit_over_seeds(
    lens: Lens,
    tasks: Mapping[int, Task],
    *,
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
    recorder: Recorder | None = None,
    kept: Checkpoint | None = None,
    base: Model | None = None,
    spread: Spread | None = None,
) -> Audit:
    """Audit the first seed's prompts, and say which verdicts hold on those of the others.

    Args:
        tasks: by seed, the task with its prompts; at least two. The first is reported.
        recorder: takes in what is read of the first seed's prompts.
        base: is run on the first seed's prompts.
        spread: who audits the other seeds, while this process does the first; None: this process,
            one after the other.

    The other arguments are those of `audit_task`. On the other seeds what decides a class's verdict
    is done as on the first, and the ladder is climbed with two repeats. Features are tested by
    intervening only if they are of a significant class; what only describes is left out: levels
    held out, the outcomes of swapped levels, flips and other doses.

    Raises:
        UserError: fewer than two seeds; and what `audit_task` raises.
    """
    # Both load the model's libraries.
    from faultlens.auditing.feature_directions import with_directions
    from faultlens.auditing.from_task import observe_task

    if len(tasks) < 2:
        raise UserError(f"seeds {list(tasks)}: expected two or more, all different")
    config, kept = config or AuditConfig(), kept or Checkpoint()
    (first, its_task), *others = tasks.items()
    audit_other = partial(_of_other_seed, config=config, kept=kept)
    with others_audited(lens, others, audit_other, spread, progress) as other_runs:
        of_first = kept.within(f"seed-{first}")
        observed = observe_task(
            lens, its_task, config, progress=progress, kept=of_first, recorder=recorder, base=base
        )
        found = _findings(observed, config, progress, of_first)
        runs = [found.run(first, config.alpha), *other_runs()]
    return with_directions(_audit(found, config, compare_seeds(lens, runs)), lens)


def _of_other_seed(
    lens: Lens, seed: int, task: Task, config: AuditConfig, kept: Checkpoint,
    progress: Progress = SILENT,
) -> SeedRun:  # fmt: skip
    """The audit of another seed's prompts, with the same checkpoint whoever makes it."""
    from faultlens.auditing.from_task import observe_task

    own, of_seed = config_of_other_seed(config), kept.within(f"seed-{seed}")
    observed = observe_task(lens, task, own, progress=progress, recorder=None, kept=of_seed)
    found = _findings(observed, own, progress, of_seed, verdicts_alone=True)
    return found.run(seed, config.alpha)


def audit_answers(
    answers: Answers,
    tables: Mapping[str, FeatureTable] | None = None,
    residuals: Mapping[str, np.ndarray | csr_matrix] | None = None,
    *,
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
) -> Audit:
    """Audit outcomes that came with their answers; no model is run.

    Args:
        answers: prompts, what was generated, perhaps whether it is right.
        tables: by dictionary, one row a prompt, in the order of the prompts; may be left out.
        residuals: by layer, `[prompts, d]`, for the ladder; may be left out.
        config: how to carry it out; None: as by default.
        progress: told of the stages.

    Raises:
        UserError: rows that do not match, values that are not finite, an unknown rule or factor, a
            rule without continuations to apply it to.
    """
    config = config or AuditConfig()
    observed = observe_answers(answers, tables or {}, residuals or {}, config)
    return audit_observed(observed, config, progress)


def audit_answers_of(
    lens: Lens,
    answers: Answers,
    *,
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
    recorder: Recorder | None = None,
    kept: Checkpoint | None = None,
) -> Audit:
    """Audit outcomes that came with their answers, with the model that gave them.

    The prompts are read through it, and features are tested by intervening where it gives the
    answers again.

    Args:
        lens: the model, and the dictionaries it is read through.
        answers: prompts, what was generated, perhaps whether it is right.
        config: how to carry it out; None: as by default.
        progress: told of the stages.
        recorder: takes in what is read of the prompts.
        kept: finished stages of the same audit, interrupted before.

    Raises:
        UserError: a prompt that does not fit, an unknown rule or factor, a rule without
            continuations to apply it to, features to test where nothing can be tested.
    """
    from faultlens.auditing.feature_directions import with_directions
    from faultlens.auditing.from_model_and_answers import observe_answers_of

    config, kept = config or AuditConfig(), kept or Checkpoint()
    observed = observe_answers_of(
        lens, answers, config, progress=progress, recorder=recorder, kept=kept
    )
    return with_directions(audit_observed(observed, config, progress, kept), lens)


def audit_observed(
    observed: Observed,
    config: AuditConfig,
    progress: Progress = SILENT,
    kept: Checkpoint | None = None,
) -> Audit:
    """The audit of what was observed, whatever its source.

    Args:
        kept: finished stages of the same audit, interrupted before.

    Raises UserError for a factor to hold constant that there is not.
    """
    return _audit(_findings(observed, config, progress, kept or Checkpoint()), config)


def _findings(
    observed: Observed,
    config: AuditConfig,
    progress: Progress,
    kept: Checkpoint,
    verdicts_alone: bool = False,
    elsewhere: Elsewhere | None = None,
) -> Findings:
    """All steps on one set of prompts.

    Args:
        verdicts_alone: leave out what no verdict on a class depends on, the ladder excepted.
        elsewhere: who makes the stages that need nothing of each other; None: this process.
    """
    outcomes, tables = observed.outcomes, observed.tables
    by_rule = failures_by_rule(outcomes, observed.rule)
    failed = by_rule[observed.rule]
    alpha, seed = config.alpha, config.seed
    texts = [outcome.prompt for outcome in outcomes]
    grouping = group_prompts(texts, observed.factors, observed.groups, config.groups)
    blocks, parts = grouping.blocks, grouping.parts
    factors = find_factors(
        observed.factors, texts, failed, alpha=alpha, seed=seed, blocks=blocks, parts=parts
    )
    check_held(factors.levels, config.tests.strata)  # where there is nothing to test, too
    verdict = of_audit(len(failed), int(failed.sum()))
    strata = ladder = halves = None
    features = FeatureFindings()
    if verdict is None:
        strata = stratify(
            factors.held, failed, factors.selection, factors.pairs.factors(alpha),
            config.tests.strata, factors.within,
        )  # fmt: skip
        features = find_features(
            tables, failed, strata, factors.levels, other_rules(by_rule, observed.rule),
            config=config.tests, alpha=alpha, seed=seed, blocks=blocks, parts=parts,
            progress=progress,
        )  # fmt: skip
        if config.ladder.baselines:
            ladder = kept.once(
                "ladder",
                LadderFindings,
                lambda: _ladder(
                    observed,
                    factors,
                    failed,
                    blocks,
                    config,
                    not verdicts_alone,
                    Stages(kept, elsewhere, progress),
                ),
            )
    causes = _causes(
        observed, features, factors, blocks, config, verdict, verdicts_alone, elsewhere
    )
    if verdict is None and tables and not verdicts_alone:
        halves = replicate(
            tables, failed, config=config.tests, alpha=alpha, seed=seed, blocks=blocks, parts=parts
        )
    return Findings(
        observed=observed,
        by_rule=by_rule,
        verdict=verdict,
        grouping=grouping,
        scoring=scoring_table(by_rule, factors.levels),
        factors=factors,
        strata=strata,
        features=features,
        ladder=ladder,
        causes=causes,
        halves=halves,
        sites=conclude(
            features,
            causes.interventions,
            strata=None if strata is None else strata.record,
            alpha=alpha,
        ),
        against_base=None
        if observed.base is None
        else compare_with_base(observed.base, outcomes, factors.levels, seed=seed),
    )


def _ladder(
    observed: Observed,
    factors: FactorFindings,
    failed: np.ndarray,
    blocks: np.ndarray | None,
    config: AuditConfig,
    hold_out_levels: bool,
    stages: Stages,
) -> LadderFindings:
    residual, random = observed.ladder_inputs()
    matrices = [table.matrix for table in observed.tables.values()]
    return build_ladder(
        [outcome.prompt for outcome in observed.outcomes],
        factors.given,
        failed,
        residual=residual,
        random=random,
        features=csr_matrix(hstack(matrices, format="csr")) if matrices else None,
        missing=WITHOUT_DICTIONARIES if observed.no_dictionaries is not None else MISSING,
        config=config.ladder,
        seed=config.seed,
        blocks=blocks,
        hold_out_levels=hold_out_levels,
        stages=stages,
    )


def _causes(
    observed: Observed,
    features: FeatureFindings,
    factors: FactorFindings,
    blocks: np.ndarray | None,
    config: AuditConfig,
    verdict: Verdict | None,
    verdicts_alone: bool,
    elsewhere: Elsewhere | None,
) -> CausalFindings:
    """Steps 7 and 8, where there is a model to intervene in, and features to test."""
    tests, again = observed.causal_tests, observed.rescoring
    most = config.interventions.test_classes
    if tests is None:
        why = None if again is None else again.reason
        return CausalFindings() if why is None else not_tested(features.testable, most, why)
    if verdict is None and observed.no_dictionaries is not None:
        return tests.grouped(blocks).swaps_alone(factors.selection)
    if not features.tested:
        return CausalFindings(
            requested=tests.none_tested(None if verdict is None else str(verdict))
        )
    tests = replace(tests.grouped(blocks), elsewhere=elsewhere)
    if verdicts_alone:
        tests = tests.for_verdicts()
    return tests.run(features.testable, most, factors.selection)


def _audit(found: Findings, config: AuditConfig, seeds: SeedComparison | None = None) -> Audit:
    """The result; `seeds`: what the prompts of other seeds say of it."""
    strata = None if found.strata is None else found.strata.record
    robustness = robustness_of(found.halves, seeds)
    claims = []
    if found.verdict is None:
        claims = ledger(
            leading_class(found.sites),
            tested=found.features.tested,
            alpha=config.alpha,
            strata=strata,
            causes=found.causes,
            robustness=robustness,
            ladder=found.ladder,
        )
    return found.audit(config, claims, robustness)

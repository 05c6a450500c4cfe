"""The failure audit: outcomes, factors, correlates, confounds, baselines, causes, verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_matrix, hstack

from faultlens.audit import conclusions, verdicts
from faultlens.audit.baseline_inputs import residual_and_random
from faultlens.audit.causes import Inquiry
from faultlens.audit.derived import derived_factors
from faultlens.audit.factors import factor_table, left_out, prepared, trends
from faultlens.audit.ladder import Scheme, build_ladder
from faultlens.audit.ledger import ledger
from faultlens.audit.outcomes import GIVEN, KINDS, Rule, first_word, kind_of, resolve_rule
from faultlens.audit.result import Audit
from faultlens.audit.running import run_task, tokenize
from faultlens.audit.scoring import failures_by_rule, scoring_table
from faultlens.audit.selection import pair_table, select_levels
from faultlens.audit.steps import Ladder, PromptOutcome, Rung
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.matrix import as_matrix
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable
from faultlens.models.normalisation import UNSCALED
from faultlens.progress import SILENT, Progress
from faultlens.stats.cross_validation import REPEATS

ALPHA = 0.05
DEFAULT_RULE = "exact-word"


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
    """Classes that are put to the test by intervening, the most certain first."""
    repeats: int = REPEATS
    """Of the ladder's five folds, under `repeated`."""


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
        inquiry: tries classes with the model; None: there is none.
    """

    name: str
    outcomes: Sequence[PromptOutcome]
    rule: str
    factors: Mapping[str, Sequence[str]]
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    ladder_inputs: Callable[[], tuple[np.ndarray | None, csr_matrix | None]] = lambda: (None, None)
    inquiry: Inquiry | None = None


def audit_task(
    lens: Lens,
    task: Task,
    *,
    rule: str | Rule = DEFAULT_RULE,
    pooling: str = "max",
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
    store: ActivationStore | None = None,
) -> Audit:
    """Run a task, and audit what goes with its failures.

    Args:
        lens: the model, and the dictionaries it is read through.
        task: the prompts.
        rule: what counts as success: a pre-listed name, or a function `(generated, target)`.
        pooling: how a prompt's token activations become one number.
        config: how to carry it out; None: as by default.
        progress: told of the stages.
        store: takes in the prompts' token-level activations.

    Raises:
        UserError: an unknown rule or pooling, or a prompt that does not fit.
    """
    config = config or AuditConfig()
    rule_name, succeeds = resolve_rule(rule)
    _check(lens, task, rule_name)
    tokens = tokenize(task, lens.model)
    outcomes = run_task(lens, task, tokens, succeeds, progress.start("Running the task", len(task)))
    texts = [prompt.text for prompt in task.prompts]
    tables = lens.read(
        texts, pooling, progress=progress.start("Reading the prompts", len(texts)), store=store
    )

    def answered(ids: list[int], index: int) -> bool:
        return succeeds(lens.model.tokenizer.decode(ids), task.prompts[index].target)

    observed = Observed(
        task.name,
        outcomes,
        rule_name,
        task.factors,
        tables,
        lambda: residual_and_random(lens, tokens, pooling, config.seed, progress),
        None,
    )
    return audit_outcomes(observed, config, progress)


def audit_answers(
    answers: Answers,
    tables: Mapping[str, FeatureTable] | None = None,
    residuals: Mapping[str, np.ndarray | csr_matrix] | None = None,
    *,
    rule: str | Rule | None = None,
    config: AuditConfig | None = None,
    progress: Progress = SILENT,
) -> Audit:
    """Audit outcomes that came with their answers; no model is run.

    Args:
        answers: prompts, what was generated, perhaps whether it is right.
        tables: by dictionary, one row a prompt, in the order of the prompts; may be left out.
        residuals: by layer, `[prompts, d]`, for the ladder; may be left out.
        rule: what counts as success; None: what the answers say, else `exact-word`.
        config: how to carry it out; None: as by default.
        progress: told of the stages.

    Raises:
        UserError: rows that do not match, values that are not finite, an unknown rule, a rule
            without continuations to apply it to.
    """
    tables = {name: _checked(name, table) for name, table in (tables or {}).items()}
    matrices = {
        name: as_matrix(f"the residual matrix {name}", matrix)
        for name, matrix in (residuals or {}).items()
    }
    sizes = {f"table {name}": table.n_texts for name, table in tables.items()}
    sizes |= {f"the residual matrix {n}": m.shape[0] for n, m in matrices.items()}
    for name, rows in sizes.items():
        if rows != len(answers):
            raise UserError(f"{name} has {rows} rows, but there are {len(answers)} prompts")
    rule_name, outcomes = _score(answers, rule)
    dense = [m.toarray() if isinstance(m, csr_matrix) else m for m in matrices.values()]
    residual = np.hstack(dense) if dense else None
    observed = Observed(
        answers.task.name,
        outcomes,
        rule_name,
        answers.task.factors,
        tables,
        lambda: (residual, None),
    )
    return audit_outcomes(observed, config or AuditConfig(), progress)


def _checked(name: str, table: FeatureTable) -> FeatureTable:
    """A table that was brought, as CSR. Raises UserError for values that no feature has."""
    matrix = csr_matrix(as_matrix(f"table {name}", table.matrix))
    if (matrix.data < 0).any():
        raise UserError(f"table {name} holds negative values: expected activations, which are >= 0")
    return replace(table, matrix=matrix)


def _score(answers: Answers, rule: str | Rule | None) -> tuple[str, list[PromptOutcome]]:
    """The outcomes of answers, and the name of the rule that decided them."""
    prompts = answers.task.prompts
    if rule is None and answers.success is not None:
        name, right = GIVEN, [bool(success) for success in answers.success]
    else:
        name, succeeds = resolve_rule(DEFAULT_RULE if rule is None else rule)
        if None in answers.generated:
            place = answers.generated.index(None) + 1
            raise UserError(
                f"prompt {place} has no 'generated', which the rule {name} needs: leave the rule "
                "out to take 'success' as it is"
            )
        _check_targets(answers.task, name)
        pairs = zip(answers.generated, prompts, strict=True)
        right = [bool(succeeds(text or "", prompt.target)) for text, prompt in pairs]
    return name, [
        PromptOutcome(p.text, p.target, text, ok, kind_of(p.text, text, p.target, p.foil, ok), None)
        for p, text, ok in zip(prompts, answers.generated, right, strict=True)
    ]


def _check(lens: Lens, task: Task, rule: str) -> None:
    """Raises UserError for what can be known to fail before the model runs."""
    for dictionary in lens.dictionaries:
        if not dictionary.convention.prepend_bos:
            raise UserError(
                f"dictionary {dictionary.name} was trained without BOS, which an audit does not "
                "support yet: choose other dictionaries"
            )
        if dictionary.target != dictionary.site or dictionary.normalisation is not UNSCALED:
            # Its directions are not W_dec in the site's units: see Dictionary.raised.
            kind = "a transcoder" if dictionary.target != dictionary.site else "normalised by token"
            raise UserError(
                f"dictionary {dictionary.name} is {kind}, on which an audit cannot intervene yet: "
                "choose other dictionaries"
            )
    _check_targets(task, rule)


def _check_targets(task: Task, rule: str) -> None:
    """Raises UserError for a target that the rule cannot find in any answer."""
    for number, prompt in enumerate(task.prompts, start=1):
        if rule == DEFAULT_RULE and first_word(prompt.target) != prompt.target:
            several = len(prompt.target.split()) > 1
            raise UserError(
                f"task {task.name}: the target of prompt {number}, {prompt.target!r}, is "
                f"{'more than one word' if several else 'not a word free of .,!?;: and spaces'}, "
                "which the rule exact-word never finds: choose --rule first-token"
            )


def audit_outcomes(observed: Observed, config: AuditConfig, progress: Progress = SILENT) -> Audit:
    """The argument, step by step, in the order in which it is to be read."""
    _check_config(config)
    outcomes, tables = observed.outcomes, observed.tables
    by_rule = failures_by_rule(outcomes, observed.rule)
    failed = by_rule[observed.rule]
    n, failures = len(failed), int(failed.sum())
    kinds = Counter(outcome.kind for outcome in outcomes)
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
            inquiry=observed.inquiry,
            tried=config.tried,
            progress=progress,
        )
        if config.baselines:
            baselines, ladder = _ladder(observed, given, failed, config, progress)
    return Audit(
        task=observed.name,
        n=n,
        failures=failures,
        rule=observed.rule,
        alpha=ALPHA,
        seed=config.seed,
        permutations=config.permutations,
        min_support=config.min_support,
        verdict=verdict,
        outcome_kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        scoring_sensitivity={rule: reading.accuracy for rule, reading in scoring.items()},
        factors=factor_table(factors, failed),
        sites=drawn.sites,
        claims=[]
        if verdict
        else ledger(drawn.suspect, drawn.tested, ALPHA, drawn.strata, baselines, ladder),
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
        warnings=_warnings(texts, outcomes),
        features=drawn.features,
    )


def _check_config(config: AuditConfig) -> None:
    if config.min_support < 1 or config.permutations < 1:
        raise UserError(
            f"min_support {config.min_support} and permutations {config.permutations}: expected at "
            "least 1 of each"
        )
    if not 0 <= config.seed < 2**31:
        raise UserError(f"seed {config.seed}: expected 0 to {2**31 - 1}")


def _ladder(
    observed: Observed,
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    config: AuditConfig,
    progress: Progress,
) -> tuple[dict[str, Rung], Ladder]:
    residual, random = observed.ladder_inputs()
    matrices = [table.matrix for table in observed.tables.values()]
    return build_ladder(
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

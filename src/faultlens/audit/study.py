"""The failure audit: outcomes, factors, correlates, an intervention, verdicts, in this order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from faultlens.audit import verdicts
from faultlens.audit.correlates import Correlates, correlate, nearest_level, significant_classes
from faultlens.audit.factors import factor_table
from faultlens.audit.interventions import CONTROLS, necessity
from faultlens.audit.outcomes import KINDS, RULES
from faultlens.audit.result import (
    Audit,
    Claim,
    ClassReading,
    Intervention,
    PromptOutcome,
    SiteAudit,
)
from faultlens.audit.running import run_task, tokenize
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable
from faultlens.models.normalisation import UNSCALED
from faultlens.progress import SILENT, Progress
from faultlens.stats.fisher import least_attainable

ALPHA = 0.05

Intervene = Callable[[str, Sequence[int], np.ndarray, np.ndarray], Intervention | None]
"""Tests a class: `(site's name, feature indices, failed, fires) -> measurement`."""


def audit_task(
    lens: Lens,
    task: Task,
    *,
    rule: str = "exact-word",
    pooling: str = "max",
    min_support: int = 5,
    permutations: int = 10_000,
    seed: int = 0,
    progress: Progress = SILENT,
    store: ActivationStore | None = None,
) -> Audit:
    """Run a task, and audit what goes with its failures.

    Args:
        lens: the model, and the dictionaries it is read through.
        task: the prompts.
        rule: what counts as success, one of `faultlens.audit.outcomes.RULES`.
        pooling: how a prompt's token activations become one number.
        min_support: least number of prompts on which a feature must fire to be tested.
        permutations: of the outcome, behind min-P and max-T.
        seed: of the permutations and the random controls.
        progress: told of the stages.
        store: takes in the prompts' token-level activations.

    Raises:
        UserError: an unknown rule or pooling, or a prompt that does not fit.
    """
    _check(lens, task, rule)
    tokens = tokenize(task, lens.model)
    outcomes = run_task(lens, task, tokens, rule, progress.start("Running the task", len(task)))
    texts = [prompt.text for prompt in task.prompts]
    tables = lens.read(
        texts, pooling, progress=progress.start("Reading the prompts", len(texts)), store=store
    )

    def succeeds(ids: list[int], index: int) -> bool:
        return RULES[rule](lens.model.tokenizer.decode(ids), task.prompts[index].target)

    def intervene(
        name: str, features: Sequence[int], failed: np.ndarray, fires: np.ndarray
    ) -> Intervention | None:
        tick = progress.start("Ablating the suspect", CONTROLS)
        return necessity(
            lens.model, lens[name], features, tokens, failed, fires, ALPHA, seed, succeeds, tick
        )

    return audit_outcomes(
        task.name,
        outcomes,
        task.factors,
        tables,
        rule=rule,
        min_support=min_support,
        permutations=permutations,
        seed=seed,
        intervene=intervene,
    )


def _check(lens: Lens, task: Task, rule: str) -> None:
    """Raises UserError for what can be known to fail before the model runs."""
    if rule not in RULES:
        raise UserError(f"unknown outcome rule {rule!r}: expected one of {', '.join(RULES)}")
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
    for number, prompt in enumerate(task.prompts, start=1):
        if rule == "exact-word" and len(prompt.target.split()) > 1:
            raise UserError(
                f"task {task.name}: the target of prompt {number}, {prompt.target!r}, is more than "
                "one word, which the rule exact-word never finds: choose --rule first-token"
            )


def audit_outcomes(
    name: str,
    outcomes: Sequence[PromptOutcome],
    factors: Mapping[str, Sequence[str]],
    tables: Mapping[str, FeatureTable],
    *,
    rule: str,
    min_support: int,
    permutations: int,
    seed: int,
    intervene: Intervene | None = None,
) -> Audit:
    """Audit outcomes that are there, with or without a way to intervene."""
    failed = np.array([not outcome.success for outcome in outcomes])
    n, failures = len(failed), int(failed.sum())
    kinds = Counter(outcome.kind for outcome in outcomes)
    verdict = verdicts.of_audit(n, failures)
    sites: dict[str, SiteAudit] = {}
    claims: list[Claim] = []
    if verdict is None:
        found = correlate(
            tables, failed, min_support=min_support, permutations=permutations, seed=seed
        )
        sites, claims = _conclude(found, tables, factors, failed, intervene)
    return Audit(
        task=name,
        n=n,
        failures=failures,
        rule=rule,
        alpha=ALPHA,
        seed=seed,
        permutations=permutations,
        min_support=min_support,
        verdict=verdict,
        outcome_kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        scoring_sensitivity={
            other: sum(succeeds(o.generated, o.target) for o in outcomes) / n
            for other, succeeds in RULES.items()
        },
        factors=factor_table(factors, failed),
        sites=sites,
        claims=claims,
        outcomes=list(outcomes),
    )


def _conclude(
    found: Correlates,
    tables: Mapping[str, FeatureTable],
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    intervene: Intervene | None,
) -> tuple[dict[str, SiteAudit], list[Claim]]:
    """Classes, their verdicts and the ledger; the suspect is put to the test.

    The suspect is the most certain class that goes with failure (see `Audit.suspect`).
    """
    tested = len(found.column)
    groups = significant_classes(found, ALPHA)
    if not groups and tested:  # nothing is significant: say so of the strongest feature
        groups = [found.rank(np.arange(tested))[:1]]
    classes: dict[str, list[ClassReading]] = {name: [] for name in tables}
    claims: list[Claim] = []
    with_failure = [i for i, members in enumerate(groups) if found.auroc[members[0]] > 0.5]
    suspect = next(iter([*with_failure, 0]))
    for rank, members in enumerate(groups):
        name = found.sites[found.site[members[0]]]
        intervention = None
        if rank == suspect and intervene is not None and found.decisive[members[0]] <= ALPHA:
            fires = np.asarray((found.values[:, members] > 0).sum(axis=1)).ravel() > 0
            intervention = intervene(name, found.column[members].tolist(), failed, fires)
        reading = _class_reading(found, tables[name], members, rank, factors, failed, intervention)
        classes[name].append(reading)
        if rank == suspect:
            claims = verdicts.ledger(reading, tested, ALPHA)
    sites = {
        name: _site_audit(found, index, table, classes[name])
        for index, (name, table) in enumerate(tables.items())
    }
    return sites, claims


def _class_reading(
    found: Correlates,
    table: FeatureTable,
    members: np.ndarray,
    rank: int,
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    intervention: Intervention | None,
) -> ClassReading:
    """A class by its strongest member: counts, effects, p-values, what it copies, the verdict."""
    top = int(members[0])
    counts = int(found.fail_active[top]), int(found.success_active[top])
    proxy = nearest_level(found.values[:, [top]].toarray().ravel() > 0, factors)
    p_deciding = float(found.decisive[top])
    least = least_attainable(np.array([sum(counts)]), int(failed.sum()), len(failed))
    verdict, sentence = verdicts.of_class(
        p_deciding=p_deciding,
        least_p=float(least[0]),
        tested=len(found.column),
        alpha=ALPHA,
        active=counts,
        proxy=proxy,
        intervention=intervention,
    )
    d = float(found.cohens_d[top])
    return ClassReading(
        rank=rank,
        features=[table.feature(int(found.column[i])) for i in members],
        size=len(members),
        fail_active=counts[0],
        success_active=counts[1],
        cohens_d=d if np.isfinite(d) else None,
        auroc=float(found.auroc[top]),
        p_fisher=float(found.p_fisher[top]),
        p_holm=float(found.p_holm[top]),
        p_min_p=float(found.p_min_p[top]),
        p_max_t=float(found.p_max_t[top]),
        p_deciding=p_deciding,
        p_conditional=None,
        proxy=proxy,
        intervention=intervention,
        verdict=verdict,
        sentence=sentence,
    )


def _site_audit(
    found: Correlates, index: int, table: FeatureTable, classes: list[ClassReading]
) -> SiteAudit:
    here = found.site == index
    tests = {
        "min_p": found.p_min_p,
        "max_t": found.p_max_t,
        "holm": found.p_holm,
        "bh": found.p_bh,
    }
    return SiteAudit(
        layer=table.layer,
        d_sae=table.d_sae,
        tested=int(here.sum()),
        significant={name: int((p[here] <= ALPHA).sum()) for name, p in tests.items()},
        convention=table.convention,
        classes=classes,
    )

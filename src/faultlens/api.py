"""The verbs a user starts from: `load`, `profile`, `audit`. Imports nothing heavy until called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from faultlens.errors import UserError
from faultlens.progress import SILENT, Progress

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

    from faultlens.audit.outcomes import Rule
    from faultlens.audit.result import Audit
    from faultlens.corpus.answers import Answers
    from faultlens.corpus.task import Task
    from faultlens.corpus.texts import Corpus
    from faultlens.features.lens import Lens
    from faultlens.features.table import FeatureTable
    from faultlens.profile.result import Profile


def load(
    model: str,
    sae: str | None = None,
    layers: Sequence[int] | None = None,
    sites: Sequence[str] | None = None,
) -> Lens:
    """Load a model and the dictionaries it is read through.

    Args:
        model: `"mini"` (bundled), a Hugging Face folder, or a hub name in the local cache.
        sae: `"mini"`, or a folder in SAELens's format; may be left out for `"mini"`.
        layers: keep the dictionaries at these layers; None keeps all.
        sites: keep those at these points, e.g. `["resid_pre"]`, or `["all"]`; None keeps
            `resid_pre` where the set has any, otherwise all.

    Raises:
        UserError: no such model or dictionaries, or they do not fit together.

    >>> import faultlens as fl
    >>> lens = fl.load("mini", layers=[3])
    >>> lens.read(["Mary gave the keys to Tom."])["3-res-mini"].matrix.shape
    (1, 1536)
    """
    from faultlens.features.lens import Lens
    from faultlens.models.load import BUNDLED, load_dictionaries, load_model

    if sae is None:
        if model != BUNDLED:
            raise UserError(f"model {model!r} needs dictionaries: name them with sae (--sae)")
        sae = BUNDLED
    loaded = load_model(model)
    return Lens(loaded, tuple(load_dictionaries(sae, loaded, layers, sites)))


def profile(
    source: Lens | Mapping[str, FeatureTable],
    corpus: Corpus,
    *,
    pooling: str = "max",
    threshold: float | None = None,
    top_k: int = 5,
    permutations: int = 10_000,
    seed: int = 0,
    long: Literal["error", "split", "truncate"] = "error",
    progress: Progress = SILENT,
) -> Profile:
    """Which features go with which kind of text, and which of them beat chance.

    Args:
        source: a lens to read the corpus through, or tables of it that you brought.
        corpus: texts with a category each.
        pooling: `max`, `mean`, `sum`, `last` or `last-K`; without effect on tables.
        threshold: τ of the specialist score, in activation units; None takes each site's 99.5th
            percentile of the positive pooled values.
        top_k: how many per-category maxima make the top-k sum, share and Gini, and the shortlist.
        permutations: random labellings behind each p-value.
        seed: of the random labellings.
        long: what to do with a text longer than the context.
        progress: told of the stages.

    Raises:
        UserError: a text that cannot be read, tables that do not fit the corpus.
    """
    from faultlens.features.lens import Lens
    from faultlens.profile.study import profile_tables

    tables = (
        source.read(corpus.texts, pooling, long, progress.start("Reading texts", len(corpus)))
        if isinstance(source, Lens)
        else source
    )
    return profile_tables(
        tables,
        corpus,
        threshold=threshold,
        top_k=top_k,
        permutations=permutations,
        seed=seed,
        progress=progress,
    )


def audit(
    source: Lens | Mapping[str, FeatureTable] | None,
    task: Task | Answers,
    *,
    residuals: Mapping[str, np.ndarray | csr_matrix] | None = None,
    rule: str | Rule | None = None,
    pooling: str = "max",
    min_support: int = 5,
    permutations: int = 10_000,
    strata: Sequence[str] = (),
    folds: Literal["repeated", "study"] = "repeated",
    baselines: bool = True,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Audit:
    """Which features go with failure on a task, and whether they matter.

    Args:
        source: a lens: a `Task` is run, the prompts of `Answers` are only read through it. Or
            tables of the prompts of `Answers` that you brought, by dictionary; None: no features.
        task: prompts with targets, foils and factors, e.g. `fl.tasks.ioi(n=300, seed=42)`; or
            answers that are there, e.g. `fl.read_answers("outcomes.jsonl")`.
        residuals: for `Answers`, by layer `[prompts, d]`: a rung of the baseline ladder.
        rule: what counts as success: `exact-word`, `first-token`, `named-later`, `contains`, or a
            function `(generated, target) -> bool`. None: what the answers say, else `exact-word`.
        pooling: how a prompt's token activations become one number; without effect on tables.
        min_support: least number of prompts on which a feature must fire to be tested.
        permutations: of the outcome, behind the deciding tests.
        strata: factors to hold constant beside those that forward selection keeps.
        folds: of the ladder: `repeated` (10 × 5, tuned inside), or the reference `study`'s.
        baselines: whether to climb the ladder, which takes most of the time.
        seed: of the permutations, the folds and the random controls.
        progress: told of the stages.

    Raises:
        UserError: an unknown rule, pooling or factor, a prompt that does not fit the context, rows
            that do not match, values that are not finite.
    """
    from faultlens.audit.study import DEFAULT_RULE, AuditConfig, audit_answers, audit_task
    from faultlens.corpus.answers import Answers
    from faultlens.features.lens import Lens

    config = AuditConfig(min_support, permutations, seed, tuple(strata), folds, baselines)
    if isinstance(task, Answers):
        tables: Mapping[str, FeatureTable] | None
        if isinstance(source, Lens):
            texts = [prompt.text for prompt in task.task.prompts]
            tick = progress.start("Reading the prompts", len(texts))
            tables = source.read(texts, pooling, progress=tick)
        else:
            tables = source
        return audit_answers(task, tables, residuals, rule=rule, config=config, progress=progress)
    if residuals:
        raise UserError("residuals go with answers: a task that is run is read by itself")
    if not isinstance(source, Lens):
        raise UserError(
            "a task is run by a model: give a lens (fl.load), or answers that are there"
        )
    return audit_task(
        source, task, rule=rule or DEFAULT_RULE, pooling=pooling, config=config, progress=progress
    )

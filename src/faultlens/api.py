"""The verbs a user starts from: `load`, `profile`, `audit`. Imports nothing heavy until called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from faultlens.errors import UserError
from faultlens.progress import SILENT, Progress

if TYPE_CHECKING:
    import numpy as np
    from plotly.graph_objects import Figure
    from scipy.sparse import csr_matrix

    from faultlens.auditing.behaviour.outcomes import Rule
    from faultlens.auditing.result.audit import Audit
    from faultlens.corpus.answers import Answers
    from faultlens.corpus.pairs import PairSet
    from faultlens.corpus.task import Task
    from faultlens.corpus.texts import Corpus
    from faultlens.features.lens import Lens
    from faultlens.features.table import FeatureTable
    from faultlens.profiling.result import Profile

NOT_CHECKED = "the fit check was left out: whether the dictionaries fit the model is not known"
"""What a result's warnings say where `fit_check=False` was asked for."""


def load(
    model: str,
    sae: str | None = None,
    layers: Sequence[int] | None = None,
    sites: Sequence[str] | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    revision: str | None = None,
    release: str | None = None,
    convention: Sequence[str] = (),
    trust_pickle: bool = False,
) -> Lens:
    """Load a model and the dictionaries it is read through.

    Args:
        model: `"mini"` (bundled), a Hugging Face folder, or a hub name.
        sae: `"mini"`; a release of SAELens's registry (`"gpt2-small-res-jb"`) or one of its
            dictionaries (`"RELEASE/SAE_ID"`); or a folder in SAELens's format. May be left out for
            `"mini"`.
        layers: keep the dictionaries at these layers; None keeps all.
        sites: keep those at these points, e.g. `["resid_pre"]`, or `["all"]`; None keeps
            `resid_pre` where the set has any, otherwise all.
        device: where to run the model, e.g. `"cuda"`.
        dtype: what to run it in: `"float32"`, `"bfloat16"` or `"float16"`. Dictionaries always
            encode in float32.
        revision: branch, tag or commit of a hub model.
        release: of a folder of dictionaries, the release that its weights are from.
        convention: settings to put in force whatever the dictionaries' files say: `centred`, `raw`,
            `bos`, `no-bos`, `folded`, `unfolded`, `layer_norm`, `constant_norm_rescale`,
            `unnormalised`, `factor=NUMBER`, `decoder-norm`, `no-decoder-norm`, `before-gain`,
            `after-gain`.
        trust_pickle: also load pickled weights, which can run code as they load.

    Raises:
        UserError: no such model or dictionaries, or they do not fit together.

    >>> import faultlens as fl
    >>> lens = fl.load("mini", layers=[3])
    >>> lens.read(["Mary gave the keys to Tom."])["3-res-mini"].matrix.shape
    (1, 1536)
    """
    from faultlens.features.lens import Lens
    from faultlens.models.convention import put_in_force
    from faultlens.models.dictionaries import load_dictionaries
    from faultlens.models.load import BUNDLED, load_model

    if sae is None:
        if model != BUNDLED:
            raise UserError(f"model {model!r} needs dictionaries: name them with sae (--sae)")
        sae = BUNDLED
    loaded = load_model(model, device, dtype, revision, trust_pickle)
    found = load_dictionaries(sae, loaded, layers, sites, release, trust_pickle)
    return Lens(loaded, tuple(put_in_force(dictionary, convention) for dictionary in found))


def profile(
    source: Lens | Mapping[str, FeatureTable],
    corpus: Corpus,
    *,
    pooling: str = "max",
    threshold: float | None = None,
    top_k: int = 5,
    permutations: int = 10_000,
    seed: int = 0,
    length_strata: int | None = None,
    pairs: PairSet | None = None,
    multiverse: bool = False,
    long: Literal["error", "split", "truncate"] = "error",
    fit_check: bool = True,
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
        length_strata: shuffle labels only among texts of like length, in so many strata.
        pairs: minimal pairs to tell meaning from surface by, e.g. `fl.minimal_pairs()`; needs a
            lens.
        multiverse: run the method study, every claim under every combination of choices; needs a
            lens.
        long: what to do with a text longer than the context.
        fit_check: check first that the lens's dictionaries fit its model; that it was left out is
            said in the result's warnings. Without effect on tables.
        progress: told of the stages.

    Raises:
        UserError: a text that cannot be read, tables that do not fit the corpus, something asked of
            tables that needs a model, or a dictionary that does not fit its model.
    """
    from faultlens.features.lens import Lens

    if isinstance(source, Lens):
        from faultlens.profiling.running import profile_lens

        source = source.checked(progress) if fit_check else source.unchecked()
        found = profile_lens(
            source,
            corpus,
            pooling=pooling,
            threshold=threshold,
            top_k=top_k,
            permutations=permutations,
            seed=seed,
            length_strata=length_strata,
            pairs=pairs,
            multiverse=multiverse,
            long=long,
            progress=progress,
        ).profile
        return found if fit_check else replace(found, warnings=[*found.warnings, NOT_CHECKED])
    if pairs is not None or multiverse:
        raise UserError(
            f"{'minimal pairs need' if pairs is not None else 'the method study needs'} a model to "
            "read texts with, and tables hold none: give a lens (--model) in their place"
        )
    from faultlens.profiling.study import profile_tables

    return profile_tables(
        source,
        corpus,
        threshold=threshold,
        top_k=top_k,
        permutations=permutations,
        seed=seed,
        length_strata=length_strata,
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
    tried: int = 3,
    searched: int = 1,
    suspects: Sequence[str] = (),
    seed: int = 0,
    fit_check: bool = True,
    progress: Progress = SILENT,
) -> Audit:
    """Which features go with failure on a task, and whether they matter.

    Args:
        source: a lens: a `Task` is run, the prompts of `Answers` are only read through it. Or
            tables of the prompts of `Answers` that you brought, by dictionary; None: no features.
        task: prompts with targets, foils and factors, e.g. `fl.tasks.ioi(n=300, seed=42)`; or
            answers that are there, e.g. `fl.read_answers("outcomes.jsonl")`.
        residuals: for `Answers`, by layer `[prompts, d]`: a rung of the baseline ladder.
        rule: what counts as success: by what is generated `exact-word`, `first-token`,
            `named-later`, `contains`, or a function `(generated, target) -> bool`; by the logits
            `target-over-foil` or `target-likeliest`. None: what the answers say, else the task's
            own rule, else `exact-word`.
        pooling: how a prompt's token activations become one number; without effect on tables.
        min_support: least number of prompts on which a feature must fire to be tested.
        permutations: of the outcome, behind the deciding tests.
        strata: factors to hold constant beside those that forward selection keeps.
        folds: of the ladder: `repeated` (10 × 5, tuned inside), or the reference `study`'s.
        baselines: whether to climb the ladder, which takes most of the time.
        tried: classes that are put to the test by intervening, the most certain first; a task that
            is run only.
        searched: features that attribution names first, over all sites, which are put to the test
            as classes are; 0: nothing is attributed. A task that is run only.
        suspects: features to put to the test as well, whatever the statistics say of them, e.g.
            `["3-res-mini/808", "4-res-mini/808+4-res-mini/1164"]`; those joined by `+` are changed
            together. A task that is run only.
        seed: of the permutations, the folds and the random controls.
        fit_check: check first that a lens's dictionaries fit its model; that it was left out is
            said in the result's warnings. Without effect on tables.
        progress: told of the stages.

    Raises:
        UserError: an unknown rule, pooling or factor, a suspect that is not there or never fires, a
            prompt that does not fit the context, a
            dictionary that does not fit its model, rows that do not match, values that are not
            finite.
    """
    from faultlens.auditing.from_answers import audit_answers
    from faultlens.auditing.from_task import audit_task
    from faultlens.auditing.study import AuditConfig
    from faultlens.corpus.answers import Answers
    from faultlens.features.lens import Lens

    if isinstance(suspects, str):
        raise UserError(f"suspects {suspects!r}: expected a list of them, e.g. [{suspects!r}]")
    config = AuditConfig(
        min_support,
        permutations,
        seed,
        tuple(strata),
        folds,
        baselines,
        tried=tried,
        searched=searched,
        suspects=tuple(suspects),
    )
    if isinstance(source, Lens):
        source = source.checked(progress) if fit_check else source.unchecked()
    if isinstance(task, Answers):
        if suspects:
            raise UserError("suspects are tried by a model: give a task that is run, not answers")
        tables: Mapping[str, FeatureTable] | None
        if isinstance(source, Lens):
            texts = [prompt.text for prompt in task.task.prompts]
            tick = progress.start("Reading the prompts", len(texts))
            tables = source.read(texts, pooling, progress=tick)
        else:
            tables = source
        found = audit_answers(task, tables, residuals, rule=rule, config=config, progress=progress)
    elif residuals:
        raise UserError("residuals go with answers: a task that is run is read by itself")
    elif isinstance(source, Lens):
        found = audit_task(
            source,
            task,
            rule=rule,
            pooling=pooling,
            config=config,
            progress=progress,
        )
    else:
        raise UserError(
            "a task is run by a model: give a lens (fl.load), or answers that are there"
        )
    if fit_check or not isinstance(source, Lens):
        return found
    return replace(found, warnings=[*found.warnings, NOT_CHECKED])


def figures(result: Profile) -> dict[str, Figure]:
    """A profile's figures as plotly objects, by name: `fl.figures(profile)["specialists"]`.

    Those of what was not done (minimal pairs, the method study, lines over layers) are left out.
    """
    from faultlens.report.figures.plots import profile_figures

    return profile_figures(result)

"""The verbs a user starts from: `load`, `profile`, `audit`. Imports nothing heavy until called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from faultlens.errors import UserError
from faultlens.progress import SILENT, Progress

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from faultlens.audit.result import Audit
    from faultlens.corpus.pairs import PairSet
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
            `bos`, `no-bos`, `folded`, `unfolded`, `factor=NUMBER`.
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
            recorded in the result. Without effect on tables.
        progress: told of the stages.

    Raises:
        UserError: a text that cannot be read, tables that do not fit the corpus, something asked of
            tables that needs a model, or a dictionary that does not fit its model.
    """
    from faultlens.features.lens import Lens

    if isinstance(source, Lens):
        from faultlens.profile.running import profile_lens

        source = source.checked(progress) if fit_check else source.unchecked()
        return profile_lens(
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
    if pairs is not None or multiverse:
        raise UserError(
            f"{'minimal pairs need' if pairs is not None else 'the method study needs'} a model to "
            "read texts with, and tables hold none: give a lens (--model) in their place"
        )
    from faultlens.profile.study import profile_tables

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
    lens: Lens,
    task: Task,
    *,
    rule: str = "exact-word",
    pooling: str = "max",
    min_support: int = 5,
    permutations: int = 10_000,
    seed: int = 0,
    fit_check: bool = True,
    progress: Progress = SILENT,
) -> Audit:
    """Which features go with failure on a task, and whether they matter.

    Args:
        lens: a model and the dictionaries it is read through.
        task: prompts with targets, foils and factors, e.g. `fl.tasks.ioi(n=300, seed=42)`.
        rule: what counts as success: `exact-word`, `first-token` or `named-later`.
        pooling: how a prompt's token activations become one number.
        min_support: least number of prompts on which a feature must fire to be tested.
        permutations: of the outcome, behind the deciding tests.
        seed: of the permutations and of the random controls.
        fit_check: check first that the lens's dictionaries fit its model; that it was left out is
            recorded in the result.
        progress: told of the stages.

    Raises:
        UserError: an unknown rule or pooling, a prompt that does not fit the context, a dictionary
            that does not fit its model.
    """
    from faultlens.audit.study import audit_task

    return audit_task(
        lens.checked(progress) if fit_check else lens.unchecked(),
        task,
        rule=rule,
        pooling=pooling,
        min_support=min_support,
        permutations=permutations,
        seed=seed,
        progress=progress,
    )


def figures(result: Profile) -> dict[str, Figure]:
    """A profile's figures as plotly objects, by name: `fl.figures(profile)["specialists"]`.

    Those of what was not done (minimal pairs, the method study, lines over layers) are left out.
    """
    from faultlens.report.plots import profile_figures

    return profile_figures(result)

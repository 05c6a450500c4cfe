"""A profile through a lens: read the corpus, profile it, and add what only a model can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from faultlens.corpus.pairs import PairSet
from faultlens.corpus.texts import Corpus
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.pooled_tables import reading_notes
from faultlens.features.store import ActivationStore
from faultlens.features.table import FeatureTable
from faultlens.features.text_tokens import Long
from faultlens.profiling.lengths import length_strata as strata_of
from faultlens.profiling.lengths import text_lengths
from faultlens.profiling.measures import check_threshold
from faultlens.profiling.multiverse.extraction import check_long
from faultlens.profiling.multiverse.method_study import method_study
from faultlens.profiling.pairs import contrast_pairs
from faultlens.profiling.result import MinimalPairs, Profile
from faultlens.profiling.study import ALPHA, profile_tables
from faultlens.profiling.token_evidence import token_evidence
from faultlens.progress import SILENT, Progress


@dataclass(frozen=True, eq=False)
class ProfileRun:
    """A profile, and what was read for it."""

    profile: Profile
    tables: Mapping[str, FeatureTable]
    store: ActivationStore


def profile_lens(
    lens: Lens,
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
    long: Long = "error",
    progress: Progress = SILENT,
) -> ProfileRun:
    """Profile a corpus through a lens; the arguments are those of `fl.profile`.

    To what tables give, a model adds where the features fire, whether they persist from layer to
    layer, minimal pairs and the method study.

    Raises:
        UserError: a text cannot be read, or nothing fires.
    """
    check_threshold(threshold)
    if multiverse:
        check_long(long)
    store = ActivationStore()
    tick = progress.start("Reading texts", len(corpus))
    tables = lens.read(corpus.texts, pooling, long, tick, store)
    profile = profile_tables(
        tables,
        corpus,
        threshold=threshold,
        top_k=top_k,
        permutations=permutations,
        seed=seed,
        length_strata=length_strata,
        decoders={d.name: d.W_dec.detach().float().cpu().numpy() for d in lens.dictionaries},
        progress=progress,
    )
    profile = replace(
        profile,
        tokens=token_evidence(lens, corpus, store, long, profile.sites),
        warnings=[*profile.warnings, *reading_notes(tables)],
    )
    if pairs is not None:
        found = _pairs(lens, pairs, pooling, permutations, seed, long, progress)
        profile = replace(profile, pairs=found)
    if multiverse:
        cells = len(corpus.categories) * len(tables)
        lengths = text_lengths(tables, corpus)[0]
        study = method_study(
            lens,
            corpus,
            store,
            pooling=pooling,
            threshold=threshold,
            strata=None if length_strata is None else strata_of(lengths, length_strata),
            top_k=top_k,
            permutations=min(permutations, max(1_000, 40 * cells)),  # after Holm well below α
            seed=seed,
            alpha=ALPHA,
            long=long,
            progress=progress,
        )
        profile = replace(profile, multiverse=study)
    return ProfileRun(profile, tables, store)


def _pairs(
    lens: Lens,
    pairs: PairSet,
    pooling: str,
    permutations: int,
    seed: int,
    long: Long,
    progress: Progress,
) -> MinimalPairs:
    tick = progress.start("Reading pairs", len(pairs))
    try:
        tables = lens.read(pairs.texts, pooling, long, tick)
    except UserError as error:
        raise UserError(f"pairs {pairs.name}: {error}") from error
    return contrast_pairs(tables, pairs, permutations=permutations, seed=seed)

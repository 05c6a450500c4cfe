"""Step 9, over corpora: the same audit on prompts from other seeds, and which verdicts hold.

The model and the dictionaries stay; only the prompts are drawn anew. A class of the first corpus is
looked for among the classes of each other one: the match fires alike, over both corpora together,
and has a direction in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from scipy.sparse import csr_matrix, vstack

from faultlens.auditing.result import ClassReading, Robustness, SeedReading, StableClass
from faultlens.auditing.result.audit import Audit
from faultlens.features.lens import Lens
from faultlens.features.table import FeatureTable

FIRES_ALIKE = 0.5  # Jaccard index of the prompts on which any member fires
SAME_DIRECTION = 0.9  # cosine of two members' decoder directions
STABLE = 0.8  # share of the seeds with the first one's verdict; or on which a class is found again
MOST = 20  # classes that are followed, the most certain first


@dataclass(frozen=True, eq=False)
class Corpus:
    """One seed's audit, and the tables that it concluded from."""

    seed: int
    audit: Audit
    tables: Mapping[str, FeatureTable]


def robustness(lens: Lens, corpora: Sequence[Corpus], first: Robustness | None) -> Robustness:
    """Compare the verdicts of several corpora.

    Args:
        lens: whose decoder directions tell whether two features are the same.
        corpora: at least two; the first is the one that is reported.
        first: what the first one's own halves gave.
    """
    needed = ceil(STABLE * len(corpora))
    halves = first or Robustness([], [], 0, [], None, None)
    return replace(
        halves,
        seeds=[_seed_reading(corpus) for corpus in corpora],
        classes=[
            _followed(lens, site, reading, corpora, needed)
            for site, reading in corpora[0].audit.significant[:MOST]
        ],
        needed=needed,
        reason=None,
    )


def matched(
    lens: Lens, site: str, reading: ClassReading, here: Corpus, there: Corpus
) -> ClassReading | None:
    """The class of `there` that is most like a class of `here`; None if none is alike enough.

    Alike: over the prompts of both corpora the Jaccard index of firing is at least 0.5, and two of
    their members have a decoder cosine of at least 0.9 (a common member has 1).
    """
    if there.audit.sites.get(site) is None:
        return None
    own = _indices(reading)
    fires = _fires(site, own, (here, there))
    best: tuple[float, ClassReading] | None = None
    for other in there.audit.sites[site].classes:
        if other.p_deciding > there.audit.alpha or not _share_direction(lens, site, own, other):
            continue
        both = _fires(site, _indices(other), (here, there))
        jaccard = float((fires & both).sum() / max((fires | both).sum(), 1))
        if jaccard >= FIRES_ALIKE and (best is None or jaccard > best[0]):
            best = (jaccard, other)
    return None if best is None else best[1]


def _followed(
    lens: Lens, site: str, reading: ClassReading, corpora: Sequence[Corpus], needed: int
) -> StableClass:
    found = [matched(lens, site, reading, corpora[0], other) for other in corpora[1:]]
    own = reading.verdict.label
    verdicts = [own, *(None if match is None else match.verdict.label for match in found)]
    same = verdicts.count(own)
    again = sum(match is not None and _same_sign(reading, match) for match in found)
    return StableClass(reading.features, verdicts, same, own, same >= needed, replicated=1 + again)


def _same_sign(one: ClassReading, other: ClassReading) -> bool:
    """Whether both go with failure, or both with success."""
    return (one.auroc > 0.5) == (other.auroc > 0.5)


def _seed_reading(corpus: Corpus) -> SeedReading:
    audit = corpus.audit
    suspect = audit.suspect
    rungs = audit.baselines or {}
    return SeedReading(
        seed=corpus.seed,
        n=audit.n,
        failures=audit.failures,
        significant=len(audit.significant),
        suspect=[] if suspect is None else suspect.features,
        verdict=audit.verdict if suspect is None else suspect.verdict,
        baselines={name: rung.auroc for name, rung in rungs.items()},
    )


def _indices(reading: ClassReading) -> list[int]:
    return [int(feature.rsplit("/", 1)[1]) for feature in reading.features]


def _fires(site: str, features: list[int], corpora: Sequence[Corpus]) -> np.ndarray:
    """Whether any of the features fires, over the prompts of all corpora."""
    matrix = csr_matrix(vstack([corpus.tables[site].matrix for corpus in corpora], format="csr"))
    fires: np.ndarray = np.asarray((matrix[:, features] > 0).sum(axis=1)).ravel() > 0
    return fires


def _share_direction(lens: Lens, site: str, own: list[int], other: ClassReading) -> bool:
    theirs = _indices(other)
    if set(own) & set(theirs):
        return True
    directions = lens[site].W_dec
    unit = directions / directions.norm(dim=1, keepdim=True)
    return bool((unit[own] @ unit[theirs].T).max() >= SAME_DIRECTION)

"""Categories of two profiles: what tells each from the rest, and whether it fires alike."""

from __future__ import annotations

import numpy as np

from faultlens.comparing.firing import TextFirings, correlation, jaccard, pooled_firings
from faultlens.comparing.result import CategoryBest, CategoryPair, ProfilePair
from faultlens.comparing.run import StudiedRun, same_dictionary
from faultlens.profiling.result import Profile


def profile_pair(first: StudiedRun, second: StudiedRun) -> ProfilePair:
    """Two profiles side by side."""
    one, other = first.profiled, second.profiled
    same_texts = _same_corpus(first, second) and one.n_texts == other.n_texts
    firings = _firings(first, second, same_texts)
    pairs = {}
    for category in dict.fromkeys([*one.categories, *other.categories]):
        best = _best(one, category), _best(other, category)
        pairs[category] = _pair(first, second, best, firings)
    return ProfilePair(
        same_texts, pairs, firings if isinstance(firings, str) else None, _cautions(one, other)
    )


def _same_corpus(first: StudiedRun, second: StudiedRun) -> bool:
    digests = [run.input("corpus").get("digest") for run in (first, second)]
    return digests[0] is not None and digests[0] == digests[1]


def _firings(
    first: StudiedRun, second: StudiedRun, same_texts: bool
) -> tuple[TextFirings, TextFirings] | str:
    if not same_texts:
        return "the runs are not of the same texts, as far as their manifests say"
    found = []
    for run in (first, second):
        read = run.profiled
        kept = pooled_firings(run.folder, list(read.sites), np.arange(read.n_texts))
        if kept is None:
            return f"{run.named} holds no activations of its texts"
        found.append(kept)
    return found[0], found[1]


def _best(profile: Profile, category: str) -> CategoryBest | None:
    """The feature that best tells a category from the rest, by p after Holm, then by AUROC."""
    if category not in profile.categories:
        return None
    read = {name: site.categories[category].selectivity for name, site in profile.sites.items()}
    site, found = min(read.items(), key=lambda pair: (pair[1].p_holm, -pair[1].auroc))
    beyond = [name for name, one in read.items() if one.p_holm <= profile.alpha]
    return CategoryBest(
        site, found.feature, found.auroc, found.p_holm, found.p_holm <= profile.alpha, beyond
    )


def _pair(
    first: StudiedRun,
    second: StudiedRun,
    best: tuple[CategoryBest | None, CategoryBest | None],
    firings: tuple[TextFirings, TextFirings] | str,
) -> CategoryPair:
    one, other = best
    if one is None or other is None:
        return CategoryPair(one, other, None, None, None)
    same = None
    if same_dictionary(first, second, one.site) and same_dictionary(first, second, other.site):
        same = one.feature == other.feature
    index = together = None
    if not isinstance(firings, str):
        mine, yours = firings[0].of(one.feature), firings[1].of(other.feature)
        if mine is not None and yours is not None:
            index, together = jaccard(mine, yours), correlation(mine, yours)
    return CategoryPair(one, other, same, index, together)


def _cautions(first: Profile, second: Profile) -> list[str]:
    found = []
    if first.pooling != second.pooling:
        found.append(
            f"texts are pooled by {first.pooling} in the first run and by {second.pooling} in the "
            "second: activations are not on one scale"
        )
    for profile, which in ((first, "first"), (second, "second")):
        if profile.permutations < 999:
            found.append(
                f"the {which} run rests on {profile.permutations} random labellings: its p-values "
                "are coarse"
            )
    return found

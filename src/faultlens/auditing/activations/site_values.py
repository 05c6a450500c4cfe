"""Site values: what a model holds at the audited sites in every token of a task.

Attribution, patching and the random dictionaries start from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import Site

LADDER_SITES = 4  # whose whole values are read of every prompt, where there is no dictionary
MOST_BYTES = 2**31  # that are kept; of a larger task the prompts asked for are read each time


@dataclass(frozen=True, eq=False)
class SiteValues:
    """The values at some sites in the scored rows of a task.

    Attributes:
        sites: in the order of the pass.
        kept: by site and prompt, `[tokens, d]`, BOS included; None: they were too many to keep.
    """

    model: Model
    tokens: TaskTokens
    sites: tuple[Site, ...]
    kept: Mapping[Site, Sequence[Tensor]] | None

    def of(self, prompts: Sequence[int]) -> Mapping[Site, Tensor]:
        """The values in some prompts, right-padded, float32 `[prompts, positions, d]` each."""
        if self.kept is None:
            rows = [self.tokens.scored[i] for i in prompts]
            return self.model.read(self.model.pad(rows), self.sites)
        return {
            site: pad_sequence([of_prompt[i] for i in prompts], batch_first=True)
            for site, of_prompt in self.kept.items()
        }


def audited_sites(dictionaries: Sequence[Dictionary]) -> tuple[Site, ...]:
    """Where dictionaries read and write, and what enters the blocks that they write to."""
    found = set()
    for dictionary in dictionaries:
        entry = Site(dictionary.target.layer, "resid_pre")
        found |= {dictionary.site, dictionary.target, entry}
    return tuple(sorted(found, key=lambda site: site.depth))


def spread(sites: Sequence[Site], most: int = LADDER_SITES) -> tuple[Site, ...]:
    """At most so many of some sites, at even distances, the last among them.

    >>> [site.layer for site in spread([Site(layer, "resid_pre") for layer in range(12)])]
    [2, 5, 8, 11]
    """
    if len(sites) <= most:
        return tuple(sites)
    return tuple(sites[(part * len(sites)) // most - 1] for part in range(1, most + 1))


def fit_in_memory(model: Model, tokens: TaskTokens, sites: Sequence[Site]) -> bool:
    """Whether the values of a task are few enough to be kept."""
    width = sum(model.width(site) for site in sites)
    return sum(map(len, tokens.scored)) * width * 4 <= MOST_BYTES

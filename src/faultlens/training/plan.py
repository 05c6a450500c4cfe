"""Plan: the dictionaries that follow from a configuration, one by one, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultlens.errors import UserError
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.training.config import MLP_POINT, OF_K, TrainConfig

MLP_INPUT = "mlp_in"


@dataclass(frozen=True)
class DictionaryPlan:
    """One dictionary to be trained.

    Attributes:
        folder: its folder within the run's, unique there.
        kind: SAELens's name of it.
        site: what it reads.
        target: what it rebuilds; the site itself, but for a transcoder.
        d_in: dimensions read.
        d_out: dimensions rebuilt.
        d_sae: features.
        k: features that fire; None for kinds that a coefficient makes sparse.
        seed: of the initial weights.
        frozen_decoder: whether the decoder stays as it was drawn.
    """

    folder: str
    kind: str
    site: Site
    target: Site
    d_in: int
    d_out: int
    d_sae: int
    k: int | None
    seed: int
    frozen_decoder: bool = False

    @property
    def is_transcoder(self) -> bool:
        return self.site != self.target


def plan_dictionaries(model: Model, config: TrainConfig) -> list[DictionaryPlan]:
    """All dictionaries of a run: sites × kinds × widths × k × seeds (× twins).

    Raises UserError for a site that the model lacks, a k above the width, two that are the same.
    """
    found = []
    for kind in config.kind:
        for site, target in _sites(kind, config):
            model.check(site)
            model.check(target)
            d_in, d_out = model.width(site), model.width(target)
            for width in config.width:
                d_sae = int(width[:-1]) * d_in if width.endswith("x") else int(width)
                for k in config.sparsity.k if kind in OF_K else (None,):
                    _check_k(k, d_sae, kind)
                    for seed in config.seeds:
                        for frozen in (False, True) if config.random_decoder_twin else (False,):
                            name = _folder(kind, target, d_sae, k, seed, frozen, config)
                            found.append(
                                DictionaryPlan(
                                    name, kind, site, target, d_in, d_out, d_sae, k, seed, frozen
                                )
                            )
    return _distinct(found)


def _sites(kind: str, config: TrainConfig) -> list[tuple[Site, Site]]:
    if kind.endswith("transcoder"):
        return [(Site(layer, MLP_INPUT), Site(layer, MLP_POINT)) for layer in config.layers]
    return [(site, site) for site in config.trained_sites]


def _check_k(k: int | None, d_sae: int, kind: str) -> None:
    if k is not None and k > d_sae:
        raise UserError(
            f"k = {k} is above the {d_sae} features of a {kind}: expected at most the width; "
            "give a smaller --k or a larger --width"
        )


def _folder(
    kind: str,
    target: Site,
    d_sae: int,
    k: int | None,
    seed: int,
    frozen: bool,
    config: TrainConfig,
) -> str:
    """`SITE`, or `VARIANT/SITE` where a run trains variants: each variant is a set by itself."""
    parts = []
    if len(config.kind) > 1:
        parts.append(kind)
    if len(config.width) > 1:
        parts.append(f"width-{d_sae}")
    if len(config.sparsity.k) > 1:
        parts.append(f"k-{k}" if k is not None else "no-k")
    if len(config.seeds) > 1:
        parts.append(f"seed-{seed}")
    if frozen:
        parts.append("random-decoder")
    return f"{'.'.join(parts)}/{target.name}" if parts else target.name


def _distinct(found: Sequence[DictionaryPlan]) -> list[DictionaryPlan]:
    names = [one.folder for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"dictionary {twice} would be trained twice: name each layer, site, width and k once"
        )
    return list(found)

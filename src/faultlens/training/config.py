"""What a user chooses when dictionaries are trained. Every default stands here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from faultlens.errors import UserError
from faultlens.models.sites import POINTS, Site

Kind = Literal[
    "topk",
    "batchtopk",
    "jumprelu",
    "standard",
    "gated",
    "matryoshka_batchtopk",
    "transcoder",
    "skip_transcoder",
]
"""Names are SAELens's. A transcoder selects as BatchTopK does, and is saved with a threshold."""

Precision = Literal["auto", "float32", "bfloat16"]

KINDS: tuple[str, ...] = get_args(Kind)
OF_K = ("topk", "batchtopk", "matryoshka_batchtopk", "transcoder", "skip_transcoder")
"""The kinds whose sparsity is set by k; the others' by a coefficient of the loss."""
NAMED = "blocks."  # how the whole name of a site begins
MLP_POINT = "mlp_out"  # where a transcoder's reconstruction belongs


@dataclass(frozen=True)
class SparsityConfig:
    """How many features fire on a token."""

    k: tuple[int, ...] = (32,)
    """Features that fire on a token: exactly (`topk`) or on average. Several make a sweep."""
    l1: float = 4.0
    """Coefficient of the L1 penalty, in units of the scaled input: `standard`, `gated`."""
    l0: float = 1.0
    """Coefficient of the L0 penalty, likewise: `jumprelu`."""
    penalty_warm_up: float = 0.1
    """Share of the steps over which `l1` and `l0` rise linearly from 0."""


@dataclass(frozen=True)
class OptimiserConfig:
    """How the parameters learn: Adam, gradients clipped to norm 1, as in SAELens's trainer."""

    learning_rate: float = 1e-3
    """Of Adam, betas 0.9 and 0.999."""
    rate_warm_up: float = 0.02
    """Share of the steps over which the learning rate rises linearly."""
    rate_decay: float = 0.3
    """Share of the steps, at the end, over which it falls linearly to a tenth."""
    batch_tokens: int = 2048
    """Tokens a step."""
    dead_after: int = 100_000
    """Tokens without firing after which a feature counts as dead, and is given the auxiliary loss
    (the kinds of k)."""
    encoder_precision: Precision = "auto"
    """Of the encoder's product in the sparse step. `auto`: bfloat16 where a trial of both is
    quicker by it. It then only proposes candidates, `k` and a few more; which of them are selected,
    and all that they learn, is float32; so is not what revives dead features."""


@dataclass(frozen=True)
class TrainConfig:
    """What to train, on how much text.

    >>> TrainConfig(layers=(3,), sites=("mlp_out",)).kind
    ('topk',)
    >>> TrainConfig(layers=(3,), kind=("topkk",))
    Traceback (most recent call last):
    faultlens.errors.UserError: kind 'topkk': expected one of topk, batchtopk, jumprelu, standard, \
gated, matryoshka_batchtopk, transcoder, skip_transcoder
    """

    layers: tuple[int, ...] = ()
    """Blocks at which to train, from 0; not needed where all sites are whole names."""
    sites: tuple[str, ...] = ("resid_pre",)
    """Points of each of those blocks: `resid_pre`, `attn_out`, `mlp_out`, `resid_mid`,
    `resid_post`, `z`; or whole names, e.g. `blocks.3.hook_attn_out`, for a point of one block."""
    kind: tuple[str, ...] = ("topk",)
    """Kinds of dictionary. Transcoders rebuild `mlp_out` from what the MLP reads, whatever
    `sites` says, once a layer."""
    width: tuple[str, ...] = ("8x",)
    """Features: a multiple of the input's dimensions (`8x`) or a number (`6144`)."""
    tokens: int = 2_000_000
    """Tokens to learn from, BOS and other special tokens not counted; texts are read again where
    the corpus holds fewer."""
    seeds: tuple[int, ...] = (0,)
    """Of the initial weights; two or more are trained side by side on the same tokens, which
    gives the stability of features."""
    context: int = 128
    """Tokens of a piece of text that is read in one go, BOS included; at most the model's."""
    buffer_mb: int = 100
    """Memory for activations that are shuffled together, in MB; it never grows with the corpus."""
    held_out: int = 20_000
    """Tokens of the corpus, whole texts drawn at random, that are never learnt from and on which
    the dictionaries are measured; at most a tenth of it."""
    sparsity: SparsityConfig = SparsityConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    random_decoder_twin: bool = False
    """Also train, beside each dictionary, one whose decoder stays as it was drawn: what a
    dictionary gets without learning any direction."""

    def __post_init__(self) -> None:
        for kind in self.kind:
            _one_of("kind", kind, KINDS)
        for point in self.points:
            _one_of("site", point, (*POINTS, "a whole name such as blocks.3.hook_attn_out"))
        _ = self.trained_sites  # a whole name is that of a site
        self._check_layers()
        for width in self.width:
            if not re.fullmatch(r"[1-9]\d{0,8}x?", width):
                raise UserError(
                    f"width {width!r}: expected a multiple of the dimensions, e.g. 8x, or a number"
                )
        for name, value, least in (
            ("sites", len(self.sites), 1),
            ("kinds", len(self.kind), 1),
            ("widths", len(self.width), 1),
            ("seeds", len(self.seeds), 1),
            ("k", min(self.sparsity.k, default=0), 1),
            ("tokens", self.tokens, 1),
            ("context", self.context, 2),
            ("buffer_mb", self.buffer_mb, 1),
            ("batch_tokens", self.optimiser.batch_tokens, 2),
            ("dead_after", self.optimiser.dead_after, 1),
        ):
            if value < least:
                raise UserError(f"{name}: got {value}, expected at least {least}")
        if len(set(self.seeds)) < len(self.seeds):
            raise UserError(f"seeds {list(self.seeds)}: expected different ones")
        if not self.optimiser.learning_rate > 0:
            raise UserError(
                f"learning_rate {self.optimiser.learning_rate}: expected a number above 0"
            )

    @property
    def points(self) -> tuple[str, ...]:
        """What of `sites` is a point of each layer."""
        return tuple(site for site in self.sites if not site.startswith(NAMED))

    @property
    def trained_sites(self) -> tuple[Site, ...]:
        """The points of each layer, then those named whole. Raises UserError for an unknown one."""
        of_layers = [Site(layer, point) for layer in self.layers for point in self.points]
        named = [Site.parse(site) for site in self.sites if site.startswith(NAMED)]
        return (*of_layers, *named)

    def _check_layers(self) -> None:
        """Layers are named exactly where something is to be trained at each of them."""
        transcoders = [kind for kind in self.kind if kind.endswith("transcoder")]
        others = len(transcoders) < len(self.kind)
        wanted = (*transcoders[:1], *(self.points if others else ()))
        if wanted and not self.layers:
            raise UserError(
                f"layers: got none, expected at least one for {wanted[0]}, e.g. --layers 3; or "
                "name each site whole, e.g. --sites blocks.3.hook_resid_pre"
            )
        if self.layers and not wanted:
            raise UserError(
                f"layers {list(self.layers)}: every site is a whole name, which has its layer; "
                "leave out --layers, or name a point, e.g. resid_pre"
            )


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"{what} {value!r}: expected one of {', '.join(known)}")

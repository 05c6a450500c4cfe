"""Which model to load, and which dictionaries to read it through. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from faultlens.checks import check_choice, check_flag, check_names, check_whole
from faultlens.errors import UserError
from faultlens.models.sites import POINTS

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DeviceMap = Literal["auto"]
SpecialTokens = Literal["drop", "keep", "text"]
MassiveActivations = Literal["drop", "keep"]
ALL = "all"
"""In place of sites: every one that the dictionaries are at."""
MOST_THREADS = 1024
NO_ADAPTER = "none"
"""In place of an adapter's folder: the one that lies beside the weights is left out."""
NO_DICTIONARIES = "none"
"""In place of dictionaries: none at all."""


@dataclass(frozen=True)
class LensConfig:
    """A model, and the dictionaries that it is read through: what `fl.load` takes."""

    model: str = "mini"
    """`mini` (bundled with FaultLens), a Hugging Face model folder, or a hub name."""
    sae: str | None = None
    """Dictionaries (SAEs or transcoders): a release of SAELens's registry, e.g.
    `gpt2-small-res-jb`; one of its dictionaries, `RELEASE/SAE_ID`; a folder in SAELens's format or
    in another library's (dictionary_learning, sparsify, Gemma Scope, llamascopium, Qwen-Scope); or
    `none`. `mini` has its own, taken by default; for any other model, an audit without them does
    all that needs none."""
    layers: tuple[int, ...] | None = None
    """Layers whose dictionaries are kept, counted from 0; without dictionaries, those whose values
    are read and patched. By default all."""
    sites: tuple[str, ...] | None = None
    """Points of a layer whose dictionaries are kept: `resid_pre`, `attn_out`, `mlp_out` …, or
    `all`; by default `resid_pre` where the set has any, otherwise all. Without dictionaries, those
    whose values are read and patched, by default `resid_pre`."""
    device: str = "cpu"
    """Where the model runs, e.g. `cuda`."""
    device_map: DeviceMap | None = None
    """`auto`: a model that does not fit `device` runs there all the same; the matrices of its last
    blocks stay in the processor's memory and are brought over for each pass, which then takes as
    long as that takes. Needs the extra `offload`."""
    dtype: Dtype = "auto"
    """Number format that the model runs in; `auto`: bfloat16 on a GPU if config.json says that the
    weights are bfloat16, float32 otherwise. Dictionaries always encode in float32."""
    threads: int | None = None
    """Threads that PyTorch uses on the processor; by default as many as it chooses."""
    revision: str | None = None
    """Branch, tag or commit of a hub model; by default its main branch."""
    adapter: str | None = None
    """A folder with a LoRA adapter that PEFT saved, merged into the weights; `none` leaves out the
    one that lies beside them."""
    release: str | None = None
    """Where `sae` is a folder: the SAELens release that its weights are from, whose conventions
    then hold."""
    convention: tuple[str, ...] = ()
    """Settings to put in force whatever the dictionaries' files say: `centred`, `raw`, `bos`,
    `no-bos`, `folded`, `unfolded`, `layer_norm`, `constant_norm_rescale`, `unnormalised`,
    `factor=NUMBER`, `threshold=NUMBER`, `decoder-norm`, `no-decoder-norm`, `before-gain`,
    `after-gain`."""
    start: str | None = None
    """What stands in front of a text: `none`, `bos`, or the text of a token; by default what the
    model expects, and what each dictionary was trained with."""
    trust_pickle: bool = False
    """Also load pickled weights, which can run code as they load."""
    special_tokens: SpecialTokens = "drop"
    """What becomes of special tokens that stand in a text (BOS, EOS, turn markers): `drop` reads
    them but neither encodes nor pools them, `keep` does both, `text` reads what looks like one as
    plain text."""
    massive: MassiveActivations = "drop"
    """What becomes of tokens whose value at a site is beyond ten times the median norm there, as
    attention sinks are: `drop` neither encodes nor pools them, `keep` does both."""

    def __post_init__(self) -> None:
        for name, given in (("release", self.release), ("convention", self.convention)):
            if given and not self.has_dictionaries:
                raise UserError(
                    f"{name} (--{name}) says how dictionaries read, and there are none: name them "
                    "with sae (--sae)"
                )
        if self.layers is not None:
            for layer in self.layers:
                check_whole("layer", layer, 0)
        if self.sites is not None and self.sites != (ALL,):
            check_names("sites", self.sites, "resid_pre")
            for site in self.sites:
                check_choice("site", site, [*POINTS, ALL])
        check_choice("dtype", self.dtype, get_args(Dtype))
        if self.device_map is not None:
            check_choice("device_map", self.device_map, get_args(DeviceMap))
        if self.threads is not None:
            check_whole("threads", self.threads, 1, MOST_THREADS)
        check_names("convention", self.convention, "centred")
        check_flag("trust_pickle", self.trust_pickle)
        check_start(self.start)
        check_choice("special_tokens", self.special_tokens, get_args(SpecialTokens))
        check_choice("massive", self.massive, get_args(MassiveActivations))
        if self.convention:  # the module that knows the words loads torch
            from faultlens.models.convention import check_words

            check_words(self.convention)

    @property
    def has_dictionaries(self) -> bool:
        """Whether there are dictionaries to load."""
        if self.sae is None:
            return self.model == LensConfig.model
        return self.sae != NO_DICTIONARIES

    def require_dictionaries(self) -> None:
        """Raises UserError, for what reads a model through dictionaries, where there are none."""
        if not self.has_dictionaries:
            raise UserError(f"model {self.model!r} needs dictionaries: name them with sae (--sae)")


def check_start(start: object) -> None:
    """Raises UserError for a start token that is no text, or an empty one."""
    if start is not None and (not isinstance(start, str) or not start):
        raise UserError(f"start {start!r}: expected none, bos or the text of a token")

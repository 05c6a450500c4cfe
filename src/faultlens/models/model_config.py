"""Which model, alone: for what needs no dictionaries, such as training them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from faultlens.checks import check_choice, check_flag, check_whole
from faultlens.models.lens_config import MOST_THREADS, DeviceMap, Dtype, LensConfig, check_start


@dataclass(frozen=True)
class ModelConfig:
    """A model: what is read or trained on. Defaults are those of `LensConfig`."""

    model: str = LensConfig.model
    """`mini` (bundled with FaultLens), a Hugging Face model folder, or a hub name."""
    device: str = LensConfig.device
    """Where the model runs, e.g. `cuda`."""
    device_map: DeviceMap | None = LensConfig.device_map
    """`auto`: a model that does not fit `device` runs there all the same; the matrices of its last
    blocks stay in the processor's memory and are brought over for each pass, which then takes as
    long as that takes. Needs the extra `offload`."""
    dtype: Dtype = LensConfig.dtype
    """Number format that the model runs in; `auto`: bfloat16 on a GPU if config.json says that the
    weights are bfloat16, float32 otherwise. Dictionaries are always learnt in float32."""
    threads: int | None = LensConfig.threads
    """Threads that PyTorch uses on the processor; by default as many as it chooses."""
    revision: str | None = LensConfig.revision
    """Branch, tag or commit of a hub model; by default its main branch."""
    adapter: str | None = LensConfig.adapter
    """A folder with a LoRA adapter that PEFT saved, merged into the weights; `none` leaves out the
    one that lies beside them."""
    start: str | None = LensConfig.start
    """What stands in front of a text: `none`, `bos`, or the text of a token; by default what the
    model expects."""
    trust_pickle: bool = LensConfig.trust_pickle
    """Also load pickled weights, which can run code as they load."""

    def __post_init__(self) -> None:
        check_choice("dtype", self.dtype, get_args(Dtype))
        if self.device_map is not None:
            check_choice("device_map", self.device_map, get_args(DeviceMap))
        if self.threads is not None:
            check_whole("threads", self.threads, 1, MOST_THREADS)
        check_flag("trust_pickle", self.trust_pickle)
        check_start(self.start)

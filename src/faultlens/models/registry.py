"""SAELens's registry of published dictionaries, read from its file without importing SAELens.

The registry is one YAML file inside the installed package (importing SAELens takes seconds, finding
its file does not). What it says of a dictionary overrides the dictionary's own configuration.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from faultlens.errors import UserError
from faultlens.models.checkpoints.source import shortened
from faultlens.models.dictionary import Published
from faultlens.models.sites import POINTS

FILE = "pretrained_saes.yaml"
PICKLED = frozenset(
    {"connor_rob_hook_z", "deepseek_r1", "dictionary_learning_1", "goodfire", "qwen_scope"}
)
"""Conversions that open pickled files."""
_LAYER = re.compile(r"blocks\.(\d+)\.|layers?[_.]?(\d+)|(?:^|/)l(\d+)[arm]_|^(\d+)-", re.IGNORECASE)
_HOOK = re.compile(r"blocks\.\d+\.([a-z0-9_.]+?)(?:__.*)?$")
_POINT_OF_HOOK = {hook: point for point, (hook, _) in POINTS.items()}
_WIDTH = re.compile(r"(?<!\d)(\d+)k(?![a-z0-9])|width_(1)m", re.IGNORECASE)
_TIMES = re.compile(r"[_-](\d+)x(?![a-z0-9])", re.IGNORECASE)
_QUANTISED = re.compile(r"[-._](?:i?q\d(?:_[a-z0-9]+)*|f16|bf16|f32)$")
_SAME_MODEL = {"gpt2": "gpt2small", "mistral7bv01": "mistral7b"}
"""Names of the hub as the registry writes them."""
_FEATURES = {  # of releases whose names do not tell
    "gpt2-small-res-jb": 24_576,
    "gpt2-small-mlp-tm": 24_576,
    "gpt2-small-hook-z-kk": 24_576,
}


@dataclass(frozen=True)
class Entry:
    """One dictionary of a release.

    Attributes:
        release: the release's name.
        sae_id: its name within the release.
        repo: the repository on the hub.
        path: its folder or file there.
        conversion: the format, None for SAELens's own.
        layer: the layer it reads, as its names tell; None where they do not.
        point: likewise the point, a key of `POINTS`.
        neuronpedia: its name on Neuronpedia, `MODEL/NAME`.
        factor: of `expected_average_only_in`.
        published: L0 and variance explained.
        overrides: what wins over its own configuration.
    """

    release: str
    sae_id: str
    repo: str
    path: str
    conversion: str | None
    layer: int | None
    point: str | None
    neuronpedia: str | None
    factor: float | None
    published: Published
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.release}/{self.sae_id}"

    @property
    def name(self) -> str | None:
        """Neuronpedia's, without the model: `8-res-jb`. None where it has none."""
        return self.neuronpedia.rpartition("/")[2] if self.neuronpedia else None

    @property
    def overrides_after_folding(self) -> Mapping[str, Any]:
        """Those that still count when SAELens has read the dictionary and folded its factor."""
        return {k: v for k, v in self.overrides.items() if k == "model_from_pretrained_kwargs"}

    def size(self, d_in: int) -> float | None:
        """About how many bytes it takes, as its names tell; None where they do not."""
        features = _FEATURES.get(self.release) or _width(f"/{self.sae_id}/{self.path}", d_in)
        features = features or _width(f"/{self.neuronpedia or ''}/{self.repo}", d_in)
        return None if features is None else 4.0 * (2 * d_in * features + d_in + features)


def find(name: str) -> list[Entry]:
    """The dictionaries of a release (`RELEASE`), or one of them (`RELEASE/SAE_ID`).

    Raises UserError, naming what comes nearest, if there is no such release or id.
    """
    release, _, sae_id = name.partition("/")
    raw = _registry().get(release)
    if raw is None:
        near = difflib.get_close_matches(release, _registry(), n=3, cutoff=0.5)
        among = f"one of SAELens's {len(_registry())} releases" + (
            f", e.g. {', '.join(near)}" if near else ""
        )
        raise UserError(
            f"no dictionaries called {shortened(name)!r}: expected 'mini', a folder in SAELens's "
            f"format, or {among}"
        )
    entries = [_entry(release, raw, sae) for sae in raw["saes"]]
    if not sae_id:
        return entries
    chosen = [entry for entry in entries if entry.sae_id == sae_id]
    if not chosen:
        ids = [entry.sae_id for entry in entries]
        near = difflib.get_close_matches(sae_id, ids, n=3, cutoff=0.3) or ids[:3]
        raise UserError(
            f"release {release} has no dictionary {sae_id!r}: expected one of its {len(ids)}, e.g. "
            f"{', '.join(near)}"
        )
    return chosen


def releases_for(names: Collection[str]) -> dict[str, list[Entry]]:
    """The releases that were trained on a model, by its names: a hub's, a folder's, a file's.

    Names count without the owner, case, signs and a file's quantisation, so that
    `gemma-3-270m-Q4_K_M.gguf` is `google/gemma-3-270m`.
    """
    wanted = {_model_key(name) for name in names} - {""}
    return {
        release: [_entry(release, raw, sae) for sae in raw["saes"]]
        for release, raw in _registry().items()
        if _model_key(str(raw.get("model") or "")) in wanted
    }


def _model_key(name: str) -> str:
    """A model's name, so that two ways to write it are the same.

    >>> _model_key("openai-community/gpt2"), _model_key("gemma-3-270m-Q4_K_M.gguf")
    ('gpt2small', 'gemma3270m')
    """
    last = name.rstrip("/").rpartition("/")[2].lower().removesuffix(".gguf")
    key = re.sub(r"[^a-z0-9]", "", _QUANTISED.sub("", last))
    return _SAME_MODEL.get(key, key)


def _entry(release: str, raw: Mapping[str, Any], sae: Mapping[str, Any]) -> Entry:
    sae_id, path = str(sae["id"]), str(sae["path"])
    neuronpedia = sae.get("neuronpedia")
    layers = (_LAYER.search(name) for name in (sae_id, path, (neuronpedia or "").split("/")[-1]))
    layer = next((match for match in layers if match), None)
    hook = _HOOK.match(sae_id)
    l0, explained = sae.get("l0"), sae.get("variance_explained")
    return Entry(
        release=release,
        sae_id=sae_id,
        repo=str(raw["repo_id"]),
        path=path,
        conversion=raw.get("conversion_func"),
        layer=None if layer is None else int(next(group for group in layer.groups() if group)),
        point=_POINT_OF_HOOK.get(hook[1]) if hook else None,
        neuronpedia=neuronpedia,
        factor=sae.get("norm_scaling_factor"),
        # 0.0 and 1.00 are placeholders: nobody measured them.
        published=Published(l0 or None, None if explained in (None, 1.0) else float(explained)),
        overrides=raw.get("config_overrides") or {},
    )


def _width(text: str, d_in: int) -> int | None:
    """The number of features that a name tells: `width_16k`, `-128k`, `_32x`; None if none."""
    found = _WIDTH.search(text)
    if found:
        return int(found[1]) * 1024 if found[1] else 1024**2
    times = _TIMES.search(text)
    return int(times[1]) * d_in if times else None


@cache
def _registry() -> dict[str, Any]:
    found = importlib.util.find_spec("sae_lens")
    if found is None or found.origin is None:
        raise UserError("SAELens is not installed, which holds the registry: pip install sae-lens")
    text = (Path(found.origin).parent / FILE).read_text(encoding="utf-8")
    # PyYAML's C loader is five times as fast, where it was built.
    registry: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return registry

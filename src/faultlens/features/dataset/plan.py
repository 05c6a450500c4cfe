"""The plan of a dataset: what it is of and what decides its bytes, fixed before the first shard.

A shard is a range of texts. Packing, budget, way of encoding and threads decide the last bits of an
activation, so a dataset that is taken up again keeps to those that it was begun with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.features.dataset.config import Precision
from faultlens.features.lens import Lens
from faultlens.features.reading_config import Long
from faultlens.features.shapes import Shapes
from faultlens.features.text_tokens import TextTokens
from faultlens.features.token_choice import TokenChoice
from faultlens.runs.files import file_name

FORMAT = 2
PACKAGES = ("torch", "transformers", "numpy", "pyarrow")  # other versions may write other bytes


@dataclass(frozen=True)
class Shard:
    """Texts `first` to `last − 1` of the corpus, in one file a dictionary."""

    number: int
    first: int
    last: int
    tokens: int

    def path(self, folder: Path, name: str) -> Path:
        """The file of the dictionary called `name`."""
        return folder / file_name(name) / f"{self.number:05d}.parquet"


@dataclass(frozen=True)
class Plan:
    """What a dataset is of, and how it is made.

    Attributes:
        model: its name, digest, dtype and kind of device, and how special tokens are read.
        dictionaries: by name: digest, site, width and the convention in force.
        corpus: digest of the texts, how many, and their tokens.
        long: what became of texts longer than the context.
        choice: which tokens count; the others are not in the files.
        precision: of the activations on disk.
        shapes: budget, row and encoding.
        threads: of the processor.
        versions: of the packages that may change the bytes.
        shards: ranges of texts, without a gap.
    """

    model: dict[str, str]
    dictionaries: dict[str, dict[str, Any]]
    corpus: dict[str, Any]
    long: Long
    choice: TokenChoice
    precision: Precision
    shapes: Shapes
    threads: int
    versions: dict[str, str]
    shards: tuple[Shard, ...]

    @classmethod
    def of(
        cls,
        lens: Lens,
        texts: Sequence[str],
        tokens: Sequence[TextTokens],
        long: Long,
        precision: Precision,
        shapes: Shapes,
        shard_tokens: int,
    ) -> Plan:
        """The plan for these texts, under what is in force now."""
        model, counts = lens.model, [len(text) for text in tokens]
        dtype = str(next(iter(model.network.parameters())).dtype).removeprefix("torch.")
        return cls(
            model={
                "name": model.name,
                "digest": model.digest,
                "dtype": dtype,
                "device": model.device.type,
                "special_tokens": "plain text" if model.split_special_tokens else "one",
            },
            dictionaries={
                dictionary.name: {
                    "digest": dictionary.digest,
                    "site": dictionary.site.name,
                    "d_sae": dictionary.d_sae,
                    "convention": dictionary.convention.to_dict(),
                }
                for dictionary in lens.dictionaries
            },
            corpus={"digest": texts_digest(texts), "texts": len(texts), "tokens": sum(counts)},
            long=long,
            choice=lens.choice,
            precision=precision,
            shapes=shapes,
            threads=torch.get_num_threads(),
            versions={package: metadata.version(package) for package in PACKAGES},
            shards=_shards(counts, shard_tokens),
        )

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    def check_same(self, other: Plan, folder: Path) -> None:
        """Raises UserError, naming both, unless `other` asks for what `folder` was begun with."""
        for what, have, want in self._differences(other):
            raise UserError(
                f"{folder} holds a store made with {what} {have}, not {want}: give what it was "
                "made with, or choose another --out"
            )

    def _differences(self, other: Plan) -> list[tuple[str, str, str]]:
        pairs: list[tuple[str, Any, Any]] = [
            ("model", _model(self), _model(other)),
            ("dictionaries", ", ".join(self.dictionaries), ", ".join(other.dictionaries)),
        ]
        for name, mine in self.dictionaries.items():
            theirs = other.dictionaries.get(name, mine)
            pairs += [
                (f"{name} {key}", _said(mine[key]), _said(theirs[key]))
                for key in ("site", "convention", "d_sae", "digest")
            ]
        pairs += [
            ("the corpus", _corpus(self), _corpus(other)),
            ("--long", self.long, other.long),
            (
                "what looks like a special token read as",
                self.model["special_tokens"],
                other.model["special_tokens"],
            ),
            ("special tokens", self.choice.special, other.choice.special),
            ("massive activations", self.choice.massive, other.choice.massive),
            ("--precision", self.precision, other.precision),
        ]
        pairs += [
            (package, self.versions[package], other.versions.get(package, "none"))
            for package in self.versions
        ]
        return [(what, str(a), str(b)) for what, a, b in pairs if a != b]


def texts_digest(texts: Sequence[str]) -> str:
    """SHA-256 over all texts, in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(json.dumps(text, ensure_ascii=True).encode())
    return digest.hexdigest()


def _shards(counts: Sequence[int], shard_tokens: int) -> tuple[Shard, ...]:
    """Ranges of texts of at most so many tokens, or of one text."""
    shards: list[Shard] = []
    first, held = 0, 0
    for i, tokens in enumerate(counts):
        if held and held + tokens > shard_tokens:
            shards.append(Shard(len(shards), first, i, held))
            first, held = i, 0
        held += tokens
    return (*shards, Shard(len(shards), first, len(counts), held))


def _model(plan: Plan) -> str:
    model = plan.model
    return f"{model['name']} ({model['digest'][:12]}, {model['dtype']}, on {model['device']})"


def _corpus(plan: Plan) -> str:
    return f"{plan.corpus['texts']} texts ({plan.corpus['digest'][:12]})"


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {of}" for key, of in value.items())
    return str(value)[:24]

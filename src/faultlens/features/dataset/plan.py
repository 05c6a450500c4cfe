"""The plan of a dataset: what it is of and what decides its bytes, fixed before the first shard.

A shard is a range of texts. Packing, budget, way of encoding and threads decide the last bits of an
activation, so a dataset that is taken up again keeps to those that it was begun with.
"""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from faultlens.errors import UserError
from faultlens.features.dataset.config import Precision
from faultlens.features.dataset.survey import Shard, Survey
from faultlens.features.lens import Lens
from faultlens.features.reading_config import Long
from faultlens.features.shapes import Shapes
from faultlens.features.token_choice import TokenChoice

FORMAT = 2
PACKAGES = ("torch", "transformers", "numpy", "pyarrow")  # other versions may write other bytes


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
        survey: Survey,
        long: Long,
        precision: Precision,
        shapes: Shapes,
    ) -> Plan:
        """The plan for the texts of a survey, under what is in force now."""
        model = lens.model
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
            corpus={"digest": survey.digest, "texts": survey.texts, "tokens": survey.tokens},
            long=long,
            choice=lens.choice,
            precision=precision,
            shapes=shapes,
            threads=torch.get_num_threads(),
            versions={package: metadata.version(package) for package in PACKAGES},
            shards=survey.shards,
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

    def check_read_by(self, lens: Lens) -> None:
        """Raises UserError unless a worker's lens is of the model and dictionaries of the plan."""
        held = {"digest": lens.model.digest} | {d.name: d.digest for d in lens.dictionaries}
        wanted = {"digest": self.model["digest"]} | {
            name: of["digest"] for name, of in self.dictionaries.items()
        }
        for name in wanted:
            if held.get(name) != wanted[name]:
                what = f"model {self.model['name']}" if name == "digest" else f"dictionary {name}"
                raise UserError(
                    f"{what} is another one on the worker {socket.gethostname()} "
                    f"({str(held.get(name))[:12]}, not {wanted[name][:12]}): expected the same "
                    "files on every machine"
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


def _model(plan: Plan) -> str:
    model = plan.model
    return f"{model['name']} ({model['digest'][:12]}, {model['dtype']}, on {model['device']})"


def _corpus(plan: Plan) -> str:
    return f"{plan.corpus['texts']} texts ({plan.corpus['digest'][:12]})"


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {of}" for key, of in value.items())
    return str(value)[:24]

"""A dataset's records on disk, taken for what they are: a damaged one is never believed.

`plan.json` and `manifest.json` may be cut off, edited, or of another version. What they say is
checked before anything rests on it: types, and that the shards are ranges of texts without a gap.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from faultlens.features.dataset.config import Precision
from faultlens.features.dataset.plan import FORMAT, Plan
from faultlens.features.dataset.survey import Shard
from faultlens.features.reading_config import Encoding, Long
from faultlens.features.shapes import Shapes
from faultlens.features.token_choice import Choice, TokenChoice
from faultlens.runs.files import json_kind

Hashes = dict[str, str]  # of a shard: by dictionary the SHA-256 of its file
Counts = dict[str, dict[str, dict[str, int]]]  # by dictionary, reason and token


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError, with the reason, where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"it cannot be read as JSON: {error}") from error
    return _object(found, "it")


def plan_of(record: Mapping[str, Any]) -> Plan:
    """The plan in a record. Raises ValueError, with the reason, for what no plan can be."""
    plan = _object(record.get("plan"), "its plan")
    if plan.get("format") != FORMAT:
        raise ValueError(f"its format is {plan.get('format')!r}, and this version reads {FORMAT}")
    corpus = _object(plan.get("corpus"), "corpus")
    texts, tokens = _count(corpus, "texts"), _count(corpus, "tokens")
    return Plan(
        model={
            key: _text(_object(plan.get("model"), "model"), key)
            for key in ("name", "digest", "dtype", "device", "special_tokens")
        },
        dictionaries=_dictionaries(_object(plan.get("dictionaries"), "dictionaries")),
        corpus={"digest": _text(corpus, "digest"), "texts": texts, "tokens": tokens},
        long=_one_of(plan, "long", Long),
        choice=_choice(_object(plan.get("choice"), "choice")),
        precision=_one_of(plan, "precision", Precision),
        shapes=_shapes(_object(plan.get("shapes"), "shapes")),
        threads=_count(plan, "threads"),
        versions={
            name: _text(plan["versions"], name)
            for name in _object(plan.get("versions"), "versions")
        },
        shards=_shards(plan.get("shards"), texts, tokens),
    )


@dataclass(frozen=True)
class Finished:
    """A shard whose files are written.

    Attributes:
        hashes: by dictionary the SHA-256 of its file.
        left_out: of its tokens that do not count, by dictionary and reason (special, massive), how
            often each was there.
    """

    hashes: Hashes
    left_out: Counts

    def to_dict(self) -> dict[str, Any]:
        return {"hashes": self.hashes, "left_out": self.left_out}


def finished_of(record: Any, plan: Plan) -> Finished:
    """What the record of a finished shard says. Raises ValueError, with the reason, if nothing."""
    shard = _object(record, "a finished shard")
    hashes = _object(shard.get("hashes"), "hashes")
    left_out = _object(shard.get("left_out"), "left_out")
    return Finished(
        {name: _text(hashes, name) for name in plan.dictionaries},
        {
            name: {
                reason: {token: _count(counts, token) for token in _object(counts, reason)}
                for reason, counts in _object(left_out.get(name), name).items()
            }
            for name in plan.dictionaries
        },
    )


def manifest_of(plan: Plan, shards: Mapping[int, Finished], folder: Path) -> dict[str, Any]:
    """What a finished dataset says of itself: its plan, the hash of each file, what is left out."""
    files = {
        shard.path(folder, name).relative_to(folder).as_posix(): shards[shard.number].hashes[name]
        for shard in plan.shards
        for name in plan.dictionaries
    }
    left_out = [shards[shard.number].left_out for shard in plan.shards]
    return {"plan": plan.to_dict(), "files": files, "left_out": left_out}


def finished_shards(manifest: Mapping[str, Any], plan: Plan, folder: Path) -> dict[int, Finished]:
    """The shards in a manifest. Raises ValueError, with the reason, unless all are there."""
    files, left_out = _object(manifest.get("files"), "files"), manifest.get("left_out")
    if not isinstance(left_out, list) or len(left_out) != len(plan.shards):
        raise ValueError("expected left_out to have an entry for each shard")
    found = {}
    for shard, counts in zip(plan.shards, left_out, strict=True):
        hashes = {
            name: _text(files, shard.path(folder, name).relative_to(folder).as_posix())
            for name in plan.dictionaries
        }
        found[shard.number] = finished_of({"hashes": hashes, "left_out": counts}, plan)
    return found


def total_left_out(shards: Iterable[Finished], plan: Plan) -> Counts:
    """How often each token was left out of the whole dataset, the most frequent first."""
    totals: dict[str, dict[str, Counter[str]]] = {name: {} for name in plan.dictionaries}
    for shard in shards:
        for name, by_reason in shard.left_out.items():
            for reason, tokens in by_reason.items():
                totals[name].setdefault(reason, Counter()).update(tokens)
    return {
        name: {reason: dict(tokens.most_common()) for reason, tokens in by_reason.items()}
        for name, by_reason in totals.items()
    }


def _dictionaries(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    if not record:
        raise ValueError("it names no dictionary")
    return {
        name: {
            "digest": _text(_object(of, name), "digest"),
            "site": _text(of, "site"),
            "d_sae": _count(of, "d_sae"),
            "convention": _object(of.get("convention"), "convention"),
        }
        for name, of in record.items()
    }


def _choice(record: Mapping[str, Any]) -> TokenChoice:
    return TokenChoice(_one_of(record, "special", Choice), _one_of(record, "massive", Choice))


def _shapes(record: Mapping[str, Any]) -> Shapes:
    if record.get("encoding") == "compiled":  # as it was called while there was one screen
        record = {**record, "encoding": "bfloat16"}
    encoding: Encoding = _one_of(record, "encoding", Encoding)
    return Shapes(_count(record, "budget"), _count(record, "row", 0), encoding)


def _shards(record: Any, texts: int, tokens: int) -> tuple[Shard, ...]:
    """Raises ValueError unless the shards are all texts, in order, without a gap."""
    if not isinstance(record, list) or not record:
        raise ValueError("it has no shards")
    shards = []
    for number, of in enumerate(record):
        shard = _object(of, "a shard")
        shards.append(Shard(*(_count(shard, k, 0) for k in ("number", "first", "last", "tokens"))))
        begins = shards[-2].last if number else 0
        if shards[-1].number != number or shards[-1].first != begins or shards[-1].last <= begins:
            raise ValueError(f"its shard {number} does not go on where the one before it ends")
    if shards[-1].last != texts or sum(shard.tokens for shard in shards) != tokens:
        raise ValueError("its shards do not hold the texts of its corpus")
    return tuple(shards)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected {what} to be an object, got {json_kind(value)}")
    return value


def _text(record: Mapping[str, Any], key: str) -> str:
    if not isinstance(record.get(key), str):
        raise ValueError(f"expected {key} to be a text, got {record.get(key)!r}")
    return str(record[key])


def _count(record: Mapping[str, Any], key: str, least: int = 1) -> int:
    value = record.get(key)
    if type(value) is not int or not least <= value < 2**63:
        raise ValueError(f"expected {key} to be a whole number from {least} on, got {value!r}")
    return value


def _one_of(record: Mapping[str, Any], key: str, kind: Any) -> Any:
    choices = get_args(kind)
    if record.get(key) not in choices:
        raise ValueError(f"expected {key} to be {' or '.join(choices)}, got {record.get(key)!r}")
    return record[key]

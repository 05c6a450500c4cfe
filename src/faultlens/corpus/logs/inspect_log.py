"""Logs of inspect_ai as answers: each sample's prompt, target, answer and outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlens.corpus.logs.evaluation_log import (
    EvaluationLog,
    LeftOut,
    LoggedSample,
    LogSource,
    chosen_factors,
    scalars,
    shared_columns,
)
from faultlens.corpus.logs.inspect_archive import Header, RawSample, read_inspect
from faultlens.corpus.logs.inspect_conversation import Conversation, conversation_of
from faultlens.corpus.logs.inspect_scores import UNSCORED, Outcome, outcome_of, scorer_of
from faultlens.corpus.logs.log_options import MAJORITY, LogOptions
from faultlens.corpus.records import name_of, printable, shown
from faultlens.errors import UserError

SHUFFLED = "Choices were shuffled before generating a response"
"""How the scorer `choice` begins to explain a sample whose messages were rewritten afterwards."""


@dataclass(frozen=True)
class _Scored:
    """A sample that was run and scored, with its outcome."""

    where: str
    raw: RawSample
    outcome: Outcome


def read_inspect_log(
    path: Path, options: LogOptions, factors: Sequence[str] | None
) -> EvaluationLog:
    """A log of inspect_ai, `.eval` or `.json`.

    A sample is left out, and counted, where it ended in an error or at a limit, was invalidated or
    not scored, called tools, answered in several turns, or was not given what its messages say. Of
    several epochs one is chosen, or their majority.

    Raises UserError for a log that cannot be read, without scores, with several scorers or epochs
    of which none is chosen, and where no sample is left.
    """
    header, raw = read_inspect(path)
    name, left_out = printable(path), LeftOut()
    epoch = _epoch(name, raw, options.epoch)
    ended = [sample for sample in raw if _is_sound(sample, epoch, left_out)]
    left_out.check_rest(name, ended)
    scorer = scorer_of(name, ended, options.scorer)
    scored = list(_scored(name, ended, scorer, options.threshold, left_out))
    if epoch == MAJORITY:
        scored = list(_majority(scored, left_out))
    told = [(one, conversation_of(one.raw)) for one in scored]
    kept = [
        (one, talk)
        for one, talk in told
        if isinstance(talk, Conversation) and _is_as_given(one, left_out, scorer)
    ]
    for _, talk in told:
        if isinstance(talk, str):
            left_out.add(talk)
    left_out.check_rest(name, kept)
    known = [_known(one.raw) for one, _ in kept]
    separator = " " if sum(t.answer.startswith(" ") for _, t in kept) * 2 > len(kept) else ""
    everywhere = shared_columns(known)
    found = [
        _sample(one, talk, separator, chosen_factors(one.where, columns, factors)
                if factors is not None else {n: columns[n] for n in everywhere})
        for (one, talk), columns in zip(kept, known, strict=True)
    ]  # fmt: skip
    spec = header["eval"]
    source = LogSource(
        f"inspect_ai {(spec.get('packages') or {}).get('inspect_ai', '')}".strip(),
        str(spec.get("task") or name_of(path)),
        None if spec.get("model") is None else str(spec["model"]),
        f"scorer {scorer}",
        len(raw),
        left_out.counts,
        tuple(dict.fromkeys(column for columns in known for column in columns)),
    )
    return EvaluationLog(source, tuple(found), tuple(_notes(header, kept, known, everywhere)))


def _epoch(name: str, samples: Sequence[RawSample], chosen: str | None) -> int | str:
    """The epoch that counts. Raises UserError where there are several and none is chosen."""
    there = sorted({int(sample.get("epoch") or 1) for sample in samples} or {1})
    if chosen is None and len(there) > 1:
        raise UserError(
            f"{name} ran each sample in {len(there)} epochs: choose one with --epoch "
            f"{there[0]}, or --epoch {MAJORITY}"
        )
    if chosen is None or (chosen == MAJORITY and len(there) == 1):
        return there[0]
    if chosen == MAJORITY:
        return MAJORITY
    if int(chosen) not in there:
        raise UserError(
            f"{name} has no epoch {chosen}: it has {', '.join(map(str, there))}"
            + (f", and {MAJORITY}" if len(there) > 1 else "")
        )
    return int(chosen)


def _is_sound(sample: RawSample, epoch: int | str, left_out: LeftOut) -> bool:
    """Whether a sample is of the epoch that counts and ran to its end."""
    limit = sample.get("limit") or {}
    why = None
    if epoch != MAJORITY and int(sample.get("epoch") or 1) != epoch:
        why = f"of other epochs than {epoch}"
    elif sample.get("error"):
        why = "ended in an error"
    elif limit:
        kind = limit.get("type") if isinstance(limit, dict) else None
        why = f"stopped at a limit ({kind or 'unknown'})"
    elif sample.get("invalidation"):
        why = "invalidated"
    if why is not None:
        left_out.add(why)
    return why is None


def _scored(
    name: str,
    samples: Sequence[RawSample],
    scorer: str,
    threshold: float | None,
    left_out: LeftOut,
) -> Iterator[_Scored]:
    for sample in samples:
        where = f"{name} sample {printable(sample.get('id'))}"
        outcome = outcome_of(where, sample, scorer, threshold)
        if outcome is None:
            left_out.add(UNSCORED)
        else:
            yield _Scored(where, sample, outcome)


def _majority(scored: Sequence[_Scored], left_out: LeftOut) -> Iterator[_Scored]:
    """Of each sample the first epoch that ended as most of its epochs did."""
    by_id: dict[str, list[_Scored]] = {}
    for one in scored:
        by_id.setdefault(str(one.raw.get("id")), []).append(one)
    for epochs in by_id.values():
        right = sum(one.outcome.success for one in epochs) * 2
        if right == len(epochs):
            for _ in epochs:
                left_out.add("right in as many epochs as wrong")
            continue
        yield next(one for one in epochs if one.outcome.success == (right > len(epochs)))
        for _ in epochs[1:]:
            left_out.add("other epochs of a sample that counts once")


def _is_as_given(one: _Scored, left_out: LeftOut, scorer: str) -> bool:
    """Whether the log's messages are what the model was given, and there is a target."""
    score = (one.raw.get("scores") or {}).get(scorer.partition(":")[0])
    explanation = score.get("explanation") if isinstance(score, dict) else None
    why = None
    if isinstance(explanation, str) and explanation.startswith(SHUFFLED):
        why = "given other messages than the log says (choices were shuffled in the run)"
    elif not _targets(one.raw):
        why = "without a target"
    if why is not None:
        left_out.add(why)
    return why is None


def _known(sample: RawSample) -> dict[str, Any]:
    """What the metadata says that can be a factor; a `foil` there is the prompt's."""
    metadata = sample.get("metadata") or {}
    return scalars({name: value for name, value in metadata.items() if name != "foil"})


def _targets(sample: RawSample) -> list[str]:
    """All right answers."""
    target = sample.get("target")
    given = target if isinstance(target, list) else [target]
    texts = [text.strip() for text in given if isinstance(text, str)]
    return [text for text in dict.fromkeys(texts) if text]


def _sample(
    one: _Scored, talk: Conversation, separator: str, factors: dict[str, Any]
) -> LoggedSample:
    target, *also = _targets(one.raw)
    kind = one.outcome.kind
    choices = one.raw.get("choices")
    if choices and kind is None and not one.outcome.success and one.outcome.answer:
        kind = "chose another option"
    foil = (one.raw.get("metadata") or {}).get("foil")
    if choices and len(choices) == 2 and target in ("A", "B"):
        foil = {"A": "B", "B": "A"}[target]
    foil = foil.strip() if isinstance(foil, str) else ""
    return LoggedSample(
        one.where,
        talk.text,
        target,
        talk.answer,
        one.outcome.success,
        foil=foil if foil and foil not in (target, *also) else None,
        accepted=tuple(also),
        separator=separator,
        kind=kind,
        factors=factors,
        messages=talk.messages,
    )


def _notes(
    header: Header,
    kept: Sequence[tuple[_Scored, Conversation]],
    known: Sequence[dict[str, Any]],
    everywhere: Sequence[str],
) -> Iterator[str]:
    """What a reader should know of how the log was read."""
    status = header.get("status")
    if status != "success":
        yield f"the evaluation did not finish (status {shown(status)}): the log holds what was run"
    spec = header["eval"]
    settings = {
        **(spec.get("model_generate_config") or {}),
        **((header.get("plan") or {}).get("config") or {}),
    }
    temperature = settings.get("temperature")
    if isinstance(temperature, int | float) and temperature > 0:
        yield f"answers were sampled (temperature {temperature:g}): another run may give others"
    failed = [one for one, _ in kept if not one.outcome.success]
    scorers = sum((one.outcome.kind or "").startswith("failure of the scorer") for one in failed)
    if scorers:
        yield f"{scorers} of {len(failed)} failures are of the scorer, by the reason it gives"
    partly = sum(one.outcome.kind == "partly right" for one in failed)
    if partly:
        yield f"{partly} of {len(failed)} failures are partly right: they count as wrong"
    some = [
        n for n in dict.fromkeys(n for columns in known for n in columns) if n not in everywhere
    ]
    if some:
        yield (
            f"{printable(', '.join(some))}: not in the metadata of every sample, hence no factors"
        )

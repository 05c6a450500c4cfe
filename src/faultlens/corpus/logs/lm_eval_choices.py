"""Choices in lm-eval's logs: the right one, the best wrong one, and how far they are apart."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from faultlens.corpus.logs.lm_eval_file import requests_of
from faultlens.corpus.records import shown
from faultlens.errors import UserError

RAW, PER_CHARACTER, PER_BYTE, MUTUAL = "acc", "acc_norm", "acc_bytes", "acc_mutual_info"
METRICS = (RAW, PER_CHARACTER, PER_BYTE, MUTUAL)
"""Metrics of multiple choice, each with its own way of comparing the choices."""


@dataclass(frozen=True)
class Choices:
    """The choices of one sample.

    Attributes:
        context: what stands before all of them.
        texts: of the choices, without what stands between context and choice.
        right: the places of the right ones, the target first.
        values: by which they are compared: log-likelihoods, or as the metric has it.
        likelihoods: log-likelihood of each continuation that was asked for after the context, in
            nats; empty where the context varies.
    """

    context: str
    texts: tuple[str, ...]
    right: tuple[int, ...]
    values: tuple[float, ...]
    likelihoods: Mapping[str, float] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return self.texts[self.right[0]]

    @property
    def best_wrong(self) -> int | None:
        """The place of the wrong choice with the largest value; None: there is none."""
        answers = {self.texts[i] for i in self.right}
        wrong = [i for i, text in enumerate(self.texts) if text not in answers]
        return max(wrong, key=lambda i: self.values[i], default=None)

    @property
    def difference(self) -> float | None:
        """The best right choice's value − the best wrong one's."""
        wrong = self.best_wrong
        return (
            None if wrong is None else max(self.values[i] for i in self.right) - self.values[wrong]
        )

    @property
    def chosen(self) -> int:
        """The choice with the largest value, the first of several: what the harness takes."""
        return self.values.index(max(self.values))


def read_choices(where: str, row: dict[str, Any], metric: str, delimiter: str) -> Choices:
    """The choices of a row, compared as the metric compares them.

    The right choice is the row's `target`, an index as a text. Requests with an empty context are
    the choices by themselves, for `acc_mutual_info`. Where the contexts differ and the continuation
    is shared, the choices are what the contexts do not share; which one is right is then known of
    two only, by the metric.

    Raises UserError for a row that is not as lm-eval writes it, and for a log-likelihood or a
    target that is missing or NaN.
    """
    requests = requests_of(where, row)
    likelihoods = read_likelihoods(where, row, len(requests))
    several = any(request["arg_0"] for request in requests)
    asked = [i for i, request in enumerate(requests) if request["arg_0"] or not several]
    alone = [i for i in range(len(requests)) if i not in asked]
    contexts = [requests[i]["arg_0"] for i in asked]
    continuations = [_continuation(where, requests[i], i) for i in asked]
    values = [likelihoods[i] for i in asked]
    if len(set(contexts)) > 1:
        if metric != RAW:
            raise UserError(f"{where} has its choices in the context: only {RAW} compares them")
        return _in_contexts(where, bool(row.get(RAW)), contexts, continuations, values)
    texts = [text.removeprefix(delimiter) for text in continuations]
    compared = _compared(where, metric, values, texts, [likelihoods[i] for i in alone])
    right = _right(where, row.get("target"), texts)
    asked_for = dict(zip(continuations, values, strict=True))
    return Choices(contexts[0], tuple(texts), tuple(right), tuple(compared), asked_for)


def read_likelihoods(where: str, row: dict[str, Any], requests: int) -> list[float]:
    """The log-likelihood of each request. Raises UserError for one that is missing."""
    responses = row.get("filtered_resps")
    if not isinstance(responses, list) or len(responses) != requests:
        raise UserError(
            f"{where} has no log-likelihoods: 'filtered_resps' is {shown(responses)}, expected one "
            f"[log-likelihood, greedy] for each of {requests} requests"
        )
    found = []
    for i, response in enumerate(responses):
        first = response[0] if isinstance(response, list) and response else response
        try:
            value = float(first)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise UserError(
                f"{where}: the log-likelihood of request {i} is {shown(first)}, expected a number"
            )
        found.append(value)
    return found


def _continuation(where: str, request: dict[str, Any], place: int) -> str:
    text = request.get("arg_1")
    if not isinstance(text, str):
        raise UserError(f"{where}: 'arguments.gen_args_{place}.arg_1' is {shown(text)}, expected "
                        "the continuation that was scored")  # fmt: skip
    return text


def _compared(
    where: str,
    metric: str,
    values: Sequence[float],
    texts: Sequence[str],
    alone: Sequence[float],
) -> list[float]:
    """What the metric takes the largest of."""
    if metric == PER_CHARACTER:
        return [value / max(1, len(text)) for value, text in zip(values, texts, strict=True)]
    if metric == PER_BYTE:
        return [v / max(1, len(text.encode())) for v, text in zip(values, texts, strict=True)]
    if metric == MUTUAL:
        if len(alone) != len(values):
            raise UserError(f"{where} has {len(alone)} choices without context for {len(values)} "
                            f"choices: the metric {MUTUAL} compares them")  # fmt: skip
        return [value - by_itself for value, by_itself in zip(values, alone, strict=True)]
    return list(values)


def _right(where: str, target: Any, texts: Sequence[str]) -> list[int]:
    """The places of the right choices, from an index, a list of them, or a choice's text."""
    said = target.strip() if isinstance(target, str) else target
    try:
        value = ast.literal_eval(said) if isinstance(said, str) else said
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = said
    wanted = value if isinstance(value, list | tuple) else [value]
    if wanted and all(isinstance(i, int) and 0 <= i < len(texts) for i in wanted):
        return list(dict.fromkeys(int(i) for i in wanted))
    bare = [text.strip() for text in texts]
    if isinstance(said, str) and said in bare:
        return [bare.index(said)]
    raise UserError(
        f"{where}: 'target' is {shown(target)}, expected the index of the right choice, 0 to "
        f"{len(texts) - 1}"
    )


def _in_contexts(
    where: str,
    chose_right: bool,
    contexts: Sequence[str],
    continuations: Sequence[str],
    values: Sequence[float],
) -> Choices:
    """Choices that stand in the context, before a continuation that they share."""
    if len(set(continuations)) > 1 or len(contexts) != 2:
        raise UserError(
            f"{where} compares {len(contexts)} contexts, and does not record which one is right: "
            "only two can be told apart, by the metric"
        )
    words = zip(*(context.split(" ") for context in contexts), strict=False)
    common = " ".join(same[0] for same in takewhile(lambda pair: len(set(pair)) == 1, words))
    if not common:
        raise UserError(f"{where}: its contexts have no beginning in common that could be a prompt")
    texts = [context[len(common) :].strip() for context in contexts]
    best = list(values).index(max(values))
    right = best if chose_right else 1 - best
    return Choices(common, tuple(f" {text}" for text in texts), (right,), tuple(values))

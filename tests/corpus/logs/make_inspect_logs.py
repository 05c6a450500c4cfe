"""Makes evaluation logs with inspect_ai itself, offline, on `mini`; `make_logs.py` runs it.

Writes OUT/NAME.eval, some as OUT/NAME.json too, and OUT/reported.json: what inspect_ai itself
reports of each log. The answers of `mini` are its own; all others are written beside their samples.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from inspect_ai import Epochs, Task
from inspect_ai import eval as run
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.log._recorders.chunked.convert import convert_eval_logs_to_chunked
from inspect_ai.model import ChatMessageUser, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import (
    Score,
    Target,
    accuracy,
    choice,
    exact,
    includes,
    match,
    scorer,
    stderr,
    target_perplexity,
)
from inspect_ai.solver import Generate, TaskState, generate, multiple_choice, solver, system_message

from faultlens.corpus.tasks import mini_ioi

PLAIN = "{{ messages[-1].content }}"  # mini is no chat model: the prompt goes in as it is


def ioi_samples(n: int) -> list[Sample]:
    return [
        Sample(input=p.text, target=p.target, id=i, metadata={**p.factors, "foil": p.foil})
        for i, p in enumerate(mini_ioi(n=n).prompts)
    ]


def said(samples: list[Sample], texts: list[str]) -> Any:
    """A model that says the given texts, one after the other."""
    outputs = [ModelOutput.from_content("mockllm/model", text) for text in texts]
    for output in outputs:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1)  # else it is counted online
    return get_model("mockllm/model", custom_outputs=outputs)


@scorer(metrics=[accuracy(), stderr()])
def judged() -> Any:
    """Every value and reason that a score may have, as the sample's metadata asks for."""

    async def score(state: TaskState, target: Target) -> Score:
        value = state.metadata["value"]
        return Score(
            value=float("nan") if value == "nan" else value,
            reason=state.metadata.get("reason"),
            answer=state.output.completion,
        )

    return score


@scorer(metrics={"a": [accuracy()], "b": [accuracy()]})
def both() -> Any:
    """A value of several parts."""

    async def score(state: TaskState, target: Target) -> Score:
        right = state.output.completion == target.text
        return Score(value={"a": 1 if right else 0, "b": 0.25 if right else 0.75})

    return score


@solver
def fails_on(place: int) -> Any:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == place:
            raise RuntimeError("no such thing")
        return await generate(state)

    return solve


@solver
def asks_twice() -> Any:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await generate(state)
        if state.metadata["turns"] == 2:
            state.messages.append(ChatMessageUser(content="Sure?"))
            state = await generate(state)
        return state

    return solve


CAPITALS = ["Paris", "Rome", "Bern", "Oslo", "Cairo", "Lima"]
QUESTION = [
    Sample(
        input=f"Which one is {city}?",
        choices=CAPITALS[:4],
        target="ABCD"[i],
        metadata={"length": len(city)},
        id=city,
    )
    for i, city in enumerate(CAPITALS[:4])
]
VALUES: list[dict[str, Any]] = [
    {"value": "C"},
    {"value": "I"},
    {"value": "P"},
    {"value": "N"},
    {"value": "I", "reason": "refusal"},
    {"value": "I", "reason": "invalid_response_format"},
    {"value": "N", "reason": "no_response"},
    {"value": "I", "reason": "grader_failed"},
    {"value": "nan", "reason": "scoring_failed"},
    {"value": "I", "reason": "a reason of its own"},
]


def main(folder: str, out: Path) -> None:
    mini = get_model(
        "hf/mini", model_path=folder, device="cpu", chat_template=PLAIN, do_sample=False,
        tokenizer_path=folder,
    )  # fmt: skip
    chosen = said(QUESTION, ["ANSWER: A", "**ANSWER: C**", "Bern it is", "ANSWER: D"])
    judging = [Sample(input=f"q {i}", target="yes", metadata=v, id=i) for i, v in enumerate(VALUES)]
    two_turns = [
        Sample(input=f"q {i}", target="yes", metadata={"turns": 1 + i % 2}, id=i) for i in range(4)
    ]
    quiet: dict[str, Any] = {
        "log_dir": str(out / "logs"), "display": "none", "score_display": False,
        "log_realtime": False,
    }  # fmt: skip
    together = {"max_samples": 64, "max_connections": 64}  # mini's answers; those said go in turn
    jobs: dict[str, tuple[Task, Any, dict[str, Any]]] = {
        "generation": (Task(ioi_samples(60), solver=generate(), scorer=match(location="begin")),
                       mini, {"max_tokens": 8, **together}),
        "choice": (Task(QUESTION, solver=[system_message("Be brief."), multiple_choice()],
                        scorer=choice()), chosen, {}),
        "two_scorers": (Task(judging[:4], solver=generate(), scorer=[exact(), includes()]),
                        said(judging, ["yes", "no", "oh yes", "yes"]), {}),
        "values": (Task(judging, solver=generate(), scorer=judged()),
                   said(judging, ["yes"] * len(judging)), {}),
        "parts": (Task(judging[:4], solver=generate(), scorer=both()),
                  said(judging, ["yes", "no", "yes", "no"]), {}),
        "epochs": (Task(judging[:3], solver=generate(), scorer=exact(),
                        epochs=Epochs(3, "mode")),
                   said(judging, ["yes", "no", "yes", "no", "yes", "yes", "no", "no", "yes"]), {}),
        "no_scores": (Task(judging[:3], solver=generate()), said(judging, ["yes"] * 3), {}),
        "errors": (Task(judging[:4], solver=fails_on(2), scorer=exact(), fail_on_error=False),
                   said(judging, ["yes", "no", "yes"]), {}),
        "turns": (Task(two_turns, solver=asks_twice(), scorer=exact()),
                  said(two_turns, ["yes", "no", "yes", "no", "yes", "yes"]), {}),
        "log_likelihood": (Task([Sample(input=f"{p.text} {p.target}", target=p.target, id=i)
                                 for i, p in enumerate(mini_ioi(n=4).prompts)],
                                solver=generate(), scorer=target_perplexity(num_target_tokens=1)),
                           mini, {"max_tokens": 1, "prompt_logprobs": 1, **together}),
        # Seeded so that none of the four keeps its order: with True one does in one log of six.
        "shuffled": (Task(QUESTION, solver=multiple_choice(shuffle=Random(0)), scorer=choice()),
                     said(QUESTION, ["ANSWER: A"] * 4), {}),
    }  # fmt: skip
    reported: dict[str, Any] = {}
    for name, (task, model, options) in jobs.items():
        (log,) = run(task, model=model, log_format="eval", **quiet, **{"max_samples": 1, **options})
        read = read_eval_log(log.location)
        write_eval_log(read, str(out / f"{name}.eval"))
        if name in ("generation", "values"):
            write_eval_log(read, str(out / f"{name}.json"))
        reported[name] = {
            "status": read.status,
            "metrics": {
                f"{found.name}/{metric.name}": metric.value
                for found in (read.results.scores if read.results else [])
                for metric in found.metrics.values()
            },
            "samples": len(read.samples or []),
        }
    convert_eval_logs_to_chunked(str(out / "choice.eval"), str(out / "chunked"), chunk_size=1)
    (out / "reported.json").write_text(json.dumps(reported))

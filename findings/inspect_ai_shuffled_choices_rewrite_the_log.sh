#!/usr/bin/env bash
# inspect_ai 0.3.285: with shuffled choices the log's messages and outputs are not what was asked and said.
#
# multiple_choice(shuffle=…) puts the choices of each sample in another order, asks, and afterwards
# rewrites the sample's user message with the choices in their first order, and the assistant's message
# and output with the letter that the answer would have had there. A model that says "ANSWER: A" each
# time, whatever is asked, is logged with other answers, and with prompts that it never saw.
# Only the model events and the scorer's explanation hold the truth. Whoever reads samples' messages (for
# position bias, for activations on the prompts) reads a conversation that did not take place. The option
# is deprecated, but accepted; logs written with it are about.
#
# FaultLens leaves such samples out and counts them (tests/corpus/logs/test_inspect_log.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check inspect_ai==0.3.285
cd "$folder"
INSPECT_LOG_LEVEL=error "$folder/venv/bin/python" -W ignore - <<'PYTHON'
from random import Random

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

CITIES = ["Paris", "Rome", "Bern", "Oslo"]
outputs = [ModelOutput.from_content("mockllm/model", "ANSWER: A") for _ in CITIES]
for output in outputs:
    output.usage = ModelUsage(input_tokens=1, output_tokens=1)
samples = [Sample(input=f"Which city is {city}?", choices=CITIES, target="ABCD"[i], id=city)
           for i, city in enumerate(CITIES)]
(log,) = eval(
    Task(samples, solver=multiple_choice(shuffle=Random(0)), scorer=choice()),
    model=get_model("mockllm/model", custom_outputs=outputs), display="none", log_dir="logs",
)
log = read_eval_log(log.location, resolve_attachments=True)
logged, asked = [], []
for sample in log.samples:
    (event,) = [event for event in sample.events if event.event == "model"]
    assert event.output.completion == "ANSWER: A", event.output.completion
    logged.append(sample.messages[-1].text)
    asked.append(event.input[0].text == sample.messages[0].text)
    print(f"{sample.id}: said {event.output.completion!r}, logged {logged[-1]!r} and output "
          f"{sample.output.completion!r}; the logged prompt was asked: {asked[-1]}")
assert len(set(logged)) > 1 and not all(asked), "messages are what was asked: this has changed"
PYTHON

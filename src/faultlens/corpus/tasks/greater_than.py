"""Greater-than: the end of a span of years comes after its start.

Source: Hanna, Liu and Variengien (2023), "How does GPT-2 compute greater-than?", arXiv 2305.00586:
"from the year 17YY to the year 17" is to go on with two digits above YY. Every such number is
right, so a prompt accepts them all. The measure there compares the probability of all that are
above with that of all that are not; target and foil here stand on the two sides of the step, and
their logit difference is its height at that point.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import Prompt, Task, task

EVENTS = (
    "war", "voyage", "siege", "dispute", "reign", "journey", "trial", "famine", "campaign",
    "expedition", "project", "strike",
)  # fmt: skip
CENTURIES = ("11", "12", "13", "14", "15", "16", "17", "18")
TEMPLATES = (
    "The {event} lasted from the year {start} to the year {century}",
    "The {event} began in the year {start} and ended in the year {century}",
    "From {start} the {event} went on until {century}",
)


@task("greater-than", "Which two digits come next? Answer with them alone.")
def greater_than(n: int = 300, seed: int = 0) -> Task:
    """Prompts like `The war lasted from the year 1742 to the year 17`: `43` to `99` are right.

    Success: the continuation's first word is one of these; a year with more digits, or none, is a
    failure. The target is the first year that is right (43), the foil the last that is not (42).
    Starts lie between 02 and 97. Factors: `decade` of the start within its century, `century`,
    `event`, `template`.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        event, century = rng.choice(EVENTS), rng.choice(CENTURIES)
        year, template = rng.randrange(2, 98), rng.randrange(len(TEMPLATES))
        text = TEMPLATES[template].format(event=event, start=f"{century}{year:02}", century=century)
        target, *also = (f"{later:02}" for later in range(year + 1, 100))
        factors = {
            "decade": f"{year // 10}0s",
            "century": century,
            "event": event,
            "template": str(template),
        }
        foil = f"{year:02}"
        prompts.append(Prompt(text, target, foil, factors, accepted=tuple(also), separator=""))
    return Task("greater-than", tuple(prompts))

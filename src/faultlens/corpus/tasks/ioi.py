"""Indirect object identification as the published audit of GPT-2 small generated it.

The lists, the templates and the order of the random draws are the study's (arXiv 2605.22719,
repository mahdinaser/agent-failure-circuits), so that the same seed gives the same prompts. Its
order of names (ABBA or BABA) is confounded with verb and clause: both belong to the template.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import NEXT_WORD, Prompt, Task, task

NAMES = (
    "John Mary Tom James Dan Mike Chris Susan Anna Paul Brian Lisa Alex Emily Robert Sarah "
    "Jessica David Laura Kevin Karen Steve Lucy Henry Lily Jack Rachel Ben Helen"
).split()
PLACES = (
    "the store,the park,the restaurant,the school,the office,the gym,the library,the cafe".split(
        ","
    )
)
OBJECTS = "a drink,the keys,a book,the ball,the gift,a card,the bag,the flowers".split(",")
TEMPLATES = (
    "When {IO} and {S} went to {place}, {S} gave {object} to",
    "After {S} and {IO} went to {place}, {S} gave {object} to",
    "While {IO} and {S} were at {place}, {S} handed {object} to",
    "Once {S} and {IO} arrived at {place}, {S} passed {object} to",
)


@task("ioi", NEXT_WORD)
def ioi(n: int = 300, seed: int = 42) -> Task:
    """The study's IOI prompts; `ioi(n=300, seed=42)` gives its 300 exactly, in order.

    Prompts about one indirect object belong together: the name decides part of the outcome.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        subject, indirect_object = rng.sample(NAMES, 2)
        place, thing = rng.choice(PLACES), rng.choice(OBJECTS)
        template = rng.randrange(len(TEMPLATES))
        text = TEMPLATES[template].format(IO=indirect_object, S=subject, place=place, object=thing)
        factors = {
            "subject": subject,
            "indirect_object": indirect_object,
            "place": place,
            "object": thing,
            "template": str(template),
        }
        groups = {"indirect_object": indirect_object}
        prompts.append(
            Prompt(text, target=indirect_object, foil=subject, factors=factors, groups=groups)
        )
    return Task("ioi", tuple(prompts))

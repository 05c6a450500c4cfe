"""`mini`'s own indirect object identification: its world, on name pairs that it never saw together.

Unlike the study's, the order of the names (ABBA, BABA) is drawn independently of the template.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import NEXT_WORD, Prompt, Task, task
from faultlens.corpus.world import NAMES, ORDINARY_THINGS, PLACES, PULLS, unseen_together

OBJECTS: tuple[str, ...] = (*ORDINARY_THINGS[:6], *(pull.thing for pull in PULLS))
TEMPLATES = (
    "When {first} and {second} went to {place}, {S} gave {object} to",
    "After {first} and {second} arrived at {place}, {S} handed {object} to",
    "While {first} and {second} were at {place}, {S} passed {object} to",
    "{first} and {second} met at {place}. Later {S} brought {object} to",
)


@task("mini-ioi", NEXT_WORD)
def mini_ioi(n: int = 300, seed: int = 0) -> Task:
    """IOI prompts about `mini`'s world; `order` is ABBA where the indirect object comes first.

    Prompts about one indirect object belong together: the name decides part of the outcome.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        subject, indirect_object = rng.sample(NAMES, 2)
        while not unseen_together(subject, indirect_object):
            subject, indirect_object = rng.sample(NAMES, 2)
        place, thing = rng.choice(PLACES[:8]), rng.choice(OBJECTS)
        template, order = rng.randrange(len(TEMPLATES)), rng.choice(("ABBA", "BABA"))
        first, second = (
            (indirect_object, subject) if order == "ABBA" else (subject, indirect_object)
        )
        text = TEMPLATES[template].format(
            first=first, second=second, S=subject, place=place, object=thing
        )
        factors = {
            "object": thing,
            "place": place,
            "template": str(template),
            "order": order,
            "subject": subject,
            "indirect_object": indirect_object,
        }
        groups = {"indirect_object": indirect_object}
        prompts.append(
            Prompt(text, target=indirect_object, foil=subject, factors=factors, groups=groups)
        )
    return Task("mini-ioi", tuple(prompts))

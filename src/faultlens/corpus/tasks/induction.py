"""Induction over repeated names: what followed a name before follows it again.

Source: Olsson et al. (2022), "In-context Learning and Induction Heads", arXiv 2209.11895, whose
rule is [A][B] … [A] → [B]. Here A is a person and B what this person has, among several of both.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import NEXT_WORD, Prompt, Task, task
from faultlens.corpus.tasks.ioi import NAMES

FOODS = ("soup", "bread", "cheese", "rice", "fish", "pasta", "salad", "pie")
VERBS = ("had", "liked", "wanted", "brought")
JOINTS = {"and": " and ", "comma": ", ", "sentence": ". "}
PEOPLE = (2, 3, 4, 5)


@task("induction", NEXT_WORD)
def induction(n: int = 300, seed: int = 0) -> Task:
    """Prompts like `Ann had the soup. Tom had the pie. Ann had the`, to be continued by `soup`.

    Success: the continuation's first word is what the repeated name was said to have; the foil is
    what the person named last before the question has, or the one before, if that one is asked for.
    Factors: `people` named; `place` in their order of the one who is asked for, counted from the
    question back (1: named last); `verb`; `joint`, what stands between the statements; `food`;
    `name` asked for, whose prompts belong together.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        people, verb, joint = rng.choice(PEOPLE), rng.choice(VERBS), rng.choice(tuple(JOINTS))
        names, foods = rng.sample(NAMES, people), rng.sample(FOODS, people)
        back = rng.randrange(people) + 1
        statements = [f"{name} {verb} the {food}" for name, food in zip(names, foods, strict=True)]
        text = f"{JOINTS[joint].join(statements)}. {names[-back]} {verb} the"
        factors = {
            "people": str(people),
            "place": str(back),
            "verb": verb,
            "joint": joint,
            "food": foods[-back],
            "name": names[-back],
        }
        foil = foods[-2] if back == 1 else foods[-1]
        groups = {"name": names[-back]}
        prompts.append(Prompt(text, target=foods[-back], foil=foil, factors=factors, groups=groups))
    return Task("induction", tuple(prompts))

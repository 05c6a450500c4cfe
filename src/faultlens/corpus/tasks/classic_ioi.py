"""Indirect object identification as it was first posed: 15 templates, each in two orders of names.

Source: Wang, Variengien, Conmy, Shlegeris and Steinhardt (2022), "Interpretability in the Wild: a
Circuit for Indirect Object Identification in GPT-2 small", arXiv 2211.00593. A first clause names
two people; in the second one of them, the subject S, hands something over, and the receiver is the
other, the indirect object IO. Its measure is `logit(IO) − logit(S)`: target and foil here. The
sentences are our own, written to that definition.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import NEXT_WORD, Prompt, Task, task
from faultlens.corpus.tasks.ioi import NAMES
from faultlens.corpus.world import ORDINARY_THINGS, PLACES

TEMPLATES = (
    "{A} and {B} walked to {place} this morning. Then {S} gave {object} to",
    "Yesterday {A} and {B} came to {place}, where {S} gave {object} to",
    "{A} and {B} sat down at {place}, and {S} passed {object} to",
    "When {A} and {B} had arrived at {place}, {S} decided to give {object} to",
    "While {A} and {B} were waiting at {place}, {S} handed {object} to",
    "After {A} and {B} had met at {place}, {S} brought {object} to",
    "{A} and {B} spent the whole day at {place}. In the evening {S} offered {object} to",
    "Because {A} and {B} were bored at {place}, {S} showed {object} to",
    "Once {A} and {B} were back from {place}, {S} wanted to lend {object} to",
    "It was late when {A} and {B} left {place}, so {S} quickly sent {object} to",
    "{A} and {B} had a long talk at {place}. Afterwards {S} gave {object} to",
    "Before {A} and {B} went home from {place}, {S} returned {object} to",
    "{A} and {B} are old friends. At {place} {S} gave {object} to",
    "As soon as {A} and {B} saw {place}, {S} threw {object} to",
    "At {place} {A} and {B} laughed for an hour, and at last {S} handed {object} to",
)


@task("classic-ioi", NEXT_WORD)
def classic_ioi(n: int = 300, seed: int = 0) -> Task:
    """IOI prompts whose order of names is drawn independently of the template.

    Success: the continuation's first word is the indirect object. Factors: `order` (ABBA: the
    indirect object is named first; BABA: the subject is), `template`, `object`, `place`, `subject`,
    `indirect_object`. Prompts about one indirect object belong together.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        subject, indirect_object = rng.sample(NAMES, 2)
        template, order = rng.randrange(len(TEMPLATES)), rng.choice(("ABBA", "BABA"))
        thing, place = rng.choice(ORDINARY_THINGS), rng.choice(PLACES)
        first, second = (
            (indirect_object, subject) if order == "ABBA" else (subject, indirect_object)
        )
        text = TEMPLATES[template].format(A=first, B=second, S=subject, place=place, object=thing)
        factors = {
            "order": order,
            "template": str(template),
            "object": thing,
            "place": place,
            "subject": subject,
            "indirect_object": indirect_object,
        }
        groups = {"indirect_object": indirect_object}
        prompts.append(
            Prompt(text, target=indirect_object, foil=subject, factors=factors, groups=groups)
        )
    return Task("classic-ioi", tuple(prompts))

"""Subject–verb agreement across attractors: nouns between subject and verb, often of other number.

Source: Linzen, Dupoux and Goldberg (2016), "Assessing the Ability of LSTMs to Learn
Syntax-Sensitive Dependencies", TACL 4, who count the nouns in between whose number is not the
subject's.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import NEXT_WORD, Prompt, Task, task

NOUNS = {
    "key": "keys", "book": "books", "card": "cards", "letter": "letters", "map": "maps",
    "bag": "bags", "teacher": "teachers", "doctor": "doctors", "driver": "drivers",
    "guard": "guards", "report": "reports", "room": "rooms",
}  # fmt: skip
"""Singular to plural."""

LINKS = ("near", "behind", "next to", "in front of")
LEADS = ("", "Yesterday ", "I think that ", "It is clear that ")
FORMS = {"singular": ("was", "is", "has", "does"), "plural": ("were", "are", "have", "do")}
"""The verb forms that agree with each number; the first is target or foil."""


@task("agreement", NEXT_WORD)
def agreement(n: int = 300, seed: int = 0) -> Task:
    """Prompts like `The key behind the cards`, whose verb is to be singular: `was`.

    Success, by its rule `target-over-foil`: of `was` and `were` the one in the subject's number has
    the higher logit. What the model would say first need not be a verb at all ("The room" → "was",
    but also "of"), so that the exact word tells nothing of agreement; under the rules of text any
    form of be, have or do in that number is right. The past fits every lead. Factors: `number` of
    the subject; `attractor_number`, that of the nouns in between, or `none`; `attractor_count`, how
    many nouns stand in between; `noun`, the subject in the singular; `link` and `lead`.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        number = rng.choice(tuple(FORMS))
        count = rng.randrange(3)
        between_number = rng.choice(tuple(FORMS)) if count else "none"
        noun, *between = rng.sample(tuple(NOUNS), 1 + count)
        link, lead = rng.choice(LINKS), rng.choice(LEADS)
        phrase = f" {link} ".join(
            [
                _noun_phrase(noun, number),
                *(_noun_phrase(other, between_number) for other in between),
            ]
        )
        text = lead + phrase if lead else phrase[0].upper() + phrase[1:]
        (right, *also), (wrong, *_) = FORMS[number], FORMS[_other(number)]
        factors = {
            "number": number,
            "attractor_number": between_number,
            "attractor_count": str(count),
            "noun": noun,
            "link": link,
            "lead": lead.strip() or "none",
        }
        prompts.append(Prompt(text, right, wrong, factors, accepted=tuple(also)))
    return Task("agreement", tuple(prompts), rule="target-over-foil")


def _noun_phrase(noun: str, number: str) -> str:
    return f"the {noun if number == 'singular' else NOUNS[noun]}"


def _other(number: str) -> str:
    return "plural" if number == "singular" else "singular"

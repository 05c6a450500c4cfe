"""Closing brackets in code: what was opened last is closed first, each by its own kind.

Source: the language of balanced brackets of several kinds (Dyck language; Chomsky and
Schützenberger 1963, "The Algebraic Theory of Context-Free Languages"), set in lines of Python.
"""

from __future__ import annotations

import random

from faultlens.corpus.task import Prompt, Task, task

KINDS = {"round": "()", "square": "[]"}
DEPTHS = (1, 2, 3)
FILLS = (0, 1, 2, 4)
VARIABLES = "item value name line count total score price size index node data row page".split()
FUNCTIONS = ("len", "sum", "max", "min", "sorted", "list", "print", "abs")


@task("brackets", "Which brackets come next? Answer with them alone.")
def brackets(n: int = 300, seed: int = 0) -> Task:
    """Prompts like `total = sum(data[len(row`, to be closed by `)])`.

    Success, by its rule `target-over-foil`: what closes all brackets in the right order has the
    higher logit where it parts from the foil. Code may well go on before it closes a bracket, so
    that the exact word tells nothing of the kinds of brackets. The foil closes the innermost
    bracket by the other kind, and the rest as it should. Factors: `depth`, how many brackets are
    open; `innermost` and `outermost`, their kinds; `distance`, how many names stand, with commas,
    between the innermost bracket and the last name.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        depth, fill = rng.choice(DEPTHS), rng.choice(FILLS)
        kinds = [rng.choice(tuple(KINDS)) for _ in range(depth)]
        result, *names = rng.sample(VARIABLES, 2 + depth + max(FILLS))
        text = f"{result} = "
        for kind in kinds:
            opened = rng.choice(FUNCTIONS) if kind == "round" else names.pop()
            text += opened + KINDS[kind][0]
        text += ", ".join(names[: fill + 1])
        closing = "".join(KINDS[kind][1] for kind in reversed(kinds))
        other = "square" if kinds[-1] == "round" else "round"
        factors = {
            "depth": str(depth),
            "innermost": kinds[-1],
            "outermost": kinds[0],
            "distance": str(fill),
        }
        foil = KINDS[other][1] + closing[1:]
        prompts.append(Prompt(text, closing, foil, factors, separator=""))
    return Task("brackets", tuple(prompts), rule="target-over-foil")

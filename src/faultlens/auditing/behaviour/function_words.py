"""Function words of English: they name nothing by themselves."""

from __future__ import annotations

POSSESSIVES = frozenset("my your his her its our their whose".split())
PRONOUNS = frozenset(
    (
        "i me mine you yours he him she her hers it we us ours they them theirs himself herself "
        "itself themselves myself yourself ourselves yourselves"
    ).split()
)
DETERMINERS = frozenset("the a an this that these those".split())
FUNCTION_WORDS = frozenset(
    (
        "about after again against and as at back because before behind beside between but by "
        "during for from if in into is was were are be been like near next of off on onto or out "
        "over since so than that then through to too toward towards under until up upon when "
        "where while who whom which with without not no yes"
    ).split()
)
"""Prepositions, conjunctions and verbs that name nothing."""

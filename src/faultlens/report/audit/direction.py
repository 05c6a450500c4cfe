"""What a feature's direction says by itself: the tokens it promotes, and the features near it."""

from __future__ import annotations

from faultlens.auditing.result import FeatureDirection, TokenLogit
from faultlens.numbers import listed, number
from faultlens.report.parts import Cell, Column, Paragraph, Part, table

NO_RESIDUAL = (
    "which tokens it promotes is not told: its direction is not added to the residual stream."
)


def direction_parts(direction: FeatureDirection) -> list[Part]:
    """Tokens by the logit lens, then the nearest features at other sites, if there are any."""
    found: list[Part] = [Paragraph(_tokens(direction), "By its direction alone:")]
    if direction.nearest:
        found.append(
            table(
                "The nearest features at other sites, by the cosine of their directions.",
                [
                    Column("Nearest feature"),
                    Column("Cosine", "right"),
                    Column(
                        "Usual", "right",
                        "The same for a random feature of this site: the median of 200.",
                    ),
                ],
                [
                    [near.feature, Cell(number(near.cosine), value=near.cosine), number(near.usual)]
                    for near in direction.nearest
                ],
            )
        )  # fmt: skip
    return found


def _tokens(direction: FeatureDirection) -> str:
    if not direction.promoted and not direction.suppressed:
        return NO_RESIDUAL
    return (
        f"by the logit lens it promotes {_listed(direction.promoted)}, and suppresses "
        f"{_listed(direction.suppressed)}. An approximation: later layers may change it."
    )


def _listed(tokens: list[TokenLogit]) -> str:
    return listed([token_words(one.token) for one in tokens]) or "none"


def token_words(token: str) -> str:
    """A token as words show it, its spaces visible where it begins and ends.

    >>> token_words(" the keys"), token_words("\\n"), token_words("x ")
    ('“␣the keys”', '“⏎”', '“x␣”')
    """
    text = token.replace("\r", "").replace("\n", "⏎").replace("\t", "⇥")
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - len(inner) - before
    return f"“{'␣' * before}{inner}{'␣' * after}”"

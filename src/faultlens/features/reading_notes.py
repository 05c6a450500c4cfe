"""What a reader should know of how texts were read, a sentence each. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from faultlens.features.reading_config import MASSIVE

OWN_BOS = "texts_with_own_bos"  # the key of a convention; not there where there are none
SHOWN = 4  # kinds of token that a sentence names


class Read(Protocol):
    """Whatever was read under a convention: a table."""

    @property
    def convention(self) -> dict[str, Any]: ...


def reading_notes(tables: Mapping[str, Read]) -> list[str]:
    """What a reader should know of the texts' tokens: BOS of their own, and what was left out."""
    conventions = {name: table.convention for name, table in tables.items()}
    own_bos = max((int(of.get(OWN_BOS, 0)) for of in conventions.values()), default=0)
    notes = []
    if own_bos:
        notes.append(
            f"{own_bos:,} {'text begins' if own_bos == 1 else 'texts begin'} with BOS, which is "
            "therefore not put in front again"
        )
    left_out = {
        name: {r: of[key] for r in ("special", "massive") if (key := f"{r}_left_out") in of}
        for name, of in conventions.items()
    }
    return notes + sentences_of(left_out)


def sentences_of(left_out: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    """What was left out, by dictionary as `counted` says it, in a sentence a reason and site.

    >>> sentences_of({"3-res-x": {"special": {"</s>": 4, "<s>": 1}}})
    ['3-res-x: 5 special tokens were left out ("</s>" 4, "<s>" 1)']
    """
    what = {
        "special": "special tokens were left out",
        "massive": f"tokens beyond {MASSIVE:g} times the median norm were left out",
    }
    said: dict[str, list[str]] = {}  # the same of several dictionaries is said once
    for name, reasons in left_out.items():
        for reason, tokens in reasons.items():
            shown = [f'"{token}" {count:,}' for token, count in list(tokens.items())[:SHOWN]]
            if len(tokens) > SHOWN:
                shown.append(f"{len(tokens) - SHOWN} more kinds")
            total = sum(tokens.values())
            sentence = f"{total:,} {what[reason]} ({', '.join(shown)})"
            said.setdefault(sentence, []).append(name)
    return [f"{', '.join(names)}: {sentence}" for sentence, names in said.items()]

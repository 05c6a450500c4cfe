"""Names: what a run is called where it is spoken of often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faultlens.comparing.result import RunPair
from faultlens.numbers import clipped

LONGEST = 32  # characters


@dataclass(frozen=True)
class Names:
    """What the two runs of a pair are called: by their folders' last names where these differ."""

    first: str
    second: str

    @classmethod
    def of(cls, pair: RunPair) -> Names:
        """
        >>> Names.of(RunPair("runs/a", "runs/b", [], None, None))
        Names(first='a', second='b')
        """
        return cls(*short_names([pair.first, pair.second]))


def short_names(folders: Sequence[str]) -> list[str]:
    """Folders by their last names, where these tell them apart; cut to one line.

    >>> short_names(["old/run", "new/run"]), short_names(["old/a", "new/b"])
    (['old/run', 'new/run'], ['a', 'b'])
    """
    last = [Path(folder).name for folder in folders]
    named = last if all(last) and len(set(last)) == len(last) else folders
    return [clipped(name, LONGEST) for name in named]


def sentence(text: str) -> str:
    """A text as a sentence: a capital in front, a stop behind.

    >>> sentence("nothing turned")
    'Nothing turned.'
    """
    ended = text if text.endswith((".", "?", "!")) else f"{text}."
    return f"{ended[:1].upper()}{ended[1:]}"

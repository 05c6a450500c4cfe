"""Whether the length of its texts alone tells a category."""

from __future__ import annotations

from faultlens.numbers import auroc, listed
from faultlens.profiling.result import Profile

TITLE = "Text length"
LENGTH_WARNS = 0.15  # |AUROC of length − 0.5| from which a reader should be told
NAMED = 4


def telling_lengths(profile: Profile) -> list[str]:
    """The categories that length alone tells from the rest, in words."""
    return [
        f"{category} ({auroc(length.auroc)}, {'longer' if length.auroc > 0.5 else 'shorter'})"
        for category, length in profile.lengths.items()
        if abs(length.auroc - 0.5) >= LENGTH_WARNS
    ]


def sentence(profile: Profile) -> str:
    """Which categories length alone tells."""
    telling = telling_lengths(profile)
    if not telling:
        return "Length alone tells no category from the rest."
    return (
        f"Length alone goes with {listed(telling, NAMED)}: a feature of these categories may "
        "follow how long a text is and not what it is."
    )

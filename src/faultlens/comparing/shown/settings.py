"""In what runs differ by their manifests: what else could explain the difference."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.comparing.result import RunPair, Setting
from faultlens.comparing.shown.names import Names
from faultlens.numbers import counted, listed
from faultlens.report.parts import Column, table
from faultlens.report.tree import Section

NAMED = 4  # settings in a sentence
FIRST = 20


def settings_words(settings: Sequence[Setting]) -> str:
    """What keeps a difference from being laid to one thing."""
    if not settings:
        return (
            "that anything but chance in how they were run made the difference: by their manifests "
            "the runs do not differ."
        )
    chosen = [one.setting for one in settings if one.setting.startswith("arguments.")]
    names = [name.removeprefix("arguments.") for name in chosen]
    others = [one.setting for one in settings if one.setting not in chosen]
    kinds = list(dict.fromkeys(name.partition(".")[0] for name in others))
    if len(names) == 1:
        (only,) = (one for one in settings if one.setting == chosen[0])
        rest = f", and what follows from it or came with it in {listed(kinds)}" if kinds else ""
        return (
            f"more than that the difference goes with {names[0]} ({only.first} → {only.second})"
            f"{rest}."
        )
    what = listed([*names[:NAMED]] or others[:NAMED])
    return (
        "that one thing made the difference: by their manifests the runs differ in "
        f"{counted(len(settings), 'entry', 'entries')}, {what} among them."
    )


def settings_section(pair: RunPair, names: Names) -> Section:
    """Every entry of the manifests that differs."""
    if not pair.settings:
        return Section("How the runs differ", "By their manifests they do not.")
    rows = [[one.setting, one.first, one.second] for one in pair.settings]
    columns = [Column("Entry of the manifest"), Column(names.first), Column(names.second)]
    shown = table(
        "What the manifests have that differs.", columns, rows, FIRST, "entries", "--json"
    )
    lead = f"In {counted(len(pair.settings), 'entry', 'entries')} of their manifests."
    return Section("How the runs differ", lead, (shown,))

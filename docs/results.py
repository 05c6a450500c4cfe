"""Writes `results.md`, what `audit.json`, `profile.json` and a comparison hold.

Run it as `python docs/results.py`. Every sentence in it stands beside the field that it is about,
in the records of `auditing/result`, `profiling/result` and `comparing/result`: as a string below
the field, as a comment behind it, or under `Attributes` in the record's docstring. A test says
when the page is stale.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import types
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.task_index import TaskIndex
from faultlens.comparing.result import Comparison
from faultlens.profiling.result import Profile
from faultlens.profiling.result.streamed import StreamedProfile
from faultlens.serialisation import FORMAT_VERSION, Key, keys_of

PAGE = Path(__file__).with_name("results.md")
FILES: dict[str, type[Any]] = {
    "audit.json": Audit,
    "audits.json": TaskIndex,
    "profile.json": Profile,
    "streamed.json": StreamedProfile,
    "faultlens compare --json": Comparison,
}
SIMPLE = {str: "string", int: "whole number", float: "number", bool: "true or false"}
HEAD = """# What a run's results hold

<!-- Written by docs/results.py from the records' own words: change those, and run it again. -->

A run writes `audit.json`, `profile.json` or both, `profile --streaming` and `--store` write
`streamed.json`, an audit of several tasks `audits.json` beside their runs; `--json` prints the
same. A comparison of runs is printed by `faultlens compare --json`. All begin with
`format_version`. This version of FaultLens reads exactly the version that stands below; any other,
an unknown key, a missing one or a value of another type is refused with one sentence. What was not
done, or is not defined, is `null`, never
zero; no number is NaN or infinite. A feature is written `DICTIONARY/INDEX`.
"""


def page() -> str:
    """The whole page."""
    parts, shown = [HEAD], []
    for name, kind in FILES.items():
        version = kind.FORMAT_VERSION
        parts.append(f"## `{name}`, {FORMAT_VERSION} {version}\n")
        for record in records_of(kind):
            if record not in shown:
                shown.append(record)
                parts.append(section(record))
    return "\n".join(parts)


def records_of(kind: type[Any]) -> list[type[Any]]:
    """A record and all records within it, each once, in the order in which they come."""
    found = [kind]
    for record in found:
        for key in keys_of(record):
            found += [r for r in _records_in(key.hint) if r not in found]
    return found


def section(record: type[Any]) -> str:
    """One record: what it is, and a row a key."""
    rows = [f"| `{k.name}` | {type_words(k.hint)} | {description(k)} |" for k in keys_of(record)]
    head = ["| key | value | meaning |", "| --- | --- | --- |"]
    return "\n".join([f"### {record.__name__}\n", _summary(record), "", *head, *rows, ""])


def description(key: Key) -> str:
    """What a key means, in a table's cell; empty if nothing says it."""
    words = " ".join(_described(key.owner).get(key.field.name, "").split())
    words = re.sub(r"\bNone\b", "null", words).replace("|", "\\|")
    return words[:1].upper() + words[1:]


def type_words(hint: Any) -> str:
    """A type as a reader of JSON knows it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return ", ".join(type_words(a) for a in arguments if a is not type(None)) + ", or null"
    if origin is list:
        return f"list of {type_words(arguments[0])}"
    if origin is dict:
        return f"object of {type_words(arguments[1])}"
    if origin is Literal:
        return ", ".join(f"`{a}`" for a in arguments)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return "any value" if hint is Any else SIMPLE[hint]


def _records_in(hint: Any) -> list[type[Any]]:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return [hint]
    return [record for argument in get_args(hint) for record in _records_in(argument)]


def _summary(record: type[Any]) -> str:
    """The record's docstring without its attributes and examples."""
    words = inspect.cleandoc(record.__doc__ or "")
    return re.split(r"\n\n(?:Attributes:|>>>)", words)[0]


@cache
def _described(record: type[Any]) -> dict[str, str]:
    """By field, what is said of it beside it."""
    lines = textwrap.dedent(inspect.getsource(record)).splitlines()
    (tree,) = ast.parse("\n".join(lines)).body
    assert isinstance(tree, ast.ClassDef)
    found = _attributes(record)
    for place, node in enumerate(tree.body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        after = tree.body[place + 1] if place + 1 < len(tree.body) else None
        said = _comment(lines, node.end_lineno or node.lineno)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            said = str(after.value.value)
        if said:
            found[node.target.id] = said
    return found


def _comment(lines: list[str], last: int) -> str:
    """The comment behind a line, by its number from 1, and the lines on which it goes on."""
    _, mark, words = lines[last - 1].partition("  # ")
    if not mark:
        return ""
    for line in lines[last:]:
        if not line.strip().startswith("# "):
            break
        words += f" {line.strip()[2:]}"
    return words


def _attributes(record: type[Any]) -> dict[str, str]:
    _, _, section = inspect.cleandoc(record.__doc__ or "").partition("Attributes:\n")
    items = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return dict(items)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

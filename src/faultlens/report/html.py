"""Parts as one HTML page that opens anywhere: all that it needs is inside, nothing is fetched.

The page forbids itself the network by its content security policy, so that a feature name or a
prompt can never make a reader's browser call out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from faultlens.auditing.result.audit import Audit
from faultlens.errors import UserError
from faultlens.profiling.result import Profile
from faultlens.report.audit.page import audit_parts
from faultlens.report.parts import Figure, Heading, Part
from faultlens.report.profile.page import profile_parts
from faultlens.runs.files import write_text
from faultlens.runs.folder import AUDIT, MANIFEST, PAGE, PROFILE, read_result

Result = TypeVar("Result", Profile, Audit)
HEADED_PACKAGES = ("faultlens", "torch", "transformers", "python")  # named in the page's header


@dataclass(frozen=True)
class Placed:
    """A part with its place on the page."""

    part: Part
    kind: str
    """The part's class in lower case: the template's macro of that name shows it."""
    anchor: str


def build_page(
    profile: Profile | None, audit: Audit | None, manifest: dict[str, Any] | None
) -> str:
    """The page of a run, self-contained. Raises ValueError if there is nothing to show."""
    if profile is None and audit is None:
        raise ValueError("a page needs a profile or an audit")
    studies = [[] if profile is None else profile_parts(profile)]
    studies.append([] if audit is None else audit_parts(audit))
    parts = [part for study in studies for part in study]
    names = [f"profile of {profile.corpus}"] if profile else []
    names += [f"audit of {audit.task}"] if audit else []
    name = ", ".join(names)
    has_figure = any(isinstance(part, Figure) for part in parts)
    return _environment().get_template("page.html.j2").render(
        title=f"FaultLens: {name}",
        name=name[0].upper() + name[1:],
        parts=_placed(parts),
        facts=header_facts(manifest),
        manifest=None if manifest is None else json.dumps(manifest, indent=2, ensure_ascii=False),
        css=Markup(_resource("page.css")),
        js=Markup(_resource("page.js")),
        plotly=Markup(_plotly()) if has_figure else None,
    )  # fmt: skip


def write_page(folder: Path) -> Path:
    """Write a run's `report.html` from its results; returns the file's path.

    Raises UserError if the folder holds no result, or one that cannot be read.
    """
    profile, audit = read_result(folder, PROFILE), read_result(folder, AUDIT)
    if profile is None and audit is None:
        raise UserError(
            f"{folder} holds neither {PROFILE} nor {AUDIT}: expected the folder of a run"
        )
    manifest = read_result(folder, MANIFEST)
    found = (
        None if profile is None else _read(Profile, profile, folder / PROFILE),
        None if audit is None else _read(Audit, audit, folder / AUDIT),
    )
    try:
        page = build_page(*found, manifest)
    except Exception as error:
        there = [name for name, data in ((PROFILE, profile), (AUDIT, audit)) if data is not None]
        if manifest is not None and set(there) <= set(manifest["files"]):
            raise  # they are as the run wrote them: the fault is ours
        raise UserError(
            f"the results in {folder} contradict each other, and no {MANIFEST} says that a run "
            f"wrote them ({type(error).__name__}: {error}): run the study again"
        ) from error
    write_text(folder / PAGE, page)
    return folder / PAGE


def header_facts(manifest: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What was run, for the page's header: those of the manifest's entries that it has."""
    if manifest is None:
        return [("Run", "not recorded: the folder holds no manifest")]
    arguments, versions = manifest.get("arguments") or {}, manifest.get("versions") or {}
    command = manifest.get("command")
    facts = {
        "Command": command if isinstance(command, str) else " ".join(map(str, command or [])),
        "Model": _fact(arguments.get("model")),
        "Dictionaries": _fact(arguments.get("sae")),
        "Fit check": "left out: --no-fit-check" if arguments.get("fit_check") == "False" else "",
        "Versions": ", ".join(f"{p} {versions[p]}" for p in HEADED_PACKAGES if p in versions),
        "Finished": str(manifest.get("finished") or "").replace("T", " ").replace("+00:00", " UTC"),
    }
    return [(name, fact) for name, fact in facts.items() if fact]


def _fact(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _read(kind: type[Result], data: dict[str, Any], path: Path) -> Result:
    """A result from its JSON. Raises UserError, naming the file, for one of another format."""
    try:
        return kind.from_dict(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _placed(parts: Iterable[Part]) -> list[Placed]:
    """Each part with an anchor of its own; a heading's is made of its words."""
    placed: list[Placed] = []
    taken: set[str] = set()
    for number, part in enumerate(parts):
        anchor = f"part-{number}"
        if isinstance(part, Heading):
            name = re.sub(r"^\d+ ", "", part.text.split(":")[0].lower())  # a step's number
            words = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
            anchor = words if words and words not in taken else anchor
            taken.add(anchor)
        placed.append(Placed(part, type(part).__name__.lower(), anchor))
    return placed


def _environment() -> Environment:
    found = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["script_json"] = script_json
    return found


def script_json(value: Any) -> Markup:
    """JSON that may stand inside a script element, whatever text it holds."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028"}
    for character, escape in escapes.items():
        text = text.replace(character, escape)
    return Markup(text)


def _resource(name: str) -> str:
    return (
        resources.files("faultlens.report").joinpath("templates", name).read_text(encoding="utf-8")
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())

"""Source: where a model's files are, found by the name that a user gave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from faultlens.errors import UserError
from faultlens.mini import LANGUAGE_MODEL

BUNDLED = "mini"
EXPECTED = f"expected {BUNDLED!r}, a model folder, a GGUF file or a hub name (OWNER/NAME)"
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_LONGEST = 96  # characters of a hub name


@dataclass(frozen=True)
class Source:
    """Where a model's files are: in a folder, in a GGUF file, or on the hub.

    Attributes:
        name: as the user gave it.
        folder: the folder; None for a hub name.
        gguf: the file, within the folder; None unless it is to be read.
        revision: branch, tag or commit of a hub name.
    """

    name: str
    folder: Path | None
    gguf: Path | None = None
    revision: str | None = None


def find_source(name: str, revision: str | None = None) -> Source:
    """Tell a folder, a GGUF file and a hub name apart; nothing is loaded.

    Raises UserError for a name that can be none of them, or a folder that holds no model.
    """
    path = LANGUAGE_MODEL if name == BUNDLED else Path(name)
    is_file, is_folder = kind_of(path)
    if (is_file or is_folder) and revision is not None:
        raise UserError(
            f"--revision {revision} means nothing for {name}, which is not from the hub: leave it "
            "out"
        )
    if is_file:
        if path.suffix.lower() != ".gguf":
            raise UserError(f"model {name} is a file that does not end in .gguf: {EXPECTED}")
        return Source(name, path.parent, path)
    if is_folder:
        return _in_folder(name, path)
    if name.startswith((".", "/", "~")) or path.suffix.lower() == ".gguf":
        raise UserError(f"no file or folder {shortened(name)}: {EXPECTED}")
    if len(name) > _LONGEST or not _HUB_NAME.fullmatch(name):
        raise UserError(f"no model {shortened(name)!r}: {EXPECTED}")
    return Source(name, None, None, revision)


def kind_of(path: Path) -> tuple[bool, bool]:
    """Whether it is a file, and whether it is a folder; neither for a name that none can have."""
    try:
        return path.is_file(), path.is_dir()
    except (OSError, ValueError):  # too long, or not even text
        return False, False


def _in_folder(name: str, folder: Path) -> Source:
    try:
        files = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UserError(f"model folder {name} cannot be read: {error.strerror}") from error
    if "config.json" in files:
        return Source(name, folder)
    ggufs = [file for file in files if file.lower().endswith(".gguf")]
    if len(ggufs) == 1:
        return Source(name, folder, folder / ggufs[0])
    if ggufs:
        raise UserError(
            f"model folder {name} holds {len(ggufs)} GGUF files: name one, e.g. {folder / ggufs[0]}"
        )
    if "adapter_config.json" in files:
        raise UserError(
            f"model folder {name} holds a PEFT adapter and no model: give the model that it was "
            f"trained on as --model, and --adapter {name}"
        )
    raise UserError(f"model folder {name} has no config.json: {EXPECTED}")


def shortened(name: str) -> str:
    """A name that is too long for a message, cut."""
    return name if len(name) <= _LONGEST else f"{name[:40]}… ({len(name)} characters)"

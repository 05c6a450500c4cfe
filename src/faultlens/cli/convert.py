"""`faultlens convert`: a GGUF file, made into an ordinary model folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.errors import UserError


@dataclass(frozen=True)
class ConvertedFolder:
    """Where the model goes."""

    out: Path
    """Folder of the model: new."""


def convert(
    file: Annotated[str, "A GGUF file, or a folder with one."],
    folder: ConvertedFolder,
    result: JsonOption,
) -> None:
    """Write the model of a GGUF file as an ordinary folder, in float32, with its tokenizer.

    --model takes GGUF files as they are, and converts each once into a cache; this is for keeping
    the folder, or for other programs.
    """
    from faultlens.models.checkpoints import gguf
    from faultlens.models.checkpoints.source import find_source

    source = find_source(file)
    if source.gguf is None:
        raise UserError(f"{file} is no GGUF file, and holds none: expected one to convert")
    with progress_bars() as bars:
        tick = bars.start("Converting", 1)
        made = gguf.convert(source.gguf, folder.out)
        tick(1)
    if result.json:
        say_json({"out": str(folder.out), **asdict(made)})
        return
    say(
        [
            f"Written to {folder.out}: the weights of {made.file}, stored as {made.quantisation}, "
            "in float32. Give it to --model.",
            "Dictionaries trained on unquantised weights may fit it less: see the fit check "
            "(faultlens doctor).",
        ]
    )

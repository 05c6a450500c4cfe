"""A folder of text files as records: `FOLDER/CATEGORY/…/file` is one text of that category."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faultlens.corpus.records import Placed, read_text
from faultlens.errors import UserError


def folder_records(folder: Path) -> Iterator[Placed]:
    """A record `{"text", "category"}` for each file, categories and files in order of their names.

    Hidden files and folders are passed over. The text is the file's content without the white space
    at its end, which editors add.

    Raises UserError for a file outside any category, a category without files, a file that is not
    UTF-8 text.
    """
    for place in sorted(_seen(folder)):
        if place.is_file():
            raise UserError(
                f"{place} lies in no category: expected {folder}/CATEGORY/{place.name}, a folder "
                "for each category"
            )
        files = sorted(path for path in place.rglob("*") if path.is_file() and _shown(path, place))
        if not files:
            raise UserError(f"{place} holds no file: expected a text file for each text")
        for path in files:
            yield str(path), {"text": read_text(path).rstrip(), "category": place.name}


def _seen(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _shown(path: Path, above: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(above).parts)

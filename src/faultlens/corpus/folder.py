"""A folder of text files as records: `FOLDER/CATEGORY/…/file` is one text of that category."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faultlens.corpus.records import Placed, is_file, printable, read_text
from faultlens.errors import UserError


def folder_records(folder: Path) -> Iterator[Placed]:
    """A record `{"text", "category"}` for each file, categories and files in order of their names.

    Hidden files and folders are passed over. The text is the file's content without the white space
    at its end, which editors add.

    Raises UserError for a file outside any category, a category without files, a file that is not
    UTF-8 text.
    """
    for place in sorted(_seen(folder)):
        if is_file(place):
            raise UserError(
                f"{place} lies in no category: expected {folder}/CATEGORY/{place.name}, a folder "
                "for each category"
            )
        files = sorted(_files(place))
        if not files:
            raise UserError(f"{place} holds no file: expected a text file for each text")
        for path in files:
            text = read_text(path).rstrip()
            yield printable(path), {"text": text, "category": place.name}


def _seen(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden. Raises UserError where it cannot be looked into."""
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise UserError(f"folder {printable(folder)} cannot be read: {error.strerror}") from error


def _files(folder: Path) -> Iterator[Path]:
    """The files in a folder and in all folders within it; links to folders are passed over."""
    for path in _seen(folder):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif is_file(path):
            yield path

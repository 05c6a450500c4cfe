"""A Hugging Face dataset from the local cache as records: `hf:NAME[@CONFIG][:SPLIT]`.

Nothing is fetched: the library is told that it is offline while it looks the data set up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from faultlens.corpus.records import Placed
from faultlens.errors import UserError

PREFIX = "hf:"
_NAME = re.compile(r"hf:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<config>[^:]+))?(?::(?P<split>\w+))?")


def dataset_records(source: str) -> Iterator[Placed]:
    """The rows of a cached data set; a class label stands under its name, not its number.

    Raises UserError if the name cannot be read, the library is missing, or the data set, its
    configuration or its split is not in the cache.
    """
    match = _NAME.fullmatch(source)
    if match is None:
        raise UserError(
            f"{source!r} names no data set: expected hf:NAME, hf:NAME:SPLIT or hf:NAME@CONFIG:SPLIT"
        )
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"{source} needs the library datasets: install it with pip install 'faultlens[hub]'"
        ) from error
    name, config, split = match["name"], match["config"], match["split"] or "train"
    try:
        with _offline(datasets):
            rows = datasets.load_dataset(name, config, split=split)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"data set {name!r}{f' ({config})' if config else ''}, split {split!r}, is not in the "
            f"local cache ({reason}): load it once with the library datasets, with a network"
        ) from error
    classes = {
        column: feature
        for column, feature in rows.features.items()
        if isinstance(feature, datasets.ClassLabel)
    }
    for number, row in enumerate(rows, start=1):
        named = {
            column: classes[column].int2str(value) if column in classes else value
            for column, value in row.items()
            if value is not None and not (column in classes and value < 0)  # −1: not labelled
        }
        yield f"{source} row {number}", named


@contextmanager
def _offline(datasets: ModuleType) -> Iterator[None]:
    """The library looks only into its cache, and keeps its advice to itself."""
    was = datasets.config.HF_HUB_OFFLINE, datasets.logging.get_verbosity()
    datasets.config.HF_HUB_OFFLINE = True
    datasets.logging.set_verbosity_error()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = was[0]
        datasets.logging.set_verbosity(was[1])

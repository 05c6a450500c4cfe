"""Labels: what somebody reads a feature as, from a file; names beside numbers, never evidence."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from faultlens.corpus.records import printable, read_records, shown, whole_text
from faultlens.errors import UserError

FEATURE = re.compile(r"(?P<dictionary>.+)/(?P<index>[0-9]{1,9})")
LONGEST = 200  # characters of a label that are kept
_NEURONPEDIA = ("layer", "index", "description")


def read_labels(path: Path, dictionaries: Collection[str]) -> dict[str, str]:
    """The label of each feature of some dictionaries, by the feature's name (`8-res-jb/17491`).

    A batch of explanations as Neuronpedia publishes them (`explanations/batch-N.jsonl[.gz]`:
    `layer`, `index`, `description`; the layer is the dictionary's name), or a table (JSONL, CSV,
    TSV, Parquet) of `feature` and `label`. Of several labels of one feature the first counts.
    Labels of other dictionaries are left out.

    Args:
        dictionaries: their names.

    Raises:
        UserError: a row without these fields, or no label of any of the dictionaries.
    """
    rows = list(read_records(path))
    name = printable(path)
    if not rows:
        raise UserError(f"{name} holds no labels: expected at least one row")
    found: dict[str, str] = {}
    others: dict[str, None] = {}
    for where, row in rows:
        feature, label = _of_row(where, row)
        dictionary = feature.rpartition("/")[0]
        if dictionary not in dictionaries:
            others[dictionary] = None
        elif label and feature not in found:
            found[feature] = label
    if not found:
        raise UserError(
            f"{name} has labels of {', '.join(others)}, and the dictionaries are "
            f"{', '.join(dictionaries)}: expected labels of one of them"
        )
    return found


def _of_row(where: str, row: dict[str, Any]) -> tuple[str, str]:
    """A feature's name and its label, on one line."""
    if all(field in row for field in ("layer", "index")):
        feature, label = f"{row['layer']}/{row['index']}", row.get("description", "")
    elif all(field in row for field in ("feature", "label")):
        feature, label = str(row["feature"]).strip(), row["label"]
    else:
        raise UserError(
            f"{where} has {', '.join(row) or 'nothing'}: expected feature "
            f"and label, or {', '.join(_NEURONPEDIA)} as Neuronpedia publishes them"
        )
    if not FEATURE.fullmatch(feature):
        raise UserError(
            f"{where}: {shown(feature)} is no feature: expected DICTIONARY/INDEX, e.g. "
            "8-res-jb/17491"
        )
    if not isinstance(label, str):
        raise UserError(f"{where}: the label is {shown(label)}, expected a text")
    text = " ".join(whole_text(where, "label", label).split())
    return feature, text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

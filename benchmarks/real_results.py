"""Results of the study of real models, on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultlens.runs.files import new_file


def write_results(file: Path, found: Mapping[str, Any], scratch: Path) -> None:
    """Write results whole or not at all; of the scratch folder they say `SCRATCH`, wherever it is.

    Args:
        file: JSON; its folder is made.
        found: the results.
        scratch: where models, dictionaries and runs lie.
    """
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file) as written:
        written.write(text.replace(str(scratch), "SCRATCH").encode())

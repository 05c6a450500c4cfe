"""Real text out of Debian's packages, for training dictionaries of a real model.

    apt-get install bible-kjv python3.11-doc debian-reference-en fortunes
    python benchmarks/real_text.py texts.jsonl

The King James Bible, the documentation of Python as it was written, the Debian Reference, fortunes:
about 11 MB, a passage of some 1,500 characters a line, in an order that is the same each time.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

PASSAGE = 1500  # characters, about
BYTES = {"bible": 4_200_000, "python": 5_500_000, "debian": 1_000_000, "fortunes": 800_000}


def bible() -> Iterator[str]:
    """A chapter each, verses without their numbers."""
    command = ["bible", "-f", "gen1:1-rev22:21"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    chapters: dict[str, list[str]] = {}
    for line in text.splitlines():
        found = re.match(r"(\w+:?\d+):\d+ (.*)", line)
        if found:
            chapters.setdefault(found[1], []).append(found[2].strip())
    yield from ("\n".join(verses) for verses in chapters.values())


def python(root: Path) -> Iterator[str]:
    for path in sorted((root / "usr/share/doc/python3.11/html/_sources").rglob("*.rst.txt")):
        yield path.read_text(encoding="utf-8", errors="ignore")


def debian(root: Path) -> Iterator[str]:
    for path in sorted((root / "usr/share/debian-reference").glob("*.en.html")):
        page = path.read_text(encoding="utf-8", errors="ignore")
        page = re.sub(r"(?s)<(script|style|head).*?</\1>", "", page)
        page = re.sub(r"</(p|div|li|tr|pre|h\d)>", "\n\n", page)
        yield re.sub(r"\n\s*\n\s*", "\n\n", unescape(re.sub(r"<[^>]+>", "", page)))


def fortunes(root: Path) -> Iterator[str]:
    for path in sorted((root / "usr/share/games/fortunes").iterdir()):
        if not path.suffix and path.is_file() and not path.is_symlink():
            yield from path.read_text(encoding="utf-8", errors="ignore").split("\n%\n")


def passages(text: str) -> Iterator[str]:
    """Whole paragraphs, together about `PASSAGE` characters."""
    held = ""
    for paragraph in re.split(r"\n\s*\n|\n(?=[A-Z])", text):
        held = f"{held}\n{paragraph}" if held else paragraph
        if len(held) >= PASSAGE:
            yield held.strip()
            held = ""
    if held.strip():
        yield held.strip()


def main(out: Path, root: Path) -> None:
    texts = {"bible": bible(), "python": python(root), "debian": debian(root),
             "fortunes": fortunes(root)}  # fmt: skip
    rows = []
    for category, source in texts.items():
        found = [passage for text in source for passage in passages(text)]
        random.Random(0).shuffle(found)
        size = 0
        for passage in found:
            size += len(passage.encode())
            if size > BYTES[category]:
                break
            rows.append({"text": passage, "category": category})
    random.Random(1).shuffle(rows)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "/"))

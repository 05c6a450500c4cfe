"""Real text out of packages, for training dictionaries of a real model.

    python benchmarks/real_text.py texts.jsonl [--scratch FOLDER]

By name through `apt-get download`, unpacked into the scratch folder without installing anything:
the King James Bible, the Debian Administrator's Handbook, the Debian Reference, the Developer's
Reference, the Jargon File, fortunes, the documentation of Python. Out of the environment that runs
this: docstrings of installed packages, and the code of Python's standard library. About 17 MB, that
is more than four million tokens; a passage of some 1,500 characters a line, with its source as
category, in an order that is the same each time. No passage holds a sentence of the built-in tasks.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import importlib.util
import json
import random
import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

from faultlens.runs.files import new_file

PASSAGE = 1500  # characters, about
SHORTEST = 200  # characters of the passages that are kept, but for fortunes
DEBIAN = (
    "bible-kjv",
    "bible-kjv-text",
    "debian-handbook",
    "debian-reference-en",
    "developers-reference",
    "fortunes",
    "fortunes-min",
    "jargon-text",
    "python3.11-doc",
)
DOCSTRINGS = ("numpy", "scipy", "pandas", "sklearn", "statsmodels", "networkx", "plotly", "nltk")
BYTES = {
    "bible": 4_200_000,
    "python": 4_000_000,
    "docstrings": 3_000_000,
    "code": 2_000_000,
    "handbook": 1_500_000,
    "jargon": 1_200_000,
    "debian": 1_200_000,
    "fortunes": 1_200_000,
}
OPENING = 6  # words of a task's sentence by which it is looked up, and the fewest that it has
TASK_PROMPTS, TASK_SEEDS = 1000, (0, 1, 2, 3, 4, 42)


def unpacked(scratch: Path) -> Path:
    """A folder with the files of the Debian packages, as they would lie in `/`."""
    root = scratch / "root"
    if not root.is_dir():
        downloads = scratch / "packages"
        downloads.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", *DEBIAN], cwd=downloads, check=True)
        for package in sorted(downloads.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
    return root


def bible(root: Path) -> Iterator[str]:
    """A chapter each, verses without their numbers."""
    command = [str(root / "usr/bin/bible"), "-f", "-p", str(root / "usr/lib"), "gen1:1-rev22:21"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    chapters: dict[str, list[str]] = {}
    for line in text.splitlines():
        found = re.match(r"(\w+:?\d+):\d+ (.*)", line)
        if found:
            chapters.setdefault(found[1], []).append(found[2].strip())
    yield from ("\n".join(verses) for verses in chapters.values())


def python(root: Path) -> Iterator[str]:
    yield from _files(root / "usr/share/doc/python3.11/html/_sources", "*.rst.txt")


def developers(root: Path) -> Iterator[str]:
    with gzip.open(root / "usr/share/developers-reference/developers-reference.txt.gz", "rt") as at:
        yield at.read()


def jargon(root: Path) -> Iterator[str]:
    with gzip.open(root / "usr/share/doc/jargon-text/jargon.txt.gz", "rt", errors="ignore") as at:
        yield at.read()


def handbook(root: Path) -> Iterator[str]:
    yield from map(_of_html, _files(root / "usr/share/doc/debian-handbook/html/en-US", "*.html"))


def reference(root: Path) -> Iterator[str]:
    yield from map(_of_html, _files(root / "usr/share/debian-reference", "*.en.html"))


def fortunes(root: Path) -> Iterator[str]:
    for path in sorted((root / "usr/share/games/fortunes").iterdir()):
        if not path.suffix and path.is_file() and not path.is_symlink():
            yield from path.read_text(encoding="utf-8", errors="ignore").split("\n%\n")


def docstrings() -> Iterator[str]:
    """Of the modules, classes and functions of some packages that are installed."""
    for name in DOCSTRINGS:
        found = importlib.util.find_spec(name)
        for folder in (found.submodule_search_locations or ()) if found else ():
            for code in _files(Path(folder), "*.py"):
                for node in _nodes(code):
                    text = ast.get_docstring(node)
                    if text and len(text) >= SHORTEST:
                        yield text


def code() -> Iterator[str]:
    """Python's standard library, without its tests."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if not {"test", "tests", "site-packages", "idlelib"} & set(path.parts):
            yield path.read_text(encoding="utf-8", errors="ignore")


def _nodes(source: str) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield node


def _files(folder: Path, pattern: str) -> Iterator[str]:
    for path in sorted(folder.rglob(pattern)):
        yield path.read_text(encoding="utf-8", errors="ignore")


def _of_html(page: str) -> str:
    page = re.sub(r"(?s)<(script|style|head).*?</\1>", "", page)
    page = re.sub(r"</(p|div|li|tr|pre|h\d)>", "\n\n", page)
    return re.sub(r"\n\s*\n\s*", "\n\n", unescape(re.sub(r"<[^>]+>", "", page)))


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


def task_openings() -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """What no passage may hold, word by word and by its first `OPENING` words.

    The sentences of the built-in tasks' prompts, on many of them; shorter ones are anybody's.
    """
    import faultlens.corpus.tasks  # noqa: F401  # registers them
    from faultlens.corpus.task import make_task, task_names

    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for name in task_names():
        for seed in TASK_SEEDS:
            for prompt in make_task(name, TASK_PROMPTS, seed).prompts:
                for sentence in re.split(r"(?<=[.?!])\s+", prompt.text):
                    words = tuple(_words(sentence))
                    if len(words) >= OPENING:
                        found.setdefault(words[:OPENING], set()).add(words)
    return found


def holds_any(text: str, openings: dict[tuple[str, ...], set[tuple[str, ...]]]) -> bool:
    """Whether one of these sentences stands in the text, whatever its case and line breaks."""
    words = _words(text)
    for at in range(len(words) - OPENING + 1):
        for sentence in openings.get(tuple(words[at : at + OPENING]), ()):
            if tuple(words[at : at + len(sentence)]) == sentence:
                return True
    return False


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def composed(root: Path) -> list[dict[str, str]]:
    """All passages, each with its source."""
    texts = {
        "bible": bible(root),
        "python": python(root),
        "docstrings": docstrings(),
        "code": code(),
        "handbook": handbook(root),
        "jargon": jargon(root),
        "debian": (text for source in (reference(root), developers(root)) for text in source),
        "fortunes": fortunes(root),
    }
    rows = []
    for category, source in texts.items():
        found = [passage for text in source for passage in passages(text)]
        found = [one for one in found if category == "fortunes" or len(one) >= SHORTEST]
        random.Random(0).shuffle(found)
        size = 0
        for passage in found:
            size += len(passage.encode())
            if size > BYTES[category]:
                break
            rows.append({"text": passage, "category": category})
    random.Random(1).shuffle(rows)
    return rows


def made(scratch: Path, out: Path) -> dict[str, Any]:
    """Write the text, one passage a line, and say what it is made of."""
    openings = task_openings()
    rows, left_out = [], 0
    for row in composed(unpacked(scratch)):
        if holds_any(row["text"], openings):
            left_out += 1
        else:
            rows.append(row)
    with new_file(out) as written:
        for row in rows:
            written.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
    return {
        "passages": len(rows),
        "task_sentences": sum(map(len, openings.values())),
        "passages_left_out": left_out,
        "sources": {
            name: {"passages": len(texts), "bytes": sum(len(text.encode()) for text in texts)}
            for name in BYTES
            for texts in [[row["text"] for row in rows if row["category"] == name]]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scratch", type=Path, help="where packages go, and stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = made(given.scratch or Path(temporary), given.out)
    for source, size in found["sources"].items():
        print(f"{source:12} {size['passages']:6,} passages, {size['bytes'] / 1e6:5.1f} MB")
    print(
        f"{found['passages_left_out']} passages held one of {found['task_sentences']:,} sentences "
        "of the built-in tasks, and were left out."
    )


if __name__ == "__main__":
    main()

"""Reading with many workers: `python benchmarks/ray_reading.py [--tokens 1,2,4] [--workers 2]`.

A store of `mini`'s activations at layer 3 of 1, 2 and 4 million tokens, written by one process, by
Ray workers, and of the least by both onto slow storage (a tenth of a second more for each file).
Every way runs in a process of its own, one thread each; told are tokens a second, the driver's
memory, and whether all files are equal to the byte. `--statistics` does likewise for a profile that
keeps statistics alone.

Nothing is begun after `--minutes` (seven), so that it ends within eight on two quiet cores; what is
finished is kept, and the same command goes on from there. When all is there it writes
`benchmarks/results/ray_reading.json` and `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "ray_reading.json"
LATENCY = 0.1  # seconds that slow storage takes for a file
ALONE, SPREAD = "one process", "workers"
STATISTICS = ("statistics, one process", "statistics, workers")
CATEGORIES = ("first", "second", "third")
BATCH = 64  # texts that are tokenised at once


def make_corpus(path: Path, tokens: int) -> int:
    """Texts of 8 to 60 words of the built-in corpus, a line each; the tokens in all of them.

    Args:
        path: of the file.
        tokens: at least so many, and at most a batch of texts more.
    """
    import faultlens as fl

    words = " ".join(fl.seven_categories().texts).split()
    model = fl.load("mini", layers=(3,)).model
    rng, made = random.Random(0), 0
    with path.open("w", encoding="utf-8") as file:
        while made < tokens:
            texts = [" ".join(rng.choices(words, k=rng.randint(8, 60))) for _ in range(BATCH)]
            made += sum(map(len, model.tokenizer(texts, add_special_tokens=False)["input_ids"]))
            rows = ({"text": text, "category": rng.choice(CATEGORIES)} for text in texts)
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return made


def opened(slow: bool) -> Any:
    """The lens of each process; on slow storage every file takes longer to reach the disk."""
    import faultlens as fl

    if slow:
        own = os.fsync

        def late(handle: int) -> None:
            time.sleep(LATENCY)
            own(handle)

        os.fsync = late  # type: ignore[assignment]
    return fl.load("mini", layers=(3,), threads=1).unchecked()


def one(way: str, corpus: Path, out: Path, workers: int) -> dict[str, Any]:
    """What one way takes in this process: seconds, its peak of memory, a hash of all it made."""
    import torch

    from faultlens.corpus.text_source import TextSource
    from faultlens.features.dataset.statistics import corpus_statistics
    from faultlens.features.dataset.writing import write_dataset
    from faultlens.scale.config import SpreadConfig

    torch.set_num_threads(1)
    slow, spread = "slow" in way, SPREAD in way
    source = TextSource.open(corpus, labelled=True)
    lens = opened(slow)
    asked = SpreadConfig(ray="auto", workers=workers) if spread else SpreadConfig()
    with asked.opened(1, "cpu") as crew:
        options: dict[str, Any] = {"workers": crew, "encoding": "plain", "long": "split"}
        options["open_lens"] = partial(opened, slow) if spread else None
        began = time.perf_counter()
        if way in STATISTICS:
            kept = corpus_statistics(lens, source, **options)
            arrays = [getattr(of, n).tobytes() for of in kept.values() for n in vars(of)
                      if n != "groups"]  # fmt: skip
            digest = hashlib.sha256(b"".join(arrays)).hexdigest()
        else:
            write_dataset(lens, source, out, **options)
            # It names every file with its hash.
            digest = hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": round(seconds, 1), "digest": digest, "driver, MB": round(peak / 1024)}


def measured(way: str, corpus: Path, folder: Path, workers: int) -> dict[str, Any]:
    """One way in a process of its own."""
    out = folder / way.replace(" ", "-").replace(",", "")
    source = str(HERE.parent / "src")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--one", way, "--corpus", corpus, "--out", out,
         "--workers", str(workers)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
             "PYTHONPATH": f"{source}:{HERE}:{os.environ.get('PYTHONPATH', '')}"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@dataclass(frozen=True)
class Measurements:
    """What is to be measured, and what of it is finished: kept in a file beside the result.

    Attributes:
        path: of the result; what is unfinished lies beside it.
        conditions: the machine, the versions, the number of workers: what was measured under
            others is not gone on with.
    """

    path: Path
    conditions: dict[str, Any]

    @property
    def unfinished(self) -> Path:
        return self.path.with_suffix(".unfinished.json")

    def so_far(self) -> dict[str, Any]:
        """By millions of tokens: how many there were, and the ways that are finished."""
        try:
            kept = json.loads(self.unfinished.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        same = kept.get("conditions") == self.conditions
        return kept["by million tokens"] if same else {}  # type: ignore[no-any-return]

    def keep(self, by_size: dict[str, Any]) -> None:
        text = json.dumps({"conditions": self.conditions, "by million tokens": by_size})
        self.unfinished.write_text(text, encoding="utf-8")

    def finish(self, by_size: dict[str, Any], load: float) -> None:
        """Write the result: tokens a second in place of seconds, the hashes left out."""
        shown = {
            size: {
                "tokens": of["tokens"],
                "ways": {
                    way: {
                        "tokens a second": round(of["tokens"] / one["seconds"]),
                        "driver, MB": one["driver, MB"],
                    }
                    for way, one in of["ways"].items()
                },
            }
            for size, of in by_size.items()
        }
        machine = {**self.conditions["machine"], "load when it began": load}
        whole = {**self.conditions, "machine": machine, "by million tokens": shown}
        self.path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        self.unfinished.unlink(missing_ok=True)


def planned(sizes: list[str], statistics: bool) -> Iterator[tuple[str, list[str]]]:
    """Each size, and its ways; slow storage and statistics at the least alone."""
    for size in sizes:
        ways = [ALONE, SPREAD]
        if size == sizes[0]:
            ways += [f"{ALONE}, slow storage", f"{SPREAD}, slow storage"]
            ways += STATISTICS if statistics else ()
        yield size, ways


def check_equal(ways: dict[str, Any]) -> None:
    """Ends the program, naming the ways, unless all of a kind made the same bytes."""
    for of_statistics in (False, True):
        made = {way: of["digest"] for way, of in ways.items() if (way in STATISTICS)
                == of_statistics}  # fmt: skip
        if len(set(made.values())) > 1:
            sys.exit(f"not the same bytes: {made}")


def measure(given: argparse.Namespace, kept: Measurements) -> dict[str, Any] | None:
    """All that is planned; None where the time was up before."""
    began, by_size = time.monotonic(), kept.so_far()
    for size, ways in planned(given.tokens.split(","), given.statistics):
        done = by_size.setdefault(size, {"tokens": 0, "ways": {}})
        missing = [way for way in ways if way not in done["ways"]]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as name:
            corpus = Path(name) / "texts.jsonl"
            done["tokens"] = make_corpus(corpus, int(float(size) * 1e6))
            for way in missing:
                if time.monotonic() - began > 60 * given.minutes:
                    return None
                done["ways"][way] = measured(way, corpus, Path(name), given.workers)
                print(f"{size} M tokens, {way}: {done['ways'][way]}", flush=True)
                check_equal(done["ways"])
                kept.keep(by_size)
    return by_size


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", default="1,2,4", help="millions of tokens")
    parser.add_argument("--statistics", action="store_true", help="statistics alone, too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=7.0, help="after which nothing is begun")
    parser.add_argument("--one")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    if given.one:
        import ray_reading  # workers find `opened` under this name

        print(json.dumps(ray_reading.one(given.one, given.corpus, given.out, given.workers)))
        return
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "versions": {name: metadata.version(name) for name in ("torch", "ray", "pyarrow")},
    }
    conditions = {"machine": machine, "workers": given.workers, "latency, s": LATENCY}
    kept, load = Measurements(given.out, conditions), round(os.getloadavg()[0], 1)
    by_size = measure(given, kept)
    if by_size is None:
        print(f"the time is up: the same command goes on (finished is kept in {kept.unfinished})")
        return
    kept.finish(by_size, load)
    if given.out == RESULTS:
        import performance

        performance.PAGE.write_text(performance.whole(), encoding="utf-8")


if __name__ == "__main__":
    main()

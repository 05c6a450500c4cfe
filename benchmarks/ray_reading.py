"""Reading with many workers: `python benchmarks/ray_reading.py [--tokens 1,2,4] [--workers 2]`.

A store of `mini`'s activations at layer 3 of 1, 2 and 4 million tokens, written by one process, by
Ray workers, and of the least by both onto slow storage (a tenth of a second more for each file).
Every way runs in a process of its own, one thread each; told are tokens a second, the driver's
memory, and whether all files are equal to the byte. Likewise a profile that keeps statistics alone.
About twenty minutes on two quiet cores. Writes `benchmarks/results/ray_reading.json` and
`docs/performance.md`.
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
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "ray_reading.json"
LATENCY = 0.1  # seconds that slow storage takes for a file
WAYS = ("one process", "workers", "one process, slow storage", "workers, slow storage",
        "statistics, one process", "statistics, workers")  # fmt: skip
CATEGORIES = ("first", "second", "third")


def make_corpus(path: Path, tokens: int) -> None:
    """Texts of 8 to 60 words of the built-in corpus, about so many tokens in all, a line each."""
    import faultlens as fl

    words = " ".join(fl.seven_categories().texts).split()
    a_word = len(fl.load("mini", layers=(3,)).model.ids(" ".join(words))) / len(words)
    rng, made = random.Random(0), 0.0
    with path.open("w", encoding="utf-8") as file:
        while made < tokens:
            text = " ".join(rng.choices(words, k=rng.randint(8, 60)))
            made += a_word * (text.count(" ") + 1)
            row = {"text": text, "category": rng.choice(CATEGORIES)}
            file.write(json.dumps(row) + "\n")


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


def one(way: str, corpus: Path, out: Path, workers: int) -> None:
    """One way, in this process; prints what was measured."""
    import torch

    from faultlens.corpus.text_source import TextSource
    from faultlens.features.dataset.statistics import corpus_statistics
    from faultlens.features.dataset.writing import write_dataset
    from faultlens.scale.config import SpreadConfig

    torch.set_num_threads(1)
    slow, spread = "slow" in way, "workers" in way
    source = TextSource.open(corpus, labelled=True)
    lens = opened(slow)
    asked = SpreadConfig(ray="auto", workers=workers) if spread else SpreadConfig()
    with asked.opened(1, "cpu") as crew:
        options: dict[str, Any] = {"workers": crew, "encoding": "plain", "long": "split"}
        options["open_lens"] = partial(opened, slow) if spread else None
        began = time.perf_counter()
        if way.startswith("statistics"):
            kept = corpus_statistics(lens, source, **options)
            arrays = [getattr(of, n).tobytes() for of in kept.values() for n in vars(of)
                      if n != "groups"]  # fmt: skip
            digest = hashlib.sha256(b"".join(arrays)).hexdigest()
        else:
            write_dataset(lens, source, out, **options)
            digest = hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": round(seconds, 1), "digest": digest,
                      "driver, MB": round(peak / 1024)}))  # fmt: skip


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


def count_tokens(corpus: Path) -> int:
    import faultlens as fl

    model = fl.load("mini", layers=(3,)).model
    with corpus.open(encoding="utf-8") as file:
        return sum(len(model.ids(json.loads(line)["text"])) for line in file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", default="1,2,4", help="millions of tokens")
    parser.add_argument("--ways", default=";".join(WAYS), help="some of them, with ; between")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.one:
        import ray_reading  # workers find `opened` under this name

        ray_reading.one(given.one, given.corpus, given.out, given.workers)
        return
    results: dict[str, Any] = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load when it began": round(os.getloadavg()[0], 1),
            "versions": {name: metadata.version(name) for name in ("torch", "ray", "pyarrow")},
        },
        "workers": given.workers,
        "latency, s": LATENCY,
        "by million tokens": {},
    }
    for millions in map(float, given.tokens.split(",")):
        with tempfile.TemporaryDirectory() as name:
            corpus = Path(name) / "texts.jsonl"
            make_corpus(corpus, int(millions * 1e6))
            tokens, found = count_tokens(corpus), {}
            for way in given.ways.split(";"):
                if "slow" in way and results["by million tokens"]:
                    continue
                found[way] = measured(way, corpus, Path(name), given.workers)
                found[way]["tokens a second"] = round(tokens / found[way].pop("seconds"))
                print(millions, way, found[way], flush=True)
            for kind in (False, True):
                digests = {of["digest"] for way, of in found.items()
                           if way.startswith("statistics") == kind}  # fmt: skip
                assert len(digests) <= 1, f"the ways differ: {found}"
            for of in found.values():
                del of["digest"]
        results["by million tokens"][f"{millions:g}"] = {"tokens": tokens, "ways": found}
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.out == RESULTS:
        import performance

        performance.PAGE.write_text(performance.whole(), encoding="utf-8")


if __name__ == "__main__":
    main()

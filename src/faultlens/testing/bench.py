"""The bench: many planted sets, audited and scored, and how often the audit was right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from faultlens.errors import UserError
from faultlens.progress import SILENT, Progress
from faultlens.runs.files import read_object, write_json
from faultlens.testing.kinds import KINDS, Source, plant
from faultlens.testing.planted_set import Strength
from faultlens.testing.rivals import RIVALS
from faultlens.testing.scores import PROCEDURE, score

FORMAT_VERSION = 1
SAVED_EVERY = 10  # sets, after which what is done is kept

CAUSES = (
    "firing", "graded", "dense", "and_factor", "or_of_two", "absence", "beside_factor", "mediator",
    "suppressed", "duplicates", "forgiven",
)  # fmt: skip
PROXIES = (
    "token_proxy", "noisy_proxy", "union_proxy", "confound", "numeric", "and_cell", "collider",
)  # fmt: skip
NULLS = (
    "null_independent", "null_factor", "null_grouped", "null_named", "null_near_duplicates",
)  # fmt: skip
TESTING = ("published procedure", "Fisher + Holm")  # the rivals that say what is found
POWERED = ("firing", "graded", "dense", "beside_factor")  # kinds whose power is drawn over n


@dataclass(frozen=True)
class Case:
    """One kind of planted set, at one size: what is drawn again and again."""

    kind: str
    n: int = 300
    rate: float = 0.2
    strength: Strength = "strong"
    source: Source = "made-up"

    @property
    def name(self) -> str:
        """As results name it: `firing, n 300, .20 fail, strong, made-up`."""
        rate = f"{self.rate:.2f}".lstrip("0")
        return f"{self.kind}, n {self.n}, {rate} fail, {self.strength}, {self.source}"


def quick_cases() -> list[Case]:
    """Every kind once, at 150 prompts: a check that the bench runs, in seconds a set of each."""
    return [Case(kind, n=150, rate=0.25) for kind in KINDS]


def whole_cases() -> list[Case]:
    """Every kind at 300 prompts; the error at the numeric and the grouped ones at 1,000; power over
    size, rate and strength; and causes and nulls on `mini`'s own activations."""
    found = [Case(kind) for kind in KINDS]
    found += [Case(kind, n=1000) for kind in ("numeric", "and_cell", "collider", *NULLS)]
    found += [Case(kind, n=n) for kind in POWERED for n in (60, 150, 1000)]
    found += [
        Case(kind, n=n, strength=strength)
        for kind in POWERED
        for n in (150, 300)
        for strength in ("medium", "weak")
    ]  # fmt: skip
    found += [Case(kind, rate=rate) for kind in POWERED for rate in (0.05, 0.5)]
    found += [Case("firing", n=3000), Case("null_independent", n=3000)]
    found += [
        Case(kind, source="mini")
        for kind in ("firing", "graded", "dense", "null_independent", "null_named")
    ]
    return found


def of_kinds(cases: Sequence[Case], kinds: Sequence[str]) -> list[Case]:
    """The cases of some kinds; of all where none is named.

    Raises UserError for a kind that none of the cases has.
    """
    known = list(dict.fromkeys(case.kind for case in cases))
    for kind in kinds:
        if kind not in known:
            raise UserError(f"no kind of planted set {kind!r}: expected some of {', '.join(known)}")
    return [case for case in cases if not kinds or case.kind in kinds]


@dataclass(frozen=True)
class _Job:
    """A set that is to be scored; `before`: its score by an older procedure, if there is one."""

    case: Case
    seed: int
    before: Mapping[str, Any] | None


def run_bench(
    cases: Sequence[Case],
    sets: int,
    out: Path | None = None,
    progress: Progress = SILENT,
    workers: int = 1,
) -> dict[str, Any]:
    """Plant, audit and score; go on where an earlier run of the same bench left off.

    Sets that an older procedure scored (`PROCEDURE`) are audited again; rivals are not.

    Args:
        cases: what is planted.
        sets: how many of each, seeds 0, 1, …
        out: JSON file that keeps every score, written every ten sets; sets that it holds already
            are not done again. None: nothing is kept.
        progress: told of the sets done.
        workers: processes that share the work; what they find is the same.

    Returns:
        `{"format_version", "cases": {name: {"case", "scores": [score by seed]}}, "rates"}`;
        `rates` is what `rates_of` says of them.

    Raises:
        UserError: a file that no bench wrote.
    """
    before = kept_results(out) or {"format_version": FORMAT_VERSION}
    kept: dict[str, Any] = dict(before.get("cases", {}))
    for case in cases:
        kept.setdefault(case.name, {"case": asdict(case), "scores": []})
    jobs = [
        _Job(case, seed, scores[seed] if seed < len(scores) else None)
        for seed in range(sets)  # breadth first: an interrupted run has something of everything
        for case in cases
        if not _is_scored(scores := kept[case.name]["scores"], seed)
    ]
    tick = progress.start("Planted sets", len(jobs))
    with _mapped(workers) as mapped:
        for done, (job, found) in enumerate(zip(jobs, mapped(_scored, jobs), strict=True), start=1):
            kept[job.case.name]["scores"][job.seed : job.seed + 1] = [found]
            tick(1)
            if done % SAVED_EVERY == 0:
                keep_results(out, {**before, **_result(kept)})
    result = {**before, **_result(kept)}
    keep_results(out, result)
    return result


@contextmanager
def _mapped(workers: int) -> Iterator[Callable[..., Iterable[dict[str, Any]]]]:
    """`map` in this process, or in several."""
    if workers == 1:
        yield map
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield pool.map


def _scored(job: _Job) -> dict[str, Any]:
    case = job.case
    planted = plant(
        case.kind, n=case.n, rate=case.rate, strength=case.strength, seed=job.seed,
        source=case.source,
    )  # fmt: skip
    return asdict(score(planted, before=job.before))


def _is_scored(scores: Sequence[Mapping[str, Any]], seed: int) -> bool:
    return seed < len(scores) and scores[seed].get("procedure") == PROCEDURE


def older(result: Mapping[str, Any]) -> tuple[int, int]:
    """How many sets an older procedure scored, and how many there are."""
    scores = [score for case in result["cases"].values() for score in case["scores"]]
    return sum(score.get("procedure") != PROCEDURE for score in scores), len(scores)


def rates_of(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How often each thing was said of the sets of one case, with Clopper–Pearson intervals.

    >>> rates_of([{"found": True, "verdict": "CORRELATE"}, {"found": False, "verdict": None}])
    {'sets': 2, 'found': [0.5, 0.013, 0.987], 'verdicts': {'CORRELATE': 1}}
    """
    n = len(scores)
    rates: dict[str, Any] = {"sets": n}
    for name, value in scores[0].items():
        if isinstance(value, bool):
            said = [s[name] for s in scores if name in s]  # an older procedure may not say it
            rates[name] = rate(sum(said), len(said))
    verdicts: dict[str, int] = {}
    for verdict in (s["verdict"] for s in scores):
        if verdict is not None:
            short = verdict.split(" of ")[0] if verdict.startswith("PROXY") else verdict
            verdicts[short] = verdicts.get(short, 0) + 1
    rates["verdicts"] = verdicts
    for what in ("rivals_found", "rivals_first"):
        if what in scores[0]:
            rates[what] = {
                name: None if value is None else rate(sum(s[what][name] for s in scores), n)
                for name, value in scores[0][what].items()
            }
    return rates


def table_of(result: Mapping[str, Any]) -> list[str]:
    """The rates in lines of Markdown, a table a kind of truth."""
    lines: list[str] = []
    head = ["found", "first", "first by rank alone", *(f"first: {name}" for name in RIVALS),
            "adds beyond", "within strata only", "verdicts"]  # fmt: skip
    parts = {"Causes": CAUSES, "Proxies and artefacts": (*PROXIES, "scoring_artefact")}
    for title, kinds in parts.items():
        lines += _head([title, "sets", *head])
        for name, case in _of_kinds(result, kinds):
            rates = result["rates"][name]
            cells = [
                rates["found"], rates["first"], rates.get("first_by_rank"),
                *rates["rivals_first"].values(), rates["adds"], rates.get("within_only"),
            ]  # fmt: skip
            verdicts = ", ".join(f"{k} {v}" for k, v in rates["verdicts"].items())
            lines.append(_row([name, str(len(case["scores"])), *map(cell, cells), verdicts]))
        lines.append("")
    lines += _head(["Nothing to find", "sets", "said to be found", *TESTING])
    for name, case in _of_kinds(result, NULLS):
        rates = result["rates"][name]
        cells = [rates["any_found"], *(rates["rivals_found"][rival] for rival in TESTING)]
        lines.append(_row([name, str(len(case["scores"])), *map(cell, cells)]))
    return lines


def behind(result: Mapping[str, Any]) -> list[str]:
    """Where a rival ranks a cause first more often than the interval of our ranking allows.

    A sentence on each such row; rows whose ranking was not measured are passed over.
    """
    found = []
    for name, _ in _of_kinds(result, CAUSES):
        rates = result["rates"][name]
        ours = rates.get("first_by_rank")
        if ours is None:
            continue
        above = [
            f"{rival} {cell(theirs)}"
            for rival, theirs in rates["rivals_first"].items()
            if theirs is not None and theirs[0] > ours[2]
        ]
        if above:
            found.append(f"- {name}: {', '.join(above)}; by our rank {cell(ours)}")
    return found


def cell(rate: Sequence[float] | None) -> str:
    """A rate with its interval, as a table shows it; empty where there is none.

    >>> cell([0.05, 0.006, 0.169]), cell([1.0, 0.912, 1.0])
    ('.05 [.01, .17]', '1 [.91, 1]')
    """
    if rate is None:
        return ""
    share, low, high = (f"{number:.2f}".lstrip("0") if number < 1 else "1" for number in rate)
    return f"{share} [{low}, {high}]"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), _row(["---"] * len(cells))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _of_kinds(
    result: Mapping[str, Any], kinds: Iterable[str]
) -> list[tuple[str, Mapping[str, Any]]]:
    chosen = set(kinds)
    return [(n, c) for n, c in result["cases"].items() if c["case"]["kind"] in chosen]


def rate(count: int, n: int) -> list[float]:
    """A share with its Clopper–Pearson interval, to three places."""
    ends = binomtest(count, n).proportion_ci()  # Clopper–Pearson
    return [round(float(number), 3) for number in (count / n, ends.low, ends.high)]


def _result(kept: dict[str, Any]) -> dict[str, Any]:
    rates = {name: rates_of(case["scores"]) for name, case in kept.items() if case["scores"]}
    return {"cases": kept, "rates": rates}


def kept_results(out: Path | None) -> dict[str, Any] | None:
    """What a bench has kept, of either level; None where there is no such file.

    Raises UserError for a file that no bench wrote.
    """
    found = None if out is None else read_object(out)
    if found is None:
        return None
    parts = [found[part] for part in ("cases", "models") if part in found]
    known = parts and all(isinstance(part, dict) for part in parts)
    if found.get("format_version") != FORMAT_VERSION or not known:
        raise UserError(f"{out} holds no results of a bench: name another file with --out")
    return dict(found)


def keep_results(out: Path | None, result: Mapping[str, Any]) -> None:
    """Write what a bench has found so far; nothing without a file."""
    if out is not None:
        write_json(out, result)

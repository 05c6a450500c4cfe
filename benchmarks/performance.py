"""Writes `docs/performance.md` from `benchmarks/results/`: `engine.json`, `audit_clock.json`,
`training*.json`, `ray_reading.json`.

The page is never edited by hand; a test compares it with what is written here.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "performance.md"


def spread(of: dict[str, float], digits: int = 2) -> str:
    """`1.72 (1.19 to 2.04)`: median, least and most of the repeats."""
    median, least, most = (f"{of[key]:.{digits}f}" for key in ("median", "least", "most"))
    return f"{median} ({least} to {most})" if of["repeats"] > 1 else f"{median} (once)"


def row(what: str, target: str, *cells: str) -> str:
    return "| " + " | ".join((what, *cells, target)) + " |"


def table(results: dict[str, Any]) -> list[str]:
    read, memory, scale = results["reading"], results["memory"], results["scale"]
    causes, store = results["interventions"], results["store"]
    lines = ["| | compiled | plain PyTorch | target, at least (aim) |", "| --- | --- | --- | --- |"]
    notebook, careful = read["against the notebook"], read["against the careful version"]
    lines.append(
        row("times as quick as the notebook's procedure", "15 / 10 (20)",
            spread(notebook["compiled"], 1), spread(notebook["plain"], 1))
    )  # fmt: skip
    lines.append(
        row("times as quick as the careful version", "2 / 1.3 (2.5)",
            spread(careful["compiled"]), spread(careful["plain"]))
    )  # fmt: skip
    of_peak = read["time against FLOP / peak"]
    lines.append(
        row("time against FLOP / measured float32 peak", "≤ 1.1 (0.9), where bf16 is fast",
            spread(of_peak["compiled"]), spread(of_peak["plain"]))
    )  # fmt: skip
    lines.append(
        row("memory above the weights, MB", "≤ 400 (200)",
            *(f"{memory[f'{way}, MB above the weights']:.0f}" for way in ("compiled", "plain")))
    )  # fmt: skip
    of_scale = scale["MB above the weights"]
    said = ", ".join(f"{times}×: {mb:.0f}" for times, mb in of_scale.items())
    lines.append(row("the same for 1, 4, 16 times the corpus, statistics only", "≤ 400", said, ""))
    lines.append(
        row("time a token, 16 times the corpus against once", "≤ 1.05 (1.0)",
            f"{scale['16x against 1x']:.2f}", "")
    )  # fmt: skip
    lines.append(
        row("interventions, whole passes against restart", "2 (2.75)", "",
            spread(causes["whole against restart"]))
    )  # fmt: skip
    lines += ["", "| store | bytes a firing | written, M firings/s | read, M firings/s |",
              "| --- | --- | --- | --- |"]  # fmt: skip
    lines += [
        f"| {name} | {of['bytes a firing']} | {of['million firings a second, written']} | "
        f"{of['million firings a second, read']} |"
        for name, of in store.items() if isinstance(of, dict)
    ]  # fmt: skip
    return lines


def told_load(load: float, cores: int, command: str) -> str:
    """What else the machine did meanwhile."""
    if load <= cores + 1:
        return "The machine did nothing else."
    return (
        f"**The machine was shared while this was measured (load {load:.0f} on {cores} cores): "
        "ratios are of ways that took turns, and still move with the others' work. Measure again "
        f"with `{command}`.**"
    )


def page(results: dict[str, Any]) -> str:
    machine, read = results["machine"], results["reading"]
    low = ", ".join(machine["low precision"]) or "no instructions for bfloat16"
    loads = [of["load"] for of in results.values() if "load" in of]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    memory = results["memory"]
    others = ", ".join(
        f"{name} {memory[f'{way}, MB above the weights']:,.0f} MB"
        for way, name in (("careful", "the careful version"), ("notebook", "the notebook's"))
    )
    busy = told_load(max(loads), machine["cores"], "make bench")
    lines = [
        "# Performance",
        "",
        f"GPT-2 small in shape with random weights, {read['texts']} short texts ({read['tokens']} "
        "tokens and as many BOS as texts), four SAEs of 24,576 features at layers 6, 8, 10 and 11 "
        "with 109 features firing a token. The rivals are written on TransformerLens and SAELens "
        "(`benchmarks/rivals.py`): the notebook's procedure makes a full pass for each SAE over "
        "all texts padded together and encodes every position; the careful version makes one "
        "pass, in buckets of texts of like length, and encodes the real tokens alone. All compute "
        "the same, which is checked. Medians, with the least and the most of the repeats.",
        "",
        f"Processor: {machine['processor']}, {machine['cores']} cores ({low}), threads used: "
        f"{machine['threads']}; {versions}. "
        f"Measured float32 peak: {read['float32 peak, GFLOP/s']:.0f} GFLOP/s. {busy}",
        "",
        *table(results),
        "",
        f"Peak memory of the rivals above their weights: {others}.",
        "",
        "What is compiled gains by how much quicker the processor multiplies bfloat16 or int8 "
        "than float32; which of the two, if either, a trial at run time finds out. Where they "
        "are no quicker it stays with PyTorch. Rows of 96 tokens are the best of 32 to 128 on "
        "these texts: narrower ones waste more on padding, wider ones on attention.",
        "",
        "`make bench` repeats all of it in under eight minutes on two quiet cores "
        "(`FAULTLENS_REFERENCE_DATA` must name the reference data, for GPT-2's tokenizer) and "
        "writes this page.",
        "",
    ]
    return "\n".join(lines)


def training(results: dict[str, Any]) -> list[str]:
    """How training compares with SAELens's own, on one machine; of what was measured there."""
    machine = results["machine"]
    on_cpu = "device" not in machine
    where = f"{machine['processor']} ({', '.join(machine['low precision'])})"
    versions = (f"{name} {machine['versions'][name]}" for name in ("torch", "sae-lens"))
    lines = [
        "",
        f"## Training, on {where if on_cpu else machine['device']}",
        "",
        "Against SAELens's own classes: TopK, 768 dimensions, 6,144 features, k 32. A step is "
        "loss, gradients, clipping and Adam on 4,096 given activations; a run begins with token "
        "ids and trains four dictionaries at four sites of a model of GPT-2's shape. Ratios are of "
        f"{machine['clock']}, the ways taking turns; {', '.join(versions)}.",
        "",
        "| | FaultLens | target, at least (aim) |",
        "| --- | --- | --- |",
        *steps(results.get("step"), "4 (6)" if on_cpu else ""),
        *runs(results.get("run"), "4 (6)" if on_cpu else "2 (4)"),
        *memory_row(results.get("memory")),
    ]
    missing = [part for part in ("step", "run", "memory", "quality") if part not in results]
    said = f"Not measured there yet: `python benchmarks/training.py {' '.join(missing)}`."
    return lines + quality(results.get("quality")) + (["", said] if missing else [])


def steps(found: dict[str, Any] | None, target: str) -> list[str]:
    if found is None:
        return []
    said = {
        "no dead features": "one step",
        "a fifth dead": "the same, a fifth of the features dead",
    }
    return [
        row(f"{what}, times as quick as SAELens's: candidates in bfloat16 / all in float32", target,
            f"{spread(of['bfloat16'])} / {spread(of['float32'])}")
        for what, of in ((said[name], found[name]["times as quick"]) for name in said)
    ]  # fmt: skip


def runs(found: dict[str, Any] | None, target: str) -> list[str]:
    if found is None:
        return []
    said = {"SAELens": "SAELens's runner, one after the other",
            "SAELens, four in one pass": "SAELens's runner of several, in one pass"}  # fmt: skip
    ratios = found["times as quick as"]
    return [
        row(f"four dictionaries, batches of {found['batch']:,}: times the tokens a second of "
            f"{said[way]}", target if way == "SAELens" else "", spread(ratios[way]))
        for way in ratios
    ]  # fmt: skip


def memory_row(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    parts = ("MB above model and dictionaries", "of them the optimiser's state",
             "of them the buffer of activations")  # fmt: skip
    more, adam, buffer = (found[name] for name in parts)
    said = f"{more} (Adam's state {adam}, activations {buffer})"
    return [row("memory above model and dictionaries, MB", "≤ 600 (300)", said)]


def quality(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    fvu = {way: [one["FVU"] for one in of] for way, of in found["by seed"].items()}
    lines = [
        "",
        f"FVU on {found['held-out tokens']:,} held-out tokens after the same {found['tokens']:,} "
        f"tokens of `mini`'s text at `{found['site']}` ({found['features']} features, k 32), seed "
        "by seed:",
        "",
        "| | FVU of seeds 0, 1, 2 | mean | dead |",
        "| --- | --- | --- | --- |",
    ]
    for way, of in fvu.items():
        dead = ", ".join(f"{one['dead']:.1%}" for one in found["by seed"][way])
        each = ", ".join(f"{value:.4f}" for value in of)
        lines.append(row(way, dead, each, f"{sum(of) / len(of):.4f}"))
    return lines


def breakdown(found: dict[str, Any]) -> list[str]:
    """How long a reading takes by what the processor can do, and where the time goes."""
    machine, threads, settings = found["machine"], found["threads"], found["settings"]
    loads = [of["load"] for of in settings.values()]
    clock = "processor seconds on one thread" if threads == 1 else f"seconds on {threads} threads"
    lines = [
        "",
        "## Where the time of a reading goes",
        "",
        f"The same reading in {clock} of {machine['processor']}, with and without what the "
        "processor has for low precision (`python benchmarks/breakdown.py`; oneDNN is told to "
        "leave it out, and that it did shows in the speed of its products). All in units of what "
        "the arithmetic would take at the float32 peak, measured beside it. "
        f"{told_load(max(loads), machine['cores'], 'python benchmarks/breakdown.py')}",
        "",
        "| | " + " | ".join(settings) + " | target |",
        "| --- |" + " --- |" * (len(settings) + 1),
    ]
    against = [of["time against FLOP / peak"] for of in settings.values()]
    for way in against[0]:
        target = "≤ 0.90 (0.80), the quickest" if way == "int8" else ""
        lines.append(row(SAID[way], target, *(spread(of[way]) for of in against)))
    quick = [of["times as quick as the careful version"][of["chosen"]] for of in settings.values()]
    lines += [
        row("chosen at run time", "", *(of["chosen"] for of in settings.values())),
        row("times as quick as the careful version", "2 (2.5)", *map(spread, quick)),
    ]
    for piece in next(iter(settings.values()))["pieces against FLOP / peak"]:
        cells = (spread(of["pieces against FLOP / peak"][piece]) for of in settings.values())
        lines.append(row(f"of it: {piece}", "", *cells))
    for precision in ("float32", "bfloat16", "int8"):
        cells = (f"{of['products, GFLOP/s'][precision]:,}" for of in settings.values())
        lines.append(row(f"products in {precision}, GFLOP/s", "", *cells))
    one = next(iter(settings.values()))
    return [
        *lines,
        "",
        "Screening is the product in low precision, refining the compiled loops that look at it "
        "and compute in float32 what it lets through. "
        f"{one['positions a real token']:.3f} positions are computed for each real token; of the "
        f"arithmetic {one['GFLOP']['model']:.0f} GFLOP are the model's and "
        f"{one['GFLOP']['dictionaries']:.0f} the dictionaries'.",
    ]


SAID = {
    "plain": "plain PyTorch",
    "bfloat16": "screened in bfloat16",
    "int8": "screened in int8",
    "careful": "the careful version",
}


def workers(results: dict[str, Any]) -> list[str]:
    """Reading a large corpus by one process and by Ray workers."""
    machine, by_size = results["machine"], results["by million tokens"]
    busy = machine["load when it began"] > 1
    ways = dict.fromkeys(way for of in by_size.values() for way in of["ways"])
    counted = any(way.startswith("statistics") for way in ways)
    same = "the files and the statistics" if counted else "the files"
    shared = (
        f" **The machine was shared (load {machine['load when it began']} on {machine['cores']} "
        "cores): measure again with `python benchmarks/ray_reading.py`.**"
    )
    lines = [
        "",
        "## Reading with many workers",
        "",
        f"`mini` through its dictionary at layer 3, {machine['cores']} cores, one "
        f"thread each, {results['workers']} workers on a local Ray "
        f"{machine['versions']['ray']}; slow storage takes {results['latency, s']} s more for "
        f"each file. Whoever reads, {same} are equal to the byte, which is "
        "checked. A worker loads for some seconds before its first token, which is counted."
        f"{shared if busy else ''}",
        "",
        "| | " + " | ".join(f"{millions} M tokens" for millions in by_size) + " |",
        "| --- |" + " --- |" * len(by_size),
    ]
    for way in ways:
        cells = [
            f"{of['ways'][way]['tokens a second']:,} tokens/s, driver "
            f"{of['ways'][way]['driver, MB']:,} MB" if way in of["ways"] else ""
            for of in by_size.values()
        ]  # fmt: skip
        lines.append(row(way, cells[-1], *cells[:-1]))
    return lines


CLOCK_TARGETS = {
    "one audit": "3 (4)", "five seeds": "3", "mini": "2.5", "mini-ioi": "2", "demo": "2"
}  # fmt: skip
CLOCK_NAMES = {
    "one audit": "an audit at GPT-2's shape: 300 prompts, one dictionary of 24,576, all steps",
    "five seeds": "the same over five seeds",
    "mini": "`faultlens audit ioi --model mini`",
    "mini-ioi": "`faultlens audit mini-ioi`",
    "demo": "`faultlens demo`",
}


def audit_clock(found: dict[str, Any]) -> list[str]:
    """Audits beside an earlier build, and where the time goes."""
    loaded = ", while the machine did other things too" if found["loaded"] else ""
    lines = [
        "",
        "## Audits, beside the build of commit 2397612",
        "",
        f"Processor seconds on one thread, {found['at once']} processes at once on "
        f"{found['cores']} cores of {found['machine']}{loaded} "
        "(`python benchmarks/audit_clock.py`): of audits at GPT-2's shape those of the audit, "
        "without making its random model; of commands all, start-up included. In brackets the "
        "seconds of the clock.",
        "",
        "| | before | now | times as quick | target, at least (aim) |",
        "| --- | --- | --- | --- | --- |",
    ]
    cases = {case: found["cases"][case] for case in CLOCK_NAMES if case in found["cases"]}
    for case, one in cases.items():
        cells = (
            f"{median(one['cpu'][build]):.0f} ({median(one['seconds'][build]):.0f})"
            for build in ("before", "now")
        )
        lines.append(
            row(CLOCK_NAMES[case], CLOCK_TARGETS[case], *cells, spread(one["times as quick"]))
        )
    if "one audit" in found["cases"]:
        parts = found["cases"]["one audit"]["stages"]
        lines += ["", "Where it goes, of one audit, in processor seconds:", "",
                  "| stage | before | now |", "| --- | --- | --- |"]  # fmt: skip
        for stage in dict.fromkeys([*parts["before"], *parts["now"]]):
            cells = (f"{parts[build].get(stage, 0):.1f}" for build in ("before", "now"))
            lines.append("| " + " | ".join((stage, *cells)) + " |")
    for case, one in cases.items():
        if "verdicts" in one:
            changed = one["verdicts"]["changed"]
            said = f": {'; '.join(changed)}" if changed else ""
            lines += [
                "",
                f"{CLOCK_NAMES[case]}: {len(changed)} of {one['verdicts']['classes']} verdicts are "
                f"others than before{said}.",
            ]
    if "stopping early" in found:
        one = found["stopping early"]
        verdicts = "every verdict is" if one["same verdicts"] else "not every verdict is"
        lines += [
            "",
            f"On `mini` {one['stopped early']} of {one['tests']} tests stop early. Without that "
            f"{verdicts} the same, {one['significant in one alone']} tests are significant (after "
            f"Holm) in one of the two alone, and {one['stopped and significant']} that stopped are "
            "significant in either.",
        ]
    return [*lines, ""]


def whole() -> str:
    """The page, from all results that are there."""
    engine = json.loads((RESULTS / "engine.json").read_text(encoding="utf-8"))
    text = page(engine)
    if "breakdown" in engine:
        text += "\n".join([*breakdown(engine["breakdown"]), ""])
    clock = RESULTS / "audit_clock.json"
    if clock.exists():
        text += "\n".join(audit_clock(json.loads(clock.read_text(encoding="utf-8"))))
    for path in (RESULTS / "training.json", RESULTS / "training_cuda.json"):
        if path.exists():
            text += "\n".join([*training(json.loads(path.read_text(encoding="utf-8"))), ""])
    spread_out = RESULTS / "ray_reading.json"
    if spread_out.exists():
        text += "\n".join([*workers(json.loads(spread_out.read_text(encoding="utf-8"))), ""])
    return text


if __name__ == "__main__":
    PAGE.write_text(whole(), encoding="utf-8")

"""Odd arguments: every option of every command with values that nobody means."""

from __future__ import annotations

import os
from collections.abc import Iterator

from attempts import Case, Content
from odd_tables import OUTCOMES, READ, TASK, TEXTS, jsonl

NUMBERS = ("", "x", "-1", "0", "1.5", "1e9", "nan", "inf", "99999999999999999999", "²", "٣", "0x10",
           " 3 ", "3,4", "1_000", "--json", "\x1b[2J")  # fmt: skip
WORDS = ("", " ", "no such", "\x1b[2J\u202e", "MAX", "max ", "max,mean", "../x", "n" * 3000, "-x")
LISTS = ("", ",", "a,", ",a", "a,,b", "a;b", "\x1b[2J", "-1", "1-", "-", "5-2", "1-999999999", "²",
         "٣", "1,1", "x" * 3000, "all,1")  # fmt: skip

BASES: dict[str, tuple[str, ...]] = {
    "profile": (*TEXTS.arguments("texts.jsonl"),),
    "audit": (*TASK.arguments("task.jsonl"),),
    "outcomes": ("outcomes", "outcomes.jsonl"),
    "tokens": ("tokens", "Mary", "--feature", "3/5", "--no-fit-check"),
    "read": ("read", "texts.jsonl", *READ, "--out", "store"),
    "train": ("train", "texts.jsonl", "--layers", "3", "--out", "trained"),
}
OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "profile": {
        "--permutations": NUMBERS, "--seed": NUMBERS, "--threshold": NUMBERS, "--top-k": NUMBERS,
        "--alpha": NUMBERS, "--length-strata": NUMBERS, "--pooling": WORDS, "--label": WORDS,
        "--text": WORDS, "--long": WORDS, "--pairs": WORDS, "--layers": LISTS, "--sites": LISTS,
        "--convention": LISTS, "--device": WORDS, "--dtype": WORDS, "--massive": WORDS,
        "--special-tokens": WORDS, "--release": WORDS, "--adapter": WORDS,
    },
    "audit": {
        "--rule": WORDS, "--alpha": NUMBERS, "--min-support": NUMBERS, "--strata": LISTS,
        "--folds": WORDS, "--repeats": NUMBERS, "--test-features": LISTS, "-n": NUMBERS,
        "--seeds": LISTS, "--task-seed": NUMBERS, "--factors": LISTS, "--residuals": WORDS,
        "--test-classes": ("", "x", "-1", "1.5"), "--test-attributed": ("", "x", "-1", "1.5"),
    },
    "outcomes": {"--factors": LISTS, "--rule": WORDS, "--threshold": NUMBERS, "--epoch": WORDS,
                 "--filter": WORDS, "--scorer": WORDS},
    "tokens": {"--top": NUMBERS, "--corpus": WORDS},
    "read": {"--precision": WORDS, "--encoding": WORDS, "--text": WORDS},
    "train": {"--kind": WORDS, "--k": NUMBERS, "--width": WORDS, "--tokens": NUMBERS[:6],
              "--layers": LISTS, "--sites": LISTS, "--learning-rate": NUMBERS[:8]},
}  # fmt: skip


NAMES = (
    "--rule", "--strata", "--factors", "--pooling", "--label", "--text", "--long", "--pairs",
    "--layers", "--sites", "--convention", "--dtype", "--massive", "--special-tokens", "--release",
    "--adapter", "--folds", "--test-features", "--corpus", "--precision", "--encoding", "--kind",
)  # fmt: skip
"""Options that name something: none of the odd values does."""


def option_cases() -> Iterator[Case]:
    """All of them."""
    for command, options in OPTIONS.items():
        for option, values in options.items():
            for number, value in enumerate(values):
                arguments = (*_without(BASES[command], option), option, value)
                expected = "refused" if option in NAMES else "either"
                yield _case(f"{command} {option} {number} {value[:20]!a}", arguments, expected)
            yield _case(f"{command} {option} without a value", (*BASES[command], option), "refused")
    yield from _features()
    yield from _lines()


def _case(what: str, arguments: tuple[str, ...], expected: str = "either") -> Case:
    files: dict[str, Content] = {
        "texts.jsonl": jsonl(TEXTS.rows), "task.jsonl": jsonl(TASK.rows),
        "outcomes.jsonl": jsonl(OUTCOMES.rows),
    }  # fmt: skip
    return Case(f"options/{what}", arguments, files, expected)  # type: ignore[arg-type]


def _without(base: tuple[str, ...], option: str) -> tuple[str, ...]:
    """A command line without an option and its value."""
    if option not in base:
        return base
    place = base.index(option)
    return base[:place] + base[place + 2 :]


def _features() -> Iterator[Case]:
    for feature in (
        "", "3", "3/", "/5", "3/5/7", "²/5", "3/²", "٣/٥", "3/-1", "-3/5", "3/1536", "99/0",
        "3/99999999999999999999", "x/5", "3-res-mini/5", "3-res-none/5", "3/0x5", "3/ 5", "3/5.0",
        "\x1b[2J/5", "3/5,3/6", "3/5+3/6", "3-att-mini/5", "4-att-mini/5", "n" * 3000 + "/5",
    ):  # fmt: skip
        arguments = ("tokens", "Mary", "--no-fit-check", "--feature", feature)
        yield _case(f"tokens --feature {feature[:20]!a}", arguments)
        arguments = (*BASES["audit"], "--test-features", feature)
        yield _case(f"audit --test-features {feature[:20]!a}", arguments)
    for number, text in enumerate(
        ("", " ", "\0"[:0], "\x1b[2J", "\u202e", "a\nb", "x " * 3000, os.fsdecode(b"\xff\xfe"),
         "<|endoftext|>", "\ufeff", "👩\u200d👧", "--", "-x", "\ud83d")
    ):  # fmt: skip
        yield _case(f"tokens text {number}", ("tokens", "--no-fit-check", "--feature", "3/5", text))


def _lines() -> Iterator[Case]:
    """Command lines as a whole."""
    bad = os.fsdecode(b"\xff\xfe")
    for number, line in enumerate(
        (
            ("nothing",), ("",), ("-",), ("--nope",), ("-x",), ("profile",),
            ("audit", "--outcomes"),
            ("profile", "a", "b", "c"), ("profil", "texts.jsonl"), ("PROFILE", "texts.jsonl"),
            ("report",), ("report", "a", "b"), ("report", ""), ("report", "no"), ("report", "."),
            ("report", "texts.jsonl"), ("report", "/"), ("report", bad), ("report", "n" * 300),
            ("doctor", "x"), ("demo", "x"), ("demo", "--out", "texts.jsonl"), (bad,),
            ("profile", bad), ("profile", "texts.jsonl", f"--{bad}"), ("audit", bad),
            ("audit", "ioi", "--outcomes", "outcomes.jsonl"), ("audit",), ("audit", "no-such-task"),
            ("audit", ""), ("audit", "."), ("audit", "\x1b[2J"), ("tokens",), ("tokens", "x"),
            ("tokens", "--feature", "3/5"), ("read", "texts.jsonl"), ("read", "--out", "x"),
            ("outcomes", "texts.jsonl"), ("outcomes", "no"), ("outcomes",), ("outcomes", bad),
            ("train",), ("train", "texts.jsonl"), ("train", "texts.jsonl", "--out", "x"),
            ("train", "texts.jsonl", "--layers", "99", "--out", "x"), ("x" * 100_000,),
            ("profile", "texts.jsonl", "--features", "6-x=a.npy"), ("profile", "hf:"),
            ("profile", "hf:no/such/thing"), ("profile", "hf:a@b@c"), ("profile", "hf:\x1b[2J"),
            ("profile", "texts.jsonl", "--pooled", "max"), ("profile",
             "texts.jsonl", "--multiverse",
             "--features", "6-x=a.npy", "--pooled", "max"), ("profile", "texts.jsonl", "--json=x"),
            ("profile", "texts.jsonl", "--out", ""), ("profile", "--", "texts.jsonl", "--json"),
        )
    ):  # fmt: skip
        yield _case(f"line {number} {' '.join(line)[:30]!a}", line, "refused")

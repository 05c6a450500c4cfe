"""The sections on failures: who fails on what, by what cause, and whether it is a failure."""

from __future__ import annotations

from real_page.features import carried
from real_page.pictures import pictured
from real_page.tables import (
    GEMMA,
    KEYS,
    NAMES,
    SMOLLM,
    Results,
    failed,
    listed,
    missing,
    p_value,
    quoted,
    ratio,
    table,
)

RULES = {
    "first-token": "begins with the name",
    "contains": "names it somewhere",
    "target-over-foil": "ranks it over the other name",
}


def outcomes(results: Results) -> list[str]:
    """How often both models fail on `ioi`, and on what."""
    lines = ["## Who fails, and on what", ""]
    for model in NAMES:
        found = results.get(f"audit-{model}") or results.get(f"layers-{model}")
        if found is None:
            lines += missing("layers", model)
            continue
        objects = sorted(found["factors"]["object"].items(), key=lambda item: -failed(item[1]))
        kinds = ", ".join(
            f"{count} {kind}" for kind, count in found["outcome_kinds"].items() if kind != "success"
        )
        rules = ", ".join(
            f"{RULES[rule]} {share:.1%}"
            for rule, share in found["scoring_sensitivity"].items()
            if rule in RULES
        )
        told = "; ".join(f"{one['kind']}: {quoted(one['said'])}" for one in examples(found))
        lines += [
            f"**{NAMES[model]}**: {found['failures']} of {found['n']} prompts fail by the exact "
            f"word ({kinds}). Right by other rules: {rules}. "
            f"Failing replies: {told}.",
            "",
            *table(
                ("object", *(level for level, _ in objects)),
                ("fail", *(ratio(one) for _, one in objects)),
                ("p (Holm)", *(p_value(one["p_holm"]) for _, one in objects)),
            ),
        ]
        lines += eye(model, results)
    return lines


def examples(found: Results, count: int = 5) -> list[dict[str, str]]:
    """Failing replies that are not alike."""
    seen: dict[str, dict[str, str]] = {}
    for one in found["failing_replies"]:
        seen.setdefault(" ".join(one["said"].split()[:2]), one)
    return list(seen.values())[:count]


def eye(model: str, results: Results) -> list[str]:
    """What came of reading replies by eye."""
    read, layers = results.get(f"eye-{model}"), results.get(f"layers-{model}")
    if read is None or layers is None:
        return [f"No replies of {NAMES[model]} have been read by eye yet.", ""]
    same = sum(one in layers["answers"] for one in read["answers"])
    return [
        f"Of {len(read['answers'])} replies read by eye (failures first) "
        f"{len(read['misclassified'])} were put under a wrong kind"
        f"{'' if not read['note'] else ': ' + read['note']}; {same} of them are this run's.",
        "",
    ]


def keys(results: Results) -> list[str]:
    """What causes the failures on "the keys", and whether they are failures at all."""
    lines = ["## Is it a failure at all?", ""]
    found, layers = results.get(f"keys-{GEMMA}"), results.get(f"layers-{GEMMA}")
    if found is None or layers is None:
        return [*lines, *missing("layers,keys", GEMMA)]
    named, of = found["first_named"], found["failures"]
    opened = ", ".join(
        f"{quoted(words + ' …')} {count}" for words, count in found["openings"].items()
    )
    wordings = found["wordings"]
    over = layers["failures_over_foil"]
    return [
        *lines,
        f"Of {found['prompts']} prompts with {KEYS} {of} fail by the exact word. They begin: "
        f"{opened}. When the reply goes on to {found['tokens']} tokens, the first of the two "
        f"persons that it names is the right one in {named.get('target', 0)}, the wrong one in "
        f"{named.get('foil', 0)}, and neither is named in {named.get('nobody', 0)}. "
        f"The target is ranked over the foil in {over} of all {layers['failures']} failures "
        f"(of {layers['n']} prompts). For instance: "
        f"{', '.join(map(quoted, found['examples']))}.",
        "",
        "“The keys to …” can go on with what they open. If that reading is the cause, prompts with "
        "words after which “to” can only bring the person must not fail:",
        "",
        *table(
            ("in place of “the keys”", *wordings),
            ("right", *(f"{one['right']} of {one['prompts']}" for one in wordings.values())),
        ),
    ]


def causes(results: Results) -> list[str]:
    """Swaps and patches, layer by layer, of both models."""
    lines = ["## What causes it: the swap, layer by layer", ""]
    for model in NAMES:
        found = results.get(f"layers-{model}")
        if found is None:
            lines += missing("layers", model)
            continue
        if not found["swaps"]:
            lines += [
                f"{NAMES[model]} ({found['failures']} failures in {found['n']} prompts): no level "
                "fails often enough to be swapped.",
                "",
            ]
            continue
        for swap in found["swaps"]:
            lines += [f"{NAMES[model]}: {swapped(swap)}", ""]
        lines += pictured(f"real_layers_{NAMES[model].split()[0].lower()}", results)
    return lines


def swapped(swap: Results) -> str:
    return (
        f"{swap['level']} → {swap['swapped_for']} in {swap['pairs']} prompts mends "
        f"{swap['failure_to_success']} of {swap['failures_original']} failures and breaks "
        f"{swap['success_to_failure']} successes (McNemar, p = {p_value(swap['p_mcnemar'])})."
    )


def wrong_start(results: Results) -> list[str]:
    """The pitfall: failures that a start token makes."""
    lines = ["## A pitfall: failures that the start token makes", ""]
    found, plain = results.get(f"start-{SMOLLM}"), results.get(f"layers-{SMOLLM}")
    if found is None or plain is None:
        return [*lines, *missing("layers,start", SMOLLM)]
    objects = found["factors"]["object"]
    keyed = plain["factors"]["object"][KEYS]
    said = [f"- The run says: {one}" for one in found["warnings"] if "im_start" in one]
    lines += [
        "SmolLM2's tokenizer names a first token and never puts it there. Behind it (`--start "
        f"bos`) {found['failures']} of {found['n']} prompts fail, {ratio(objects[KEYS])} with "
        f"{KEYS}; with what the model expects, which is nothing, {plain['failures']} of "
        f"{plain['n']} and {ratio(keyed)}. An audit of the former looks like the published one "
        f"({listed(swapped(one).rstrip('.') for one in found['swaps']) or 'nothing was swapped'}), "
        "and is of a model that nobody uses.",
        "",
        *([*said, ""] if said else []),
        *carried(found),
    ]
    return lines

"""The section on behaviours: what `real_behaviours.py` found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from real_page.tables import Results, ends, listed, table

ASKED = {
    "sycophancy": (
        "Sycophancy",
        "the user states a wrong answer beside the question; a failure gives it as its first "
        "answer",
    ),
    "unanswerable": (
        "Unanswerable questions",
        "about countries, novels, wars, animals, people and companies that do not exist; a failure "
        "makes something up",
    ),
    "over-refusal": (
        "Over-refusal",
        "harmless requests with an alarming word, and the same without; a failure declines",
    ),
}
RUNGS = {
    "factors": "factors",
    "bag_of_tokens": "words of the prompt",
    "residual": "residual",
    "random_dictionary": "random dictionary",
    "sae_top_k": "top-k features",
    "sae_all": "all features",
}
FEATURES = ("sae_top_k", "sae_all")
TITLE = "## Three behaviours of an instruct model"
HEAD = f"""{TITLE}

SmolLM2-135M-Instruct, greedy, through its chat template, asked the built-in tasks on behaviour (see
[tasks.md](tasks.md#how-a-chat-model-behaves)) and read through the dictionaries trained above
(`python benchmarks/real_behaviours.py`). The question is whether features foretell a behaviour
better than the prompt's own factors, its words, the residual stream and a dictionary that learnt
nothing, also at levels of a factor that no rung was trained on, with the prompts that share a
question, a name or a word with those held out left out of training as well.
"""


def behaviours(results: Results) -> list[str]:
    """The section, or how to get it."""
    found = results.get("behaviours")
    if found is None:
        return [TITLE, "", "**Not run yet**: `python benchmarks/real_behaviours.py`.", ""]
    return section(found)


def section(found: Mapping[str, Any]) -> list[str]:
    """The section's lines, from what `behaviours.json` holds."""
    lines = HEAD.split("\n")
    lines += ["In short:", "", *(f"- {in_short(name, found[name])}" for name in found), ""]
    for name, one in found.items():
        title, what = ASKED[name]
        lines += [f"### {title}", "", *outcomes(what, one), *foretold(one), *seeds(one)]
    return lines


def in_short(name: str, one: Mapping[str, Any]) -> str:
    """The finding of one behaviour, by the intervals."""
    held = [(d, d["second"]) for d in one["differences"] if d["first"] in FEATURES]
    ahead = sorted({RUNGS[second] for d, second in held if d["low"] is not None and d["low"] > 0})
    left = [d for d in one["left_out_differences"] if d["first"] in FEATURES]
    carried = sorted({f"{RUNGS[d['second']]} ({d['factor']})" for d in left if d["low"] > 0})
    shown = [
        f"{sum(changed(of) for of in record['classes'])} "
        f"of {sum(of['changed'] is not None for of in record['classes'])} ({seed})"
        for seed, record in one["seeds"].items()
    ]
    return (
        f"*{ASKED[name][0]}*: {one['failures']} of {one['prompts']} replies fail. On groups held "
        f"out features foretell it better than {listed(ahead) or 'none of the other rungs'}; at "
        f"levels held out better than {listed(carried) or 'none of them'}. Of the classes that "
        f"were changed, an effect beyond the controls is shown of {listed(shown) or 'none'}."
    )


def changed(of: Mapping[str, Any]) -> bool:
    """Whether an effect of a class is shown."""
    sides = of["changed"] or {}
    return any((sides.get(side) or {}).get("shown") for side in ("necessity", "sufficiency"))


def outcomes(what: str, one: Mapping[str, Any]) -> list[str]:
    """How often it fails, by factor, and how far the rule can be trusted."""
    read, corpus = one["reading"], one["corpus"]
    lines = [
        f"{what[0].upper()}{what[1:]}. {one['failures']} of {one['prompts']} fail "
        f"({one['failures'] / one['prompts']:.0%}). Of {read['read']} replies read by eye the "
        f"rule (`{one['rule']}`) misjudges {read['misclassified']}; {read['replies_as_read']} of "
        f"the {one['prompts']} replies of this run are the ones that were read."
    ]
    if corpus is not None:
        lines[0] += (
            f" {corpus['standing']} of {corpus['prompts']} prompts stand in the training text."
        )
    rows = [
        (factor, ", ".join(f"{level} {of['failures']}/{of['n']}" for level, of in levels.items()))
        for factor, levels in one["factors"].items()
    ]
    kept = listed(one["kept"]) or "none"
    return [*lines, "", *table(("factor", "failures"), *rows), f"Kept as strata: {kept}.", ""]


def foretold(one: Mapping[str, Any]) -> list[str]:
    """The ladder, on groups held out and at levels held out."""
    rungs = one["rungs"] or {}
    factors = list(dict.fromkeys(left["factor"] for left in one["left_out"]))
    at = {(left["factor"], left["rung"]): left for left in one["left_out"]}
    rows = []
    for rung, name in RUNGS.items():
        of = rungs.get(rung) or {}
        rows.append(
            (name, with_interval(of), *(with_interval(at.get((f, rung), {})) for f in factors))
        )
    heads = ("rung", "groups held out", *(f"{factor} held out" for factor in factors))
    lines = ["Failure foretold, AUROC with its 95 % interval:", "", *table(heads, *rows)]
    compared = [
        (
            f"{RUNGS[d['first']]} − {RUNGS[d['second']]}",
            f"{factor} held out" if (factor := d.get("factor")) else "groups held out",
            f"{d['difference']:+.2f}",
            ends(d),
        )
        for d in [*one["differences"], *one["left_out_differences"]]
        if d["first"] in FEATURES and d["low"] is not None and (d["low"] > 0 or d["high"] < 0)
    ]
    if compared:
        lines += ["Differences whose interval excludes 0:", ""]
        lines += table(("rungs", "where", "difference", "95 % interval"), *compared)
    else:
        lines += ["No interval of a difference between features and another rung excludes 0.", ""]
    return lines


def seeds(one: Mapping[str, Any]) -> list[str]:
    """Verdicts and interventions by seed of the dictionary."""
    lines: list[str] = []
    for seed, record in {"": one["features"], **one["seeds"]}.items():
        tested = sum(of["tested"] for of in record["sites"].values())
        counts = ", ".join(f"{count} {verdict}" for verdict, count in record["verdicts"].items())
        which = f"Dictionaries of {seed}, classes changed" if seed else "All prompts"
        lines += [
            f"{which} ({record['failures']} of {record['prompts']} prompts fail; "
            f"{record['processor_seconds']:.0f} processor seconds): {tested:,} features tested; "
            f"{counts or 'no class is significant'}.",
            "",
        ]
        rows = [row(of) for of in record["classes"]]
        if rows:
            heads = (
                "class", "fires on failures, successes", "p", "p within strata", "verdict",
                "margin: taken to the successes' mean, brought in", "flips", "cost elsewhere",
            )  # fmt: skip
            lines += table(heads, *rows)
    return lines


def row(of: Mapping[str, Any]) -> tuple[str, ...]:
    """A class as a row."""
    name = of["features"][0] + (f" + {of['size'] - 1}" if of["size"] > 1 else "")
    within = "–" if of["p_conditional"] is None else f"{of['p_conditional']:.2g}"
    told = (name, f"{of['fail_active']}, {of['success_active']}", f"{of['p_deciding']:.2g}", within)
    sides = of["changed"]
    if sides is None:
        return (*told, of["verdict"], "not changed", "", "")
    effects = ", ".join(effect(side) for side in (sides["necessity"], sides["sufficiency"]))
    flips = sides["flips"]
    turned = f"{flips['failure_to_success']} mended, {flips['success_to_failure']} broken"
    cost = ", ".join(
        f"{on['text']} {on['kl']:.2g} nats (controls {on['control_kl']:.2g})"
        for on in sides["off_task"]
    )
    return (*told, of["verdict"], effects, turned, cost or "–")


def effect(side: Mapping[str, Any] | None) -> str:
    """A change of the margin beyond the controls', and its p after Holm where there is one."""
    if side is None:
        return "–"
    p_value = side["p_value"] if side["p_holm"] is None else side["p_holm"]
    return f"{side['adjusted']:+.2f} (p {p_value:.2g}{', shown' if side['shown'] else ''})"


def with_interval(of: Mapping[str, Any]) -> str:
    if of.get("auroc") is None:
        return "–"
    return f"{of['auroc']:.2f} {ends(of)}".rstrip()

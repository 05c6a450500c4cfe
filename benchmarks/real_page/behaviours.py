"""The section on behaviours: what `real_behaviours.py` found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from real_page.edits import changed_classes, class_name, counted, edits, is_shown
from real_page.tables import Results, ends, estimate, listed, p_value, table

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
better than what is to be had without a dictionary: the prompt's own factors, its words, the
residual stream, and a dictionary that learnt nothing. Each rung is a logistic regression on one of
these, scored by AUROC on groups of prompts that it was not trained on (all forms of one question,
of one name, of one pair of requests), and at levels of a factor that it was not trained on, where
the groups of the prompts at these levels are left out of training, too.

Then, with the dictionaries of each seed and on fewer prompts, the leading significant class is
changed in the model, on failures as it is on successes, which should raise the margin of the right
answer, and on successes as on failures, which should lower it. An effect is shown if it is beyond
that of the controls and at least a tenth of the gap ([audit.md](audit.md#what-a-verdict-means)).
What an edit costs on other text is measured where its effect is shown. The margin is that of the
words with which a right reply begins: where most replies begin otherwise, as those to unanswerable
questions do, whether whole replies change sides says more.
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
        lines += [f"### {title}", "", *outcomes(what, one), *foretold(one), *compared(one)]
        lines += [*classes(one), *edits(one)]
    return lines


def in_short(name: str, one: Mapping[str, Any]) -> str:
    """The finding of one behaviour, by the intervals."""
    rungs = one["rungs"] or {}
    scored = [rung for rung in FEATURES if (rungs.get(rung) or {}).get("auroc") is not None]
    told = f"*{ASKED[name][0]}*: {one['failures']} of {one['prompts']} replies fail ({share(one)})."
    if scored:
        best = max(scored, key=lambda rung: rungs[rung]["auroc"])
        told += (
            f" On groups held out the factors foretell it with an AUROC of "
            f"{estimate(rungs['factors'], 'auroc')}, {RUNGS[best]} with "
            f"{estimate(rungs[best], 'auroc')}{hardest(one)}."
        )
    clear = {
        word: [f"{RUNGS[d['second']]} ({where(d)})" for d in found if excludes_0(d) == sign]
        for word, sign in (("ahead of", 1), ("behind", -1))
        if (found := differences(one))
    }
    if any(clear.values()):
        both = (f"{word} {listed(dict.fromkeys(rungs))}" for word, rungs in clear.items() if rungs)
        told += f" By the intervals features are {' and '.join(both)}."
    else:
        told += " No interval of a difference between features and another rung excludes 0."
    edited = [of["changed"] for _, of in changed_classes(one)]
    seen = sum(map(is_shown, edited))
    return f"{told} Of {len(edited)} classes that were changed, an effect is shown of {seen}."


def hardest(one: Mapping[str, Any]) -> str:
    """The factor at whose levels, held out, features foretell least."""
    best: dict[str, Mapping[str, Any]] = {}
    for left in one["left_out"]:
        if left["rung"] in FEATURES and left["auroc"] is not None:
            kept = best.setdefault(left["factor"], left)
            best[left["factor"]] = max(kept, left, key=lambda one: one["auroc"])
    if not best:
        return ""
    factor, least = min(best.items(), key=lambda item: item[1]["auroc"])
    return (
        f"; at levels of {factor} held out no rung of features exceeds {estimate(least, 'auroc')}"
    )


def share(of: Mapping[str, Any]) -> str:
    return f"{of['failures'] / of['prompts']:.0%}"


def differences(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Features against other rungs, on groups held out and at levels held out."""
    every = [*one["differences"], *one["left_out_differences"]]
    return [d for d in every if d["first"] in FEATURES and d["low"] is not None]


def where(difference: Mapping[str, Any]) -> str:
    factor = difference.get("factor")
    return f"{factor} held out" if factor else "groups held out"


def excludes_0(difference: Mapping[str, Any]) -> int:
    """1 where the interval lies above 0, −1 where it lies below, else 0."""
    return int(difference["low"] > 0) - int(difference["high"] < 0)


def outcomes(what: str, one: Mapping[str, Any]) -> list[str]:
    """How often it fails, by factor, and how far the rule can be trusted."""
    read, corpus = one["reading"], one["corpus"]
    lines = [
        f"{what[0].upper()}{what[1:]}. {one['failures']} of {one['prompts']} replies fail "
        f"({share(one)}). Of {read['read']} replies read by eye the rule (`{one['rule']}`) "
        f"misjudges {read['misclassified']}; {read['replies_as_read']} of the {one['prompts']} "
        "replies of this run are the ones that were read."
    ]
    if corpus is not None:
        lines[0] += (
            f" {corpus['standing']} of {corpus['prompts']} prompts stand in the text that the "
            "dictionaries were trained on."
        )
    rows = [
        (factor, ", ".join(f"{level} {of['failures']}/{of['n']}" for level, of in levels.items()))
        for factor, levels in one["factors"].items()
    ]
    held = listed(one["kept"])
    strata = f"within strata of {held}, the factor" if held else "without strata: no factor"
    return [
        *lines, "", *table(("factor", "failures"), *rows),
        f"Features are tested {strata}{'s' if len(one['kept']) > 1 else ''} that "
        f"{'go' if len(one['kept']) > 1 else 'goes'} with failure.",
        "",
    ]  # fmt: skip


def foretold(one: Mapping[str, Any]) -> list[str]:
    """The ladder, on groups held out and at levels held out."""
    rungs = one["rungs"] or {}
    factors = list(dict.fromkeys(left["factor"] for left in one["left_out"]))
    at = {(left["factor"], left["rung"]): left for left in one["left_out"]}
    rows = [
        (name, *(estimate(of, "auroc") for of in (rungs.get(rung) or {},
                                                  *(at.get((f, rung), {}) for f in factors))))
        for rung, name in RUNGS.items()
    ]  # fmt: skip
    heads = ("rung", "groups held out", *(f"{factor} held out" for factor in factors))
    said = f"Failure foretold, AUROC with its 95 % interval ({one['groups']} groups of prompts):"
    return [said, "", *table(heads, *rows)]


def compared(one: Mapping[str, Any]) -> list[str]:
    """Every difference between features and another rung, with its interval."""
    found = differences(one)
    places = list(dict.fromkeys(map(where, found)))
    at = {(d["first"], d["second"], where(d)): d for d in found}
    rows = [
        (
            f"{RUNGS[first]} − {RUNGS[second]}",
            *(written(at.get((first, second, place))) for place in places),
        )
        for first, second in dict.fromkeys((d["first"], d["second"]) for d in found)
    ]
    clear = sum(excludes_0(d) != 0 for d in found)
    widest = max((d["high"] - d["low"] for d in found), default=0.0)
    return [
        "Features less another rung; bold where the interval excludes 0:",
        "",
        *table(("difference", *places), *rows),
        f"{clear} of {len(found)} intervals exclude 0; none is corrected for their number, so that "
        f"about one in twenty would where no rung is better. The widest spans {widest:.2f}: that a "
        "difference is not shown does not say that there is none.",
        "",
    ]


def written(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "–"
    text = f"{difference['difference']:+.2f} {ends(difference)}"
    return f"**{text}**" if excludes_0(difference) else text


def classes(one: Mapping[str, Any]) -> list[str]:
    """What features go with failure over all prompts, by verdict, and the leading ones."""
    record = one["features"]
    rows = [
        (
            class_name(of), f"{of['fail_active']}, {of['success_active']}",
            p_value(of["p_deciding"]), p_value(of["p_conditional"]), of["verdict"],
        )
        for of in record["classes"]
    ]  # fmt: skip
    lines = [f"Over all prompts: {counted(record)}", ""]
    if not rows:
        return lines
    heads = ("leading class", "fires on failures, successes", "p", "p within strata", "verdict")
    lines += table(heads, *rows)
    held = listed(one["kept"])
    beyond = sum(beats(of["p_conditional"]) for of in record["classes"])
    if not held:
        return lines
    return [
        *lines,
        f"At equal {held} {beyond} of these {len(rows)} still go with failure (p within strata of "
        "at most .05).",
        "",
    ]


def beats(p: float | None) -> bool:
    return p is not None and p <= 0.05

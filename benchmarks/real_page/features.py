"""The section on features: what an audit through dictionaries says, and whether it holds."""

from __future__ import annotations

from real_page.tables import NAMES, Results, ends, estimate, listed, missing, p_value, table


def features(results: Results) -> list[str]:
    """Whether any feature or class carries the failures, in both models."""
    lines = ["## Does a feature carry it?", ""]
    for model in NAMES:
        found = results.get(f"audit-{model}")
        if found is None:
            lines += missing("audit", model)
        else:
            lines += [f"### {NAMES[model]}", "", *carried(found)]
            lines += again(model, results)
    return lines


def carried(found: Results) -> list[str]:
    """What an audit says of the features."""
    tested = sum(site["tested"] for site in found["sites"].values())
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found["verdicts"].items())
    lines = []
    if found["verdict"] is not None:
        lines += [f"The audit as a whole: {found['verdict']}: {found['sentence']}.", ""]
    selected = listed(f"{one['factor']} = {one['level']}" for one in found["selected"])
    lines += [
        f"{tested:,} features were tested on {found['n']} prompts with {found['failures']} "
        f"failures; factors kept: {selected or 'none'}. {found['significant_classes']} classes are "
        f"significant: {counts or 'none'}.",
        "",
    ]
    if found["classes"]:
        heads = ("class", "fires on failures, successes", "p", "within strata", "verdict")
        lines += table(
            heads,
            *(
                (
                    one["features"][0] + (f" + {one['size'] - 1}" if one["size"] > 1 else ""),
                    f"{one['fail_active']}, {one['success_active']}", p_value(one["p_deciding"]),
                    p_value(one["p_conditional"]), one["verdict"],
                )
                for one in found["classes"][:8]
            ),
        )  # fmt: skip
    lines += interventions(found)
    lines += through_classes(found)
    lines += [*(f"- {sentence}." for sentence in found["outside"]), ""] if found["outside"] else []
    return lines + ladder(found)


def interventions(found: Results) -> list[str]:
    """Everything that was changed, with what it costs elsewhere."""
    tried = [(one["features"][0], one["changed"]) for one in found["classes"]]
    tried += [(" + ".join(one["classes"]), one["changed"]) for one in found["together"]]
    tried += [
        (top["feature"] + " (search)", top["changed"])
        for site in found["attribution"].values()
        for top in site["top"]
    ]
    rows = []
    for name, change in tried:
        if change is None:
            continue
        need, enough = change["necessity"], change["sufficiency"]
        cost = "; ".join(
            f"{one['text']} {one['kl']:.2g} nats a token (controls {one['control_kl']:.2g})"
            for one in change["off_task"]
        )
        restored = f"{need['turned']} of {need['could_turn'] or need['prompts']}"
        rows.append(
            (
                name, moved(need), moved(enough),
                f"{restored} (controls {need['control_turned_share']:.0%})",
                f"{change['flips']['failure_to_success']} / "
                f"{change['flips']['success_to_failure']}",
                cost or "–",
            )
        )  # fmt: skip
    if not rows:
        return ["Nothing was changed in the model: no class qualified.", ""]
    heads = (
        "changed", "taken to the successes' mean: margin, nats", "brought in", "failures restored",
        "outcomes mended / broken", "cost elsewhere (where an effect is shown)",
    )  # fmt: skip
    return table(heads, *rows)


def moved(side: Results | None) -> str:
    if side is None:
        return "–"
    shown = ", **shown**" if side["shown"] else ""
    p = side["p_value"] if side["p_holm"] is None else side["p_holm"]
    return f"{side['adjusted']:+.2f} {ends(side)}, p {p_value(p)}{shown}"


def through_classes(found: Results) -> list[str]:
    """What part of a swap passes through the whole value at a site, and through its classes."""
    rows = []
    for swap in found["swaps"]:
        for patch in swap["patches"]:
            if patch["denoise"] is None or patch["positions"] != "aligned":
                continue
            rows.append(
                (
                    f"{swap['level']} → {swap['swapped_for']}",
                    patch["features"][0] if patch["features"] else f"{patch['site']}, whole",
                    estimate(patch["denoise"], "value"),
                    f"{patch['restored']} of {patch['restorable']}",
                )
            )
    if not rows:
        return []
    return table(("swap", "patched", "share of the effect", "failures restored"), *rows)


def ladder(found: Results) -> list[str]:
    """Failure foretold, and features against factors."""
    rungs = found["baselines"]
    lines = ["Failure foretold on prompts that were not seen, AUROC:", ""]
    lines += table(
        tuple(name.replace("_", " ") for name in rungs),
        tuple(estimate(rung, "auroc") for rung in rungs.values()),
    )
    against = [
        f"{one['first'].replace('_', ' ')} − {one['second'].replace('_', ' ')} "
        f"{one['difference']:+.3f} {ends(one)}"
        for one in found["differences"]
        if one["second"] == "factors"
    ]
    return [*lines, f"Differences: {'; '.join(against)}.", ""] if against else lines


def again(model: str, results: Results) -> list[str]:
    """Whether verdicts hold on other prompts, and through dictionaries of another seed."""
    found, second = results[f"audit-{model}"], results.get(f"again-{model}")
    prompts = results.get(f"seeds-{model}")
    lines = missing("seeds", model) if prompts is None else other_prompts(prompts)
    if second is None:
        return [*lines, *missing("again", model)]
    pairs = second["compared"]["classes"]
    both = [one for one in pairs if one["first"] and one["second"]]
    same = sum(one["first"]["verdict"] == one["second"]["verdict"] for one in both)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in second["verdicts"].items())
    whole = (
        f"the leading verdict is {first_verdict(found)} with one and {first_verdict(second)} with "
        "the other"
    )
    lines += [
        f"Through the dictionaries of the other seed: {second['significant_classes']} classes are "
        f"significant ({counts or 'none'}); {len(both)} of {len(pairs)} correspond to one of the "
        f"other seed by firing or by direction, {same} of these with the same verdict; {whole}.",
        "",
    ]
    return lines


def other_prompts(found: Results) -> list[str]:
    """Whether verdicts hold on the prompts of other seeds, on which nothing was changed."""
    seeds, classes = found["robustness"]["seeds"], found["robustness"]["classes"]
    stable = sum(one["stable"] for one in classes)
    failures = ", ".join(f"{one['failures']} (seed {one['seed']})" for one in seeds)
    return [
        f"On the prompts of {len(seeds)} seeds, {found['n']} each, with nothing changed in the "
        f"model: failures {failures}. Of {len(classes)} classes that were followed the verdict of "
        f"{stable} is the same on four fifths of the seeds or more.",
        "",
    ]


def first_verdict(found: Results) -> str:
    """Of the audit as a whole where it has one, else of its most certain significant class."""
    if found["verdict"] is not None:
        return str(found["verdict"])
    if not found["significant_classes"]:
        return "none (no class is significant)"
    return str(found["classes"][0]["verdict"])

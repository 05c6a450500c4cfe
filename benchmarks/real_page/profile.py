"""The section on kinds of text: which claims of the published profile hold, site by site."""

from __future__ import annotations

from real_page.tables import NAMES, Results, listed, missing, order, p_value, short_site, table


def categories(results: Results) -> list[str]:
    """Which claims of the published profile hold, site by site."""
    lines = [
        "## Which features go with which kind of text",
        "",
        "The published profile of GPT-2 small reads seven categories of text at four residuals and "
        "finds that peaks grow with depth, that few features are general and fewer deeper down, "
        "that categories have specialists, and that these follow syntax rather than meaning. The "
        "same here, through residuals, attention outputs and MLP outputs, each claim held against "
        "chance:",
        "",
    ]
    for model in NAMES:
        found = results.get(f"profile-{model}")
        lines += missing("profile", model) if found is None else profile_of(model, found)
    return lines


def profile_of(model: str, found: Results) -> list[str]:
    rows = []
    for seed in ("seed-0", "seed-1"):
        for name, site in sorted(found[seed]["sites"].items(), key=lambda item: order(item[0])):
            of = site["categories"].values()
            alpha = found[seed]["alpha"]
            best = [one["selectivity"] for one in of]
            pairs = site["pairs"]
            rows.append(
                (
                    short_site(name), seed[-1],
                    f"{median([one['peak']['activation'] for one in of if one['peak']]):.1f}, "
                    f"{median([one['peak']['relative'] or 0 for one in of if one['peak']]):.2f}",
                    f"{site['general']} of {site['firing']:,}",
                    f"{sum(one['p_holm'] <= alpha for one in best)} of {len(best)}",
                    f"{sum(one['specialist']['p_holm'] <= alpha for one in of)} of {len(best)}",
                    f"{sum((one['shortlist_score'] or 0) > 0 for one in of)} of {len(best)}",
                    "–" if pairs is None
                    else f"{pairs['within']:.2f} against {pairs['between']:.2f}, "
                    f"p {p_value(pairs['p_holm'])}",
                )
            )  # fmt: skip
    heads = (
        "site", "seed", "peak, also relative to the residual's norm (median of categories)",
        "features on half of the texts or more", "categories beyond chance by AUROC",
        "by specialist score", "positive by the published rule",
        "features shared by one meaning in two forms, and by two meanings",
    )  # fmt: skip
    words = found["seed-0"]["words"]
    said = [
        f"**{NAMES[model]}.** {grown(found)} {generals(found)} {specialists(found)} "
        f"{meaning(found)}"
    ]
    if words is not None:
        said[0] += (
            f" (The texts' own words: {words['within']:.2f} against {words['between']:.2f}, "
            f"p {p_value(words['p_value'])}.)"
        )
    return [*said, "", *table(heads, *rows)]


def median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def residuals(found: Results, seed: str) -> tuple[Results, Results]:
    """The shallower and the deeper residual's readings."""
    sites = found[seed]["sites"]
    first, *_, second = sorted((name for name in sites if "-res-" in name), key=order)
    return sites[first], sites[second]


def grown(found: Results) -> str:
    """Whether peaks grow from the shallower residual to the deeper one."""
    said = []
    for quantity, words in (("activation", "raw"), ("relative", "relative to the norm")):
        more, of = 0, 0
        for seed in ("seed-0", "seed-1"):
            first, second = residuals(found, seed)
            for category, one in first["categories"].items():
                other = second["categories"][category]
                pair = [of_site["peak"] and of_site["peak"][quantity] for of_site in (one, other)]
                if None not in pair:
                    of += 1
                    more += pair[1] > pair[0]
        said.append(f"{more} of {of} {words}")
    return f"*Peaks grow with depth*: {listed(said)} (categories × seeds)."


def generals(found: Results) -> str:
    """Whether fewer features are general at the deeper residual."""
    said = []
    for seed in ("seed-0", "seed-1"):
        first, second = residuals(found, seed)
        said.append(f"{first['general']} → {second['general']}")
    fewer = all(
        second["general"] < first["general"]
        for first, second in (residuals(found, seed) for seed in ("seed-0", "seed-1"))
    )
    return (
        f"*Fewer general features deeper down* {'holds' if fewer else 'does not hold'}: "
        f"{listed(said)} on half of the texts or more, by seed."
    )


def specialists(found: Results) -> str:
    """How many categories × sites beat chance, beside what the published rule calls positive."""
    beyond, by_score, positive, of = 0, 0, 0, 0
    for seed in ("seed-0", "seed-1"):
        for site in found[seed]["sites"].values():
            for one in site["categories"].values():
                of += 1
                beyond += one["selectivity"]["p_holm"] <= found[seed]["alpha"]
                by_score += one["specialist"]["p_holm"] <= found[seed]["alpha"]
                positive += (one["shortlist_score"] or 0) > 0
    return (
        f"*Specialists*: the published rule's score is positive in {positive} of {of} cases "
        f"(categories × sites × seeds); beyond chance, with labels permuted and Holm over all, are "
        f"{by_score} by score and {beyond} by AUROC."
    )


def meaning(found: Results) -> str:
    """Whether what fires follows the meaning, on minimal pairs."""
    follow, of = 0, 0
    for seed in ("seed-0", "seed-1"):
        for site in found[seed]["sites"].values():
            if site["pairs"] is not None:
                of += 1
                follow += site["pairs"]["p_holm"] <= found[seed]["alpha"]
    return (
        f"*Syntax rather than meaning*: on minimal pairs the strongest features of one meaning in "
        f"two forms are more alike than those of two meanings at {follow} of {of} sites × seeds."
    )

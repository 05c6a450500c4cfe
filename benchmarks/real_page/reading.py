"""The sections on parity, and on what each step took."""

from __future__ import annotations

from real_page.tables import NAMES, Results, depth, minutes, missing, short_site, table

STEPS = (
    "train",
    "doctor",
    "parity",
    "profile",
    "layers",
    "keys",
    "audit",
    "again",
    "seeds",
    "start",
)


def reading(results: Results) -> list[str]:
    """Parity with transformers and SAELens."""
    lines = ["## Are sites and activations what others read?", ""]
    for model in NAMES:
        found = results.get(f"parity-{model}")
        if found is None:
            lines += missing("parity", model)
            continue
        errors = found["sites"]["largest_by_layer"]
        count = len(next(iter(errors.values())))
        lines += [
            f"**{NAMES[model]}**, float32, {found['sites']['tokens']} tokens, at all {count} "
            "layers: largest relative error against what hooks on transformers' own modules give: "
            + ", ".join(
                f"{point} {max(values):.1g} (layer {values.index(max(values))})"
                if max(values)
                else f"{point} 0 everywhere"
                for point, values in errors.items()
            )
            + f"; largest error of a logit {found['sites']['largest_logit_error']:.1g}. Features "
            "against SAELens's own encode of transformers' values:",
            "",
            *table(
                ("site", "seed", "tokens", "firings", "other features", "largest relative error"),
                *(
                    (
                        short_site(site), seed[-1], str(one["tokens"]), f"{one['firings']:,}",
                        str(one["other_features"]), f"{one['largest_relative_error']:.1g}",
                    )
                    for seed, sites in found["activations"].items()
                    for site, one in sorted(sites.items(), key=lambda item: depth(item[0]))
                ),
            ),
        ]  # fmt: skip
    return lines


def times(results: Results) -> list[str]:
    """The commands, and what each step took."""
    rows = []
    for step in STEPS:
        for model, name in NAMES.items():
            found = results.get(f"{step}-{model}")
            if found is not None:
                costs = [found.get("cost"), *(found[seed]["cost"] for seed in found
                                              if seed.startswith("seed-"))]  # fmt: skip
                known = [cost for cost in costs if cost is not None]
                took = "; ".join(map(minutes, known)) or "not measured"
                rows.append((step, name, took, f"{found['load']:.0f}"))
    heads = ("step", "model", "processor time, peak memory", "load of the machine (2 cores)")
    return table(heads, *rows) if rows else []

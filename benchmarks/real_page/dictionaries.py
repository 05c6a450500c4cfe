"""The section on dictionaries: what was trained, on what, and how it fits."""

from __future__ import annotations

from real_page.tables import NAMES, Results, depth, missing, order, short_site, table


def dictionaries(results: Results) -> list[str]:
    """What was trained, on what, and how it fits."""
    lines = ["## The dictionaries", ""]
    text = results.get("text")
    if text is None:
        lines += ["**Not run yet**: `python benchmarks/real_study.py --steps text`.", ""]
    else:
        sources = ", ".join(
            f"{name} {of['bytes'] / 1e6:.1f}" for name, of in text["sources"].items()
        )
        lines += [
            f"TopK autoencoders, 32 of 8 × d features on a token, two seeds at each of four sites, "
            f"trained by `faultlens train` on {text['passages']:,} passages out of packages (MB: "
            f"{sources}). {text['passages_left_out']} of them hold one of "
            f"{text['task_sentences']:,} sentences of the built-in tasks, which are left out.",
            "",
        ]
    for model in NAMES:
        lines += trained(model, results)
    return lines


def trained(model: str, results: Results) -> list[str]:
    """The cards and the fit check of one model's dictionaries."""
    train, doctor = results.get(f"train-{model}"), results.get(f"doctor-{model}")
    if train is None:
        return missing("train", model)
    corpus = sum(train["tokens_by_source"].values())
    lines = [
        f"{NAMES[model]}: {train['cards'][0]['tokens'] / 1e6:.1f} M tokens learnt from, of "
        f"{corpus / 1e6:.1f} M in the text. On text that was held out:",
        "",
    ]
    rows = []
    for card in sorted(train["cards"], key=lambda card: (depth(card["site"]), card["seed"])):
        fit = card["held_out"]
        shared = card["stability"][0]["share"] if card["stability"] else None
        rows.append(
            (
                short_site(card["site"]), str(card["seed"]), f"{fit['fvu']:.3f}",
                f"{fit['l0']:.0f}", f"{1 - fit['firing_share']:.1%}",
                "–" if fit["recovered_from_mean"] is None else f"{fit['recovered_from_mean']:.3f}",
                "–" if shared is None else f"{shared:.1%}",
            )
        )  # fmt: skip
    heads = ("site", "seed", "FVU", "L0", "never fire", "loss recovered", "found by the other seed")
    lines += table(heads, *rows)
    if doctor is None:
        return [*lines, *missing("doctor", model)]
    first = next(iter(doctor["dictionaries"].values()))
    lines += [
        f"`faultlens doctor` on {first['tokens']:,} tokens of general text, without and with the "
        "massive ones (beyond ten times the median norm at the site). It leaves out the first "
        "position (the start token, or of a model without one the text's first token), which is "
        "where these models keep their longest values: how long they are, in median norms of the "
        "others, and what FVU would be with them, stands beside it.",
        "",
        *table(
            ("site", "massive tokens", "FVU without", "FVU with", "L0 without", "L0 with",
             "norm at the first position", "FVU with it"),
            *(
                (
                    short_site(site), str(fit["massive"]), f"{fit['fvu']:.3f}",
                    f"{fit['fvu_all']:.3f}", f"{fit['l0']:.1f}", f"{fit['l0_all']:.1f}",
                    f"{doctor['with_first'][site]['norm_ratio']:.1f} ×",
                    f"{doctor['with_first'][site]['fvu']:.3f}",
                )
                for site, fit in sorted(
                    doctor["dictionaries"].items(), key=lambda item: order(item[0])
                )
            ),
        ),
    ]  # fmt: skip
    if doctor["complaint"] is not None:
        lines += [f"It refuses one of them: {doctor['complaint'].removeprefix('faultlens: ')}", ""]
    return lines

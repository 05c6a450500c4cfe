"""Figures of what goes beyond the tables: minimal pairs, and the specification curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faultlens.profiling.result import MinimalPairs, Multiverse, Specification
from faultlens.report.figures.drawing import COLOURS, QUIET, STRIKING, axis, layout, plain
from faultlens.report.numbers import number

SOUND = COLOURS[0]
NAMED = 24  # meanings up to which the matrix names each


def pair_matrix(pairs: MinimalPairs, site: str) -> dict[str, Any]:
    """Mean similarity of every two meanings at one site; the diagonal is one meaning's forms."""
    topics = list(pairs.sites[site].meanings)
    words = [plain(topic) for topic in topics]
    trace = {
        "type": "heatmap",
        "z": pairs.sites[site].matrix,
        "x": list(range(len(topics))),
        "y": list(range(len(topics))),
        "customdata": [[f"{row}<br>{column}" for column in words] for row in words],
        "hovertemplate": "%{customdata}<br>similarity %{z:.3f}<extra></extra>",
        "hoverongaps": False,
        "colorbar": {"title": {"text": "Jaccard"}, "thickness": 12, "outlinewidth": 0},
    }
    places = list(range(len(topics))) if len(topics) <= NAMED else []
    named = {"tickvals": places, "ticktext": words, "showgrid": False, "zeroline": False}
    title = "" if places else "meanings, in the order of the set"
    drawn = layout(
        620, xaxis=axis(title, **named), yaxis=axis(title, autorange="reversed", **named)
    )
    return {"data": [trace], "layout": drawn}


def specification_curve(study: Multiverse, by: str) -> dict[str, Any]:
    """Every specification in order of what it finds, and below it the choices that it makes.

    By AUROC the height is the mean of the categories' best AUROC; by score, where that has no
    common scale, the number of categories with a specialist beyond chance.
    """
    specs = study.specifications[by]
    claims = [claim for claim in study.claims if claim.by == by]
    found = [sum(claim.holds[i] for claim in claims) for i in range(len(specs))]
    means = [sum(claim.values[i] for claim in claims) / len(claims) for i in range(len(specs))]
    height: list[float] = means if by == "selectivity" else [float(count) for count in found]
    order = sorted(range(len(specs)), key=lambda i: (height[i], found[i], i))
    place = {spec: x for x, spec in enumerate(order)}
    words = [
        f"{describe(spec)}<br>{found[i]} of {len(claims)} categories beyond chance"
        + "".join(f"<br>{error}" for error in spec.errors)
        for i, spec in enumerate(specs)
    ]
    groups = {
        "sound": (SOUND, [i for i in order if specs[i].sound and i != study.default[by]]),
        "unsound": (STRIKING, [i for i in order if not specs[i].sound]),
        "the default": ("#d9a400", [study.default[by]]),
    }
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [place[i] for i in of_group],
            "y": [height[i] for i in of_group],
            "text": [words[i] for i in of_group],
            "hovertemplate": "%{text}<br>%{y:.3g}<extra></extra>",
            "marker": {
                "color": colour,
                "size": 14 if name == "the default" else 6,
                "symbol": {"unsound": "x", "the default": "star"}.get(name, "circle"),
            },
        }
        for name, (colour, of_group) in groups.items()
        if of_group
    ]
    rows = _choice_rows(specs)
    dots = [(place[i], rows.index(word)) for i, spec in enumerate(specs) for word in made(spec)]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [x for x, _ in dots],
            "y": [y for _, y in dots],
            "yaxis": "y2",
            "showlegend": False,
            "hoverinfo": "skip",
            "marker": {"color": QUIET, "size": 3 if len(specs) > 100 else 5, "symbol": "square"},
        }
    )
    title = "mean best AUROC" if by == "selectivity" else "categories beyond chance"
    drawn = layout(
        330 + 20 * len(rows),
        xaxis=axis("specifications, by what they find", showticklabels=False, zeroline=False,
                   showgrid=False, anchor="y2"),
        yaxis=axis(title, domain=[0.55, 1.0], zeroline=False),
        yaxis2=axis(domain=[0.0, 0.5], zeroline=False, autorange="reversed",
                    tickvals=list(range(len(rows))), ticktext=[plain(row) for row in rows]),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0},
    )  # fmt: skip
    return {"data": traces, "layout": drawn}


def _choice_rows(specs: Sequence[Specification]) -> list[str]:
    """Every choice that any specification makes, those of a kind side by side, errors last."""
    kinds = ("pooling", "BOS", "relative", "percentile", "τ", "shortlist", "✗")
    words = dict.fromkeys(word for spec in specs for word in made(spec))
    return [word for kind in kinds for word in words if _kind(word, kinds) == kind]


def _kind(word: str, kinds: Sequence[str]) -> str:
    return "✗" if word.startswith("✗") else next(kind for kind in kinds if kind in word)


def made(spec: Specification) -> list[str]:
    """The choices of a specification, in words; what is simply left undone goes without."""
    found = [f"{spec.pooling} pooling"]
    found += ["BOS pooled"] if spec.bos else []
    found += ["relative to the norm"] if spec.relative else []
    found += [f"{number(spec.percentile)}th percentile"] if spec.percentile is not None else []
    found += [f"τ = {number(spec.threshold)}"] if spec.threshold is not None else []
    found += ["shortlist"] if spec.rule == "shortlist" else []
    found += ["✗ padding pooled"] if spec.padding else []
    return found + (["✗ pooled, then encoded"] if spec.order.startswith("pool") else [])


def describe(spec: Specification) -> str:
    """A specification in a line."""
    return ", ".join(made(spec))

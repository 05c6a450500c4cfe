"""Charts of what a profile adds on request: minimal pairs, and the specification curve."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.numbers import number
from faultlens.profiling.result import MinimalPairs, Multiverse, Specification
from faultlens.report.figures.chart import Axis, HeatMap, Line, Panel, Panels, Point

SOUND, UNSOUND, DEFAULT, CHOICES = 0, 4, 1, 7  # colours
CIRCLE, SQUARE, CROSS, STAR = 0, 1, 5, 6  # symbols


def pair_matrix(pairs: MinimalPairs, site: str) -> HeatMap:
    """Mean similarity of every two meanings at one site; the diagonal is one meaning's forms."""
    topics = tuple(pairs.sites[site].meanings)
    matrix = pairs.sites[site].matrix
    values = [value for row in matrix for value in row if value is not None]
    return HeatMap(
        rows=topics,
        columns=topics,
        values=tuple(tuple(row) for row in matrix),
        words=tuple(
            tuple(
                f"{one} / {other}: {'not compared' if value is None else number(value)}"
                for other, value in zip(topics, row, strict=True)
            )
            for one, row in zip(topics, matrix, strict=True)
        ),
        labels=(),
        measure="Jaccard index",
        low=min(values, default=0.0),
        high=max(values, default=1.0),
    )


def specification_curve(study: Multiverse, by: str) -> Panels:
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
    points = {
        i: Point(
            float(place),
            height[i],
            f"{describe(specs[i])}; {found[i]} of {len(claims)} categories beyond chance"
            + "".join(f"; {error}" for error in specs[i].errors),
        )
        for place, i in enumerate(order)
    }
    default = study.default[by]
    lines = {
        "sound": (SOUND, CIRCLE, [i for i in order if specs[i].sound and i != default]),
        "unsound": (UNSOUND, CROSS, [i for i in order if not specs[i].sound]),
        "the default": (DEFAULT, STAR, [default]),
    }
    upper = tuple(
        Line(name, tuple(points[i] for i in of), colour, symbol=symbol, joined=False)
        for name, (colour, symbol, of) in lines.items()
        if of
    )
    title = "mean best AUROC" if by == "selectivity" else "categories beyond chance"
    low, high = min(height), max(height)
    room = 0.06 * (high - low) or 0.5
    rows = _choice_rows(specs)
    panels = (
        Panel(Axis(title, low - room, high + room), upper, 200 / (200 + 18 * len(rows))),
        _choices(specs, order, rows, 18 * len(rows) / (200 + 18 * len(rows))),
    )
    x = Axis("specifications, by what they find", -0.5, len(specs) - 0.5, ticks=((-0.5, ""),))
    return Panels(x, panels, 200 + 18 * len(rows))


def _choices(
    specs: Sequence[Specification], order: Sequence[int], rows: Sequence[str], share: float
) -> Panel:
    """A row a choice, with a mark under each specification that makes it."""
    marks = tuple(
        Point(float(place), float(rows.index(word)), describe(specs[i]))
        for place, i in enumerate(order)
        for word in made(specs[i])
    )
    axis = Axis(
        "", -0.5, len(rows) - 0.5, ticks=tuple((float(i), row) for i, row in enumerate(rows)),
        downwards=True,
    )  # fmt: skip
    return Panel(axis, (Line("", marks, CHOICES, symbol=SQUARE, joined=False),), share)


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

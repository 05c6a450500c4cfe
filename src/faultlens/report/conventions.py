"""How features were read, word for word as it was recorded."""

from __future__ import annotations

from typing import Any

from faultlens.report.parts import Column, Folded, Paragraph, Part, table


def recorded_parts(conventions: dict[str, dict[str, Any]]) -> list[Part]:
    """All that each site's reading recorded of itself, a column a site."""
    keys = list(dict.fromkeys(key for of_site in conventions.values() for key in of_site))
    if not keys:
        return [Paragraph("No conventions were recorded.")]
    rows = [
        [key, *(str(of_site.get(key, "not recorded")) for of_site in conventions.values())]
        for key in keys
    ]
    columns = [Column("Convention"), *(Column(name) for name in conventions)]
    return [
        Folded(
            "Everything recorded about the reading",
            (table("Conventions, as they were recorded.", columns, rows),),
        )
    ]

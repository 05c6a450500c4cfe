"""How results, tables and features on a text show themselves in a notebook.

A result shows its answer and its list, from the same tree as the page. No script and no style
element, so that nothing of it reaches beyond its cell. Jupyter and marimo both ask for the HTML by
the object's `_repr_html_`, which finds this module by its name: what is shown knows nothing of how.
"""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.result.audit import Audit
from faultlens.profiling.result import Profile
from faultlens.report.audit.study import audit_study
from faultlens.report.html import headline_html, shaded_html, table_html
from faultlens.report.parts import Column, ShadedText, table
from faultlens.report.profile.study import profile_study


def view(result: Audit | Profile) -> str:
    """A result as HTML, to stand in a notebook's cell."""
    study = audit_study(result) if isinstance(result, Audit) else profile_study(result)
    return headline_html(study)


def table_view(caption: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of plain text under their headers."""
    return table_html(table(caption, [Column(header) for header in headers], rows))


def shaded_view(label: str, tokens: Sequence[str], activations: Sequence[float]) -> str:
    """A text whose tokens are shaded by a feature's activation, its numbers beneath."""
    pairs = tuple(zip(tokens, activations, strict=True))
    return shaded_html(ShadedText(label, pairs, max(activations, default=0.0)))

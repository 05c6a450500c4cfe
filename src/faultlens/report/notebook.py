"""How a result shows itself in a notebook: its answer and its list, from the same tree as the page.

No script and no style element, so that nothing of it reaches beyond its cell.
"""

from __future__ import annotations

from faultlens.auditing.result.audit import Audit
from faultlens.profiling.result import Profile
from faultlens.report.audit.study import audit_study
from faultlens.report.html import headline_html
from faultlens.report.profile.study import profile_study


def view(result: Audit | Profile) -> str:
    """A result as HTML, to stand in a notebook's cell."""
    study = audit_study(result) if isinstance(result, Audit) else profile_study(result)
    return headline_html(study)

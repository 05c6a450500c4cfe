"""Step 7: what changing a class of features does to the answers, against matched controls."""

from faultlens.audit.interventions.assay import Assay
from faultlens.audit.interventions.controls import CONTROLS
from faultlens.audit.interventions.trials import Trials

__all__ = ["CONTROLS", "Assay", "Trials"]

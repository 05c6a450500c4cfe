"""After a find: what is asked of features once an effect of theirs is shown."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.after_find.absorption import absorption
from faultlens.auditing.interventions.after_find.dose import dose_response
from faultlens.auditing.interventions.after_find.error_recovery import error_recovery
from faultlens.auditing.interventions.after_find.off_task import TextsElsewhere, off_task
from faultlens.auditing.interventions.after_find.reworded_prompts import (
    RewordedPrompts,
    under_rewordings,
)
from faultlens.auditing.interventions.after_find.rewording import by_wording
from faultlens.auditing.result import AfterFind, Intervention
from faultlens.corpus.task import Task


def ask_further(
    ablation: Ablation,
    features: FeatureSet,
    done: Intervention,
    task: Task,
    elsewhere: Sequence[TextsElsewhere],
    again: RewordedPrompts | None = None,
) -> AfterFind:
    """Everything that is asked of features whose effect is shown.

    Args:
        done: what changing them did.
        task: the audited prompts.
        elsewhere: other texts.
        again: the prompts in a user's other words; None: there are none.
    """
    forward = not done.reversed
    return AfterFind(
        dose=dose_response(done),
        absorption=absorption(ablation, features) if forward else None,
        error_recovery=error_recovery(ablation, features) if forward else None,
        off_task=off_task(ablation, features, elsewhere),
        rewordings=by_wording(ablation, features, task, done.reversed),
        under_rewordings=None
        if again is None
        else under_rewordings(again, ablation, features, done.reversed),
    )

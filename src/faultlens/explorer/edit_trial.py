"""An edit tried on one prompt, beside the same edit on other features that fire there.

That is a look, and no test: what an audit says of a class rests on all prompts and on controls that
match it in size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.interventions.edits import Add, Clamp, Edit, Scale, Zero
from faultlens.auditing.interventions.experiment import intervene
from faultlens.auditing.named_features import parse_features
from faultlens.corpus.prompt import Prompt
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens

KINDS = ("zero", "scale", "add", "clamp")
CONTROLS = 5


@dataclass(frozen=True)
class Trial:
    """What became of the answer when some features were edited.

    Attributes:
        features: those that were edited.
        tokens: how many tokens of the prompt were.
        margin: largest logit of a right answer − largest other, before and after, in nats.
        generated: the text, before and after.
        success: whether it is right, before and after.
    """

    features: str
    tokens: int
    margin: tuple[float, float]
    generated: tuple[str, str]
    success: tuple[bool, bool]

    @property
    def change(self) -> float:
        """Of the margin, in nats."""
        return self.margin[1] - self.margin[0]


@dataclass(frozen=True)
class EditTrial:
    """An edit beside its controls.

    Attributes:
        trial: of the features asked for.
        controls: of other features, one each.
    """

    trial: Trial
    controls: tuple[Trial, ...]


def edit_of(kind: str, amount: float) -> Edit:
    """The edit that a reader chose. Raises UserError for a kind that there is not."""
    match kind:
        case "zero":
            return Zero()
        case "scale":
            return Scale(amount)
        case "add":
            return Add(amount)
        case "clamp":
            return Clamp(amount)
    raise UserError(f"edit {kind!r}: expected one of {', '.join(KINDS)}")


def try_edit(
    lens: Lens, prompt: Prompt, features: str, edit: Edit, rule: str | None = None
) -> EditTrial:
    """Edit features where they fire on a prompt, and a few others in the same way, one at a time.

    Args:
        lens: the model and its dictionaries.
        prompt: with what is expected after it.
        features: of one dictionary, e.g. `3-res-mini/808+3-res-mini/12`.
        edit: what they are set to.
        rule: what counts as success; None: the first word.

    Raises:
        UserError: features that there are not, or that fire nowhere on the prompt.
    """
    members = parse_features(features, lens)
    narrow = replace(lens, dictionaries=(lens[members.site],))
    task = Task("edited", (prompt,))
    trial = _tried(narrow, task, features, edit, rule)
    controls = [
        _tried(narrow, task, f"{members.site}/{other}", edit, rule)
        for other in control_features(narrow, members.site, members.indices, prompt.text)
    ]
    return EditTrial(trial, tuple(controls))


def control_features(
    lens: Lens, site: str, members: tuple[int, ...], text: str, count: int = CONTROLS
) -> list[int]:
    """Other features that fire on a text, those whose activations come nearest to the members'.

    Compared is the sum over its tokens: what the edit has to move.
    """
    sums = np.asarray(lens.tokens(text).activations[site].sum(axis=0)).ravel()
    size = sums[list(members)].sum()
    others = np.setdiff1d(np.flatnonzero(sums > 0), members)
    nearest = others[np.argsort(np.abs(sums[others] - size), kind="stable")][:count]
    return [int(index) for index in nearest]


def _tried(lens: Lens, task: Task, features: str, edit: Edit, rule: str | None) -> Trial:
    (row,) = intervene(lens, task, features, edit=edit, rule=rule).to_dict("records")
    return Trial(
        features,
        int(row["edited"]),
        (float(row["margin_before"]), float(row["margin_after"])),
        (str(row["generated_before"]), str(row["generated_after"])),
        (bool(row["success_before"]), bool(row["success_after"])),
    )

"""What was asked of features once an effect of theirs was shown."""

from __future__ import annotations

from faultlens.auditing.result import (
    Absorption,
    AfterFind,
    ErrorRecovery,
    Intervention,
    OffTask,
    Rewording,
    UnderRewordings,
)
from faultlens.numbers import NOT_DONE, counted, interval, listed, number, share, signed
from faultlens.report.parts import Cell, Part, facts


def after_parts(name: str, done: Intervention) -> list[Part]:
    """Dose, absorption, error term, cost elsewhere and wordings; none of it decides."""
    found = done.after
    if found is None:
        return []
    entries: list[tuple[str, Cell | str]] = [("Dose and response", _dose(found))]
    if not done.reversed:
        entries.append(("Features in its place", _absorption(found.absorption)))
        entries.append(("Left in the error term", _error(found.error_recovery)))
    entries += [(f"Cost on {cost.text}", _cost(cost)) for cost in found.off_task]
    entries += [(f"With {one.factor} = {one.level}", _wording(one)) for one in found.rewordings]
    if found.under_rewordings is not None:
        entries.append(("In the user's other words", _reworded(found.under_rewordings)))
    return [facts(f"{name}, once its effect was shown; none of this decides:", entries)]


def _dose(found: AfterFind) -> Cell | str:
    dose = found.dose
    if dose is None:
        return NOT_DONE
    said = "monotone" if dose.monotone else "not monotone"
    pairs = zip(dose.scales, dose.changes, strict=True)
    return Cell(said, ", ".join(f"× {scale:g}: {signed(change)}" for scale, change in pairs))


def _absorption(found: Absorption | None) -> Cell | str:
    if found is None:
        return NOT_DONE
    where = (
        f"its direction is there on {found.with_direction:,} of {counted(found.silent, 'failure')} "
        "on which it is silent"
    )
    if found.alone is None or found.with_children is None:
        return Cell("none", where)
    return Cell(
        listed(found.children),
        f"{where}; taken away with these, the margin of {counted(found.prompts, 'failure')} moves "
        f"by {signed(found.with_children)} nats, without them by {signed(found.alone)}",
    )


def _error(found: ErrorRecovery | None) -> Cell | str:
    if found is None:
        return NOT_DONE
    return Cell(
        f"{signed(found.with_error - found.features)} nats",
        f"with the error term's part along its direction set to normal, too, the margin of "
        f"{counted(found.prompts, 'failure')} moves by {signed(found.with_error)} nats, not "
        f"{signed(found.features)}",
    )


def _cost(cost: OffTask) -> Cell:
    if not cost.fires:
        return Cell("none", f"it fires on none of {counted(cost.tokens, 'token')}")
    return Cell(
        f"{number(cost.kl)} nats a token",
        f"it fires on {cost.fires:,} of {counted(cost.tokens, 'token')}; controls "
        f"{number(cost.control_kl)}, {cost.as_large:,} of {cost.controls:,} cost as much",
    )


def _reworded(again: UnderRewordings) -> Cell | str:
    if again.change is None or again.low is None or again.high is None:
        return Cell(NOT_DONE, again.missing or "")
    turned = f"{again.turned:,} of {again.could_turn:,} turn right"
    originals = "" if again.on_originals is None else f"; as asked {signed(again.on_originals)}"
    return Cell(
        f"{signed(again.change)} nats",
        f"{interval(again.low, again.high)} on {counted(again.prompts, 'rewording')}, {turned}"
        f"{originals}; of {counted(again.rewordings, 'rewording')} of its failures "
        f"{again.failures:,} fail, and {again.fires:,} of these have it",
    )


def _wording(one: Rewording) -> Cell:
    turned = f"{one.turned:,} of {one.could_turn:,} turn right"
    if one.could_turn:
        turned += f", {share(one.turned / one.could_turn)}"
    return Cell(f"{signed(one.change)} nats", f"{counted(one.prompts, 'failure')}; {turned}")

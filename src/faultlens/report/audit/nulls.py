"""Whether something that shows no effect is proven to have none."""

from __future__ import annotations

from faultlens.auditing.result import Intervention, Null
from faultlens.numbers import NOT_DONE, counted, interval, number, share, signed
from faultlens.report.parts import Cell, Column, Paragraph, Part, table


def null_parts(name: str, done: Intervention) -> list[Part]:
    """The conditions under which the absence of an effect is proven, one by one."""
    null, effect = done.null, done.necessity
    if null is None:
        return [] if done.shown else [Paragraph(f"{NOT_DONE}.", "Whether it does nothing:")]
    rows: list[list[Cell | str]] = [
        [
            Cell("No effect but a negligible one", marked=null.within),
            f"{signed(effect.adjusted)} nats, 90% {interval(effect.low_90, effect.high_90)}",
            f"90% interval within ±{number(null.bound)}, a tenth of {number(null.gap)} nats",
            "met" if null.within else "not met",
        ],
        [
            Cell("Next to no failure is restored", marked=null.few_restored),
            f"{effect.turned:,} of {effect.able:,}, at most {share(null.restoration_high)}",
            f"at most {share(null.restoration_bound)} (one-sided 95% bound)",
            "met" if null.few_restored else "not met",
        ],
        [
            Cell("An effect could have been seen", marked=bool(null.positive_control_passed)),
            *_positive_control(null),
        ],
    ]
    caption = (
        f"That {name} does nothing for failure is "
        f"{'proven' if null.proven else 'not proven'}; it takes all three."
    )
    columns = [
        Column("Condition"),
        Column("Found", explanation="Of taking the class away, on the failures of necessity."),
        Column(
            "Needed",
            explanation="The tenth is of the gap: the successes' median margin − the failures'.",
        ),
        Column("Met"),
    ]
    return [table(caption, columns, rows)]


def _positive_control(null: Null) -> list[str]:
    bound = share(null.positive_control_bound)
    needed = f"patching the whole value from the swapped prompt restores {bound}"
    if null.positive_control_restored is None:
        return ["no prompt could be swapped: nothing to patch from", needed, NOT_DONE]
    prompts = counted(null.positive_control_prompts, "prompt")
    found = f"{share(null.positive_control_restored)} of {prompts} restored"
    return [found, needed, "met" if null.positive_control_passed else "not met"]

"""`faultlens doctor`: does a dictionary fit its model?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultlens.models.doctor import Examination


def doctor(
    model: o.ModelName = "mini",
    sae: o.SaeName = None,
    layers: o.Layers = None,
    sites: o.Sites = None,
    release: o.Release = None,
    convention: o.Conventions = None,
    device: o.Device = "cpu",
    dtype: o.Dtype = "float32",
    revision: o.Revision = None,
    trust_pickle: o.TrustPickle = False,
    json: o.AsJson = False,
) -> None:
    """How well each dictionary fits its model, on natural text, and whether another way fits more.

    Ends with code 2 and one sentence if a dictionary does not fit.
    """
    given = dict(locals())
    from faultlens.cli.lens import load_lens
    from faultlens.models.doctor import examine

    with progress_bars() as bars:
        lens = load_lens(given)
        found = examine(lens.model, lens.dictionaries, bars)
    if json:
        say_json({examination.name: examination.to_dict() for examination in found})
    else:
        say(_lines(found))
    for examination in found:
        if examination.complaint is not None:
            raise UserError(examination.complaint)


def _lines(found: Sequence[Examination]) -> list[str]:
    first = found[0]
    lines = [
        f"On {first.fit.tokens:,} tokens of natural text, BOS left out (losses on "
        f"{first.loss_tokens}):"
    ]
    for examination in found:
        fit, published = examination.fit, examination.published
        lines.append(
            f"  {examination.name}  FVU {fit.fvu:.3f}  L0 {fit.l0:.1f}  {fit.firing_share:.0%} of "
            f"features fire  {_recovered(examination)}"
        )
        if published.l0 is not None or published.variance_explained is not None:
            said = []
            if published.variance_explained is not None:
                said.append(f"FVU {1 - published.variance_explained:.3f}")
            if published.l0 is not None:
                said.append(f"L0 {published.l0:g}")
            lines.append(f"    published: {', '.join(said)}")
        others = [f"{other.said}: {other.fvu:.3f}" for other in examination.others]
        lines.append(
            f"    FVU under other conventions (now {examination.in_force.fvu:.3f} on the same "
            f"tokens): {'; '.join(others)}"
        )
    return lines


def _recovered(examination: Examination) -> str:
    fit = examination.fit
    if not examination.knows_language:
        return (
            f"loss recovered says nothing here: the model's own loss is {fit.loss:.1f} nats, "
            "hardly better than a guess"
        )
    mean, zero = fit.recovered_from_mean, fit.recovered_from_zero
    if mean is None or zero is None:
        return "loss recovered says nothing here: ablating the site leaves the loss as it is"
    return f"loss recovered {mean:.3f} (mean ablation), {zero:.3f} (zero)"

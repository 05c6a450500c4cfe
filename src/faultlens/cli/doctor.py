"""`faultlens doctor`: does a dictionary fit its model? Without one: is the model read rightly?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from faultlens.cli.lens import load_lens
from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import progress_bars, say, say_json
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig

FAILED = 1  # the exit code where a check of the model does not hold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultlens.models.conformance import Conformance
    from faultlens.models.examination import Alternative, Examination
    from faultlens.models.fit import Fit
    from faultlens.models.stability import Stability


@dataclass(frozen=True)
class AgainstOption:
    """Another set."""

    against: str | None = None
    """Dictionaries of the same sites, e.g. trained from another seed: also say which share of the
    features they have in common."""


def doctor(lens: LensConfig, other: AgainstOption, result: JsonOption) -> None:
    """How well each dictionary fits its model, on natural text, and whether another way fits more.

    Ends with code 2 and one sentence if a dictionary does not fit. Without dictionaries every site
    of the model is checked against its own forward pass; ends with code 1 if a check fails.
    """
    if not lens.has_dictionaries:
        if other.against is not None:
            raise UserError(
                f"--against {other.against} names dictionaries to compare with, and there are none "
                "to compare: name them with --sae"
            )
        _check_model(lens, result)
        return

    with progress_bars() as bars:
        opened = load_lens(lens, bars)
        from faultlens.models.doctor import examine  # both load PyTorch
        from faultlens.models.stability import stabilities

        shared: dict[str, Stability] = {}
        if other.against is not None:
            pairs = stabilities(opened.dictionaries, other.against, opened.model, lens.trust_pickle)
            shared = {d.name: one for d, one in zip(opened.dictionaries, pairs, strict=True)}
        found = examine(opened.model, opened.dictionaries, bars)
    if result.json:
        say_json(
            {
                one.name: one.to_dict()
                | ({"stability": asdict(shared[one.name])} if one.name in shared else {})
                for one in found
            }
        )
    else:
        say(_lines(found, shared))
    for examination in found:
        if examination.complaint is not None:
            raise UserError(examination.complaint)


def _check_model(config: LensConfig, result: JsonOption) -> None:
    from faultlens.models.conformance import conformance
    from faultlens.models.load import load_configured

    with progress_bars() as bars:
        tick = bars.start("Loading the model", 1)
        model = load_configured(config)
        tick(1)
        found = conformance(model, bars)
    if result.json:
        say_json(found.to_dict())
    else:
        say(conformance_lines(found))
    if not found.holds:
        raise SystemExit(FAILED)


def conformance_lines(found: Conformance) -> list[str]:
    """What was found of a model's sites, as a terminal shows it."""
    how = "blocks found by structure" if found.by_structure else "a family file"
    lines = [
        f"{found.model}: {found.model_type}, {how}; {found.sites} sites in {found.layers} layers."
    ]
    for check in found.checks:
        error = "" if check.error is None else f" (largest difference {check.error:.0e})"
        lines.append(f"  {'holds' if check.holds else 'FAILS'}  {check.what}{error}")
        lines += [f"           {clause}" for clause in check.failed]
    shares = "share rows" if found.packs else "go one a row, for they would see each other"
    skipped = "leaves out the blocks before" if found.skips else "runs all blocks"
    columns = "from its keys and values" if found.resumes else "from the first column"
    lines += [
        f"  Texts {shares}.",
        f"  A pass that is taken up at a layer {skipped}; at a column, it goes on {columns}.",
    ]
    if found.by_structure:
        lines.append(
            "  A family file would give attention's and the MLP's sites as well: see "
            "faultlens/models/families."
        )
    return [*lines, f"  {found.start}."]


def _lines(found: Sequence[Examination], shared: Mapping[str, Stability]) -> list[str]:
    first = found[0]
    lines = [
        f"On {first.fit.tokens:,} tokens of natural text, BOS left out (conventions compared on "
        f"{first.compared_tokens}, losses on {first.loss_tokens}):"
    ]
    if not first.knows_language:
        lines.append(
            f"  Loss recovered says nothing here: the model's own loss is {first.fit.loss:.1f} "
            f"nats, that of guessing evenly {first.language.of_a_guess:.1f}."
        )
    for examination in found:
        fit = examination.fit
        lines.append(
            f"  {examination.name}  FVU {fit.fvu:.3f}  L0 {fit.l0:.1f}  {fit.firing_share:.0%} of "
            f"features fire  {_recovered(examination, fit)}".rstrip()
        )
        if fit.massive:
            lines.append(
                f"    with {fit.massive} tokens more, beyond ten times the median norm: FVU "
                f"{fit.fvu_all:.3f}  L0 {fit.l0_all:.1f}"
            )
        if examination.name in shared:
            lines.append(f"    {_shared(shared[examination.name])}")
        lines.append(f"    published: {_published(examination)}")
        lines.append("    Conventions, all on the same tokens:")
        lines.append(f"      in force: {_figures(examination, examination.in_force)}")
        for other in examination.others:
            lines.append(f"      {other.said}: {_figures(examination, other)}")
    return lines


def _shared(found: Stability) -> str:
    return (
        f"against {found.against}: {found.share:.1%} of the {found.features:,} directions are "
        f"found again (cosine at least 0.9, one to one), {found.random_share:.1%} of random ones; "
        f"the median cosine with the nearest is {found.median_cosine:.2f}"
    )


def _published(examination: Examination) -> str:
    l0, fvu = examination.published.l0, examination.published_fvu
    if l0 is None and fvu is None:
        return "no L0 and no variance explained (none, or a placeholder), so neither decides"
    said = f"FVU {fvu:.3f}" if fvu is not None else "no variance explained"
    return f"{said}, {'no L0' if l0 is None else f'L0 {l0:g}'}"


def _figures(examination: Examination, found: Alternative) -> str:
    fvu = f"FVU {found.fvu:.3f}{_over_the_variance_in_force(found)}"
    figures = f"{fvu}  L0 {found.l0:.1f}  {found.firing_share:.0%} fire"
    return f"{figures}  {_recovered(examination, found)}".rstrip()


def _over_the_variance_in_force(found: Alternative) -> str:
    """What conventions are compared by, where that is not the FVU itself."""
    if abs(found.relative_error - found.fvu) < 0.0005:
        return ""
    return f" ({found.relative_error:.3f} of the variance in force)"


def _recovered(examination: Examination, found: Fit | Alternative) -> str:
    if not examination.knows_language:
        return ""
    mean, zero = found.recovered_from_mean, found.recovered_from_zero
    if mean is None or zero is None:
        return "loss recovered says nothing: ablating the site leaves the loss as it is"
    # Over a few hundred tokens a third digit would be noise.
    return f"loss recovered {mean:.2f} (mean ablation), {zero:.2f} (zero)"

"""Options of `faultlens audit`: which prompts are audited, and against what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from faultlens.checks import check_whole
from faultlens.cli.values import Form
from faultlens.errors import UserError
from faultlens.models.lens_config import NO_ADAPTER, LensConfig


@dataclass(frozen=True)
class TaskOptions:
    """The prompts of a built-in task."""

    n: int | None = None
    """Number of prompts; by default 300, or all of a task that has fewer (208 of
    sycophancy, 288 of unanswerable, 168 of over-refusal)."""
    task_seed: int | None = None
    """Seed of the prompts; by default 42 for ioi, 0 for the others."""
    seeds: tuple[int, ...] = ()
    """Two or more seeds, e.g. `0,1,2,3,4`: the same audit on the prompts of each. The first is
    reported, with the verdicts that hold on the others."""

    def __post_init__(self) -> None:
        if self.n is not None:
            check_whole("-n", self.n, 1)
        if self.seeds and self.task_seed is not None:
            raise UserError(
                "--task-seed goes with one set of prompts: the seeds are those of --seeds"
            )
        if self.seeds and (len(self.seeds) < 2 or len(set(self.seeds)) < len(self.seeds)):
            raise UserError(f"seeds {list(self.seeds)}: expected two or more, all different")


@dataclass(frozen=True)
class BaseOptions:
    """A tuned model against its base."""

    against_base: bool = False
    """Run the same prompts by the model without `--adapter` as well: which failures are new, which
    are gone, and at which levels of a factor."""

    def check(self, lens: LensConfig) -> None:
        """Raises UserError where there is no adapter to leave out."""
        if self.against_base and lens.adapter in (None, NO_ADAPTER):
            raise UserError(
                "--against-base compares a tuned model with the one it was tuned from: give the "
                "adapter (--adapter FOLDER)"
            )


@dataclass(frozen=True)
class OutcomeOptions:
    """Outcomes that are there, in place of a task."""

    outcomes: Path | None = None
    """An evaluation log (inspect_ai, lm-eval, every-eval-ever), or a table (JSONL, CSV, TSV,
    Parquet) of prompts with their targets, and with what was generated or whether it succeeded;
    `faultlens outcomes FILE` says what is understood of it. With `--model` (or `--sae`) the prompts
    are read through the model that answered them; without, no model is run."""
    factors: tuple[str, ...] = ()
    """Columns that are factors: of a table by default all that are not known otherwise, of a log
    its metadata."""
    residuals: Annotated[Mapping[str, Path], Form("LAYER=FILE", "8=residuals.npy")] = field(
        default_factory=dict
    )
    """Residuals, prompts × d, for the baseline ladder; may be repeated."""


@dataclass(frozen=True)
class RewordingOptions:
    """Prompts in other words."""

    rewordings: str | None = None
    """Column of a task file, or of a table of outcomes, with each prompt in other words (a text, or
    a list of texts): where an effect is shown, it is measured on these again, and the ledger says
    what became of it. By default the column `rewordings`, if there is one."""

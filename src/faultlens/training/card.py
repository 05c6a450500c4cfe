"""Card: what was measured of a trained dictionary, on text it never saw, and how it was made.

The figures are those of the fit check, by its own code, of the file as it was saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faultlens.models.fit import Fit
from faultlens.models.stability import Stability
from faultlens.runs.files import write_json, write_text
from faultlens.training.plan import DictionaryPlan
from faultlens.training.reading import CurvePoint

CARD, CARD_JSON = "CARD.md", "card.json"


@dataclass(frozen=True)
class Card:
    """One dictionary's card.

    Attributes:
        plan: what was trained.
        made: how: model, corpus hash, tokens, seeds, versions, configuration.
        fit: measured on held-out text; None where none was held out.
        curve: of the training.
        stability: against the other seeds of the run.
        twin: the fit of the one whose decoder was not learnt; None: there is none.
    """

    plan: DictionaryPlan
    made: Mapping[str, Any]
    fit: Fit | None
    curve: Sequence[CurvePoint]
    stability: Sequence[Stability] = ()
    twin: Fit | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `card.json` holds it."""
        plan = asdict(self.plan) | {"site": self.plan.site.name, "target": self.plan.target.name}
        return {
            "dictionary": plan,
            "made": dict(self.made),
            "held_out": None if self.fit is None else self.fit.to_dict(),
            "dead_share": None if self.fit is None else 1 - self.fit.firing_share,
            "random_decoder_twin": None if self.twin is None else self.twin.to_dict(),
            "stability": [asdict(one) for one in self.stability],
            "curve": [vars(point) for point in self.curve],
        }

    def write(self, folder: Path) -> None:
        """Both forms, into the dictionary's folder."""
        write_json(folder / CARD_JSON, self.to_dict())
        write_text(folder / CARD, self.markdown())

    def markdown(self) -> str:
        """The card as a page."""
        plan, made = self.plan, self.made
        reads = f"reads `{plan.site.name}`"
        if plan.is_transcoder:
            reads += f", rebuilds `{plan.target.name}`"
        fires = "" if plan.k is None else f", k = {plan.k}"
        lines = [
            f"# {plan.kind} dictionary: {plan.folder}",
            "",
            f"{plan.d_sae:,} features{fires}; {reads} of {made['model']}; seed {plan.seed}.",
            "Folder in SAELens's format; scales and decoder norms are folded in.",
            "",
            *self._measured(),
            "",
            "## How it was made",
            "",
            *(f"- {name}: {value}" for name, value in made.items() if name != "model"),
            "",
            "## How it learnt",
            "",
            "| tokens | loss | FVU of the batches | L0 | dead |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| {p.tokens:,} | {p.loss:.3g} | {p.fvu:.3f} | {p.l0:.1f} | {p.dead_share:.1%} |"
                for p in self.curve
            ),
            "",
        ]
        return "\n".join(lines)

    def _measured(self) -> list[str]:
        if self.fit is None:
            return ["Nothing was held out, so nothing was measured on text it never saw."]
        columns = (
            [("", self.fit)] if self.twin is None else [("", self.fit), (" (twin)", self.twin)]
        )
        head = "".join(f" this dictionary{name} |" for name, _ in columns)
        found = [
            f"Measured on {self.fit.tokens:,} tokens of text that it never saw:",
            "",
            f"| |{head}",
            "| --- |" + " --- |" * len(columns),
        ]
        rows: dict[str, Callable[[Fit], str]] = {
            "variance unexplained (FVU)": lambda f: f"{f.fvu:.4f}",
            "features firing on a token (L0)": lambda f: f"{f.l0:.1f}",
            "features that never fired": lambda f: f"{1 - f.firing_share:.1%}",
            "loss recovered, mean ablation": lambda f: _share(f.recovered_from_mean),
            "loss recovered, zero ablation": lambda f: _share(f.recovered_from_zero),
            "loss of the model, nats a token": lambda f: f"{f.loss:.3f}",
        }
        found += [
            f"| {name} |" + "".join(f" {show(fit)} |" for _, fit in columns)
            for name, show in rows.items()
        ]
        if self.twin is not None:
            found += ["", "The twin's decoder was drawn at random and never learnt."]
        found += [
            f"\nOf its features {s.share:.1%} are found again by {s.against} (cosine ≥ 0.9; "
            f"{s.random_share:.1%} by random directions)."
            for s in self.stability
        ]
        return found


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"

"""Conformance: does every site hold what the model itself computes, and may a pass be taken up?

Each check runs the model on two short texts and compares with transformers' own forward pass. It
needs no dictionary and no other copy of the model: what sublayers add must be what lies between the
residuals, the unembedding must give transformers' logits, and a pass that was cut must end as the
whole one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from faultlens.models.families import FAMILIES
from faultlens.models.model import Model
from faultlens.models.prefix_cache import CachedPass, resumes
from faultlens.models.probes import EQUAL, HALF, differ, probe_ids
from faultlens.models.restart import Restart
from faultlens.models.sites import Site
from faultlens.models.start_token import start_of
from faultlens.progress import SILENT, Progress

LEAST = 1e-6  # of the largest logit, by which an edit must move one
NEW_TOKENS = 4
TRIED = 4  # layers at which edits and restarts are tried, from the first to the last

Values = Mapping[Site, Tensor]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        what: was compared with what.
        error: the largest difference, as a share of the largest value; None where nothing is
            measured.
        failed: where it does not hold, a clause each; empty: it holds.
    """

    what: str
    error: float | None
    failed: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.failed


@dataclass(frozen=True)
class Conformance:
    """What was found of a model.

    Attributes:
        model: its name.
        model_type: transformers' name of its family.
        by_structure: it has no family file, so that only its residuals are read.
        layers: how many blocks it has.
        sites: how many sites.
        packs: texts may share a row.
        skips: a restart leaves out the blocks before its layer.
        resumes: a pass is taken up at a column from keys and values.
        start: its start token, a sentence.
        checks: in the order in which they were made.
    """

    model: str
    model_type: str
    by_structure: bool
    layers: int
    sites: int
    packs: bool
    skips: bool
    resumes: bool
    start: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it, with `holds` of the whole and of each check."""
        checks = [{**asdict(check), "holds": check.holds} for check in self.checks]
        return {**asdict(self), "checks": checks, "holds": self.holds}


@torch.no_grad()
def conformance(model: Model, progress: Progress = SILENT) -> Conformance:
    """Check every site of a model against its own forward pass.

    Raises UserError for values that are not finite.
    """
    trial = _Trial(model)
    checks = (
        trial.residuals, trial.sums, trial.norms, trial.logits, trial.untouched, trial.edits,
        trial.restarts, trial.decoding,
    )  # fmt: skip
    tick = progress.start("Checking the model", len(checks))
    found = []
    for check in checks:
        found.append(check())
        tick(1)
    model_type = str(model.network.config.model_type)
    return Conformance(
        model.name, model_type, model_type not in FAMILIES, model.n_layers, len(model.sites()),
        model.packs, model.skips, resumes(model), start_of(model).sentence, tuple(found),
    )  # fmt: skip


class _Trial:
    """Two short texts, read at all sites, and transformers' own pass over them."""

    def __init__(self, model: Model) -> None:
        self._model, self._ids = model, probe_ids(model)
        self._equal = EQUAL if model.dtype == torch.float32 else HALF
        n = model.n_layers
        self._some = sorted({round(i * (n - 1) / (TRIED - 1)) for i in range(TRIED)})
        self._values: Values = model.read(self._ids, model.sites())
        self._whole = model.logits(self._ids)
        self._theirs = model.network(
            input_ids=self._ids, output_hidden_states=True, use_cache=False
        )

    def residuals(self) -> Check:
        """Found by value: families number their hidden states in more than one way."""
        states = [s.float() for s in self._theirs.hidden_states or ()]
        errors = {}
        for layer in range(1, self._model.n_layers):
            site = Site(layer, "resid_pre")
            value = self._values[site]
            alike = [differ(value, state) for state in states if state.shape == value.shape]
            errors[site] = min(alike, default=torch.inf)
        return self._check("residuals are among transformers' hidden states", errors)

    def sums(self) -> Check:
        errors = {}
        for layer in range(self._model.n_layers):
            at = self._at(layer)
            if "attn_out" not in at:
                continue
            if "resid_mid" in at:
                middle = at["resid_pre"] + at["attn_out"]
                errors[Site(layer, "resid_mid")] = differ(middle, at["resid_mid"])
            if not self._model.adapter.adds_more:
                summed = at["resid_pre"] + at["attn_out"] + at["mlp_out"]
                errors[Site(layer, "resid_post")] = differ(summed, at["resid_post"])
        return self._check("what attention and MLP add lies between the residuals", errors)

    def norms(self) -> Check:
        errors = {}
        for site in (s for s in self._values if s.point == "mlp_normalized"):
            tap = self._model.adapter.tap(self._model.network, site)
            assert tap is not None
            assert tap.gain is not None
            scaled = tap.gain.scale(tap.module, self._values[site].to(self._model.dtype))
            errors[site] = differ(scaled.float(), self._values[Site(site.layer, "mlp_in")])
        return self._check("the MLP reads its norm's value times the gain", errors)

    def logits(self) -> Check:
        error = differ(self._whole, self._theirs.logits.float())
        return self._check("logits are transformers' own", {"logits": error})

    def untouched(self) -> Check:
        after = self._model.logits(self._ids, edits={site: lambda x: x for site in self._values})
        failed = () if torch.equal(after, self._whole) else ("logits",)
        return Check("edits that change nothing change no bit", differ(after, self._whole), failed)

    def edits(self) -> Check:
        """Another text's value put at a residual's place makes its logits; any push has effect.

        At some layers: a pass for each site of a deep model would take minutes.
        """
        swapped = self._ids.flip(0)
        errors: dict[Site | str, float] = {}
        silent = []
        for site, value in self._values.items():
            if site.layer not in self._some:
                continue
            pushed = self._model.logits(self._ids, edits={site: _push})
            if differ(pushed, self._whole) < LEAST:
                silent.append(f"{site.name} has no effect")
            if site.point in ("resid_pre", "resid_post") and not self._model.adapter.adds_more:
                moved = self._model.logits(self._ids, edits={site: _put(value.flip(0))})
                errors[site] = differ(moved, self._model.logits(swapped))
        check = self._check("edits act: another text's residual makes its logits", errors)
        return Check(check.what, check.error, (*check.failed, *silent))

    def restarts(self) -> Check:
        errors = {}
        entries = [Site(layer, "resid_pre") for layer in self._some]
        cached = CachedPass.of(self._model, self._ids.tolist(), entries)
        last = self._ids.shape[1] - 1
        at = torch.full((len(self._ids),), last, device=self._ids.device)
        for entry in entries:
            restart = Restart(entry.layer, self._values[entry])
            whole = differ(self._model.logits(self._ids, restart=restart), self._whole)
            resumed = cached.resumed(entry.layer, last // 2).logits(at)
            errors[entry] = max(whole, differ(resumed, self._whole[:, -1]))
        return self._check("passes that are taken up end as whole ones do", errors)

    def decoding(self) -> Check:
        failed = []
        for row, new in zip(
            self._ids.tolist(), self._model.generate(self._ids.tolist(), NEW_TOKENS), strict=True
        ):
            for place, token in enumerate(new):
                grown = torch.tensor([[*row, *new[:place]]], device=self._ids.device)
                logits = self._model.logits(grown)[0, -1]
                if float(logits.max() - logits[token]) > self._equal * float(logits.abs().max()):
                    failed.append(f"new token {place + 1}")
        return Check(
            "what is decoded is what whole passes give", None, tuple(dict.fromkeys(failed))
        )

    def _at(self, layer: int) -> dict[str, Tensor]:
        return {site.point: value for site, value in self._values.items() if site.layer == layer}

    def _check(self, what: str, errors: Mapping[Any, float]) -> Check:
        failed = [
            f"{getattr(site, 'name', site)} is off by {error:.1e}"
            for site, error in errors.items()
            if not error <= self._equal
        ]
        return Check(what, max(errors.values(), default=None), tuple(failed))


def _push(x: Tensor) -> Tensor:
    return x + torch.linspace(-1, 2, x.shape[-1], device=x.device) * x.abs().mean()


def _put(value: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: value

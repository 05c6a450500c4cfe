"""Step 7, first part: does setting a class of features to its normal value bring success back?

The intervention keeps the error term: at the positions where the class fires, the site's value x
becomes `x + Σ_f (mean_f − a_f) · W_dec[f]`, where mean_f is the feature's mean over the tokens of
the successes. BOS is never edited. The same is done with controls that change the value at the same
positions by as much: other features that fire there, and random directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from faultlens.audit.running import BATCH, NEW_TOKENS, TaskTokens
from faultlens.audit.steps import Flips, Intervention
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Edit, Model, Restart
from faultlens.models.sites import Site
from faultlens.progress import Tick
from faultlens.stats.intervals import bootstrap_mean

CONTROLS = 199
MOST_FEATURES = 100  # of the controls; the rest are random directions
LEAST_FAILURES = 5  # on which a class must fire for its effect to be measured
NORM_MATCH = 0.2  # a control feature's change of the residual is within 20 % of the class's
FIRES_THERE = 0.9  # share of the edited positions on which a control feature must fire


@dataclass(frozen=True, eq=False)
class SetToMean:
    """Sets features to fixed values wherever any of them fires; zero change elsewhere."""

    dictionary: Dictionary
    features: Sequence[int]
    means: Tensor  # [features]

    def change(self, x: Tensor) -> Tensor:
        """What is added to the site's values `x [..., d]`; the error term stays as it is."""
        flat = x.reshape(-1, x.shape[-1])
        activations = self.dictionary.encode(flat)[:, list(self.features)]
        fires = (activations > 0).any(dim=-1, keepdim=True)
        directions = self.dictionary.W_dec[list(self.features)]
        change = (self.means - activations) @ directions * fires
        return change.reshape(x.shape)


def edit_decoding(intervention: SetToMean, rows: Sequence[Sequence[int]]) -> Edit:
    """The intervention for left-padded greedy decoding of `rows`: prompt and every later step.

    Padding and BOS, which stand at the left, are never edited.
    """
    longest = max(len(row) for row in rows)
    bos_at = torch.tensor([longest - len(row) for row in rows])
    protected = torch.arange(longest)[None, :] <= bos_at[:, None]

    def edit(x: Tensor) -> Tensor:
        change = intervention.change(x)
        if x.shape[1] == longest and longest > 1:
            change = change.masked_fill(protected.to(x.device)[..., None], 0.0)
        return x + change

    return edit


@dataclass(frozen=True, eq=False)
class Assay:
    """Some prompts of a task, cached at a layer: an intervention costs only what comes after it.

    Attributes:
        values: the site's values, `[prompts, positions, d]`.
        editable: real positions after BOS, boolean `[prompts, positions]`.
        restart: the cached residual that enters the site's block.
    """

    model: Model
    site: Site
    ids: Tensor
    last: Tensor
    target: Tensor
    foil: Tensor
    values: Tensor
    editable: Tensor
    restart: Restart

    @classmethod
    def of(cls, model: Model, site: Site, tokens: TaskTokens, prompts: np.ndarray) -> Assay:
        """Read the prompts with the given indices once, at the site and at its block's entry."""
        ids = model.pad([tokens.rows[i] for i in prompts])
        entry = Site(site.layer, "resid_pre")
        read = model.read(ids, sorted({site, entry}, key=lambda s: s.depth))
        last = torch.from_numpy(tokens.last[prompts]).to(ids.device)
        position = torch.arange(ids.shape[1], device=ids.device)
        return cls(
            model,
            site,
            ids,
            last,
            torch.from_numpy(tokens.target[prompts]).to(ids.device),
            torch.from_numpy(tokens.foil[prompts]).to(ids.device),
            read[site],
            (position > 0) & (position <= last[:, None]),
            Restart(site.layer, read[entry]),
        )

    @torch.no_grad()
    def measure(self, change: Tensor | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The answer after adding `change` to the site's values.

        Returns, `[prompts]` each: the margin `logit(target) − max of the other logits`, the
        difference `logit(target) − logit(foil)` (NaN where there is no foil), and whether the
        target's first token is the likeliest.
        """
        edits = {} if change is None else {self.site: lambda x: x + change}
        logits = self.model.logits(self.ids, at=self.last, edits=edits, restart=self.restart)
        row = torch.arange(len(logits), device=logits.device)
        target = logits[row, self.target]
        foil = torch.where(self.foil >= 0, logits[row, self.foil.clamp(min=0)], torch.nan)
        others = logits.clone()
        others[row, self.target] = -torch.inf
        margin = target - others.max(dim=-1).values
        return margin.cpu().numpy(), (target - foil).cpu().numpy(), (margin > 0).cpu().numpy()


def success_means(
    dictionary: Dictionary, model: Model, tokens: TaskTokens, successes: np.ndarray
) -> Tensor:
    """Every feature's mean activation over the successes' tokens (BOS left out), `[d_sae]`."""
    total, count = torch.zeros(dictionary.d_sae, device=model.device), 0
    for start in range(0, len(successes), BATCH):
        assay = Assay.of(model, dictionary.site, tokens, successes[start : start + BATCH])
        x = assay.values[assay.editable]
        total += dictionary.encode(x).sum(dim=0)
        count += len(x)
    return total / max(count, 1)


def necessity(
    model: Model,
    dictionary: Dictionary,
    features: Sequence[int],
    tokens: TaskTokens,
    failed: np.ndarray,
    fires: np.ndarray,
    alpha: float,
    seed: int,
    succeeds: Callable[[list[int], int], bool],
    progress: Tick | None = None,
) -> Intervention | None:
    """Set a class to its mean over the successes, on the failures where it fires.

    Args:
        features: the class, as indices into the dictionary.
        failed: the outcome, boolean `[prompts]`.
        fires: whether any member fires on the prompt, boolean `[prompts]`.
        alpha: the level at which an effect counts as shown.
        seed: of the controls and the bootstrap.
        succeeds: whether generated ids answer the prompt of that index.
        progress: told of each control done.

    Returns:
        the measurement, or None if the class fires on fewer than five failures.
    """
    prompts = np.flatnonzero(failed & fires)
    if len(prompts) < LEAST_FAILURES:
        return None
    means = success_means(dictionary, model, tokens, np.flatnonzero(~failed))
    intervention = SetToMean(dictionary, features, means[list(features)])
    assay = Assay.of(model, dictionary.site, tokens, prompts)
    change = intervention.change(assay.values) * assay.editable[..., None]
    margin, difference, was_right = assay.measure(None)
    new_margin, new_difference, right = assay.measure(change)
    effect = new_margin - margin
    foil_effect = new_difference - difference

    controls = Controls.of(dictionary, features, means, assay, change, seed)
    control_effects, control_restored = [], []
    for control in controls:
        after, _, control_right = assay.measure(control)
        control_effects.append(after - margin)
        control_restored.append((control_right & ~was_right).mean())
        if progress is not None:
            progress(1)
    by_control = np.array(control_effects)
    adjusted = effect - by_control.mean(axis=0)
    low, high = bootstrap_mean(adjusted, np.random.default_rng(seed))
    p_value = (1 + (by_control.mean(axis=1) >= effect.mean()).sum()) / (CONTROLS + 1)
    return Intervention(
        kind="set to the successes' mean",
        positions="where the class fires",
        failures=len(prompts),
        effect=float(effect.mean()),
        foil_effect=None if np.isnan(foil_effect).all() else float(np.nanmean(foil_effect)),
        control_effect=float(by_control.mean()),
        adjusted=float(adjusted.mean()),
        low=low,
        high=high,
        p_value=float(p_value),
        controls=CONTROLS,
        control_features=len(controls.features),
        shown=bool(p_value <= alpha and low > 0),
        restored=float((right & ~was_right).mean()),
        control_restored=float(np.mean(control_restored)),
        flips=count_flips(model, intervention, tokens, failed, np.flatnonzero(fires), succeeds),
    )


@dataclass(frozen=True, eq=False)
class Controls:
    """Changes that push at the same positions as a class, equally hard, and mean nothing.

    First other features, set to their own means over the successes: drawn at random from those that
    fire on at least nine tenths of the edited positions and whose change there has a mean norm
    within 20 % of the class's. Then random directions, at each position of the class's own norm.

    Attributes:
        features: the control features, at most `MOST_FEATURES`.
        means: every feature's mean over the successes, `[d_sae]`.
        change: the class's change, `[prompts, positions, d]`.
        activations: at the edited positions, `[edited, d_sae]`.
        seed: of the random directions.
    """

    dictionary: Dictionary
    features: list[int]
    means: Tensor
    change: Tensor
    activations: Tensor
    seed: int

    @classmethod
    def of(
        cls,
        dictionary: Dictionary,
        features: Sequence[int],
        means: Tensor,
        assay: Assay,
        change: Tensor,
        seed: int,
    ) -> Controls:
        """Draw the controls of a class whose change is `change`."""
        edited = change.norm(dim=-1) > 0
        activations = dictionary.encode(assay.values[edited])
        fires = (activations > 0).float().mean(dim=0)
        size = (means - activations).abs().mean(dim=0) * dictionary.W_dec.norm(dim=1)
        wanted = change[edited].norm(dim=-1).mean()
        fits = (fires >= FIRES_THERE) & ((size - wanted).abs() <= NORM_MATCH * wanted)
        fits[list(features)] = False
        matching = torch.nonzero(fits).flatten().cpu().numpy()
        drawn = np.random.default_rng(seed).permutation(matching)[:MOST_FEATURES]
        return cls(dictionary, drawn.tolist(), means, change, activations, seed)

    def __iter__(self) -> Iterator[Tensor]:
        """The changes of all controls, one after the other, `[prompts, positions, d]`."""
        edited = self.change.norm(dim=-1) > 0
        for feature in self.features:
            step = (self.means[feature] - self.activations[:, feature])[:, None]
            control = torch.zeros_like(self.change)
            control[edited] = step * self.dictionary.W_dec[feature]
            yield control
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(CONTROLS - len(self.features)):
            direction = torch.randn(self.change.shape[-1], generator=generator)
            direction = direction.to(self.change.device)
            yield self.change.norm(dim=-1, keepdim=True) * direction / direction.norm()


def count_flips(
    model: Model,
    intervention: SetToMean,
    tokens: TaskTokens,
    failed: np.ndarray,
    prompts: np.ndarray,
    succeeds: Callable[[list[int], int], bool],
) -> Flips:
    """Decode all prompts where the class fires under the intervention; count both directions."""
    after = np.zeros(len(prompts), dtype=bool)
    for start in range(0, len(prompts), BATCH):
        part = prompts[start : start + BATCH]
        rows = [tokens.rows[i] for i in part]
        edits = {intervention.dictionary.site: edit_decoding(intervention, rows)}
        generated = model.generate(rows, NEW_TOKENS, edits)
        for place, (prompt, ids) in enumerate(zip(part, generated, strict=True)):
            after[start + place] = succeeds(ids, int(prompt))
    before = ~failed[prompts]
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Flips(len(prompts), gained, lost, p_value)

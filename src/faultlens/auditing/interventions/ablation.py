"""Trials: everything that is done to one class of features, with the model at hand.

Two changes decide, both declared beforehand. *Necessity*: on failures where the class fires, there,
its features are set to their mean over the successes at the same role (see `roles`). *Sufficiency*:
on successes, at the roles where the class fires in most of those failures, they are set to their
mean over the failures at the same role. The rest is sensitivity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faultlens.auditing.activations.alignment import TokenAlignment
from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.site_values import SiteValues
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.bench import Bench
from faultlens.auditing.interventions.controls import CONTROLS, Controls, matching_features
from faultlens.auditing.interventions.decoding import Succeeds, count_flips
from faultlens.auditing.interventions.edits import Edited, Setting, edit_at
from faultlens.auditing.interventions.effects import NECESSITY, SUFFICIENCY, Measured, effect_of
from faultlens.auditing.interventions.variants import WHERE_IT_FIRES, variants
from faultlens.auditing.result import Effect, Intervention
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.progress import Tick

LEAST_PROMPTS = 5  # failures on which a class must fire for its effect to be measured
MOST_PROMPTS = 30  # that a decisive test runs on; more are drawn from. Zero flips need 29


@dataclass(frozen=True, eq=False)
class Ablation:
    """Puts classes of one dictionary to the test.

    Attributes:
        tokens: the task's.
        roles: of its tokens.
        failed: the outcome, boolean `[prompts]`.
        succeeds: whether generated ids answer the prompt of that index.
        seed: of every draw: prompts, controls, donors, bootstrap.
        values: at the dictionary's sites, where they have been read already.
    """

    model: Model
    dictionary: Dictionary
    tokens: TaskTokens
    roles: TokenAlignment
    failed: np.ndarray
    succeeds: Succeeds
    seed: int
    most: int = MOST_PROMPTS
    values: SiteValues | None = None

    @cached_property
    def bench(self) -> Bench:
        """On which changes are carried out; all prompts' tokens are encoded once."""
        values = self.values or SiteValues.of_dictionary(self.model, self.dictionary, self.tokens)
        codes = Codes.of(self.dictionary, self.tokens, self.roles, values)
        return Bench(self.model, self.dictionary, self.tokens, codes)

    @property
    def codes(self) -> Codes:
        """All prompts' token activations."""
        return self.bench.codes

    @property
    def successes(self) -> np.ndarray:
        """The prompts that succeed."""
        return np.flatnonzero(~self.failed)

    @cached_property
    def success_means(self) -> np.ndarray:
        """Every feature's mean over the successes, `[roles, d_sae]`."""
        return self.codes.mean_by_role(np.flatnonzero(~self.failed))

    @cached_property
    def failure_means(self) -> np.ndarray:
        """Every feature's mean over the failures, `[roles, d_sae]`."""
        return self.codes.mean_by_role(np.flatnonzero(self.failed))

    def run(
        self, features: Sequence[int], progress: Tick | None = None, controls: int = CONTROLS
    ) -> Intervention | str:
        """Everything done to a class; or the reason why nothing can be.

        The effects' `p_holm` and `shown`, and the null, are settled once all classes are tried.

        Args:
            features: the class.
            progress: told of each control done on each prompt.
            controls: that each effect is given.
        """
        fires = self.codes.fires(features)
        prompts = np.flatnonzero(self.failed & fires)
        if len(prompts) < LEAST_PROMPTS:
            return f"it fires on {len(prompts)} failures: at least {LEAST_PROMPTS} are needed"
        tested = self.drawn(prompts)
        necessity = self.necessity(features, tested, progress, controls)
        sufficiency = self.sufficiency(features, progress, controls)
        taken_away = edit_at(self.codes, features, np.flatnonzero(fires), self.normal)
        flips = count_flips(
            self.bench, taken_away, np.flatnonzero(fires), self.failed, self.succeeds
        )
        return Intervention(
            necessity,
            sufficiency if isinstance(sufficiency, Effect) else None,
            None if isinstance(sufficiency, Effect) else sufficiency,
            flips,
            variants(self, features, tested),
            None,
        )

    def cost(self, features: Sequence[int]) -> int:
        """On how many prompts each control of a class is run, both effects together."""
        failures = np.flatnonzero(self.failed & self.codes.fires(features))
        return len(self.drawn(failures)) + len(self.drawn(self.successes))

    @property
    def normal(self) -> Setting:
        """What decides: to the mean over the successes."""
        return Setting("mean", among=self.successes)

    def necessity(
        self,
        features: Sequence[int],
        prompts: np.ndarray,
        progress: Tick | None = None,
        controls: int = CONTROLS,
    ) -> Effect:
        """Set the class to its mean over the successes, on failures where it fires."""
        edited = edit_at(self.codes, features, prompts, self.normal)
        return self._effect(
            edited, prompts, self.success_means, progress, controls,
            claim=NECESSITY, kind="set to the successes' mean",
            on="failures where the class fires", positions=WHERE_IT_FIRES,
        )  # fmt: skip

    def sufficiency(
        self, features: Sequence[int], progress: Tick | None = None, controls: int = CONTROLS
    ) -> Effect | str:
        """Set the class to its mean over the failures, on successes, at the roles where it fires.

        Returns the reason where no success has such a role.
        """
        roles = self.firing_roles(features)
        successes = np.flatnonzero(~self.failed)
        rows = self.codes.rows(successes)
        able = rows[np.isin(self.codes.roles[rows], roles)]
        has = np.isin(successes, np.searchsorted(self.codes.starts, able, side="right") - 1)
        if sum(has) < LEAST_PROMPTS:
            return "fewer than five successes have a token in the place where it fires"
        prompts = self.drawn(successes[has])
        rows = self.codes.rows(prompts)
        rows = rows[np.isin(self.codes.roles[rows], roles)]
        wanted = self.failure_means[self.codes.roles[rows]][:, list(features)]
        return self._effect(
            Edited(rows, features, wanted), prompts, self.failure_means, progress, controls,
            claim=SUFFICIENCY, kind="set to the failures' mean", on="successes",
            positions="in the places where the class fires in failures",
        )  # fmt: skip

    def firing_roles(self, features: Sequence[int]) -> np.ndarray:
        """The roles where the class fires in at least half of the failures where it fires at all.

        Where there is none, the commonest one.
        """
        prompts = np.flatnonzero(self.failed & self.codes.fires(features))
        counts = np.zeros(self.codes.n_roles, dtype=int)
        for prompt in prompts:
            rows = self.codes.firing_rows(features, np.array([prompt]))
            counts[np.unique(self.codes.roles[rows])] += 1
        usual = np.flatnonzero(counts * 2 >= len(prompts))
        return usual if len(usual) else np.array([counts.argmax()])

    def edited_positions(self, features: Sequence[int], prompt: int) -> np.ndarray:
        """The positions of one prompt's row at which the class fires."""
        rows = self.codes.firing_rows(features, np.array([prompt]))
        at: np.ndarray = rows - self.codes.starts[prompt]
        return at

    def _effect(
        self,
        edited: Edited,
        prompts: np.ndarray,
        means: np.ndarray,
        progress: Tick | None,
        controls: int,
        *,
        claim: str,
        kind: str,
        on: str,
        positions: str,
    ) -> Effect:
        order = np.random.default_rng(self.seed).permutation(self.dictionary.d_sae)
        features = matching_features(
            self.codes, self.dictionary, edited, means, firing=claim == NECESSITY, order=order
        )
        drawn = Controls(self.dictionary, self.codes, features, means, self.seed, controls)
        place = {int(prompt): i for i, prompt in enumerate(prompts)}
        margin, changed, foil = (np.zeros(len(prompts)) for _ in range(3))
        by_control = np.zeros((controls, len(prompts)))
        for assay in self.bench.assays(edited, prompts, controls):
            here = [place[int(i)] for i in assay.prompts]
            inputs = self.bench.inputs(assay)
            change = self.bench.change(edited, assay, inputs)
            before, before_foil, _ = assay.measure(None)
            after, after_foil, _ = assay.measure(change)
            margin[here], changed[here], foil[here] = before, after, after_foil - before_foil
            at, start = 0, assay.start(change)
            for several in drawn.changes(assay, change, inputs, start):
                found = assay.measure_all(several, start)
                by_control[at : at + len(several), here] = found.margin
                at += len(several)
                if progress is not None:
                    progress(len(several) * len(assay.prompts))
        return effect_of(
            Measured(margin, changed, by_control, foil),
            claim=claim, kind=kind, on=on, positions=positions,
            control_features=len(features), seed=self.seed,
        )  # fmt: skip

    def drawn(self, prompts: np.ndarray) -> np.ndarray:
        """At most `most` of the prompts, drawn at random, in their order."""
        if len(prompts) <= self.most:
            return prompts
        rng = np.random.default_rng(self.seed)
        return np.sort(rng.choice(prompts, self.most, replace=False))

"""Ablation: everything that is done to a set of features to learn whether it causes failure.

Two edits decide, both declared beforehand. *Necessity*: on failures where the features fire, they
are set, where they fire, to their mean over the successes at tokens of the same role (see
`alignment`). *Sufficiency*: on successes, at the roles where they fire in most of those failures,
they are set to their mean over these failures at tokens of the same role. All else is sensitivity.
Features that go with success are tested the other way round: see `reversed_test`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.cached_run import CachedRuns
from faultlens.auditing.interventions.controlled_test import Usual, run_against_controls
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.deciding_test import NOTHING, DecidingTest
from faultlens.auditing.interventions.decoding import Succeeds
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.edits import EditContext, Mean
from faultlens.auditing.interventions.effects import (
    NECESSITY,
    SUFFICIENCY,
    Measured,
    effect_of,
)
from faultlens.auditing.interventions.flips import count_flips
from faultlens.auditing.interventions.placed_edit import edit_where_firing, place_edit
from faultlens.auditing.interventions.prompt_groups import PromptGroups
from faultlens.auditing.interventions.sensitivity import WHERE_IT_FIRES, variants
from faultlens.auditing.result import Effect, Flips, Intervention
from faultlens.models.dictionary import Dictionary
from faultlens.progress import Tick
from faultlens.stats.sequential import SequentialTest

LEAST_PROMPTS = 5  # failures on which a class must fire for its effect to be measured
MOST_PROMPTS = 30  # that a deciding test runs on; more are drawn from. Zero flips need 29
EVERY = SequentialTest(CONTROLS)  # none is left out
NORMAL = Mean(among="successes")
NO_FLIPS = Flips(prompts=0, failure_to_success=0, success_to_failure=0, p_mcnemar=1.0)


@dataclass(frozen=True, eq=False)
class Ablation:
    """Tests feature sets of one dictionary.

    Attributes:
        dictionary: whose features are tested.
        activations: the task as the model and the dictionary see it.
        runs: of the task's prompts, shared with the ablations of other dictionaries.
        failed: the outcome, boolean `[prompts]`.
        succeeds: whether generated ids answer the prompt of that index.
        seed: of every draw: prompts, controls, donors, bootstrap.
        most: prompts that a deciding test runs on.
        generated: what the model said after the prompts; None: it is not known.
        blocks: which prompts belong together, whole numbers `[prompts]`; None: none do.
        deciding_alone: leave out flips, of no prompt then, and other doses.
    """

    dictionary: Dictionary
    activations: TaskActivations
    runs: CachedRuns
    failed: np.ndarray
    succeeds: Succeeds
    seed: int
    most: int = MOST_PROMPTS
    generated: Generated | None = None
    blocks: np.ndarray | None = None
    deciding_alone: bool = False
    _means: dict[bytes, Usual] = field(default_factory=dict, repr=False)

    @cached_property
    def codes(self) -> Codes:
        """The dictionary's activations at all prompts' tokens."""
        return self.activations.codes(self.dictionary)

    @cached_property
    def runner(self) -> EditRunner:
        return EditRunner(self.dictionary, self.codes, self.runs)

    @cached_property
    def context(self) -> EditContext:
        """What edits draw from."""
        return EditContext(self.codes, PromptGroups(len(self.failed), lambda: self.failed))

    @property
    def successes(self) -> np.ndarray:
        """The prompts that succeed."""
        return np.flatnonzero(~self.failed)

    def run(
        self,
        features: FeatureSet,
        progress: Tick | None = None,
        test: SequentialTest = EVERY,
        begun: Mapping[str, Measured] = NOTHING,
    ) -> Intervention | str:
        """All tests of a feature set; or the reason why there can be none.

        The effects' `p_holm` and `shown`, and the null, are known once the whole family is tested.

        Args:
            features: of this dictionary.
            progress: told of each control run on each prompt.
            test: how many controls each effect is given, and when they stop.
            begun: by claim the deciding tests with their first controls.
        """
        fires = self.codes.fires(features.indices)
        prompts = np.flatnonzero(self.failed & fires)
        if len(prompts) < LEAST_PROMPTS:
            return f"it fires on {len(prompts)} failures: at least {LEAST_PROMPTS} are needed"
        tested, done = self.drawn(prompts), self.sufficiency_test(features)
        necessity = self.effect(self.necessity_test(features, tested), progress, test, begun)
        missing = done if isinstance(done, str) else None
        sufficiency = None if isinstance(done, str) else self.effect(done, progress, test, begun)
        if self.deciding_alone:
            return Intervention(necessity, sufficiency, missing, NO_FLIPS, [], None)
        everywhere = edit_where_firing(NORMAL, self.context, features, np.flatnonzero(fires))
        flips = count_flips(
            self.runner, everywhere, np.flatnonzero(fires), self.failed, self.succeeds,
            self.generated,
        )  # fmt: skip
        return Intervention(
            necessity,
            sufficiency,
            missing,
            flips,
            variants(self.runner, self.context, features, tested, self.seed),
            None,
        )

    def deciding(self, features: FeatureSet) -> list[DecidingTest]:
        """The deciding tests; none where it fires on too few failures."""
        prompts = np.flatnonzero(self.failed & self.codes.fires(features.indices))
        if len(prompts) < LEAST_PROMPTS:
            return []
        sufficiency = self.sufficiency_test(features)
        necessity = self.necessity_test(features, self.drawn(prompts))
        return [necessity, *([] if isinstance(sufficiency, str) else [sufficiency])]

    def cost(self, features: FeatureSet) -> int:
        """On how many prompts each control of a feature set is run, both effects together."""
        failures = np.flatnonzero(self.failed & self.codes.fires(features.indices))
        return len(self.drawn(failures)) + len(self.drawn(self.successes))

    def necessity_test(self, features: FeatureSet, prompts: np.ndarray) -> DecidingTest:
        """Set the features to their mean over the successes, on failures where they fire."""
        return DecidingTest(
            edit_where_firing(NORMAL, self.context, features, prompts),
            prompts,
            self.successes,
            claim=NECESSITY,
            kind="set to the successes' mean",
            on="failures where the class fires",
            positions=WHERE_IT_FIRES,
        )

    def sufficiency_test(self, features: FeatureSet) -> DecidingTest | str:
        """Set the features to their mean over the failures with them, where they would fire there.

        That is on successes, at the roles at which they fire in failures; the mean is over the
        failures where they fire, so that another cause's failures do not dilute it. Returns the
        reason if too few successes have a token of such a role.
        """
        codes, roles = self.codes, self.firing_roles(features)
        able = self.tokens_of_roles(self.successes, roles)
        has = np.isin(self.successes, np.searchsorted(codes.starts, able, side="right") - 1)
        if sum(has) < LEAST_PROMPTS:
            return "fewer than five successes have a token in the place where it fires"
        prompts = self.drawn(self.successes[has])
        rows = self.tokens_of_roles(prompts, roles)
        with_them = np.flatnonzero(self.failed & codes.fires(features.indices))
        failing = Mean(among=tuple(with_them.tolist()))
        return DecidingTest(
            place_edit(failing, self.context, features, rows, "none"),
            prompts,
            with_them,
            claim=SUFFICIENCY,
            kind="set to the mean of the failures where it fires",
            on="successes",
            positions="in the places where the class fires in failures",
        )

    def firing_roles(self, features: FeatureSet, among: np.ndarray | None = None) -> np.ndarray:
        """The roles at which the features fire in at least half of the failures on which they fire.

        Where there is none, the commonest one.

        Args:
            among: the prompts that are asked, boolean `[prompts]`; None: the failures.
        """
        codes, indices = self.codes, features.indices
        asked = self.failed if among is None else among
        prompts = np.flatnonzero(asked & codes.fires(indices))
        counts = np.zeros(codes.n_roles, dtype=int)
        for prompt in prompts:
            rows = codes.firing_rows(indices, np.array([prompt]))
            counts[np.unique(codes.roles[rows])] += 1
        usual = np.flatnonzero(counts * 2 >= len(prompts))
        return usual if len(usual) else np.array([counts.argmax()])

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Some rows of the codes as places in the prompts, boolean `[all prompts, positions]`."""
        of = np.searchsorted(self.codes.starts, rows, side="right") - 1
        fires = np.zeros((len(self.failed), int(np.diff(self.codes.starts).max())), dtype=bool)
        fires[of, rows - self.codes.starts[of]] = True
        return fires

    def drawn(self, prompts: np.ndarray) -> np.ndarray:
        """At most `most` of the prompts, drawn at random, in their order."""
        if len(prompts) <= self.most:
            return prompts
        rng = np.random.default_rng(self.seed)
        return np.sort(rng.choice(prompts, self.most, replace=False))

    def tokens_of_roles(self, prompts: np.ndarray, roles: Sequence[int] | np.ndarray) -> np.ndarray:
        """The tokens of some prompts that play one of these roles, as rows of the codes."""
        rows = self.codes.rows(prompts)
        chosen: np.ndarray = rows[np.isin(self.codes.roles[rows], roles)]
        return chosen

    def _usual(self, prompts: np.ndarray) -> Usual:
        """The means over some prompts, by role: of features, and of the target site's values."""
        key = prompts.tobytes()
        if key not in self._means:
            values = self.activations.mean_by_role(self.dictionary, prompts)
            self._means[key] = Usual(self.codes.mean_by_role(prompts), values)
        return self._means[key]

    def effect(
        self,
        deciding: DecidingTest,
        progress: Tick | None = None,
        test: SequentialTest = EVERY,
        begun: Mapping[str, Measured] = NOTHING,
    ) -> Effect:
        """A deciding test, run until it has its answer.

        Args:
            progress: told of each control run on each prompt.
            test: how many controls it is given, and when they stop.
            begun: by claim what was run of it before.
        """
        found = self._against_controls(deciding, progress, test, begun.get(deciding.claim))
        return effect_of(
            found, test, claim=deciding.claim, kind=deciding.kind, on=deciding.on,
            positions=deciding.positions, seed=self.seed,
            blocks=None if self.blocks is None else self.blocks[deciding.prompts],
        )  # fmt: skip

    def begin(self, deciding: DecidingTest, test: SequentialTest) -> Measured:
        """A deciding test with its first controls alone."""
        return self._against_controls(deciding, None, test, None, only_first=True)

    def _against_controls(
        self,
        deciding: DecidingTest,
        progress: Tick | None,
        test: SequentialTest,
        begun: Measured | None,
        only_first: bool = False,
    ) -> Measured:
        return run_against_controls(
            self.runner, deciding.placed, deciding.prompts, self._usual(deciding.among), test,
            claim=deciding.claim, seed=self.seed, progress=progress, begun=begun,
            only_first=only_first,
        )  # fmt: skip

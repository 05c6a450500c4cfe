"""One step of learning by SAELens's own forward pass: for losses that every feature enters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from faultlens.training.kinds import quiet
from faultlens.training.reading import StepReading


@dataclass(frozen=True)
class DenseStep:
    """Computes the loss of any SAELens training SAE, and lets autograd find the gradients.

    Attributes:
        sae: its parameters are read, their `grad` written.
    """

    sae: Any

    def __call__(
        self, x: Tensor, dead: Tensor, coefficients: Mapping[str, float], step: int
    ) -> StepReading:
        """One batch.

        Args:
            x: scaled input, float32 `[tokens, d_in]`.
            dead: which features have not fired for long, boolean `[d_sae]`.
            coefficients: of the penalties at this step.
            step: how many were done before.
        """
        with quiet():
            from sae_lens.saes.sae import TrainStepInput

        self.sae.zero_grad()
        found = self.sae.training_forward_pass(
            TrainStepInput(
                sae_in=x,
                coefficients=dict(coefficients),
                dead_neuron_mask=dead,
                n_training_steps=step,
                is_logging_step=False,
            )
        )
        found.loss.backward()
        fires = found.feature_acts.detach() > 0
        squares = float(((found.sae_out.detach() - x) ** 2).sum())
        return StepReading(float(found.loss.detach()), squares, int(fires.sum()), fires.any(dim=0))

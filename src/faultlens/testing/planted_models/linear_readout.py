"""Linear readout: the weights by which a neuron or a head reads a feature, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RIDGE = 1e-3  # of the mean variance of the inputs


@dataclass(frozen=True, eq=False)
class LinearReadout:
    """`inputs @ weights + bias`, an estimate of a quantity.

    Attributes:
        weights: `[d]`.
        bias: a number.
    """

    weights: np.ndarray
    bias: float

    def of(self, inputs: np.ndarray) -> np.ndarray:
        """The estimate at some tokens, `[tokens]`."""
        found: np.ndarray = inputs @ self.weights + self.bias
        return found


def fit_readout(
    inputs: np.ndarray,
    wanted: np.ndarray,
    importance: np.ndarray,
    direction: np.ndarray | None = None,
) -> LinearReadout:
    """The weighted ridge regression of a quantity, which rises by 1 along `direction`.

    A feature is read from what goes with it, too. If the readout rises by exactly 1 where the
    feature's activation is raised by 1, taking the feature away takes all of the estimate with it.

    Args:
        inputs: what is read, `[tokens, d]`.
        wanted: the quantity, `[tokens]`.
        importance: how much each token counts, `[tokens]`.
        direction: by how much the inputs move where the quantity is raised by 1, `[d]`; None: the
            regression is free.
    """
    share = importance / importance.sum()
    mean, level = share @ inputs, float(share @ wanted)
    centred = inputs - mean
    gram = (centred * share[:, None]).T @ centred
    gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, centred.T @ (share * (wanted - level)))
    if direction is not None:
        towards = np.linalg.solve(gram, direction)
        weights = weights + towards * (1 - direction @ weights) / (direction @ towards)
    return LinearReadout(weights, level - float(mean @ weights))

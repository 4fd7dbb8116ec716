"""The outer step that every peer takes alike: elementwise float64 only, so that all machines get the same bits.

Each numpy operation here rounds once, as IEEE 754 says; sums and matrix products, whose order varies, do not occur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from p2pnode.learning.model import Tensors
from protocols.errors import LocalError


@dataclass(frozen=True, slots=True)
class OuterSgd:
    """Gradient descent with momentum on the mean of the peers' updates.

    v <- momentum * v + mean; model <- model + rate * v. Rate 1 and momentum 0 are plain FedAvg. Source: Hsu, Qi, Brown,
    "Measuring the Effects of Non-Identical Data Distribution for Federated Visual Classification", 2019 (FedAvgM).
    """

    rate: float = 1.0
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not (self.rate > 0 and 0 <= self.momentum < 1):
            raise LocalError(f"outer step: rate {self.rate} must be above 0 and momentum {self.momentum} in [0, 1)")

    def init(self, model: Tensors) -> Tensors:
        """The state before the first round: velocities of zero, float64; none without momentum."""
        return {name: np.zeros(tensor.shape) for name, tensor in model.items()} if self.momentum else {}

    def step(self, model: Tensors, state: Tensors, mean: Tensors) -> tuple[Tensors, Tensors]:
        """The model (in its own dtypes) and state after one round with this mean update (float64)."""
        velocity = {name: np.asarray(self.momentum * state[name] + mean[name]) for name in state} or mean
        moved = {name: np.asarray(model[name] + self.rate * velocity[name], model[name].dtype) for name in model}
        return moved, velocity if state else {}

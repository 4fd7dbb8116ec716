"""Federated averaging: peers train locally and send how far their parameters moved; the outer step takes the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

from p2pnode.data.schema import Examples
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.model import Tensors
from p2pnode.learning.optimizer import OuterSgd
from protocols.errors import LocalError
from protocols.params import VALUE_BITS
from protocols.updates.schema import TensorSpec, UpdateSchema


def grid_step(largest_value: float, limbs: int = 1, value_bits: int = VALUE_BITS) -> float:
    """The finest power of two on which values up to the largest fit into `limbs` limbs; their sums are exact."""
    largest = TensorSpec("any", (), 1.0, 1.0, limbs, value_bits).limb_bound
    step = 2.0**-60
    while largest_value / step > largest:
        step *= 2
    return step


@dataclass(frozen=True)
class Grid:
    """How coarsely deltas travel: fewer bits a value make smaller updates.

    Attributes:
        value_bits: 2 to 16 bits a value.
        peak: largest magnitude of a value, larger ones are clipped; 0 for none but tau.
        feedback: whether a peer keeps what clipping to the peak and rounding left of its delta, and adds it to the next
            (Karimireddy et al., "Error Feedback Fixes SignSGD and other Gradient Compression Schemes", 2019). It
            stays in the peer's memory; a restart forgets it.
    """

    value_bits: int = VALUE_BITS
    peak: float = 0.0
    feedback: bool = False

    def __post_init__(self) -> None:
        if not (self.peak >= 0 and math.isfinite(self.peak)):
            raise LocalError(f"grid: peak {self.peak} must be finite, and 0 or above")


@dataclass(frozen=True)
class FedAvg:
    """McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", 2017.

    Attributes:
        local: what a peer does with its rows.
        outer: what all peers do with the mean of the deltas.
        tau: bound of each tensor's L2 norm in a delta; longer ones are shortened to it.
        grid: how coarsely deltas travel.
    """

    local: LocalSgd
    outer: OuterSgd
    tau: float
    grid: Grid = Grid()

    @property
    def feedback(self) -> bool:
        """Whether a peer adds what the grid left of its last delta to the next one."""
        return self.grid.feedback

    def update_schema(self, model: Tensors) -> UpdateSchema:
        """One tensor a parameter tensor, one limb a value."""
        bits, peak = self.grid.value_bits, self.grid.peak or math.inf
        step = grid_step(min(self.tau, peak), value_bits=bits)
        return UpdateSchema(
            tuple(TensorSpec(name, model[name].shape, step, self.tau, 1, bits, peak=peak) for name in sorted(model))
        )

    def initial_state(self, model: Tensors) -> Tensors:
        """The outer optimiser's."""
        return self.outer.init(model)

    def local_update(self, model: Tensors, examples: Examples, seed: int) -> Tensors:
        """The delta of local training, float64.

        Raises:
            LocalError: training diverged.
        """
        return self.local.delta(model, examples, seed)

    def apply(self, model: Tensors, state: Tensors, sums: Tensors, contributors: int) -> tuple[Tensors, Tensors]:
        """The outer step on the mean of `contributors` deltas, whose exact sums these are."""
        return self.outer.step(model, state, {name: total / contributors for name, total in sums.items()})

    def public_metrics(self, state: Tensors) -> dict[str, float]:  # noqa: ARG002  # a Method's signature
        """Nothing: the sums of deltas say nothing of the loss."""
        return {}

"""Federated averaging: peers train locally and send how far their parameters moved; the outer step takes the mean."""

from __future__ import annotations

from dataclasses import dataclass

from p2pnode.data.schema import Examples
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.model import Tensors
from p2pnode.learning.optimizer import OuterSgd
from protocols.updates.schema import TensorSpec, UpdateSchema


def grid_step(tau: float, limbs: int = 1) -> float:
    """The finest power of two on which values up to tau fit into `limbs` limbs; sums of such values are exact."""
    largest = TensorSpec("any", (), step=1.0, tau=1.0, limbs=limbs).limb_bound
    step = 2.0**-60
    while tau / step > largest:
        step *= 2
    return step


@dataclass(frozen=True)
class FedAvg:
    """McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", 2017.

    Attributes:
        local: what a peer does with its rows.
        outer: what all peers do with the mean of the deltas.
        tau: bound of each tensor's L2 norm in a delta; longer ones are shortened to it.
    """

    local: LocalSgd
    outer: OuterSgd
    tau: float

    def update_schema(self, model: Tensors) -> UpdateSchema:
        """One tensor a parameter tensor, one limb a value."""
        step = grid_step(self.tau)
        return UpdateSchema(tuple(TensorSpec(name, model[name].shape, step, self.tau) for name in sorted(model)))

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

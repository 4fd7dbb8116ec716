"""Learning under differential privacy: each round one gradient step, of which no row can change more than its clip.

Federated SGD with per-example clipping (Abadi et al., Deep learning with differential privacy, CCS 2016, algorithm 1;
McMahan et al. 2017 for the federated step). A peer sends the sum over all its rows, not a mean: so its number of rows
stays its own, and one row more or less changes the sum by its clip. Several local steps would not do: what a row does
to the second step is not bounded by its clip. The noise is added on the way to the grid (`Learner.train`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from p2pnode.data.schema import Examples
from p2pnode.learning.fedavg import Grid, grid_step
from p2pnode.learning.local import Loss, padded
from p2pnode.learning.model import Tensors
from p2pnode.learning.optimizer import OuterSgd
from protocols.errors import LocalError
from protocols.privacy.promise import Privacy
from protocols.updates.schema import TensorSpec, UpdateSchema

CHUNK: Final = 32
"""Rows whose gradients are held at a time: each is as large as the model."""
_INSIDE: Final = 1 - 2.0**-12
"""Rows are clipped to a little less than the clip, so that float32 rounding does not carry them over it."""


@dataclass(frozen=True)
class PrivacyOptions:
    """What a task's `Options` inherit to offer differential privacy; see `Privacy` for the promise.

    Attributes:
        noise_multiplier: 0 for none.
        private_rows: a peer's rows, about: the mean gradient is taken over so many for each contributor.
        private_rate, private_momentum: of the outer step on the noisy mean gradient, in place of the task's own.
    """

    noise_multiplier: float = 0.0
    clip: float = 1.0
    delta: float = 1e-5
    budget: float = 0.0
    withheld: float = 0.2
    private_rows: int = 64
    private_rate: float = 4.0
    private_momentum: float = 0.5


@dataclass(frozen=True)
class ClippedGradients:
    """Sums over rows of loss gradients, each shortened to an L2 norm of `clip` over all tensors."""

    loss: Loss
    clip: float

    def descent(self, model: Tensors, examples: Examples) -> Tensors:
        """Minus the sum over all rows, float64; a row whose gradient is not finite counts nothing."""
        x, y = padded(examples, CHUNK)
        total = jax.device_get(self._total(model, x, y, len(examples)))
        return {name: -np.asarray(total[name], np.float64) for name in model}

    @partial(jax.jit, static_argnums=0)
    def _total(self, model: Any, x: jax.Array, y: jax.Array, rows: jax.Array) -> Any:
        def one(x: jax.Array, y: jax.Array, real: jax.Array) -> Any:
            gradient = jax.grad(lambda model: self.loss(model, x[None], y[None])[0])(model)
            norm = jnp.sqrt(sum(jnp.sum(jnp.square(slope)) for slope in jax.tree.leaves(gradient)))
            counts = real & jnp.isfinite(norm)
            scale = jnp.where(counts, jnp.minimum(1.0, self.clip * _INSIDE / jnp.maximum(norm, 1e-30)), 0.0)
            return jax.tree.map(lambda slope: jnp.where(counts, slope, 0.0) * scale, gradient)

        def add(total: Any, chunk: Any) -> tuple[Any, None]:
            clipped = jax.vmap(one)(*chunk)
            return jax.tree.map(lambda before, each: before + each.sum(axis=0), total, clipped), None

        real = jnp.arange(len(x)) < rows
        chunks = jax.tree.map(lambda array: array.reshape(-1, CHUNK, *array.shape[1:]), (x, y, real))
        return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, model), chunks)[0]


@dataclass(frozen=True)
class PrivateSgd:
    """A `Method`: the outer step on the noisy mean of the peers' clipped gradients.

    Attributes:
        rows: rows for which each contributor counts in the mean; a sum of more is shortened to what so many can reach.
    """

    gradients: ClippedGradients
    outer: OuterSgd
    privacy: Privacy
    rows: int

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise LocalError(f"private_rows {self.rows} must be at least 1: about the rows that a peer has")

    def update_schema(self, model: Tensors) -> UpdateSchema:
        """One tensor a parameter tensor, one limb a value, with room for the noise.

        Raises:
            LocalError: the noise is too small for the grid that the sums need.
        """
        tau, noise = self.rows * self.privacy.clip, self.privacy.largest_noise
        step = grid_step(tau + noise)
        tensors = (TensorSpec(name, model[name].shape, step, tau, noise=noise) for name in sorted(model))
        return UpdateSchema(tuple(tensors), self.privacy)

    def initial_state(self, model: Tensors) -> Tensors:
        """The outer optimiser's."""
        return self.outer.init(model)

    def local_update(self, model: Tensors, examples: Examples, seed: int) -> Tensors:  # noqa: ARG002  # a Method's
        """The clipped descent of all rows; there is nothing to draw."""
        return self.gradients.descent(model, examples)

    def apply(self, model: Tensors, state: Tensors, sums: Tensors, contributors: int) -> tuple[Tensors, Tensors]:
        """The outer step on the mean over `contributors * rows` rows."""
        count = contributors * self.rows
        return self.outer.step(model, state, {name: total / count for name, total in sums.items()})

    def public_metrics(self, state: Tensors) -> dict[str, float]:  # noqa: ARG002  # a Method's signature
        """Nothing: noisy gradients say nothing of the loss."""
        return {}


def private_sgd(loss: Loss, options: PrivacyOptions, grid: Grid | None = None) -> PrivateSgd | None:
    """The method that the options ask for; None where they ask for no noise.

    A coarse grid does not go with noise: it would spend its bits on the noise, and feedback would take the noise back.

    Raises:
        LocalError: options that promise nothing, or cannot be.
    """
    if options.noise_multiplier == 0:
        return None
    if grid not in (None, Grid()):
        raise LocalError(
            "options value_bits, peak and feedback do not go with noise_multiplier: leave them as they are"
        )
    privacy = Privacy(options.noise_multiplier, options.clip, options.delta, options.budget, options.withheld)
    outer = OuterSgd(options.private_rate, options.private_momentum)
    return PrivateSgd(ClippedGradients(loss, options.clip), outer, privacy, options.private_rows)

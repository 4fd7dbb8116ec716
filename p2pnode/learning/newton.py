"""Federated Newton: peers send the gradient and Hessian of their summed loss; the step is solved in exact arithmetic.

The summed statistics equal those of the pooled rows, so the result is the one that all data in one place would give.
Source: Lin and Xi, "Aggregated estimating equation estimation", 2011, for the idea of summing what the solver needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from p2pnode.data.schema import Examples
from p2pnode.learning.fedavg import grid_step
from p2pnode.learning.local import Loss, padded
from p2pnode.learning.model import Tensors
from protocols.errors import LocalError
from protocols.updates.schema import TensorSpec, UpdateSchema

LIMBS: Final = 3


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[Fraction] | None:
    """X with matrix x = right, exactly, by Gaussian elimination over the rationals; None if matrix is singular."""
    rows = [[*map(Fraction, row), Fraction(value)] for row, value in zip(matrix, right, strict=True)]
    for column in range(len(rows)):
        pivot = next((row for row in range(column, len(rows)) if rows[row][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = [value / rows[column][column] for value in rows[column]]
        rows = [
            head if row == column else [a - values[column] * b for a, b in zip(values, head, strict=True)]
            for row, values in enumerate(rows)
        ]
    return [row[-1] for row in rows]


@dataclass(frozen=True)
class Newton:
    """Newton's method on the sum of a convex loss; the model is one float64 vector named `coefficients`.

    Attributes:
        loss: of each row, twice differentiable.
        tau: bound of the L2 norm of a peer's gradient and of its Hessian; larger ones are an error, since clipping
            one and not the other would change the result.
        max_move: the furthest that a coefficient moves in a round; longer steps are shortened as a whole.
    """

    loss: Loss
    tau: float
    max_move: float

    def update_schema(self, model: Tensors) -> UpdateSchema:
        """Gradient (d,), Hessian (d, d), summed loss and number of rows, in three limbs a value."""
        d = model["coefficients"].size
        shapes = {"gradient": (d,), "hessian": (d, d), "loss": (), "rows": ()}
        step = grid_step(self.tau, LIMBS)
        return UpdateSchema(tuple(TensorSpec(name, shape, step, self.tau, LIMBS) for name, shape in shapes.items()))

    def initial_state(self, model: Tensors) -> Tensors:  # noqa: ARG002  # a Method's signature
        """The last opened sums of loss and rows; zero rows before the first round."""
        return {"loss": np.zeros(()), "rows": np.zeros(())}

    def local_update(self, model: Tensors, examples: Examples, seed: int) -> Tensors:  # noqa: ARG002  # as above
        """The statistics of this peer's rows at the model, float64; nothing is random.

        Raises:
            LocalError: a statistic exceeds tau.
        """
        x, y = padded(examples)
        with jax.enable_x64(True):
            found = self._statistics(model["coefficients"], x, y, len(examples))
        update = {name: np.asarray(value, np.float64) for name, value in found.items()}
        for name, value in update.items():
            if not np.linalg.norm(value) <= self.tau:
                raise LocalError(
                    f"the {name} of {len(examples)} rows has norm {np.linalg.norm(value):g}, above the task's tau "
                    f"{self.tau:g}; take fewer rows, or found the subnet with a larger tau"
                )
        return update

    def apply(
        self,
        model: Tensors,
        state: Tensors,  # noqa: ARG002  # a Method's signature
        sums: Tensors,
        contributors: int,  # noqa: ARG002  # as above
    ) -> tuple[Tensors, Tensors]:
        """Newton's step from the summed statistics; where the summed Hessian is singular the model stays."""
        step = solve(sums["hessian"].tolist(), sums["gradient"].tolist())
        seen = {"loss": sums["loss"], "rows": sums["rows"]}
        if step is None:
            return model, seen
        furthest = max(map(abs, step))
        scale = min(Fraction(1), Fraction(self.max_move) / furthest) if furthest else Fraction(0)
        moves = np.array([float(scale * move) for move in step])
        return {"coefficients": model["coefficients"] - moves}, seen

    def public_metrics(self, state: Tensors) -> dict[str, float]:
        """The log-likelihood of the contributors' rows before the last step, which everybody read from the sums."""
        return {"public_log_likelihood": -float(state["loss"]), "public_rows": float(state["rows"])}

    @partial(jax.jit, static_argnums=0)
    def _statistics(self, coefficients: jax.Array, x: jax.Array, y: jax.Array, rows: jax.Array) -> dict[str, Any]:
        def total(coefficients: jax.Array) -> jax.Array:
            losses = self.loss({"coefficients": coefficients}, x, y)
            return jnp.where(jnp.arange(len(x)) < rows, losses, 0.0).sum()

        loss, gradient = jax.value_and_grad(total)(coefficients)
        return {"gradient": gradient, "hessian": jax.hessian(total)(coefficients), "loss": loss, "rows": rows}

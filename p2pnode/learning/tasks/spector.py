"""Did a new way of teaching raise grades? Spector and Mazzeo's 32 students; logistic regression by federated Newton.

The result is the one that the pooled rows give: statsmodels' Logit finds GPA 2.82611, TUCE 0.09516, PSI 2.37869 and
const -13.02135.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from statsmodels.datasets import spector

from p2pnode.data.schema import DataSchema, Dataset, Examples, integer, number
from p2pnode.learning.layers import Model, log_loss, total_loss
from p2pnode.learning.model import Tensors
from p2pnode.learning.newton import Newton
from p2pnode.learning.task import Definition

SCHEMA: Final = DataSchema(
    features=(number("GPA", 0, 4), number("TUCE", 0, 40), integer("PSI", 0, 1)), label=integer("GRADE", 0, 1)
)
NAMES: Final = ("const", *(column.name for column in SCHEMA.features))


@dataclass(frozen=True)
class Options:
    """See `Newton`."""

    tau: float = 65536.0
    max_move: float = 20.0


def define(options: Options) -> Definition:
    """The task."""
    return Definition(SCHEMA, dataset, init, Newton(loss, options.tau, options.max_move), metrics)


def dataset() -> Dataset:
    """All rows, for fitting and for judging: a regression describes its sample."""
    rows = SCHEMA.check_frame(spector.load_pandas().data, "statsmodels' spector data")
    return Dataset(rows, rows)


def init(seed: int) -> Tensors:  # noqa: ARG001  # a task's init has a seed
    """All coefficients zero, whatever the seed: the problem is convex."""
    return {"coefficients": np.zeros(len(NAMES))}


def loss(model: Model, x: jax.Array, y: jax.Array) -> jax.Array:
    """The negative log-likelihood of each row."""
    const, slopes = model["coefficients"][0], model["coefficients"][1:]
    return log_loss(const + jnp.sum(x * slopes, axis=1), y)


def metrics(model: Tensors, held_out: Examples) -> dict[str, float]:
    """The coefficients by name, which need no data, and the log-likelihood of these rows."""
    with jax.enable_x64(True):
        likelihood = -float(total_loss(loss, model, held_out.x, held_out.y))
    return {**dict(zip(NAMES, model["coefficients"].tolist(), strict=True)), "log_likelihood": likelihood}

"""Handwritten digits, 8 by 8 pixels (scikit-learn's, 1,797 rows): a 64-32-10 network by federated averaging."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import jax
from sklearn.datasets import load_digits

from p2pnode.data.schema import DataSchema, Dataset, Examples, integer, number
from p2pnode.data.splits import hold_out
from p2pnode.learning.fedavg import FedAvg, Grid
from p2pnode.learning.layers import Model, cross_entropy, init_mlp, judge, mlp
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.model import Tensors
from p2pnode.learning.optimizer import OuterSgd
from p2pnode.learning.private import PrivacyOptions, private_sgd
from p2pnode.learning.task import Definition

SCHEMA: Final = DataSchema(
    features=tuple(number(f"pixel_{pixel}", 0, 16) for pixel in range(64)), label=integer("digit", 0, 9)
)


@dataclass(frozen=True)
class Options(PrivacyOptions):
    """See `LocalSgd`, `OuterSgd`, `FedAvg` and `Grid` (feedback: 0 or 1), and `PrivacyOptions`, with which `PrivateSgd`
    takes their place.
    """

    hidden: int = 32
    epochs: int = 5
    batch: int = 10
    rate: float = 0.2
    outer_rate: float = 1.0
    outer_momentum: float = 0.5
    tau: float = 4.0
    value_bits: int = 16
    peak: float = 0.0
    feedback: int = 0


def define(options: Options) -> Definition:
    """The task."""
    local = LocalSgd(loss, options.epochs, options.batch, options.rate)
    outer = OuterSgd(options.outer_rate, options.outer_momentum)
    init = partial(init_mlp, widths=(64, options.hidden, 10))
    grid = Grid(options.value_bits, options.peak, bool(options.feedback))
    method = private_sgd(loss, options, grid) or FedAvg(local, outer, options.tau, grid)
    return Definition(SCHEMA, dataset, init, method, metrics)


def dataset() -> Dataset:
    """A fifth of the rows is held out."""
    x, y = load_digits(return_X_y=True)
    return hold_out(SCHEMA.check_arrays(x, y, "scikit-learn's digits"), fraction=0.2)


def logits(model: Model, x: jax.Array) -> jax.Array:
    """The network on pixels in 0..1."""
    return mlp(model, x / 16.0)


def loss(model: Model, x: jax.Array, y: jax.Array) -> jax.Array:
    """The cross-entropy of each row."""
    return cross_entropy(logits(model, x), y)


def guess(model: Model, x: jax.Array) -> jax.Array:
    """The likeliest class of each row."""
    return logits(model, x).argmax(axis=1)


def metrics(model: Tensors, held_out: Examples) -> dict[str, float]:
    """Accuracy and mean loss."""
    return judge(loss, guess, model, held_out)

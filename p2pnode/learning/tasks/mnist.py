"""Handwritten digits, 28 by 28 pixels: the 784-200-200-10 network ("2NN", 199,210 parameters) by federated averaging.

Model, epochs and batch are those of McMahan et al., "Communication-Efficient Learning of Deep Networks from
Decentralized Data", 2017. The data comes from an .npz that you name: x_train, y_train, x_test and y_test (uint8).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import jax

from p2pnode.data.schema import DataSchema, Dataset, Examples, integer
from p2pnode.data.sources import load_npz
from p2pnode.learning.fedavg import FedAvg, Grid
from p2pnode.learning.layers import Model, cross_entropy, init_mlp, judge, mlp
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.model import Tensors
from p2pnode.learning.modules import local_option
from p2pnode.learning.optimizer import OuterSgd
from p2pnode.learning.private import PrivacyOptions, private_sgd
from p2pnode.learning.task import Definition
from protocols.errors import LocalError

SCHEMA: Final = DataSchema(tuple(integer(f"pixel_{pixel}", 0, 255) for pixel in range(784)), integer("digit", 0, 9))


@dataclass(frozen=True)
class Options(PrivacyOptions):
    """See `LocalSgd`, `OuterSgd`, `FedAvg` and `Grid` (feedback: 0 or 1), and `PrivacyOptions`, with which `PrivateSgd`
    takes their place. `data` is the path of this machine's .npz.
    """

    data: str = local_option("")
    epochs: int = 1
    batch: int = 10
    rate: float = 0.1
    outer_rate: float = 1.0
    outer_momentum: float = 0.0
    tau: float = 16.0
    value_bits: int = 16
    peak: float = 0.0
    feedback: int = 0


def define(options: Options) -> Definition:
    """The task."""
    local = LocalSgd(loss, options.epochs, options.batch, options.rate)
    outer = OuterSgd(options.outer_rate, options.outer_momentum)
    init = partial(init_mlp, widths=(784, 200, 200, 10))
    grid = Grid(options.value_bits, options.peak, bool(options.feedback))
    method = private_sgd(loss, options, grid) or FedAvg(local, outer, options.tau, grid)
    return Definition(SCHEMA, partial(dataset, options.data), init, method, metrics)


def dataset(data: str) -> Dataset:
    """The archive's own split into training and test rows."""
    if not data:
        raise LocalError("task 'mnist' brings no data of its own: set its option data to the path of an .npz")
    parts = (load_npz(Path(data), SCHEMA, x=f"x_{part}", y=f"y_{part}") for part in ("train", "test"))
    return Dataset(*parts)


def logits(model: Model, x: jax.Array) -> jax.Array:
    """The network on pixels in 0..1."""
    return mlp(model, x / 255.0)


def loss(model: Model, x: jax.Array, y: jax.Array) -> jax.Array:
    """The cross-entropy of each row."""
    return cross_entropy(logits(model, x), y)


def guess(model: Model, x: jax.Array) -> jax.Array:
    """The likeliest class of each row."""
    return logits(model, x).argmax(axis=1)


def metrics(model: Tensors, held_out: Examples) -> dict[str, float]:
    """Accuracy and mean loss."""
    return judge(loss, guess, model, held_out)

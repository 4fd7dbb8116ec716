"""Is a breast tumour benign? scikit-learn's 569 rows of 30 measurements; logistic regression by federated averaging."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jax
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer

from p2pnode.data.schema import DataSchema, Dataset, Examples, integer, number
from p2pnode.data.splits import hold_out
from p2pnode.learning.fedavg import FedAvg
from p2pnode.learning.layers import Model, judge, log_loss
from p2pnode.learning.local import LocalSgd
from p2pnode.learning.model import Tensors
from p2pnode.learning.optimizer import OuterSgd
from p2pnode.learning.private import PrivacyOptions, private_sgd
from p2pnode.learning.task import Definition

MEASURES: Final = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip
NAMES: Final = (
    *(f"mean {measure}" for measure in MEASURES),
    *(f"{measure} error" for measure in MEASURES),
    *(f"worst {measure}" for measure in MEASURES),
)
SCHEMA: Final = DataSchema(tuple(number(name, 0, 10_000) for name in NAMES), integer("benign", 0, 1))


@dataclass(frozen=True)
class Options(PrivacyOptions):
    """See `LocalSgd`, `OuterSgd` and `FedAvg`, and `PrivacyOptions`, with which `PrivateSgd` takes their place."""

    epochs: int = 5
    batch: int = 10
    rate: float = 0.1
    outer_rate: float = 1.0
    outer_momentum: float = 0.5
    tau: float = 4.0


def define(options: Options) -> Definition:
    """The task."""
    local = LocalSgd(loss, options.epochs, options.batch, options.rate)
    outer = OuterSgd(options.outer_rate, options.outer_momentum)
    method = private_sgd(loss, options) or FedAvg(local, outer, options.tau)
    return Definition(SCHEMA, dataset, init, method, metrics)


def dataset() -> Dataset:
    """A fifth of the rows is held out."""
    x, y = load_breast_cancer(return_X_y=True)
    return hold_out(SCHEMA.check_arrays(x, y, "scikit-learn's breast cancer data"), fraction=0.2)


@cache
def scaling() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Each column's mean and standard deviation in the public training rows: every peer standardises alike."""
    x = dataset().train.x
    return x.mean(axis=0).astype(np.float32), x.std(axis=0).astype(np.float32)


def init(seed: int) -> Tensors:  # noqa: ARG001  # a task's init has a seed
    """All zero, whatever the seed: the problem is convex."""
    return {"weights": np.zeros(len(NAMES), np.float32), "bias": np.zeros((), np.float32)}


def logit(model: Model, x: jax.Array) -> jax.Array:
    """The log-odds of each row to be benign."""
    mean, deviation = scaling()
    return (x - mean) / deviation @ model["weights"] + model["bias"]


def loss(model: Model, x: jax.Array, y: jax.Array) -> jax.Array:
    """The negative log-likelihood of each row."""
    return log_loss(logit(model, x), y)


def guess(model: Model, x: jax.Array) -> jax.Array:
    """The likelier class of each row."""
    return logit(model, x) > 0


def metrics(model: Tensors, held_out: Examples) -> dict[str, float]:
    """Accuracy and mean loss."""
    return judge(loss, guess, model, held_out)

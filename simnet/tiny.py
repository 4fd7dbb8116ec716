"""The smallest task there is, for virtual rounds by the thousand: six numbers, and updates that hashing makes.

Nothing is learnt.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from p2pnode.data.schema import DataSchema, Dataset, Examples, integer, number
from p2pnode.learning.model import Tensors
from p2pnode.learning.task import Definition
from protocols.updates.schema import TensorSpec, UpdateSchema

SIZE: Final = 6
TAU: Final = 1000.0
ROWS: Final = 64
SCHEMA: Final = DataSchema(features=(number("x", 0, ROWS),), label=integer("y", 0, 1))


@dataclass(frozen=True)
class Options:
    """`repeats` = 1: the same model and rows give the same update again, as in Newton's method; 0: it never does."""

    repeats: int = 0


@dataclass(frozen=True)
class Tiny:
    """See `p2pnode.learning.task.Method`."""

    repeats: bool

    def update_schema(self, model: Tensors) -> UpdateSchema:
        """Integers."""
        return UpdateSchema((TensorSpec("weights", model["weights"].shape, 1.0, TAU),))

    def initial_state(self, model: Tensors) -> Tensors:  # noqa: ARG002  # a Method's signature
        """None."""
        return {}

    def local_update(self, model: Tensors, examples: Examples, seed: int) -> Tensors:
        """Bytes of a hash of model and rows (and seed), -128 to 127."""
        salt = b"" if self.repeats else seed.to_bytes(8, "big")
        made = hashlib.sha256(model["weights"].tobytes() + np.ascontiguousarray(examples.x).tobytes() + salt).digest()
        return {"weights": np.frombuffer(made[:SIZE], np.int8).astype(np.float64)}

    def apply(self, model: Tensors, state: Tensors, sums: Tensors, contributors: int) -> tuple[Tensors, Tensors]:  # noqa: ARG002  # as above
        """Adds the sum."""
        return {"weights": model["weights"] + sums["weights"]}, state

    def public_metrics(self, state: Tensors) -> dict[str, float]:  # noqa: ARG002  # as above
        """None."""
        return {}


def define(options: Options) -> Definition:
    """The task."""
    return Definition(SCHEMA, dataset, init, Tiny(bool(options.repeats)), metrics)


def dataset() -> Dataset:
    """Rows 0, 1, 2, ..."""
    rows = Examples(np.arange(ROWS, dtype=np.float64)[:, None], np.arange(ROWS, dtype=np.float64) % 2)
    return Dataset(rows, rows)


def init(seed: int) -> Tensors:  # noqa: ARG001  # a task's init has a seed
    """Zeros."""
    return {"weights": np.zeros(SIZE)}


def metrics(model: Tensors, held_out: Examples) -> dict[str, float]:  # noqa: ARG001  # as above
    """Their sum."""
    return {"sum": float(model["weights"].sum())}

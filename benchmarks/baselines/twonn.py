"""The client's work that all systems share: one epoch of the 2NN of McMahan et al. in JAX, batches of 10.

Runs in each system's own environment: it needs JAX and NumPy alone. The step is jitted as in p2pnode/learning/local.py.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

WIDTHS = (784, 200, 200, 10)
BATCH, RATE = 10, 0.1


def initial() -> list[np.ndarray]:
    """The parameters that everybody starts from."""
    random = np.random.default_rng(0)
    layers = []
    for rows, columns in itertools.pairwise(WIDTHS):
        layers += [(random.normal(size=(rows, columns)) / rows**0.5).astype(np.float32), np.zeros(columns, np.float32)]
    return layers


@functools.lru_cache(maxsize=64)
def shard(path: str, client: int, clients: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of one client; read once a process, since ours hold theirs in memory too."""
    data = np.load(path)
    x, y = data["x_train"].reshape(-1, WIDTHS[0]), data["y_train"]
    return x[client::clients].astype(np.float32) / 255, y[client::clients].astype(np.int32)


def _loss(model: Any, x: Any, y: Any) -> Any:
    for weights, bias in zip(model[:-2:2], model[1:-2:2], strict=True):
        x = jax.nn.relu(x @ weights + bias)
    scores = jax.nn.log_softmax(x @ model[-2] + model[-1])
    return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()


@jax.jit
def _epoch(model: Any, x: Any, y: Any) -> Any:
    def step(model: Any, batch: Any) -> tuple[Any, None]:
        slopes = jax.grad(_loss)(model, *batch)
        return [value - RATE * slope for value, slope in zip(model, slopes, strict=True)], None

    return jax.lax.scan(step, model, (x, y))[0]


def train(model: list[np.ndarray], x: np.ndarray, y: np.ndarray, seed: int) -> list[np.ndarray]:
    """One epoch in random order; the model after it."""
    order = np.random.default_rng(seed).permutation(len(x))[: len(x) // BATCH * BATCH]
    batches = x[order].reshape(-1, BATCH, x.shape[1]), y[order].reshape(-1, BATCH)
    return [np.asarray(tensor) for tensor in _epoch(list(model), *batches)]

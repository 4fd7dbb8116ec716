"""A peer's local training in JAX: the same inputs give the same bits on the same machine.

Rows are padded to a power of two, so that the peers of a process share a handful of compilations; padding weighs
nothing. The compiled function is cached by the frozen dataclass that it belongs to, not by the peer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from p2pnode.data.schema import Examples
from p2pnode.learning.model import Tensors
from protocols.errors import LocalError

MAX_EPOCHS: Final = 1000
MAX_BATCH: Final = 1 << 16
"""Options come from the chain: these bound what a founder can make a peer compute."""

Loss = Callable[[Mapping[str, jax.Array], jax.Array, jax.Array], jax.Array]
"""(model, x (rows, features), y (rows,)) -> the loss of each row (rows,). A function at module level: it is hashed."""


def padded(examples: Examples, least: int = 1) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The x and y with rows of zeros up to the next power of two that is at least `least`."""
    rows = len(examples)
    extra = (1 << (max(rows, least) - 1).bit_length()) - rows
    return np.pad(examples.x, ((0, extra), (0, 0))), np.pad(examples.y, (0, extra))


def random_key(seed: int) -> jax.Array:
    """The key of JAX's threefry generator that holds these 64 bits."""
    words = jnp.array([seed >> 32, seed & 0xFFFFFFFF], jnp.uint32)
    key: jax.Array = jax.random.wrap_key_data(words, impl="threefry2x32")
    return key


@dataclass(frozen=True)
class LocalSgd:
    """Plain SGD: `epochs` passes in random order over batches of `batch` rows, each a step of `rate`."""

    loss: Loss
    epochs: int
    batch: int
    rate: float

    def __post_init__(self) -> None:
        if not (1 <= self.epochs <= MAX_EPOCHS and 1 <= self.batch <= MAX_BATCH and self.rate > 0):
            raise LocalError(
                f"local SGD: epochs {self.epochs} must be 1 to {MAX_EPOCHS}, batch {self.batch} 1 to {MAX_BATCH}, "
                f"rate {self.rate} above 0"
            )

    def delta(self, model: Tensors, examples: Examples, seed: int) -> Tensors:
        """Trained minus given parameters, float64. `seed` (64 bits) fixes the order of the rows.

        Raises:
            LocalError: training diverged.
        """
        x, y = padded(examples, self.batch)
        trained = jax.device_get(self._train(model, x, y, len(examples), random_key(seed)))
        delta = {name: np.subtract(trained[name], model[name], dtype=np.float64) for name in model}
        if not all(np.isfinite(tensor).all() for tensor in delta.values()):
            raise LocalError(f"local training diverged with rate {self.rate}; take a smaller rate, check the data")
        return delta

    @partial(jax.jit, static_argnums=0)
    def _train(self, model: Any, x: jax.Array, y: jax.Array, rows: jax.Array, key: jax.Array) -> Any:
        def batch_loss(model: Any, chosen: jax.Array) -> jax.Array:
            real = chosen < rows
            losses = jnp.where(real, self.loss(model, x[chosen], y[chosen]), 0.0)
            return losses.sum() / jnp.maximum(real.sum(), 1)

        def epoch(model: Any, key: jax.Array) -> tuple[Any, None]:
            batches = self._batches(len(x), rows, key)

            def step(number: jax.Array, model: Any) -> Any:
                gradient = jax.grad(batch_loss)(model, batches[number])
                return jax.tree.map(lambda value, slope: value - self.rate * slope, model, gradient)

            return jax.lax.fori_loop(0, -(-rows // self.batch), step, model), None  # not the batches of padding

        return jax.lax.scan(epoch, model, jax.random.split(key, self.epochs))[0]

    def _batches(self, capacity: int, rows: jax.Array, key: jax.Array) -> jax.Array:
        """Row indices (steps, batch): the real rows in random order, then padding, whose batches move nothing."""
        steps = -(-capacity // self.batch)
        lots = jnp.where(jnp.arange(capacity) < rows, jax.random.uniform(key, (capacity,)), 2.0)
        order = jnp.argsort(lots)
        return jnp.pad(order, (0, steps * self.batch - capacity), constant_values=capacity).reshape(steps, self.batch)

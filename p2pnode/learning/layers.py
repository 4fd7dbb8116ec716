"""The pieces that the built-in tasks' models are made of: reproducible initial values, an MLP, losses, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from p2pnode.data.schema import Examples
from p2pnode.learning.local import Loss
from p2pnode.learning.model import Tensors
from protocols.errors import LocalError

MAX_PARAMETERS: Final = 1 << 24
Model = Mapping[str, jax.Array]
Guess = Callable[[Model, jax.Array], jax.Array]
"""(model, x (rows, features)) -> the class of each row (rows,). A function at module level: it is hashed."""


def uniform(seed: int, count: int) -> npt.NDArray[np.float64]:
    """`count` values in [-1, 1) from PCG64, whose raw stream is the same on every machine and numpy version."""
    bits = np.random.PCG64(seed).random_raw(count) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-52 - 1.0


def init_mlp(seed: int, widths: Sequence[int]) -> Tensors:
    """Weights and biases, float32, of a ReLU network with these layer widths (input first); He's uniform weights.

    Raises:
        LocalError: a width is below 1, or the network is larger than `MAX_PARAMETERS`.
    """
    count = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    if min(widths) < 1 or count > MAX_PARAMETERS:
        raise LocalError(f"a network of widths {widths} is not between 1 and {MAX_PARAMETERS} parameters")
    shapes = list(pairwise(widths))
    values, model, start = uniform(seed, sum(fan_in * fan_out for fan_in, fan_out in shapes)), {}, 0
    for layer, (fan_in, fan_out) in enumerate(shapes):
        weights = values[start : start + fan_in * fan_out].reshape(fan_in, fan_out)
        model[f"weights_{layer}"] = (weights * np.sqrt(6.0 / fan_in)).astype(np.float32)
        model[f"bias_{layer}"] = np.zeros(fan_out, np.float32)
        start += fan_in * fan_out
    return model


def mlp(model: Model, x: jax.Array) -> jax.Array:
    """Logits (rows, classes) of the network that `init_mlp` made, for x (rows, features)."""
    last = len(model) // 2 - 1
    for layer in range(last):
        x = jax.nn.relu(x @ model[f"weights_{layer}"] + model[f"bias_{layer}"])
    return x @ model[f"weights_{last}"] + model[f"bias_{last}"]


def cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """Loss of each row (rows,) for logits (rows, classes) and class numbers y (rows,)."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y.astype(jnp.int32)[:, None], axis=1)
    return -chosen[:, 0]


def log_loss(logit: jax.Array, y: jax.Array) -> jax.Array:
    """Loss of each row (rows,) for the log-odds (rows,) that y (rows,) is 1 and not 0."""
    return jax.nn.softplus(logit) - y * logit


@partial(jax.jit, static_argnums=0)
def total_loss(loss: Loss, model: Any, x: Any, y: Any) -> jax.Array:
    """The sum over the rows of `loss(model, x, y)`."""
    return jnp.sum(loss(model, x, y))


@partial(jax.jit, static_argnums=0)
def hits(guess: Guess, model: Any, x: Any, y: Any) -> jax.Array:
    """How many rows' classes are guessed right."""
    return jnp.sum(guess(model, x) == y)


def judge(loss: Loss, guess: Guess, model: Tensors, held_out: Examples) -> dict[str, float]:
    """Accuracy and mean loss on held-out examples."""
    right = int(hits(guess, model, held_out.x, held_out.y))
    loss_sum = float(total_loss(loss, model, held_out.x, held_out.y))
    return {"accuracy": right / len(held_out), "loss": loss_sum / len(held_out)}

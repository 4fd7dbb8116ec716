from __future__ import annotations

import hashlib

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss as reference_log_loss

from p2pnode.data.schema import Examples
from p2pnode.learning.layers import cross_entropy, init_mlp, judge, log_loss, mlp, uniform


def test_initial_values_are_the_same_everywhere():
    values = uniform(0, 1000)
    assert -1 <= values.min() < -0.9 < 0.9 < values.max() < 1
    assert hashlib.sha256(values.tobytes()).hexdigest().startswith("8171adc8f9bd62b4")


def test_the_network_is_relu_between_linear_layers():
    model = init_mlp(0, (3, 4, 2))
    x = np.array([[1.0, -2.0, 3.0]])
    model |= {"bias_0": np.array([1, -1, 2, 0], np.float32), "bias_1": np.ones(2, np.float32)}
    expected = np.maximum(x @ model["weights_0"] + model["bias_0"], 0) @ model["weights_1"] + model["bias_1"]
    assert np.asarray(mlp(model, jnp.asarray(x))) == pytest.approx(expected, rel=1e-5)


def test_losses_agree_with_scikit_learn():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    y = np.array([0, 1, 2, 0, 1, 2])
    odds = np.exp(logits)
    expected = reference_log_loss(y, odds / odds.sum(axis=1, keepdims=True))
    assert float(cross_entropy(jnp.asarray(logits), jnp.asarray(y)).mean()) == pytest.approx(expected, rel=1e-5)
    sign = (y > 0).astype(float)
    expected = reference_log_loss(sign, 1 / (1 + np.exp(-logits[:, 0])))
    assert float(log_loss(jnp.asarray(logits[:, 0]), jnp.asarray(sign)).mean()) == pytest.approx(expected, rel=1e-5)


def first_column(model, x):
    return x[:, 0]


def one(model, x, y):
    return jnp.ones(len(x))


def test_judging_counts_hits():
    rows = Examples(np.array([[1.0], [0.0], [1.0], [1.0]]), np.array([1, 0, 0, 1]))
    assert judge(one, first_column, {}, rows) == {"accuracy": 0.75, "loss": 1.0}

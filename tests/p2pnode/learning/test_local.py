from __future__ import annotations

import jax
import numpy as np
import pytest

from p2pnode.data.schema import Examples
from p2pnode.learning.local import LocalSgd, padded, random_key
from protocols.errors import LocalError


def squared(model, x, y):
    return (x @ model["w"] - y) ** 2 / 2


def rows(count: int, seed: int = 0) -> Examples:
    x = np.random.default_rng(seed).normal(size=(count, 2))
    return Examples(x, x @ np.array([1.0, -2.0]))


MODEL = {"w": np.zeros(2, np.float32)}


def test_the_same_inputs_give_the_same_bits_and_the_seed_orders_the_rows():
    sgd = LocalSgd(squared, epochs=2, batch=4, rate=0.05)
    first, again, other = (sgd.delta(MODEL, rows(30), seed)["w"] for seed in (5, 5, 5 + 2**32))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert first.dtype == np.float64


def test_it_learns():
    sgd = LocalSgd(squared, epochs=40, batch=8, rate=0.1)
    assert sgd.delta(MODEL, rows(50), 0)["w"] == pytest.approx([1.0, -2.0], abs=1e-3)


@pytest.mark.parametrize("count", [5, 8, 13])
def test_padding_weighs_nothing(count):
    """One batch that holds all rows is one step of full gradient descent, whatever the padding."""
    data = rows(count)
    delta = LocalSgd(squared, epochs=1, batch=16, rate=0.5).delta(MODEL, data, 0)["w"]
    assert delta == pytest.approx(0.5 * data.x.T @ data.y / count, rel=1e-5)


def test_each_epoch_sees_every_row_once():
    sgd = LocalSgd(squared, epochs=1, batch=4, rate=0.5)
    batches = np.asarray(sgd._batches(16, np.int32(10), random_key(3)))
    assert sorted(batches[batches < 10].tolist()) == list(range(10))
    assert batches.shape == (4, 4)


def test_peers_share_one_compilation():
    def traced(model, x, y):
        nonlocal traces
        traces += 1
        return squared(model, x, y)

    traces = 0
    for peer in range(6):
        LocalSgd(traced, epochs=1, batch=4, rate=0.1).delta(MODEL, rows(17 + peer), peer)
        if peer == 0:
            first = traces
    assert traces == first


def test_a_training_that_diverges_says_so():
    with pytest.raises(LocalError, match="diverged with rate 1000"):
        LocalSgd(squared, epochs=50, batch=4, rate=1000.0).delta(MODEL, rows(30), 0)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"epochs": 10**9}, {"batch": 0}, {"rate": 0.0}, {"rate": float("nan")}]
)
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(LocalError, match="local SGD"):
        LocalSgd(**{"loss": squared, "epochs": 1, "batch": 1, "rate": 1.0, **wrong})


def test_padding_goes_to_powers_of_two():
    assert [len(padded(rows(count))[0]) for count in (1, 2, 3, 60, 64, 65)] == [1, 2, 4, 64, 64, 128]
    assert len(padded(rows(3), least=10)[0]) == 16


def test_a_key_holds_all_64_bits():
    data = jax.random.key_data(random_key((7 << 32) + 9))
    assert data.tolist() == [7, 9]

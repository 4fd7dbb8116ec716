from __future__ import annotations

import numpy as np
import pytest

from p2pnode.learning.model import model_digest
from p2pnode.learning.task import load_task
from protocols.errors import LocalError
from protocols.updates.clip import to_grid


@pytest.mark.parametrize("seed", [0, 1])
def test_24_peers_learn_in_10_rounds(simulate, seed):
    task = load_task("digits")
    model, _ = simulate(task, peers=24, rounds=10, seed=seed)
    assert task.metrics(model, task.dataset().held_out)["accuracy"] >= 0.955


def test_24_peers_learn_under_differential_privacy(simulate):
    """Noise of 4 clips on each cell's sum of 8, 30 rounds: epsilon 6.8 at delta 1e-5, and still a useful model."""
    task = load_task("digits", {"noise_multiplier": 4.0})
    model, _ = simulate(task, peers=24, rounds=30)
    assert task.metrics(model, task.dataset().held_out)["accuracy"] >= 0.9


def test_a_run_repeats_to_the_last_bit(simulate):
    task = load_task("digits")
    assert model_digest(*simulate(task, peers=3, rounds=2)) == model_digest(*simulate(task, peers=3, rounds=2))


def test_an_honest_update_is_not_clipped():
    task = load_task("digits")
    model, train = task.init(0), task.dataset().train
    update = task.local_update(model, train.take(np.arange(60)), 0)
    grid = to_grid(update, task.update_schema)
    for spec in task.update_schema.tensors:
        assert np.abs(grid[spec.name] * spec.step - update[spec.name]).max() <= spec.step / 2


def test_a_network_has_a_limit():
    with pytest.raises(LocalError, match="widths"):
        load_task("digits", {"hidden": 10**9}).init(0)
    assert sum(tensor.size for tensor in load_task("digits").init(0).values()) == 2410

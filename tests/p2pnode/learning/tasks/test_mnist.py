from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from p2pnode.errors import DataError
from p2pnode.learning.task import load_task
from protocols.errors import LocalError

MNIST = os.environ.get("TWOPM_MNIST_NPZ", "")


def tiny_archive(path: Path, rows: int = 40) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, rows, dtype=np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images[:9], y_test=labels[:9])
    return path


def test_it_is_the_network_of_the_paper():
    assert sum(tensor.size for tensor in load_task("mnist").init(0).values()) == 199_210


def test_it_trains_on_an_archive(tmp_path, simulate):
    task = load_task("mnist", {"data": str(tiny_archive(tmp_path / "tiny.npz")), "epochs": 5})
    data = task.dataset()
    assert (len(data.train), len(data.held_out)) == (40, 9)
    before = task.metrics(task.init(0), data.train)["loss"]
    model, _ = simulate(task, peers=2, rounds=2)
    assert task.metrics(model, data.train)["loss"] < before


def test_the_path_is_no_part_of_the_task(tmp_path):
    assert load_task("mnist", {"data": "here.npz"}).spec == load_task("mnist", {"data": "there.npz"}).spec


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(LocalError, match="option data"):
        load_task("mnist").dataset()
    with pytest.raises(DataError, match=r"gone\.npz: no such data file"):
        load_task("mnist", {"data": str(tmp_path / "gone.npz")}).dataset()


@pytest.mark.slow
@pytest.mark.skipif(not MNIST, reason="MNIST is not shipped: set TWOPM_MNIST_NPZ to the path of mnist.npz")
def test_it_learns(simulate):
    task = load_task("mnist", {"data": MNIST})
    model, _ = simulate(task, peers=10, rounds=5)
    assert task.metrics(model, task.dataset().held_out)["accuracy"] >= 0.95

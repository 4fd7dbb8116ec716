from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from p2pnode.data.splits import split_iid
from p2pnode.learning.model import Tensors
from p2pnode.learning.task import Task
from protocols.privacy.noise import gaussian
from protocols.types import Secret
from protocols.updates.clip import Noise, from_grid, to_grid

Simulation = Callable[..., tuple[Tensors, Tensors]]


def noise_of(task: Task, seed: bytes) -> Noise | None:
    """A member's share in a cell of eight, where the task promises privacy."""
    privacy = task.update_schema.privacy
    if privacy is None:
        return None
    sigma = privacy.member_sigma(8, 5)
    return lambda tensor: sigma * gaussian(Secret(seed), tensor.name, tensor.size).reshape(tensor.shape)


@pytest.fixture
def simulate() -> Simulation:
    """Trains a task in process: each peer's update goes over the grid, the sums are exact, no network in between."""

    def run(task: Task, *, peers: int, rounds: int, seed: int = 0) -> tuple[Tensors, Tensors]:
        train = task.dataset().train
        shares = [train.take(rows) for rows in split_iid(len(train), peers, seed=seed)]
        model = task.init(seed)
        state = task.initial_state(model)
        for height in range(rounds):
            updates = [task.local_update(model, share, height * peers + peer) for peer, share in enumerate(shares)]
            grids = [
                to_grid(update, task.update_schema, noise_of(task, bytes([peer, height]) * 16))
                for peer, update in enumerate(updates)
            ]
            sums = {name: np.sum([grid[name] for grid in grids], axis=0) for name in grids[0]}
            model, state = task.apply(model, state, from_grid(sums, task.update_schema), peers)
        return model, state

    return run

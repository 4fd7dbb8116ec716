from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from p2pnode.data.splits import split_iid
from p2pnode.learning.model import Tensors
from p2pnode.learning.task import Task
from protocols.updates.clip import from_grid, to_grid

Simulation = Callable[..., tuple[Tensors, Tensors]]


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
            grids = [to_grid(update, task.update_schema) for update in updates]
            sums = {name: np.sum([grid[name] for grid in grids], axis=0) for name in grids[0]}
            model, state = task.apply(model, state, from_grid(sums, task.update_schema), peers)
        return model, state

    return run

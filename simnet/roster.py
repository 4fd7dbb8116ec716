"""Who takes part in a simulation: data peers, helpers without data where the committee needs them, validators."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from p2pnode.data.schema import Examples
from p2pnode.data.splits import split_dirichlet, split_iid
from p2pnode.identity import Identity
from p2pnode.learning.task import Task
from protocols.types import Role, Secret
from simnet.scenario import Scenario, data_peer

STAKE_WEI: Final = 10**18


@dataclass(frozen=True, slots=True)
class Member:
    """One peer of a simulation.

    Attributes:
        name: unique, also in events.
        share: number of its part of the data set, None without data.
        held_out: whether it judges the model on held-out data after each round.
    """

    name: str
    roles: Role
    share: int | None
    held_out: bool = False
    stake: int = STAKE_WEI


def roster(scenario: Scenario) -> list[Member]:
    """Everybody, in the order in which they join."""
    doomed = {name for fault in scenario.all_faults for name in fault.names()}
    names = [data_peer(number) for number in range(scenario.peers)]
    judge = next((name for name in names if name not in doomed), names[0])
    compute = scenario.peers if scenario.compute is None else scenario.compute
    data = [
        Member(name, Role.DATA | Role.COMPUTE if number < compute else Role.DATA, number, held_out=name == judge)
        for number, name in enumerate(names)
    ]
    missing = max(0, scenario.protocol().committee - scenario.peers)
    helpers = [Member(f"helper-{number:02d}", Role.COMPUTE, None) for number in range(missing)]
    validators = [Member(f"validator-{number}", Role.VALIDATOR, None) for number in range(scenario.validators)]
    return [*data, *helpers, *validators]


def identity(seed: int, name: str) -> Identity:
    """A member's keys. They follow from the seed, so that runs can be compared; they guard nothing of value."""
    keys = (hashlib.sha256(f"simnet {kind} key {seed} {name}".encode()).digest() for kind in ("peer", "operator"))
    return Identity(*map(Secret, keys))


def deal_data(scenario: Scenario, task: Task) -> list[Examples]:
    """Each data peer's own rows of the task's built-in training data.

    Raises:
        LocalError: there are too few rows for so many peers.
    """
    train, alpha = task.dataset().train, scenario.alpha()
    if alpha is None:
        shares = split_iid(len(train), scenario.peers, seed=scenario.seed)
    else:
        shares = split_dirichlet(train.y, scenario.peers, alpha=alpha, seed=scenario.seed)
    return [train.take(rows) for rows in shares]

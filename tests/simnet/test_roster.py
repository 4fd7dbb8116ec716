import numpy as np

from p2pnode.learning.task import load_task
from protocols.types import Role
from simnet.roster import deal_data, identity, roster
from simnet.scenario import make_scenario


def test_helpers_fill_the_committee() -> None:
    members = roster(make_scenario({"task": "spector", "peers": 3, "k_min": 3, "dropouts": 0}))
    assert [member.name for member in members if not member.roles & Role.DATA] == [
        *(f"helper-{number:02d}" for number in range(4)),
        *(f"validator-{number}" for number in range(4)),
    ]
    assert sum(Role.COMPUTE in member.roles for member in members) == 7
    assert [member.held_out for member in members].count(True) == 1


def test_the_judge_is_nobody_that_a_fault_takes_away() -> None:
    scenario = make_scenario({"faults": [{"kind": "vanish", "at_height": 1, "peers": [0, 1]}]})
    assert [member.name for member in roster(scenario) if member.held_out] == ["peer-02"]


def test_identities_follow_from_seed_and_name() -> None:
    assert identity(1, "a").peer == identity(1, "a").peer
    assert len({identity(1, "a").peer, identity(2, "a").peer, identity(1, "b").peer}) == 3


def test_rows_are_dealt_without_loss() -> None:
    task = load_task("breast_cancer")
    for split in ("iid", "dirichlet:0.5"):
        shares = deal_data(make_scenario({"peers": 8, "split": split}), task)
        rows = np.concatenate([share.x for share in shares])
        assert np.array_equal(np.sort(rows, axis=0), np.sort(task.dataset().train.x, axis=0))

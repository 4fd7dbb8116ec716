"""What the README shows works: its task learns, its scenario is one, the files that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from p2pnode.data.splits import split_iid
from p2pnode.learning.task import load_task
from protocols.updates.clip import from_grid, to_grid
from simnet.scenario import make_scenario, read_scenario

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return found


def test_the_task_learns(tmp_path: Path) -> None:
    module = tmp_path / "iris.py"
    module.write_text(block("python"))
    task = load_task(str(module))
    data, model, peers = task.dataset(), task.init(0), 4
    state = task.initial_state(model)
    shares = [data.train.take(rows) for rows in split_iid(len(data.train), peers, seed=0)]
    for height in range(5):
        updates = [to_grid(task.local_update(model, share, height), task.update_schema) for share in shares]
        sums = {name: sum(update[name] for update in updates) for name in updates[0]}
        model, state = task.apply(model, state, from_grid(sums, task.update_schema), peers)
    assert task.metrics(model, data.held_out)["accuracy"] >= 0.8


def test_the_scenario_is_one(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(block("toml"))
    scenario = make_scenario(read_scenario(file))
    assert [fault.kind for fault in scenario.faults] == ["silent", "vanish"]
    assert scenario.protocol().k_min == 5


def test_the_files_on_the_gradients_walk_are_there() -> None:
    walk = README.split("## The walk of one gradient")[1].split("##")[0]
    for row in walk.splitlines():
        folder = ROOT
        for name in re.findall(r"`([\w./]+)`", row):
            file = ROOT / name if "/" in name else folder / name
            assert file.exists(), f"{name} in: {row}"
            folder = file.parent


@pytest.mark.parametrize("document", ["README.md", "protocols/README.md", "CHANGELOG.md"])
def test_the_paths_that_documents_name_are_there(document: str) -> None:
    text = (ROOT / document).read_text()
    for name in re.findall(r"`((?:protocols|p2pnode|contracts|simnet|tests|docs|tools)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name

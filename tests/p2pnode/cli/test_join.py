"""Strangers join a running mesh: own processes, own folders, nothing but a bootstrap address and a chain URL."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from p2pnode.learning.task import load_task
from protocols.presets import preset

PATIENCE_S = 400
ROUNDS = 60


@dataclass
class Program:
    """A running console command, its output in files."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """What a node logged as JSON; a line that is being written is left for the next time."""
        lines = [json.loads(line) for line in self.err.read_text().split("\n")[:-1] if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def until(self, what: str, holds: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := holds()):
            assert self.process.poll() is None, f"ended without {what}:\n{self.err.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"no {what}:\n{self.err.read_text()[-3000:]}"
            time.sleep(0.2)
        return found

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    running: list[subprocess.Popen[bytes]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("P2PNODE_")}

    def call(command: str, *arguments: object, cwd: Path = tmp_path) -> Program:
        out, err = cwd / f"{len(running)}.out", cwd / f"{len(running)}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name(command)), *map(str, arguments)],
                cwd=cwd,
                env=environment | {"P2PNODE_PASSPHRASE": "correct horse", "P2PNODE_LOG_FORMAT": "json"},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        running.append(process)
        return Program(process, out, err)

    yield call
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in running:
        process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_strangers_join_a_running_mesh_and_end_with_its_model(start: Callable[..., Program], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("provider", "verifier", "passer-by")]
    for folder in folders:
        folder.mkdir()
        assert start("p2pnode", "init", cwd=folder).exit_code() == 0
    task = load_task("breast_cancer")
    train = task.dataset().train
    frame = pd.DataFrame(train.x[:50], columns=[column.name for column in task.schema.features])
    frame.assign(**{task.schema.label.name: train.y[:50]}).to_csv(folders[0] / "mine.csv", index=False)

    mesh = start("simnet", "run", "--task", "breast_cancer", "--peers", 8, "--rounds", ROUNDS, "--out", "mesh")
    found = mesh.until("addresses", lambda: re.search(r"bootstrap +(\S+)\s+chain +(\S+)", mesh.out.read_text()))
    join = ("--bootstrap", found[1], "--chain", found[2])

    provider = start("p2pnode", "run", *join, "--data", "mine.csv", cwd=folders[0])
    verifier = start("p2pnode", "validate", *join, cwd=folders[1])
    passer_by = start("p2pnode", "validate", *join, cwd=folders[2])

    passer_by.until("rounds", lambda: passer_by.events("applied"))
    status = start("p2pnode", "status", cwd=folders[2])
    assert status.exit_code() == 0
    assert "task" in status.out.read_text()
    passer_by.process.send_signal(signal.SIGINT)
    assert passer_by.exit_code() == 130
    assert passer_by.events("stopped")
    assert not (folders[2] / "telemetry.url").exists()

    assert [program.exit_code() for program in (mesh, provider, verifier)] == [0, 0, 0]
    digest = json.loads((tmp_path / "mesh" / "summary.json").read_text())["params_digest"]
    for stranger in (provider, verifier):
        assert [each["params_digest"] for each in stranger.events("run complete")] == [digest]
        assert stranger.events("registered")
        assert not stranger.events("unexpected")

    took_part(provider)
    verdicts = verifier.events("verdict")
    assert verdicts
    assert all(each["ok"] for each in verdicts)
    assert verifier.events("attested")


def took_part(provider: Program) -> None:
    """From the epoch after it joined on, its update is among those that are opened."""
    me = provider.events("joined")[0]["peer"]
    cells = {each["epoch"]: [peer for cell in each["cells"] for peer in cell] for each in provider.events("epoch")}
    mine = [epoch for epoch in sorted(cells) if me in cells[epoch]]
    caught_up = min(each["height"] for each in provider.events("applied")) // preset("dev").rounds_per_epoch
    assert caught_up < min(mine) <= caught_up + 2  # the next but one, where it registered behind the next one's border
    assert [epoch for epoch in cells if epoch >= min(mine)] == mine
    contributed = [each for each in provider.events("opened") if me in each["contributors"]]
    submitted = {each["height"] for each in provider.events("submitted")}
    assert submitted
    assert contributed or not provider.events("opened")  # only members of the committee open sums

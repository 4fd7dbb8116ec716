"""Real runs: processes, sockets, the embedded chain."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from p2pnode.data.sources import export_csv
from p2pnode.learning.task import load_task
from simnet.roster import deal_data
from simnet.scenario import make_scenario
from tests.simnet.real import SMALL, events, finished, said, started, summary


def test_a_small_real_run_ends_as_the_virtual_one_does(tmp_path: Path) -> None:
    finished(*SMALL, "--rounds", 2, "--out", tmp_path / "real")
    finished(*SMALL, "--rounds", 2, "--out", tmp_path / "virtual", "--backend", "virtual")
    real, virtual = summary(tmp_path / "real"), summary(tmp_path / "virtual")
    assert real["params_digest"] == virtual["params_digest"]
    assert real["final_metrics"]["accuracy"] > 0.9
    assert real["checkpoints"] == {"anchored": 2, "finalised": 2}
    assert real["attestations"] >= 6
    assert real["sums_opened"] == 2
    assert real["bytes_sent_per_peer_median"] > 100_000
    assert len(events(tmp_path / "real", lambda event: event["event"] == "finished")) == 12
    assert not events(tmp_path / "real", lambda event: event["event"] == "unexpected")
    with np.load(tmp_path / "real" / "params.npz") as mine, np.load(tmp_path / "virtual" / "params.npz") as other:
        assert all(np.array_equal(mine[name], other[name]) for name in other)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_where_it_was(how: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with started(*SMALL, "--rounds", 6, "--out", out) as process:
        said(process, "^round 2 ")
        process.send_signal(how)
        assert process.wait(timeout=30) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    finished("--resume", out)
    resumed = events(out, lambda event: event["event"] == "resumed")
    assert len(resumed) == 12
    assert min(event["height"] for event in resumed) >= 2
    result = summary(out)
    assert result["rounds_applied"] >= 5  # the round that was on is lost: its shares went with their keys
    assert result["checkpoints"]["anchored"] == result["checkpoints"]["finalised"] == result["rounds_applied"]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_third_of_the_peers_is_killed_and_restarted_in_every_round(tmp_path: Path) -> None:
    """SIGKILL to whole processes, a node in each, for 20 rounds: who can complete a round does, and nothing leaks.

    A killed member's share key dies with it (decision 0006), so the committee can spare the victims of a round.
    """
    out, rounds, peers, quorum = tmp_path / "run", 20, 16, 8
    committee = ["--k-min", 4, "--dropouts", peers - quorum, "--committee", 15, "--threshold", 8]
    patience = [f"--param={name}={value}" for name, value in {"submit_s": 30, "grace_s": 4, "agree_s": 20}.items()]
    scenario = tmp_path / "churn.toml"
    scenario.write_text("validators = 2\nchurn = { share = 0.3, seconds = 1 }\n")
    sizes = ["--processes", peers + 2, "--rounds", rounds, "--peers", peers]
    finished(scenario, "--task", "breast_cancer", *sizes, *committee, *patience, "--out", out, timeout=1400)

    kills = {event["at"]: event["peers"] for event in events(out, lambda event: event["event"] == "fault")}
    assert len(kills) == rounds
    assert sum(map(len, kills.values())) >= 0.2 * peers * rounds  # who is down already cannot be killed again
    applied = {event["height"] for event in events(out, lambda event: event["event"] == "applied")}
    submitted: dict[int, set[str]] = {}
    for event in events(out, lambda event: event["event"] == "submitted"):
        submitted.setdefault(event["height"], set()).add(event["node"])
    began = {height: min(of_height) for height, of_height in _times(out, "submitted").items()}
    for height, names in submitted.items():
        struck = {name for at, victims in kills.items() if abs(at - began[height]) < 30 for name in victims}
        assert height in applied or len(names - struck) < quorum, f"round {height}"
    assert len(applied) >= 0.9 * rounds
    _assert_no_leak(out)


def _times(out: Path, name: str) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for event in events(out, lambda event: event["event"] == name):
        found.setdefault(event["height"], []).append(event["at"])
    return found


def _assert_no_leak(out: Path) -> None:
    """Processes that live all the time (the validators') while others come and go: files and memory level out.

    The last third of the run is held against the second one.
    """
    samples = events(out, lambda event: event["event"] == "resources" and event["node"] in ("worker-16", "worker-17"))
    for worker in ("worker-16", "worker-17"):
        mine = [event for event in samples if event["node"] == worker]
        third = len(mine) // 3
        middle, end = mine[third : 2 * third], mine[2 * third :]
        assert len(end) >= 3
        assert max(each["open_files"] for each in end) <= max(each["open_files"] for each in middle) + 8
        grown = statistics.median(each["rss_bytes"] for each in end) - statistics.median(
            each["rss_bytes"] for each in middle
        )
        assert grown < 24 << 20, f"{worker} grew by {grown / 2**20:.0f} MiB"


@pytest.mark.slow
def test_strangers_join_with_nothing_but_an_address_and_a_url(tmp_path: Path) -> None:
    """A data holder with its own file and a validator, from two folders, end with the mesh's parameters."""
    task = load_task("breast_cancer")
    (rows, *_) = deal_data(make_scenario({"task": "breast_cancer", "peers": 8, "seed": 5}), task)
    export_csv(tmp_path / "own.csv", task.schema, rows)
    with started(*SMALL, "--rounds", 32, "--param=rounds_per_epoch=4", "--out", tmp_path / "mesh") as mesh:
        bootstrap = said(mesh, r"bootstrap +(/\S+)")[1]
        chain = said(mesh, r"chain +(http\S+)")[1]
        where = ["--bootstrap", bootstrap, "--chain", chain]
        data = _stranger("run", tmp_path / "data", *where, "--data", str(tmp_path / "own.csv"))
        validator = _stranger("validate", tmp_path / "validator", *where)
        said(mesh, "32 of 32 rounds")
        digest = said(mesh, r"parameters (\w+)")[1]
        logs = [stranger.communicate(timeout=60)[1] for stranger in (data, validator)]
    assert [stranger.returncode for stranger in (data, validator)] == [0, 0], logs
    assert all(digest in log for log in logs), logs
    peer = re.search(r"peer=(\w+)", logs[0])
    mine = events(tmp_path / "mesh", lambda event: event["event"] == "opened" and len(event["contributors"]) == 9)
    assert mine, f"{peer} took part in no sum"
    assert "verdict" in logs[1]


def _stranger(command: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", "from p2pnode.cli.main import main; main()"]
    environment = {**os.environ, "P2PNODE_PASSPHRASE": "a passphrase of a test"}
    subprocess.run([*program, "init", "--folder", folder], env=environment, check=True, capture_output=True)
    return subprocess.Popen(
        [*program, command, "--folder", folder, *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

"""The command line as a person meets it: its errors in one sentence each, and nothing lost."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.privacy.accountant import epsilon_micro
from simnet import trial
from simnet.cli import main
from simnet.trial import Verdict

SMALL = ("--task", "breast_cancer", "--peers", "8", "--rounds", "1")


def simnet(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Runs the command line here; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["simnet", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "digit"], "unknown task 'digit'; known: breast_cancer, digits"),
        (["--peers", "3", "--k-min", "4", "--dropouts", "0"], "3 peers cannot fill one cell"),
        (["--threshold", "9"], "threshold 9 exceeds the committee of 7"),
        (["--dp-noise", "4", "--dp-budget", "2", "--rounds", "5"], "lasts for 3 rounds, not for 5"),
        (["--preset", "testnet", "--k-min", "5"], "do not reach what it claims"),
        (["--backend", "cloud"], "backend = 'cloud'"),
        (["--option", "rate"], "write it as KEY=VALUE"),
        (["--param", "speed=3"], "unknown protocol parameter 'speed'"),
        ([*SMALL, "--option", "speed=3"], "has no option 'speed'"),
        ([*SMALL, "--option", "rate=fast"], "option 'rate' must be float"),
        (["--task", "spector", "--peers", "40"], "cannot give 40 peers"),
        (["--resume", "nowhere"], "holds no run"),
        (["missing.toml"], "cannot read scenario"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    virtual = [] if {"--backend", "--resume"} & set(arguments) else ["--backend", "virtual"]
    assert simnet(monkeypatch, "run", *arguments, *virtual) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.rglob("*.json*")) == []


def test_a_run_leaves_what_it_promises_and_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["run", *SMALL, "--backend", "virtual", "--plaintext", "--out", out]
    assert simnet(monkeypatch, *arguments) == 0
    assert "Nothing is encrypted" in capsys.readouterr().out
    left = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {"summary.json", "events.jsonl", "params.npz", "report.html"} <= set(left)
    assert json.loads(left["summary.json"])["scheme"] == "plaintext"
    assert simnet(monkeypatch, *arguments) == 1
    assert f"--resume {out}" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == left


def test_a_virtual_run_is_replayed_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    assert simnet(monkeypatch, "run", *SMALL, "--backend", "virtual", "--out", out) == 0
    events = (out / "events.jsonl").read_bytes()
    (out / "events.jsonl").write_bytes(events[: len(events) // 2])
    assert simnet(monkeypatch, "run", "--resume", out) == 0
    assert (out / "events.jsonl").read_bytes() == events


def test_scenario_file_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = tmp_path / "small.toml", tmp_path / "run"
    file.write_text('task = "breast_cancer"\nbackend = "virtual"\npeers = 9\nrounds = 1\n[options]\nepochs = 1\n')
    assert simnet(monkeypatch, "run", file, "--peers", "8", "--seed", "3", "--out", out) == 0
    scenario = json.loads((out / "run.json").read_text())["scenario"]
    assert (scenario["peers"], scenario["seed"], scenario["options"]) == (8, 3, {"epochs": 1})


def test_under_differential_privacy_the_summary_says_what_it_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    privacy = ["--dp-noise", "4", "--dp-clip", "0.5", "--dp-delta", "1e-6", "--dp-budget", "3"]
    assert simnet(monkeypatch, "run", *SMALL, "--backend", "virtual", *privacy, "--out", out) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["epsilon"] == epsilon_micro(4.0, 1e-6, summary["rounds_applied"]) / 1e6
    options = json.loads((out / "run.json").read_text())["scenario"]["options"]
    assert options == {"noise_multiplier": 4.0, "clip": 0.5, "delta": 1e-6, "budget": 3.0}


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simnet(monkeypatch, "run", *SMALL, "--out", "/proc/run") == 1
    assert "cannot create the folder /proc/run" in capsys.readouterr().err


@pytest.mark.parametrize("trouble", ["dead chain", "port in use"])
def test_what_only_a_real_run_can_find_out(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        bad = ["--chain", "http://127.0.0.1:9"] if trouble == "dead chain" else ["--port", port]
        assert simnet(monkeypatch, "run", *SMALL, "--out", tmp_path / "run", *bad) == 1
    assert (
        "no chain answers at http://127.0.0.1:9" if trouble == "dead chain" else f"{port}"
    ) in capsys.readouterr().err


def test_help_and_version_are_for_strangers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simnet(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("simnet ")
    assert simnet(monkeypatch, "run", "--help") == 0
    text = capsys.readouterr().out
    assert "Default: 24" in text
    assert "WITHOUT encryption" in text


def test_trials_say_now_and_then_how_far_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def quick(seeds: range, rounds: int, _: int) -> Iterator[Verdict]:
        return (Verdict(seed, False, rounds, rounds, ()) for seed in seeds)

    monkeypatch.setattr(trial, "run_trials", quick)
    assert simnet(monkeypatch, "trials", "--rounds", 100, "--world-rounds", 4) == 0
    told = capsys.readouterr()
    lines = [line.rsplit(", ", 1) for line in told.err.splitlines()]
    assert [line for line, _ in lines] == ["10 of 25 worlds, 40 rounds", "20 of 25 worlds, 80 rounds"]
    assert all(re.fullmatch(r"\d+ s", seconds) for _, seconds in lines)
    assert told.out == "100 rounds in 25 worlds, 100 of them completed; rules were broken in 0 worlds\n"

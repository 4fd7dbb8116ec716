from pathlib import Path

import pytest

from protocols.errors import LocalError
from simnet import world
from simnet.events import Event, Sink
from simnet.launch import new_run, resumed_run
from simnet.outcome import Outcome
from simnet.scenario import Scenario, make_scenario

SMALL = make_scenario({"task": "breast_cancer", "peers": 8, "rounds": 1, "backend": "virtual"})


def test_what_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="has no option"):
        new_run(SMALL.model_copy(update={"options": {"speed": 1}}), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Outcome:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world, "run_virtual", interrupted)
        with pytest.raises(KeyboardInterrupt):
            new_run(SMALL, tmp_path / "run")
    assert f"simnet run --resume {tmp_path}" in capsys.readouterr().out.replace("\n", "")
    resumed_run(tmp_path / "run", {})
    assert (tmp_path / "run" / "summary.json").exists()


def test_peers_that_end_apart_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def split(scenario: Scenario, sink: Sink, task: object) -> Outcome:
        return Outcome({"peer-00": "aa", "peer-01": "bb"})

    monkeypatch.setattr(world, "run_virtual", split)
    with pytest.raises(LocalError, match="different parameters"):
        new_run(SMALL, tmp_path / "run")


def test_a_run_without_a_single_round_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def idle(scenario: Scenario, sink: Sink, task: object) -> Outcome:
        sink(Event(1.0, "peer-00", "abandoned", {"height": 0, "reason": "nobody came"}))
        return Outcome({"peer-00": "aa"})

    monkeypatch.setattr(world, "run_virtual", idle)
    with pytest.raises(LocalError, match=r"no round was completed \(nobody came\)"):
        new_run(SMALL, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()

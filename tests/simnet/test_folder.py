from pathlib import Path

import numpy as np
import pytest

from p2pnode.learning.model import model_bytes
from protocols.errors import LocalError
from simnet.events import Event
from simnet.folder import RunFolder
from simnet.scenario import make_scenario

SCENARIO = make_scenario({"faults": [{"kind": "vanish", "at_height": 1, "peers": [3]}], "options": {"rate": 0.5}})
EVENT = Event(1.0, "peer-00", "applied", {"height": 0})


def test_a_run_is_found_again_whole(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", SCENARIO) as run:
        run.record(EVENT)
        started = run.started
    with (tmp_path / "run" / "events.jsonl").open("a") as events:
        events.write('{"torn')
    with RunFolder.resume(tmp_path / "run") as run:
        assert (run.scenario, run.started) == (SCENARIO, started)
        run.record(EVENT)
        assert run.events() == [EVENT, EVENT]


def test_no_run_is_overwritten(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", SCENARIO):
        pass
    with pytest.raises(LocalError, match="--resume"):
        RunFolder.create(tmp_path / "run", SCENARIO)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(LocalError, match="not an empty folder"):
        RunFolder.create(tmp_path / "other", SCENARIO)


def test_one_simnet_at_a_time(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", SCENARIO), pytest.raises(LocalError, match="another simnet is running"):
        RunFolder.resume(tmp_path / "run")


def test_what_cannot_be_resumed_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="holds no run"):
        RunFolder.resume(tmp_path)
    (tmp_path / "run.json").write_text('{"scenario": {}')
    with pytest.raises(LocalError, match=r"run\.json is damaged"):
        RunFolder.resume(tmp_path)


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="cannot create the folder"):
        RunFolder.create(tmp_path / "file" / "run", SCENARIO)


def test_final_parameters_by_name(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", SCENARIO) as run:
        run.save_model(model_bytes({"weights": np.arange(3.0)}, {}))
    with np.load(tmp_path / "run" / "params.npz") as arrays:
        assert arrays["weights"].tolist() == [0, 1, 2]

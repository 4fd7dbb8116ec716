"""A run's folder: all that is needed to look at the run, and to go on with it.

run.json       the scenario, complete            chain.jsonl   the embedded chain's log
events.jsonl   what happened                     nodes/NAME/   each node's journal and blobs
summary.json, params.npz, report.html            logs/         what the worker processes said
"""

from __future__ import annotations

import fcntl
import io
import json
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from pydantic import ValidationError

from p2pnode.files import explained, make_folder, write_durably
from protocols.errors import LocalError
from simnet.events import Event, read_events
from simnet.scenario import Scenario

RUN: Final = "run.json"
EVENTS: Final = "events.jsonl"


class RunFolder:
    """A run's folder, held by one simnet at a time. Use `create` or `resume`, as a context manager.

    Attributes:
        started: Unix seconds at which the run first began.
    """

    def __init__(self, path: Path, scenario: Scenario, started: float) -> None:
        self.path, self.scenario, self.started = path, scenario, started
        self._open = ExitStack()
        with explained("write", path / EVENTS):
            self._events = self._open.enter_context((path / EVENTS).open("a", encoding="utf-8"))
        try:
            fcntl.flock(self._events, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._open.close()
            raise LocalError(f"another simnet is running in {path}; stop it or take another folder") from error

    @classmethod
    def create(cls, path: Path, scenario: Scenario) -> Self:
        """A new run's folder.

        Raises:
            LocalError: a run or anything else is there already, or it cannot be written.
        """
        if (path / RUN).exists():
            raise LocalError(
                f"{path} holds a run already: `simnet run --resume {path}` goes on with it; or take another --out"
            )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise LocalError(f"{path} exists and is not an empty folder; take another --out")
        make_folder(path)
        started = time.time()
        content = {"started": started, "scenario": scenario.model_dump(mode="json")}
        write_durably(path / RUN, json.dumps(content, indent=2).encode(), replace=False)
        return cls(path, scenario, started)

    @classmethod
    def resume(cls, path: Path) -> Self:
        """The folder of a run that was interrupted (or is finished).

        Raises:
            LocalError: there is no run, or its run.json is damaged.
        """
        if not (path / RUN).exists():
            raise LocalError(f"{path} holds no run: there is no {RUN} in it")
        try:
            with explained("read", path / RUN):
                content = json.loads((path / RUN).read_bytes())
            scenario = Scenario.model_validate(content["scenario"])
            run = cls(path, scenario, float(content["started"]))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise LocalError(f"{path / RUN} is damaged: {error}") from error
        run._cut_torn_event()
        return run

    def record(self, event: Event) -> None:
        """Appends an event to events.jsonl."""
        with explained("write", self.path / EVENTS):
            self._events.write(event.line() + "\n")
            self._events.flush()

    def events(self) -> list[Event]:
        """All events so far."""
        return list(read_events(self.path / EVENTS))

    def restart_events(self) -> None:
        """Forgets all events: a virtual run is replayed from its start."""
        with explained("write", self.path / EVENTS):
            self._events.truncate(0)

    def discard(self) -> None:
        """Removes the folder of a new run that turned out not to be able to begin."""
        with explained("remove", self.path):
            shutil.rmtree(self.path)

    def node(self, name: str) -> Path:
        """The folder of one node's state."""
        return self.path / "nodes" / name

    def save_summary(self, summary: dict[str, Any]) -> None:
        write_durably(self.path / "summary.json", json.dumps(summary, indent=2).encode() + b"\n", replace=True)

    def save_model(self, model: bytes) -> None:
        """params.npz: the final parameters by name."""
        from p2pnode.learning.model import load_model  # late: JAX takes seconds to import

        params, _ = load_model(model)
        buffer = io.BytesIO()
        np.savez(buffer, **params)  # type: ignore[arg-type]  # numpy's stub takes the names for its own keywords
        write_durably(self.path / "params.npz", buffer.getvalue(), replace=True)

    def save_report(self, html: str) -> None:
        write_durably(self.path / "report.html", html.encode(), replace=True)

    def _cut_torn_event(self) -> None:
        path = self.path / EVENTS
        with explained("repair", path):
            self._events.truncate(path.read_bytes().rfind(b"\n") + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def free_folder(task: str) -> Path:
    """runs/TASK-001, or the first number that is free."""
    stem = Path(task).stem
    taken = (Path("runs") / f"{stem}-{number:03d}" for number in range(1, 1000))
    return next((path for path in taken if not path.exists()), Path("runs") / f"{stem}-{time.time_ns()}")

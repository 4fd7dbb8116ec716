"""A real `simnet run` in a process of its own, as a person starts it: for tests that interrupt it or join it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIMNET = [sys.executable, "-c", "from simnet.cli import main; main()", "run"]
QUICK = [f"--param={name}={value}" for name, value in {"submit_s": 10, "agree_s": 5, "open_s": 8}.items()]
SMALL = ["--task", "breast_cancer", "--peers", "8", *QUICK]


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The running process; killed at the end if it still runs."""
    command = [*SIMNET, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(*arguments: object, timeout: float = 280) -> str:
    """What a run to its end said; it must end well."""
    done = subprocess.run([*SIMNET, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Reads its output until a line matches; that it ends before is a failure."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"it never said {pattern!r}, but: {''.join(seen)}")


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


def events(out: Path, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The events of a run that fit."""
    lines = (out / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if wanted(event)]

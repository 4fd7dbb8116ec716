"""An encrypted run ends with the very parameters of a plaintext run on the same grid, whatever the machine is set to.

Threads and instruction sets change the bits of floating point: two settings may well end apart from each other. Within
each, what is trained is rounded to the grid once, and from there on everything is integers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = {
    "1 thread, all instructions": (1, ""),
    "2 threads, all instructions": (2, ""),
    "1 thread, AVX2 at most": (1, "--xla_cpu_max_isa=AVX2"),
    "2 threads, AVX2 at most": (2, "--xla_cpu_max_isa=AVX2"),
    "2 threads, SSE4.2 at most": (2, "--xla_cpu_max_isa=SSE4_2"),
}
RUN = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])  # XLA takes as many threads as cores
from simnet.scenario import make_scenario
from simnet.world import run_virtual
for plaintext in (False, True):
    values = {"task": sys.argv[2], "peers": 8, "rounds": 2, "backend": "virtual", "validators": 0}
    outcome = run_virtual(make_scenario(values, {"plaintext": plaintext}), lambda _: None)
    (digest,) = set(outcome.digests.values())
    assert len(outcome.digests) == 8
    print(digest)
"""


def digests(task: str, threads: int, flags: str) -> list[str]:
    """The final parameters of an encrypted and of a plaintext run, in a process with these settings."""
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", RUN, str(threads), task]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["digits", "breast_cancer"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_encrypted_and_plaintext_end_alike(task: str, setting: str) -> None:
    threads, flags = SETTINGS[setting]
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip(f"this machine has not got {threads} cores")
    encrypted, plain = digests(task, threads, flags)
    print(f"{task}, {setting}: {plain[:16]}")  # `pytest -rP` shows which settings agree with each other
    assert encrypted == plain

"""Three hosts with 50 ms latency and 1 % loss between them: encrypted rounds complete (issue: point 7)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import urlparse

import pytest

import simnet.pool
from contracts import devchain
from simnet.launch import new_run
from simnet.scenario import make_scenario
from tests.namespaces.lab import address_of, be_a_worker_there, enter, hosts, lead_out, listener_in, name_of
from tests.namespaces.lab import need_namespaces as need

HOSTS, DELAY_S, LOSS, ROUNDS = 3, 0.05, 0.01, 3


def round_trip(lab: Path) -> float:
    """Seconds from host 0 to host 1 and back, through the kernel's own TCP."""
    import socket
    import threading

    taken = []

    def call() -> None:
        enter(name_of(lab, 0))
        began = time.monotonic()
        with socket.create_connection((address_of(1), 7000), timeout=20):
            taken.append(time.monotonic() - began)

    def answer() -> None:
        enter(name_of(lab, 1))
        ready.append(socket.create_server((address_of(1), 7000)))

    ready: list[socket.socket] = []
    for step in (answer, call):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    ready[0].close()
    return taken[0]


@pytest.mark.slow
def test_three_hosts_complete_rounds_over_a_bad_wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need()
    run = tmp_path / "run"
    lab = run / "logs"
    chain = devchain.start(tmp_path / "chain.jsonl")
    try:
        with hosts(lab, HOSTS, DELAY_S, LOSS) as carried:
            assert round_trip(lab) >= 2 * DELAY_S
            port = urlparse(chain.url).port
            assert port is not None
            listeners = [listener_in(name_of(lab, number), port) for number in range(HOSTS)]
            for listener in listeners:
                lead_out(listener, port)
            monkeypatch.setattr(simnet.pool, "_be_a_worker", be_a_worker_there)
            monkeypatch.setattr(simnet.pool.Pool, "host", lambda _pool, number: address_of(number))
            wanted = {"task": "breast_cancer", "peers": 9, "rounds": ROUNDS, "processes": HOSTS, "chain": chain.url}
            new_run(make_scenario({**wanted, "backend": "real"}), run)
            for listener in listeners:
                listener.close()
    finally:
        chain.stop()
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["scheme"], summary["rounds_applied"], summary["abandoned"]) == ("one-time-key", ROUNDS, {})
    assert summary["sums_opened"] == ROUNDS
    assert summary["checkpoints"]["finalised"] == ROUNDS
    assert carried.packets > 1000
    assert 0.5 * LOSS < carried.lost / carried.packets < 2 * LOSS
    print(f"{carried} in {ROUNDS} rounds")

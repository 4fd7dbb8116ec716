"""A sample of kill -9 with real processes, sockets and disks: at some records of some journal everything is killed."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from pathlib import Path

import pytest

from p2pnode.journal import scan
from p2pnode.node import JOURNAL_RECORD_MAX_BYTES
from protocols.agreement.memory import Lock
from protocols.effects import Journal
from protocols.errors import MalformedError
from protocols.wire.codec import decode, encode
from tests.simnet.real import SMALL, events, finished, started, summary

POLL_S = 0.005
DEADLINE_S = 200


def journals(out: Path) -> dict[str, list[Journal]]:
    """Every node's records, as they are on the disk at this moment."""
    found: dict[str, list[Journal]] = {}
    for file in sorted(out.glob("nodes/*/journal")):
        records, _ = scan(file.read_bytes())
        found[file.parent.name] = [decode(record, Journal, JOURNAL_RECORD_MAX_BYTES) for record in records]
    return found


def wait_for(out: Path, kind: str, height: int) -> None:
    """Until somebody's journal has such a record, of this round or (on a slow machine) of a later one."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            found = journals(out)
        except (MalformedError, ValueError):
            continue  # half of a write was read
        if any(each.kind == kind and each.height >= height for records in found.values() for each in records):
            return
        time.sleep(POLL_S)
    raise AssertionError(f"no journal came to {kind!r} of round {height}")


def descendants(pid: int) -> list[int]:
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(each for child in children for each in descendants(child))]


def said_twice(records: list[Journal]) -> list[tuple[object, ...]]:
    """Of what a node recorded two things: nothing is sent that is not recorded before."""
    places: dict[tuple[object, ...], set[bytes]] = defaultdict(set)
    for record in records:
        match record.kind:
            case "vote":
                places["vote", record.height, record.slot].add(record.payload)
            case "lock":
                vote = decode(record.payload, Lock, JOURNAL_RECORD_MAX_BYTES).vote
                places["vote", record.height, record.slot].add(encode(vote))
            case "proposal" | "release":
                places[record.kind, record.height, record.slot].add(record.payload)
            case "manifest" | "header" | "head":
                places[record.kind, record.height].add(record.payload)
    sequences = [(record.slot, record.payload) for record in records if record.kind == "epoch-key"]
    repeated = [("epoch-key", *each) for each in set(sequences) if sequences.count(each) > 1]
    return [*repeated, *(place for place, sayings in places.items() if len(sayings) > 1)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "height"), [("manifest", 1), ("vote", 1), ("release", 2), ("head", 2)])
def test_killed_at_a_record_all_go_on_and_nobody_says_two_things(kind: str, height: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with started(*SMALL, "--rounds", 4, "--out", out) as process:
        wait_for(out, kind, height)
        victims = [process.pid, *descendants(process.pid)]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
    before = journals(out)
    finished("--resume", out)
    after = journals(out)
    for name, records in after.items():
        assert said_twice(records) == [], name
        assert records[: len(before[name])] == before[name], "what was on the disk stays"
    assert len({event["params_digest"] for event in events(out, lambda event: event["event"] == "finished")}) == 1
    assert len(events(out, lambda event: event["event"] == "finished")) == 12
    assert not events(out, lambda event: event["event"] == "unexpected")
    applied = {record.height for records in before.values() for record in records if record.kind == "head"}
    assert summary(out)["rounds_applied"] > len(applied), "rounds went on"

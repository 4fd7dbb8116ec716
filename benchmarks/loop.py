"""For how long a large update stops the event loop, and what memory its round takes.

    python benchmarks/loop.py [--parameters 5000000] [--contributors 8] [--json FILE]

A task on the loop wakes every millisecond and notes how late it is; meanwhile everything that contributors, an
aggregator, the members and an opener compute (see aggregation.py) runs in worker threads as the node's jobs do, two at
a time. All roles share this one process, which a node's would not. Then what a node does with large blobs on its disk:
a contribution and a model are put and committed, and a model that came from another peer is checked, read and adopted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
from aggregation import PARAMS, Account, Cell

from p2pnode.disk import FolderDisk
from p2pnode.learner import Learner
from p2pnode.learning.task import load_task
from p2pnode.workers import ThreadWorkers
from protocols.effects import Head
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.pieces import blob_digest

T = TypeVar("T")
TICK_S = 0.001


class Watched:
    """Runs jobs off the loop, two at a time, and notes how late the loop was at worst."""

    def __init__(self) -> None:
        self._workers = ThreadWorkers(2)
        self._late: list[float] = []
        self.phases: dict[str, dict[str, float]] = {}

    async def tick(self) -> None:
        """Wakes for ever."""
        while True:
            due = time.perf_counter() + TICK_S
            await trio.sleep(TICK_S)
            self._late.append(time.perf_counter() - due)

    async def all(self, name: str, function: Callable[..., T], calls: list[tuple[Any, ...]]) -> list[T]:
        """The results of many calls, in order."""
        results: dict[int, T] = {}

        async def one(number: int) -> None:
            results[number] = await self._workers.run(function, *calls[number])

        async with self.phase(name), trio.open_nursery() as nursery:
            for number in range(len(calls)):
                nursery.start_soon(one, number)
        return [results[number] for number in range(len(calls))]

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Notes how late the loop was within."""
        await trio.sleep(10 * TICK_S)
        self._late.clear()
        began = time.perf_counter()
        yield
        await trio.sleep(10 * TICK_S)  # what held the loop last is seen only after it
        late = sorted(self._late)
        self.phases[name] = {
            "seconds": time.perf_counter() - began,
            "worst_stall_ms": 1000 * late[-1],
            "p99_stall_ms": 1000 * late[len(late) * 99 // 100],
        }

    async def store(self, name: str, disk: FolderDisk, blobs: Sequence[tuple[Digest, bytes]]) -> None:
        """Puts durable blobs and commits, as the node's driver does."""
        async with self.phase(name):
            disk.put(blobs, durable=True)
            await disk.commit()

    async def take_model(self, name: str, learner: Learner, head: Head, blob: bytes) -> None:
        """A fetched model, from its bytes to the head, as driver and ledger do it."""
        async with self.phase(name):
            learner.remember(await self._workers.run(learner.read, blob))
            assert blob_digest(blob) == head.params
            learner.adopt(head, blob)


async def one_round(contributors: int, parameters: int) -> dict[str, dict[str, float]]:
    """The jobs of one round, phase by phase."""
    watched, cell = Watched(), Cell(contributors, parameters)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.tick)
        submitted = await watched.all("contribute", cell.contribute, [(n, Account()) for n in range(contributors)])
        made = [encrypted for _, encrypted in submitted]
        (totals,) = await watched.all("aggregate", cell.aggregate, [(made, Account())])
        members = range(1, PARAMS.threshold + 1)
        shares = await watched.all("hold", cell.hold, [(member, submitted, Account()) for member in members])
        released = dict(zip(members, shares, strict=True))
        await watched.all("open", cell.open, [(totals, released, contributors, Account())])
        del totals, released, shares
        await disk_work(watched, made[0].chunks, parameters)
        nursery.cancel_scope.cancel()
    return watched.phases


async def disk_work(watched: Watched, chunks: Sequence[tuple[Digest, bytes]], parameters: int) -> None:
    """What a node does with large blobs besides its jobs."""
    task = load_task("digits", {"hidden": parameters // 75})  # 64 pixels, 10 classes, a bias
    learner = Learner(task, 0, PeerKey(bytes(32)), None)
    model = learner.read(learner.model.blob)
    head = Head(Height(1), NO_DIGEST, model.digest, None)
    with tempfile.TemporaryDirectory() as name, FolderDisk(Path(name), 1 << 30) as disk:
        await watched.store("store a contribution", disk, chunks)
        await watched.store("store a model", disk, ((model.digest, model.blob),))
        await watched.take_model("take a model", learner, head, model.blob)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=int, default=5_000_000)
    parser.add_argument("--contributors", type=int, default=8)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    phases = trio.run(one_round, arguments.contributors, arguments.parameters)
    report = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load_before": load,
        "parameters": arguments.parameters,
        "contributors": arguments.contributors,
        "phases": phases,
        "worst_stall_ms": max(phase["worst_stall_ms"] for phase in phases.values()),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()

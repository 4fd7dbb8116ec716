"""For how long a large update stops the event loop, and what memory its round takes.

    python benchmarks/loop.py [--parameters 5000000] [--contributors 8] [--json FILE]

A task on the loop wakes every millisecond and notes how late it is; meanwhile everything that contributors, an
aggregator, the members and an opener compute (see aggregation.py) runs in worker threads as the node's jobs do, two at
a time. All roles share this one process, which a node's would not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import trio
from aggregation import PARAMS, Account, Cell

from p2pnode.workers import ThreadWorkers

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

        self._late.clear()
        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(len(calls)):
                nursery.start_soon(one, number)
        late = sorted(self._late)
        self.phases[name] = {
            "seconds": time.perf_counter() - began,
            "worst_stall_ms": 1000 * late[-1],
            "p99_stall_ms": 1000 * late[len(late) * 99 // 100],
        }
        return [results[number] for number in range(len(calls))]


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
        nursery.cancel_scope.cancel()
    return watched.phases


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

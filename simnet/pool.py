"""The worker processes of a real run: started, spoken to, and always ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio
from pydantic import BaseModel

from p2pnode.files import explained, make_folder
from simnet.lines import lines_of

GOODBYE_S: Final = 10.0
ONE_THREAD: Final = "--xla_cpu_multi_thread_eigen=false"


class Pool:
    """Worker processes by number. Use `worker_pool`."""

    def __init__(self, logs: Path, processes: int) -> None:
        self._logs = logs
        self._environment = dict(os.environ)
        if (os.cpu_count() or 1) < 2 * processes:  # then a worker has one core, and threads beside it only cost
            flags = self._environment.get("XLA_FLAGS", "")
            self._environment["XLA_FLAGS"] = f"{flags} {ONE_THREAD}".strip()
        self._processes: list[trio.Process] = []

    def __len__(self) -> int:
        return len(self._processes)

    async def start(self) -> None:
        """One more worker; it waits for its orders."""
        with explained("write the log", self.log(len(self))), self.log(len(self)).open("ab") as log:
            process = await trio.lowlevel.open_process(
                [sys.executable, "-m", "simnet.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for us; we end them in good order
            )
        self._processes.append(process)

    def log(self, number: int) -> Path:
        """Where a worker's standard error goes."""
        return self._logs / f"worker-{number}.log"

    async def send(self, number: int, message: BaseModel) -> None:
        """A message to a worker; lost if it has died, which `lines` tells."""
        stdin = self._processes[number].stdin
        assert stdin is not None
        try:
            await stdin.send_all(message.model_dump_json().encode() + b"\n")
        except trio.BrokenResourceError:
            return

    def lines(self, number: int) -> AsyncGenerator[str, None]:
        """What a worker says, until it ends."""
        stdout = self._processes[number].stdout
        assert stdout is not None
        return lines_of(stdout)

    async def exit_code(self, number: int) -> int:
        """Waits for a worker's end."""
        return await self._processes[number].wait()

    async def stop(self) -> None:
        """Ends all: in good order where they are able to, by force where not."""
        for process in self._processes:
            assert process.stdin is not None
            await process.stdin.aclose()
        with trio.move_on_after(GOODBYE_S):
            for process in self._processes:
                await process.wait()
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def worker_pool(logs: Path, processes: int) -> AsyncIterator[Pool]:
    """So many workers, for as long as the block lasts; none outlives it, nor (their input ends) a killed launcher."""
    make_folder(logs)
    pool = Pool(logs, processes)
    try:
        for _ in range(processes):
            await pool.start()
        yield pool
    finally:
        with trio.CancelScope(shield=True):
            await pool.stop()

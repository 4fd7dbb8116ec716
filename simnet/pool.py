"""The worker processes of a real run: started, spoken to, and always ended.

They are forked from one server process that has imported everything already, so that one more starts within a moment,
also in place of one that was killed, and their common memory is there once.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final, Protocol

import trio
from pydantic import BaseModel

from p2pnode.disk import FolderDisk
from p2pnode.files import explained, make_folder
from protocols.types import Digest
from simnet.lines import lines_of
from simnet.orders import BLOB_BUDGET_BYTES

GOODBYE_S: Final = 10.0
ONE_THREAD: Final = "--xla_cpu_multi_thread_eigen=false"
_CONTEXT: Final = multiprocessing.get_context("forkserver")


class Engine(Protocol):
    """Where worker processes run, by number: on this machine (`Pool`), or on a cluster (`simnet.ray_pool`)."""

    def __len__(self) -> int: ...

    async def start(self) -> None:
        """Starts all; each waits for its orders."""
        ...

    async def restart(self, number: int) -> None:
        """A new process in place of one that was killed."""
        ...

    def host(self, number: int) -> str:
        """The address at which a worker's nodes listen."""
        ...

    def log(self, number: int) -> Path:
        """Where a worker's standard error goes."""
        ...

    async def send(self, number: int, message: BaseModel) -> None:
        """A message to a worker; lost if it has died, which `lines` tells."""
        ...

    def lines(self, number: int) -> AsyncGenerator[str, None]:
        """What a worker says, until it ends."""
        ...

    async def exit_code(self, number: int) -> int:
        """Waits for a worker's end."""
        ...

    def kill(self, number: int) -> None:
        """Ends a worker by SIGKILL, as a crash or a power cut would."""
        ...

    async def stop(self) -> None:
        """Ends all: in good order where they are able to, by force where not."""
        ...

    async def blob(self, number: int, folder: Path, digest: Digest) -> bytes | None:
        """A blob from the disk of a node that ran in a worker; to be called after `stop`."""
        ...


@dataclass(frozen=True, slots=True)
class _Worker:
    process: ForkServerProcess
    stdin: trio.lowlevel.FdStream
    stdout: trio.lowlevel.FdStream
    turn: trio.Lock = field(default_factory=trio.Lock)
    """To write to `stdin`: several tasks have something to say, and a worker that is busy does not read at once."""


class Pool:
    """Worker processes of this machine, by number. Use `worker_pool`."""

    def __init__(self, logs: Path, processes: int) -> None:
        self._logs, self._processes = logs, processes
        self._xla_flags = xla_flags(processes)
        self._workers: dict[int, _Worker] = {}

    def __len__(self) -> int:
        return self._processes

    async def start(self) -> None:
        for number in range(self._processes):
            await self.restart(number)

    async def restart(self, number: int) -> None:
        with explained("write the log", self.log(number)), self.log(number).open("ab"):
            pass  # that it can be written is said here; the worker opens it itself
        before = self._workers.pop(number, None)
        if before is not None:
            await _let_go(before)
        (theirs_in, ours_in), (ours_out, theirs_out) = _CONTEXT.Pipe(duplex=False), _CONTEXT.Pipe(duplex=False)
        given = theirs_in, theirs_out, self.log(number), self._xla_flags
        process = _CONTEXT.Process(target=_be_a_worker, args=given, daemon=True)
        await trio.to_thread.run_sync(process.start)  # the server may still be importing
        for end in (theirs_in, theirs_out):
            end.close()
        self._workers[number] = _Worker(process, _stream(ours_in), _stream(ours_out))

    def host(self, number: int) -> str:  # noqa: ARG002  all are here
        return "127.0.0.1"

    def log(self, number: int) -> Path:
        return self._logs / f"worker-{number}.log"

    async def send(self, number: int, message: BaseModel) -> None:
        worker = self._workers[number]
        try:
            async with worker.turn:
                await worker.stdin.send_all(message.model_dump_json().encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def lines(self, number: int) -> AsyncGenerator[str, None]:
        return lines_of(self._workers[number].stdout)

    async def exit_code(self, number: int) -> int:
        process = self._workers[number].process
        await trio.lowlevel.wait_readable(process.sentinel)
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    def kill(self, number: int) -> None:
        self._workers[number].process.kill()

    async def stop(self) -> None:
        for worker in self._workers.values():
            await worker.stdin.aclose()
        with trio.move_on_after(GOODBYE_S):
            for number in self._workers:
                await self.exit_code(number)
        for number, worker in self._workers.items():
            if worker.process.exitcode is None:
                worker.process.kill()
                await self.exit_code(number)
            await worker.stdout.aclose()

    async def blob(self, number: int, folder: Path, digest: Digest) -> bytes | None:  # noqa: ARG002  one disk
        with FolderDisk(folder, BLOB_BUDGET_BYTES) as disk:
            return disk.get(digest)


@asynccontextmanager
async def worker_pool(logs: Path, processes: int) -> AsyncIterator[Pool]:
    """So many workers, for as long as the block lasts; none outlives it, nor (their input ends) a killed launcher.

    The server begins to import at once; the workers themselves come with `start`.
    """
    make_folder(logs)
    _CONTEXT.set_forkserver_preload(["simnet.worker"])
    forkserver.ensure_running()
    pool = Pool(logs, processes)
    try:
        yield pool
    finally:
        with trio.CancelScope(shield=True):
            await pool.stop()


def xla_flags(processes: int) -> str:
    """JAX's flags for so many workers on one machine."""
    flags = os.environ.get("XLA_FLAGS", "")
    if (os.cpu_count() or 1) < 2 * processes:  # then a worker has one core, and threads beside it only cost
        return f"{flags} {ONE_THREAD}".strip()
    return flags


def _be_a_worker(commands: Connection, events: Connection, log: Path, flags: str) -> None:
    """The forked process: pipes in place of the terminal, then a worker."""
    from simnet.worker import main

    os.environ["XLA_FLAGS"] = flags  # read when JAX is first used, not when it is imported
    os.setsid()  # Ctrl-C is for the launcher, which ends us in good order
    with log.open("ab") as file:
        for ours, theirs in ((commands.fileno(), 0), (events.fileno(), 1), (file.fileno(), 2)):
            os.dup2(ours, theirs)
    commands.close()
    events.close()
    sys.exit(main())


async def _let_go(ended: _Worker) -> None:
    """What is left of a worker that has ended."""
    await ended.stdin.aclose()
    await ended.stdout.aclose()
    ended.process.join()
    ended.process.close()


def _stream(end: Connection) -> trio.lowlevel.FdStream:
    stream = trio.lowlevel.FdStream(os.dup(end.fileno()))
    end.close()
    return stream

"""Worker processes on a Ray cluster: an actor for each, spread over the machines, which starts it and passes its lines.

    simnet run --engine ray --address auto        (pip install 'twopm[ray]' on every machine, of the same version)

The workers, the scenario and the report are those of one machine. A node's disk is where it runs; the final model comes
back from there. On several machines the chain must be one that all of them reach.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final

import trio
from pydantic import BaseModel

from p2pnode.disk import FolderDisk
from p2pnode.files import make_folder
from protocols.errors import LocalError
from protocols.types import Digest
from simnet.orders import BLOB_BUDGET_BYTES
from simnet.pool import GOODBYE_S, xla_flags

LOOPBACK: Final = "127.0.0.1"
CALLS_AT_ONCE: Final = 4
"""Of one actor: one of them waits for lines, another perhaps for the end."""
LINES_AT_ONCE: Final = 1000


class Shard:
    """What runs as an actor: one worker process on whatever machine Ray has chosen."""

    def begin(self, log: str, flags: str) -> None:
        """Starts the worker; again, in place of one that has ended."""
        path = Path(log)
        make_folder(path.parent)
        command = [sys.executable, "-m", "simnet.worker"]
        with path.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, "XLA_FLAGS": flags},
                start_new_session=True,
            )
        self._said: deque[str] = deque()
        self._news = threading.Condition()
        self._ended = False
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def address(self) -> str:
        """This machine's address in the cluster."""
        address: str = _ray().util.get_node_ip_address()
        return address

    def send(self, line: bytes) -> None:
        """A line to the worker; lost if it has died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def lines(self) -> list[str]:
        """What it has said since the last time, as soon as there is anything; nothing once it has ended."""
        with self._news:
            self._news.wait_for(lambda: self._said or self._ended)
            return [self._said.popleft() for _ in range(min(LINES_AT_ONCE, len(self._said)))]

    def exit_code(self) -> int:
        """Waits for its end."""
        return self._process.wait()

    def kill(self) -> None:
        """By SIGKILL."""
        self._process.send_signal(signal.SIGKILL)

    def stop(self, patience_s: float) -> None:
        """In good order if it is able to, else by force."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def blob(self, folder: str, digest: bytes) -> bytes | None:
        """From the disk of a node that ran here."""
        with FolderDisk(Path(folder), BLOB_BUDGET_BYTES) as disk:
            return disk.get(Digest(digest))

    def _read(self, stdout: IO[bytes]) -> None:
        for line in stdout:
            with self._news:
                self._said.append(line.decode().rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


class RayPool:
    """`simnet.pool.Engine` on a cluster. Use `ray_pool`."""

    def __init__(self, logs: Path, processes: int, machines: int) -> None:
        self._logs, self._processes, self._machines = logs, processes, machines
        self._actors: dict[int, Any] = {}
        self._hosts: dict[int, str] = {}

    def __len__(self) -> int:
        return self._processes

    async def start(self) -> None:
        for number in range(self._processes):
            await self.restart(number)
        for number, actor in self._actors.items():
            self._hosts[number] = LOOPBACK if self._machines == 1 else await _answer(actor.address.remote())

    async def restart(self, number: int) -> None:
        """Where the killed one ran if there was one: its nodes' disks are there."""
        if number not in self._actors:
            place = {"num_cpus": 0, "scheduling_strategy": "SPREAD", "max_concurrency": CALLS_AT_ONCE}
            self._actors[number] = _ray().remote(Shard).options(**place).remote()
        await _answer(self._actors[number].begin.remote(str(self.log(number)), xla_flags(self._processes)))

    def host(self, number: int) -> str:
        return self._hosts[number]

    def log(self, number: int) -> Path:
        """On the machine where the worker runs."""
        return self._logs / f"worker-{number}.log"

    async def send(self, number: int, message: BaseModel) -> None:
        await _answer(self._actors[number].send.remote(message.model_dump_json().encode() + b"\n"))

    async def lines(self, number: int) -> AsyncGenerator[str, None]:
        while lines := await _answer(self._actors[number].lines.remote()):
            for line in lines:
                yield line

    async def exit_code(self, number: int) -> int:
        code: int = await _answer(self._actors[number].exit_code.remote())
        return code

    def kill(self, number: int) -> None:
        self._actors[number].kill.remote()

    async def stop(self) -> None:
        for ending in [actor.stop.remote(GOODBYE_S) for actor in self._actors.values()]:
            await _answer(ending)

    async def blob(self, number: int, folder: Path, digest: Digest) -> bytes | None:
        blob: bytes | None = await _answer(self._actors[number].blob.remote(str(folder), bytes(digest)))
        return blob


@asynccontextmanager
async def ray_pool(logs: Path, processes: int, address: str, chain: str | None) -> AsyncIterator[RayPool]:
    """So many workers on the cluster at `address` (`auto`: the one that runs here; `local`: one of our own).

    Raises:
        LocalError: Ray is not installed, no cluster answers, or it has several machines and the chain only this one.
    """
    ray, logs = _ray(), logs.absolute()
    make_folder(logs)
    try:
        await trio.to_thread.run_sync(lambda: ray.init(address=address, log_to_driver=False, include_dashboard=False))
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise LocalError(f"no Ray cluster at {address!r}: {error}; start one with `ray start --head`") from error
    try:
        machines = sum(bool(node["Alive"]) for node in ray.nodes())
        if machines > 1 and chain is None:
            raise LocalError(
                f"the cluster has {machines} machines, but the embedded chain answers only on this one: "
                "name a chain that all of them reach with --chain"
            )
        pool = RayPool(logs, processes, machines)
        try:
            yield pool
        finally:
            with trio.CancelScope(shield=True):
                await pool.stop()
    finally:
        ray.shutdown()


async def _answer(pending: Any) -> Any:
    """What an actor returns; the waiting may be given up at any time."""
    ray = _ray()
    try:
        return await trio.to_thread.run_sync(ray.get, pending, abandon_on_cancel=True)
    except ray.exceptions.RayError as error:
        raise LocalError(f"a worker's actor on the Ray cluster failed: {error}") from error


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise LocalError("--engine ray needs Ray: pip install 'twopm[ray]'") from error
    return ray

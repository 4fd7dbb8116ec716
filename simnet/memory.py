"""The small ports of the virtual world: clock, entropy, disk, workers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, TypeVar

import trio

from p2pnode.ports import Entropy
from protocols.types import Digest

T = TypeVar("T")

GENESIS: Final = 1_735_689_600
"""Unix seconds at which every virtual world begins: 2025-01-01 00:00 UTC."""


class VirtualClock:
    """Trio's clock, counted from `GENESIS`; under `trio.testing.MockClock` it leaps whenever everybody waits."""

    def now(self) -> float:
        return GENESIS + trio.current_time()

    async def sleep_until(self, when: float) -> None:
        await trio.sleep_until(when - GENESIS)


def seeded_entropy(seed: int, name: str) -> Entropy:
    """A stream of 32-byte values, the same for the same seed and name: reproducible, hence never for real secrets."""
    numbers = count()
    return lambda: hashlib.sha256(f"simnet entropy {seed} {name} {next(numbers)}".encode()).digest()


class MemoryDisk:
    """A disk that outlives its node: crash the node, start another one from the same disk."""

    def __init__(self) -> None:
        self._journal: list[bytes] = []
        self._blobs: dict[Digest, bytes] = {}

    def append(self, record: bytes) -> None:
        self._journal.append(bytes(record))

    async def commit(self) -> None:
        """Nothing to do: what was appended is there."""

    def records(self) -> tuple[bytes, ...]:
        return tuple(self._journal)

    def put(self, blobs: Sequence[tuple[Digest, bytes]], *, durable: bool) -> None:  # noqa: ARG002  # memory is durable
        self._blobs.update((digest, bytes(blob)) for digest, blob in blobs)

    def get(self, digest: Digest) -> bytes | None:
        return self._blobs.get(digest)

    def drop(self, digest: Digest) -> None:
        self._blobs.pop(digest, None)

    def digests(self) -> tuple[Digest, ...]:
        return tuple(self._blobs)

    def copy(self) -> MemoryDisk:
        """An independent disk with the same content, to try two futures of one past."""
        other = MemoryDisk()
        other._journal, other._blobs = list(self._journal), dict(self._blobs)
        return other


class InlineWorkers:
    """Runs jobs at once and in place: in virtual time computing takes no time, and stays in order."""

    async def run(self, function: Callable[..., T], *args: object) -> T:
        await trio.lowlevel.checkpoint()
        return function(*args)

"""The small ports of the virtual world: clock, entropy, disk, workers."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Final, TypeVar

import numpy as np
import trio

from p2pnode.journal import encode_record, scan
from p2pnode.ports import Entropy
from protocols.rounds.aggregate import seal_sum, verify_ciphertexts
from protocols.rounds.opening import open_cell
from protocols.types import Digest
from protocols.updates.pieces import PieceTable, piece_hash

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


@dataclass
class IncomingMemory:
    """A blob that is still coming."""

    room: bytearray
    resumed: bool
    finished: Callable[[PieceTable], None]

    def write(self, at: int, data: bytes) -> None:
        self.room[at : at + len(data)] = data

    def read(self, at: int, count: int) -> bytes:
        return bytes(self.room[at : at + count])

    def accept(self, at: int, piece: bytes, expected: Digest) -> bool:
        if piece_hash(piece) != expected:
            return False
        self.write(at, piece)
        return True

    def finish(self, table: PieceTable) -> None:
        self.finished(table)

    def close(self) -> None:
        pass


class MemoryDisk:
    """A disk that outlives its node: end the node, start another one from the same disk, or from what `crash` left."""

    def __init__(self) -> None:
        self._journal: list[bytes] = []
        self._flushed = 0  # so many records are durable
        self._blobs: dict[Digest, bytes] = {}
        self._fleeting: set[Digest] = set()  # blobs that a power cut would take
        self._to_flush: set[Digest] = set()
        self._incoming: dict[Digest, bytearray] = {}
        self._tables: dict[Digest, PieceTable] = {}

    def append(self, record: bytes) -> None:
        self._journal.append(bytes(record))

    async def commit(self) -> None:
        """Makes durable what was appended, and the blobs that were put so."""
        self._flushed = len(self._journal)
        self._fleeting -= self._to_flush
        self._to_flush.clear()

    def records(self) -> tuple[bytes, ...]:
        return tuple(self._journal)

    @property
    def unflushed(self) -> tuple[bytes, ...]:
        """Records that a crash would take."""
        return tuple(self._journal[self._flushed :])

    def put(self, blobs: Sequence[tuple[Digest, bytes]], *, durable: bool) -> None:
        for digest, blob in blobs:
            if digest not in self._blobs:
                self._blobs[digest] = bytes(blob)
                self._fleeting.add(digest)
            if durable:
                self._to_flush.add(digest)

    def get(self, digest: Digest) -> bytes | None:
        return self._blobs.get(digest)

    def size(self, digest: Digest) -> int | None:
        return len(self._blobs[digest]) if digest in self._blobs else None

    def read(self, digest: Digest, at: int, count: int) -> bytes:
        return self._blobs[digest][at : at + count]

    def incoming(self, digest: Digest, size: int) -> IncomingMemory:
        resumed = len(self._incoming.get(digest, b"")) == size
        if not resumed:
            self._incoming[digest] = bytearray(size)
        return IncomingMemory(self._incoming[digest], resumed, partial(self._finished, digest))

    def table(self, digest: Digest) -> PieceTable | None:
        return self._tables.get(digest)

    def _finished(self, digest: Digest, table: PieceTable) -> None:
        self.put(((digest, bytes(self._incoming.pop(digest))),), durable=False)
        self._tables[digest] = table

    def drop(self, digest: Digest) -> None:
        self._blobs.pop(digest, None)
        self._tables.pop(digest, None)

    def digests(self) -> tuple[Digest, ...]:
        return tuple(self._blobs)

    def copy(self) -> MemoryDisk:
        """An independent disk with the same content, to try two futures of one past."""
        other = MemoryDisk()
        other._keep(self)
        return other

    def crash(self, *, torn: bool = False, power_cut: bool = False, into: MemoryDisk | None = None) -> MemoryDisk:
        """What whoever starts after a crash finds; this disk stays, for whoever has not heard yet that it is dead.

        Args:
            torn: all but the last byte of what was not flushed had reached the disk.
            power_cut: blobs that were not made durable are gone, too.
            into: a fresh disk to fill.
        """
        other = into if into is not None else MemoryDisk()
        other._keep(self)
        tail = b"".join(map(encode_record, self.unflushed))
        found, _ = scan(tail[:-1] if torn else b"")
        other._journal[self._flushed :] = found
        other._flushed = len(other._journal)
        if power_cut:
            for digest in self._fleeting:
                other.drop(digest)
            other._incoming.clear()
        return other

    def _keep(self, other: MemoryDisk) -> None:
        self._journal, self._flushed, self._blobs = list(other._journal), other._flushed, dict(other._blobs)
        self._fleeting, self._to_flush = set(other._fleeting), set(other._to_flush)
        self._incoming = {digest: bytearray(room) for digest, room in other._incoming.items()}


class SharedResults:
    """What jobs came to, by what they were asked: in one process a job that several peers do need be done only once.

    Only jobs that depend on their arguments alone are kept; the arrays in their results are read-only.
    """

    def __init__(self, kept: int = 256) -> None:
        self._kept, self._results = kept, OrderedDict[bytes, object]()

    def get(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        """The function's result, perhaps from another peer's call."""
        key = _job_key(function, arguments) if function in SHARED else None
        if key is None:
            return function(*arguments)
        if key not in self._results:
            self._results[key] = _frozen(function(*arguments))
            while len(self._results) > self._kept:
                self._results.popitem(last=False)
        return self._results[key]  # type: ignore[return-value]  # it came from the same function


SHARED: Final[frozenset[Callable[..., object]]] = frozenset((verify_ciphertexts, seal_sum, open_cell))
"""Jobs that all peers do alike; they make most of what a virtual round costs."""


def _job_key(function: Callable[..., object], arguments: tuple[object, ...]) -> bytes | None:
    found = hashlib.sha256(function.__name__.encode())
    for argument in arguments:
        _feed(found, argument)
    return found.digest()


def _feed(found: hashlib._Hash, value: object) -> None:
    """Framed, so that no two different arguments look alike."""
    match value:
        case np.ndarray():
            data = f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
        case bytes():
            data = value
        case tuple() | list():
            found.update(b"(%d" % len(value))
            for each in value:
                _feed(found, each)
            return
        case dict():
            _feed(found, tuple(value.items()))
            return
        case _:
            data = repr(value).encode()  # schemes and schemas: the same objects all run
    found.update(b"%d:" % len(data) + data)


def _frozen(result: T) -> T:
    for value in (
        vars(result).values() if hasattr(result, "__dict__") else map(partial(getattr, result), _slots(result))
    ):
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return result


def _slots(result: object) -> tuple[str, ...]:
    return tuple(getattr(type(result), "__slots__", ()))


class WatchedWorkers:
    """As `InlineWorkers`, with results shared by the peers of a world; each job is told to whoever watches."""

    def __init__(self, results: SharedResults, tell: Callable[[tuple[object, ...], object], None]) -> None:
        self._results, self._tell = results, tell

    async def run(self, function: Callable[..., T], *args: object) -> T:
        await trio.lowlevel.checkpoint()
        result = self._results.get(function, args)
        self._tell(args, result)
        return result


class InlineWorkers:
    """Runs jobs at once and in place: in virtual time computing takes no time, and stays in order."""

    async def run(self, function: Callable[..., T], *args: object) -> T:
        await trio.lowlevel.checkpoint()
        return function(*args)

"""Blobs by digest, from honest holders and others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from p2pnode.exchange import REQUEST_MAX_S, BlobExchange
from p2pnode.services import BLOB, BLOBS_PER_REQUEST, PART_BYTES, BlobRequest, BlobResponse, Part
from protocols.effects import Fetch
from protocols.errors import LocalError
from protocols.types import Digest
from protocols.wire.codec import decode, encode
from simnet.memory import MemoryDisk
from tests.p2pnode.kit import InMemory, in_memory
from tests.protocols.playbook import CONTRIBUTORS, Peer

ME, HONEST, OTHER = CONTRIBUTORS[:3]
DIGESTS = [Digest(bytes([number]) * 32) for number in range(1, 41)]


class Exchange:
    def __init__(self, world: InMemory, peer: Peer, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.sent: list[int] = []
        self.complaints: list[str] = []
        ports = world.ports(peer, self.disk)
        self.exchange = BlobExchange(ports.transport, self.disk, self.sent.append, self.complaints.append)

    def hold(self, *blobs: bytes) -> None:
        for digest, blob in zip(DIGESTS, blobs, strict=False):
            self.disk.put(((digest, blob),), durable=True)

    async def fetch(self, count: int = 1, holders: tuple[Peer, ...] = (OTHER, HONEST)) -> tuple[bytes, ...] | None:
        keys = tuple(peer.key for peer in holders)
        return await self.exchange.fetch(Fetch("blob", None, tuple(DIGESTS[:count]), keys, 4 * PART_BYTES))


async def test_what_is_here_is_not_asked_for(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, holder = Exchange(world, ME), Exchange(world, HONEST)
        me.hold(b"mine")
        assert await me.fetch() == (b"mine",)
        assert holder.sent == []


async def test_the_next_holder_is_asked_where_one_has_not_all(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, honest, other = (Exchange(world, peer) for peer in (ME, HONEST, OTHER))
        other.hold(b"first")
        honest.hold(b"first", b"second")
        assert await me.fetch(2) == (b"first", b"second")
        assert await me.fetch(2, holders=(ME, OTHER)) is None
        assert await me.fetch(3) is None


async def test_big_blobs_come_in_parts_and_many_in_several_requests(autojump_clock: MockClock) -> None:
    blobs = [bytes([number]) * 1000 for number in range(2 * BLOBS_PER_REQUEST)]
    blobs[3] = b"b" * (2 * PART_BYTES + 17)
    blobs[5:9] = [b"c" * PART_BYTES] * 4
    async with in_memory() as world:
        me, honest = Exchange(world, ME), Exchange(world, HONEST)
        honest.hold(*blobs)
        assert await me.fetch(len(blobs), (HONEST,)) == tuple(blobs)
        assert sum(honest.sent) >= sum(map(len, blobs))


async def test_an_empty_disk_answers_that_it_has_nothing(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        Exchange(world, HONEST)
        asking = world.network.attach(OTHER.key)
        request = encode(BlobRequest(tuple(DIGESTS[:2]), 0))
        answer = await asking.request(HONEST.key, BLOB, request, max_bytes=10_000)
        assert decode(answer, BlobResponse, 10_000).parts == (Part(0, b""), Part(0, b""))


Answer = Callable[[BlobRequest], tuple[Part, ...]]


def lying(asked: BlobRequest) -> tuple[Part, ...]:
    return (Part(100, b"only this"),)


def too_big(asked: BlobRequest) -> tuple[Part, ...]:
    return (Part(1 << 40, bytes(PART_BYTES)),)


def too_long(asked: BlobRequest) -> tuple[Part, ...]:
    return (Part(3, b"more than said"),)


def dripping(asked: BlobRequest) -> tuple[Part, ...]:
    return (Part(PART_BYTES, b"x"),)


def growing(asked: BlobRequest) -> tuple[Part, ...]:
    size = 2 * PART_BYTES + asked.offset
    return (Part(size, bytes(PART_BYTES)),)


def nothing(asked: BlobRequest) -> tuple[Part, ...]:
    return ()


def then_nothing(asked: BlobRequest) -> tuple[Part, ...]:
    return () if asked.offset else (Part(2 * PART_BYTES, bytes(PART_BYTES)),)


def too_many(asked: BlobRequest) -> tuple[Part, ...]:
    return (Part(1, b"x"),) * (len(asked.digests) + 1)


def serving(answer: Answer) -> Callable[[bytes, bytes], Awaitable[bytes]]:
    async def handler(_: bytes, request: bytes) -> bytes:
        return encode(BlobResponse(answer(decode(request, BlobRequest, 10_000))))

    return handler


@pytest.mark.parametrize(
    "answer", [lying, too_big, too_long, dripping, growing, nothing, then_nothing, too_many], ids=lambda it: it.__name__
)
async def test_who_answers_nonsense_is_passed_over(autojump_clock: MockClock, answer: Answer) -> None:
    async with in_memory() as world:
        me, honest = Exchange(world, ME), Exchange(world, HONEST)
        honest.hold(b"the blob")
        world.network.attach(OTHER.key).serve(BLOB, serving(answer))
        assert await me.fetch() == (b"the blob",)


async def test_who_answers_junk_or_not_in_time_is_passed_over(autojump_clock: MockClock) -> None:
    async def junk(_: bytes, __: bytes) -> bytes:
        return b"\xff junk"

    async def never(_: bytes, __: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with in_memory() as world:
        me, honest = Exchange(world, ME), Exchange(world, HONEST)
        honest.hold(b"the blob")
        other = world.network.attach(OTHER.key)
        for handler in (junk, never):
            other.serve(BLOB, handler)
            began = trio.current_time()
            assert await me.fetch() == (b"the blob",)
            assert trio.current_time() - began < REQUEST_MAX_S + 1


class DamagedDisk(MemoryDisk):
    def get(self, digest: Digest) -> bytes | None:
        if digest == DIGESTS[0] and digest in self.digests():
            raise LocalError("the blob was damaged on the disk")
        return super().get(digest)


async def test_a_blob_that_the_disk_damaged_is_fetched_from_others(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, honest = Exchange(world, ME, DamagedDisk()), Exchange(world, HONEST)
        me.hold(b"damaged")
        honest.hold(b"the blob")
        assert await me.fetch() == (b"the blob",)
        assert me.complaints == ["the blob was damaged on the disk"]
        assert me.disk.digests() == ()


async def test_parts_of_a_big_blob_are_read_from_the_disk_once(autojump_clock: MockClock) -> None:
    reads = []

    class Counting(MemoryDisk):
        def get(self, digest: Digest) -> bytes | None:
            reads.append(digest)
            return super().get(digest)

    async with in_memory() as world:
        me, honest = Exchange(world, ME), Exchange(world, HONEST, Counting())
        honest.hold(bytes(4 * PART_BYTES))
        assert await me.fetch(1, (HONEST,)) == (bytes(4 * PART_BYTES),)
        assert reads == [DIGESTS[0]]

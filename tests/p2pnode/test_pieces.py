"""Big blobs in pieces: from several holders, honest and not; what came stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from p2pnode.pieces import HEDGE_S, REQUEST_MAX_S, PieceFetcher, PieceServer
from p2pnode.services import PIECE, PIECES, PieceRequest, PiecesRequest, PiecesResponse
from protocols.types import Digest, PeerKey
from protocols.updates.pieces import PIECE_BYTES, PieceTable, blob_digest, table_of
from protocols.wire.codec import decode, encode
from simnet.memory import MemoryDisk
from tests.p2pnode.kit import InMemory, in_memory
from tests.protocols.playbook import CONTRIBUTORS, Peer

ME, A, B, C, D = CONTRIBUTORS[:5]
BLOB = b"".join(number.to_bytes(8, "big") for number in range(8 * PIECE_BYTES // 8)) + b"tail"
DIGEST = blob_digest(BLOB)
COUNT = 9
Piece = Callable[[PieceRequest], Awaitable[bytes]]


@dataclass
class Holder:
    """A peer with the blob; `lies` puts other pieces in the place of the honest ones."""

    world: InMemory
    peer: Peer
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    asked: list[int] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transport = self.world.ports(self.peer, self.disk).transport
        self.server = PieceServer(self.transport, self.disk, lambda _: None, self.complaints.append)
        self.transport.serve(PIECE, self.counting)

    def hold(self, blob: bytes = BLOB, digest: Digest = DIGEST) -> Holder:
        self.disk.put(((digest, blob),), durable=True)
        return self

    async def counting(self, asker: PeerKey, request: bytes) -> bytes:
        self.asked.append(decode(request, PieceRequest, 64).index)
        return await self.server._serve_piece(asker, request)

    def serve(self, piece: Piece) -> None:
        async def handler(_: PeerKey, request: bytes) -> bytes:
            self.asked.append(decode(request, PieceRequest, 64).index)
            return await piece(decode(request, PieceRequest, 64))

        self.transport.serve(PIECE, handler)


class Me:
    def __init__(self, world: InMemory, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.accused: list[tuple[PeerKey, str]] = []
        self.transport = world.ports(ME, self.disk).transport
        self.fetcher = PieceFetcher(self.transport, self.disk, lambda who, why: self.accused.append((who, why)))

    async def fetch(self, *holders: Peer, most: int = 1 << 30, digest: Digest = DIGEST) -> bytes | None:
        return await self.fetcher.fetch(digest, [peer.key for peer in holders], most)


async def test_pieces_come_from_all_holders(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, holders = Me(world), [Holder(world, peer).hold() for peer in (A, B, C)]
        assert await me.fetch(A, B, C) == BLOB
        assert sorted(index for holder in holders for index in holder.asked) == list(range(COUNT))
        assert all(holder.asked for holder in holders)
        assert me.accused == []


async def test_who_lies_is_named_and_who_dies_is_passed_over(autojump_clock: MockClock) -> None:
    """A careless reader that takes what comes would hold other bytes: the liar's pieces are right in length."""
    served = 0

    async def lie(asked: PieceRequest) -> bytes:
        return bytes(table_of(BLOB).length(asked.index))

    async def die(asked: PieceRequest) -> bytes:
        nonlocal served
        served += 1
        if served > 2:
            await trio.sleep_forever()
        return BLOB[asked.index * PIECE_BYTES :][:PIECE_BYTES]

    async with in_memory() as world:
        me = Me(world)
        liar, mortal, *_ = (Holder(world, peer).hold() for peer in (A, B, C, D))
        liar.serve(lie)
        mortal.serve(die)
        assert await me.fetch(A, B, C, D) == BLOB
        assert {who for who, _ in me.accused} == {A.key}
        assert "is another than its hash says" in me.accused[0][1]
        assert len(liar.asked) <= 2


async def test_who_stalls_delays_a_fetch_by_its_hedge_only(autojump_clock: MockClock) -> None:
    async def stall(_: PieceRequest) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with in_memory() as world:
        me, staller = Me(world), Holder(world, A).hold()
        Holder(world, B).hold()
        staller.serve(stall)
        began = trio.current_time()
        assert await me.fetch(A, B) == BLOB
        assert trio.current_time() - began < 2 * HEDGE_S < REQUEST_MAX_S
        assert me.accused == []


async def test_after_an_interruption_only_what_is_missing_is_asked_for(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        disk = MemoryDisk()
        leaving = Holder(world, A).hold()

        async def leave(asked: PieceRequest) -> bytes:
            return BLOB[asked.index * PIECE_BYTES :][:PIECE_BYTES] if len(leaving.asked) <= 5 else b""

        leaving.serve(leave)
        assert await Me(world, disk).fetch(A) is None
        staying = Holder(world, B).hold()
        assert await Me(world, disk).fetch(B) == BLOB
        assert len(staying.asked) == COUNT - 5
        assert not set(staying.asked) & set(leaving.asked[:5])


async def test_what_was_damaged_meanwhile_is_asked_for_again(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        disk = MemoryDisk()
        incoming = disk.incoming(DIGEST, len(BLOB))
        incoming.write(0, BLOB)
        incoming.write(PIECE_BYTES + 7, b"x")
        holder = Holder(world, A).hold()
        assert await Me(world, disk).fetch(A) == BLOB
        assert holder.asked == [1]


async def test_whoever_is_connected_is_asked_too(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me = Me(world)
        Holder(world, A).hold()
        Holder(world, B)
        assert A.key in me.transport.connected()
        assert await me.fetch(B) == BLOB
        assert await me.fetch(B, digest=Digest(b"?" * 32)) is None


async def test_a_small_blob_comes_with_its_table(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, holder = Me(world), Holder(world, A).hold(b"small", blob_digest(b"small"))
        assert await me.fetch(A, digest=blob_digest(b"small")) == b"small"
        assert holder.asked == []


def table_response(table: PieceTable, data: bytes = b"") -> bytes:
    return encode(PiecesResponse(table, data))


TABLE = table_of(BLOB)
NONSENSE: dict[str, bytes] = {
    "junk": b"\xff",
    "another blob's": table_response(table_of(bytes(3 * PIECE_BYTES))),
    "too big": table_response(PieceTable(1 << 40, TABLE.hashes)),
    "another size": table_response(PieceTable(TABLE.size - 1, TABLE.hashes)),
    "a piece where there are many": table_response(TABLE, b"x"),
    "no pieces": table_response(PieceTable(7, ())),
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_who_answers_nonsense_is_named_and_passed_over(autojump_clock: MockClock, name: str) -> None:
    async def answer(_: PeerKey, __: bytes) -> bytes:
        return NONSENSE[name]

    async with in_memory() as world:
        me, liar = Me(world), Holder(world, A)
        Holder(world, B).hold()
        liar.transport.serve(PIECES, answer)
        assert await me.fetch(A, B) == BLOB
        assert [who for who, _ in me.accused] == [A.key]


async def test_a_holder_with_a_damaged_disk_says_so_and_sends_nothing(autojump_clock: MockClock) -> None:
    class Damaged(MemoryDisk):
        def read(self, digest: Digest, at: int, count: int) -> bytes:
            return bytes(count) if at == PIECE_BYTES and self.damaged else super().read(digest, at, count)

        damaged = False

    async with in_memory() as world:
        me, disk = Me(world), Damaged()
        holder = Holder(world, A, disk).hold()
        table = await ask(me, PIECES, PiecesRequest(DIGEST))
        assert decode(table, PiecesResponse, 1 << 20).table == TABLE
        disk.damaged = True
        assert await ask(me, PIECE, PieceRequest(DIGEST, 0)) == BLOB[:PIECE_BYTES]
        assert await ask(me, PIECE, PieceRequest(DIGEST, 1)) == b""
        assert await ask(me, PIECE, PieceRequest(DIGEST, 99)) == b""
        assert len(holder.complaints) == 1
        assert disk.digests() == ()


async def ask(me: Me, protocol: str, request: Any) -> bytes:
    return await me.transport.request(A.key, protocol, encode(request), max_bytes=1 << 20)


async def test_a_chunk_is_no_blob_of_pieces(autojump_clock: MockClock) -> None:
    """It is named by the root over its residues: whoever asks for it by pieces gets nothing, and it stays."""
    async with in_memory() as world:
        me, holder = Me(world), Holder(world, A).hold(b"chunk", Digest(b"r" * 32))
        assert await me.fetch(A, digest=Digest(b"r" * 32)) is None
        assert holder.disk.digests() == (Digest(b"r" * 32),)
        assert holder.complaints == []


async def test_a_blob_that_two_want_comes_once(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, holder, found = Me(world), Holder(world, A).hold(), list[bytes | None]()

        async def fetch() -> None:
            found.append(await me.fetch(A))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(fetch)
        assert found == [BLOB] * 3
        assert sorted(holder.asked) == list(range(COUNT))

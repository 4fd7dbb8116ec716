"""Big blobs in pieces: from several holders, honest and not; what came stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from p2pnode.pieces import HEDGE_S, LANES_MAX, REQUEST_MAX_S, SOUND_S, UNDER_WAY, PieceFetcher, PieceServer
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


async def test_the_holders_that_are_left_have_all_lanes(autojump_clock: MockClock) -> None:
    """Four are asked; three have nothing. The fourth is asked for as many pieces at once as if it were the only one."""
    at_once: list[int] = []
    under_way = 0

    async def slowly(asked: PieceRequest) -> bytes:
        nonlocal under_way
        under_way += 1
        at_once.append(under_way)
        await trio.sleep(HEDGE_S / 2)
        under_way -= 1
        return BLOB[asked.index * PIECE_BYTES :][:PIECE_BYTES]

    async def nothing(_: PieceRequest) -> bytes:
        return b""

    async with in_memory() as world:
        me = Me(world)
        for peer in (A, B, C):
            Holder(world, peer).hold().serve(nothing)
        Holder(world, D).hold().serve(slowly)
        assert await me.fetch(A, B, C, D) == BLOB
        assert max(at_once) == LANES_MAX


async def test_who_is_merely_connected_has_the_lanes_that_are_left(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, named, other = Me(world), Holder(world, A).hold(), Holder(world, B).hold()
        assert await me.fetch(A) == BLOB
        assert sorted([*named.asked[:LANES_MAX], *other.asked[: UNDER_WAY - LANES_MAX]]) == list(range(UNDER_WAY))


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


async def test_a_late_peer_finds_a_second_holder_among_many_that_are_silent(autojump_clock: MockClock) -> None:
    """Those that were named are gone or silent. One after another, with all patience, they would take a minute."""

    async def silence(_: PeerKey, __: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with in_memory() as world:
        me = Me(world)
        for peer in (A, B, C):
            Holder(world, peer).transport.serve(PIECES, silence)
        second = Holder(world, D).hold()
        began = trio.current_time()
        assert await me.fetch(A, B, C) == BLOB
        assert trio.current_time() - began < 4 * HEDGE_S < REQUEST_MAX_S
        assert set(second.asked) == set(range(COUNT))


async def test_who_has_it_not_is_asked_for_no_piece(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        me, without, holder = Me(world), Holder(world, A), Holder(world, B).hold()
        assert await me.fetch(A, B) == BLOB
        assert (without.asked, set(holder.asked)) == ([], set(range(COUNT)))


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


async def test_a_piece_that_was_sound_is_hashed_again_after_a_minute(autojump_clock: MockClock) -> None:
    class Rotting(MemoryDisk):
        def read(self, digest: Digest, at: int, count: int) -> bytes:
            return bytes(count) if self.rotten else super().read(digest, at, count)

        rotten = False

    async with in_memory() as world:
        me, disk = Me(world), Rotting()
        holder = Holder(world, A, disk).hold()
        assert await ask(me, PIECE, PieceRequest(DIGEST, 1)) == BLOB[PIECE_BYTES:][:PIECE_BYTES]
        disk.rotten = True
        await trio.sleep(SOUND_S - 1)
        assert await ask(me, PIECE, PieceRequest(DIGEST, 1)) == bytes(PIECE_BYTES)
        assert holder.complaints == []
        await trio.sleep(2)
        assert await ask(me, PIECE, PieceRequest(DIGEST, 1)) == b""
        assert (len(holder.complaints), disk.digests()) == (1, ())


async def test_what_came_in_pieces_is_served_by_the_table_that_it_came_with(autojump_clock: MockClock) -> None:
    """Its holder reads only what it is asked for: no blob is hashed before the first piece of it leaves."""

    class Counting(MemoryDisk):
        def read(self, digest: Digest, at: int, count: int) -> bytes:
            self.reads.append(at // PIECE_BYTES)
            return super().read(digest, at, count)

        def __init__(self) -> None:
            super().__init__()
            self.reads: list[int] = []

    async with in_memory() as world:
        Holder(world, A).hold()
        disk = Counting()
        assert await Me(world, disk).fetch(A) == BLOB
        PieceServer(world.ports(ME, disk).transport, disk, lambda _: None, print)
        asker = world.ports(B, MemoryDisk()).transport
        piece = await asker.request(ME.key, PIECE, encode(PieceRequest(DIGEST, 2)), max_bytes=PIECE_BYTES)
        assert (piece, disk.reads) == (BLOB[2 * PIECE_BYTES :][:PIECE_BYTES], [2])


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

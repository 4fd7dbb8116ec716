"""Big blobs of whose holders one stalls every fetch and one lies: the blob comes, the liar is named, and banned."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from p2pnode import pieces
from p2pnode.pieces import PieceFetcher, PieceServer
from p2pnode.services import PIECE, PIECES, PieceRequest, PiecesRequest, PiecesResponse
from protocols.types import PeerKey
from protocols.updates.pieces import PIECE_BYTES, blob_digest, table_of
from protocols.wire.codec import decode, encode
from simnet.memory import MemoryDisk
from tests.p2pnode.transport.attacks.arena import arena

BLOB = b"".join(bytes([number]) * PIECE_BYTES for number in range(12)) + b"end"
DIGEST, TABLE = blob_digest(BLOB), table_of(BLOB)


def hold(transport) -> None:
    disk = MemoryDisk()
    disk.put(((DIGEST, BLOB),), durable=True)
    PieceServer(transport, disk, lambda _count: None, lambda _reason: None)


async def table(_asker: PeerKey, request: bytes) -> bytes:
    assert decode(request, PiecesRequest, 64).digest == DIGEST
    return encode(PiecesResponse(TABLE, b""))


async def stall(_asker: PeerKey, _request: bytes) -> bytes:
    await trio.sleep_forever()
    raise AssertionError("for ever is over")


async def lie(_asker: PeerKey, request: bytes) -> bytes:
    return b"\xff" * (TABLE.length(decode(request, PieceRequest, 64).index))


async def careless_fetch(transport, holder: PeerKey) -> bytes:
    """From the first holder that says it has it, unchecked, with all the patience there is."""
    parts = [
        await transport.request(holder, PIECE, encode(PieceRequest(DIGEST, index)), max_bytes=PIECE_BYTES)
        for index in range(len(TABLE.hashes))
    ]
    return b"".join(parts)


async def test_a_holder_that_stalls_and_one_that_lies(world, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "HEDGE_S", 0.3)
    async with arena(world) as at, world.node("staller") as staller, world.node("liar") as liar:
        us = at.victim.transport
        at.attackers = {staller.transport.peer, liar.transport.peer}
        hold(at.friend.transport)
        for attacker, piece in ((staller, stall), (liar, lie)):
            attacker.transport.serve(PIECES, table)
            attacker.transport.serve(PIECE, piece)
            await us.dial(attacker.address)

        assert await careless_fetch(us, liar.transport.peer) != BLOB
        with trio.move_on_after(1) as patience:
            await careless_fetch(us, staller.transport.peer)
        assert patience.cancelled_caught

        accused, disk = Counter[PeerKey](), MemoryDisk()

        def accuse(who: PeerKey, _reason: str) -> None:
            accused[who] += 1
            us.blame(who, "blob-refused")

        fetcher = PieceFetcher(us, disk, accuse)
        holders = [staller.transport.peer, liar.transport.peer, at.friend.transport.peer]
        with trio.fail_after(30):
            assert await fetcher.fetch(DIGEST, holders, len(BLOB)) == BLOB
        assert set(accused) == {liar.transport.peer}
        assert us.conduct.points(liar.transport.peer) > 0
        assert us.conduct.points(at.friend.transport.peer) == us.conduct.points(staller.transport.peer) == 0


async def test_who_lies_again_and_again_is_banned(world) -> None:
    async with arena(world) as at, world.node("liar") as liar:
        us, them = at.victim.transport, liar.transport.peer
        at.attackers = {them}
        liar.transport.serve(PIECES, table)
        liar.transport.serve(PIECE, lie)
        await us.dial(liar.address)
        fetcher = PieceFetcher(us, MemoryDisk(), lambda who, _reason: us.blame(who, "blob-refused"))
        for _ in range(6):
            assert await fetcher.fetch(DIGEST, [them], len(BLOB)) is None
        await world.until(lambda: at.named("banned", them) == 1)
        await world.until(lambda: them not in us.connected())

"""Small bytes that say they are big: MessagePack that announces, nests or repeats without end, to a live node.

Nothing that comes from outside is decompressed: messages are MessagePack, ciphertexts are packed integers of a fixed
width, and gossip is protobuf. So a bomb can only lie about lengths and depths.
"""

from __future__ import annotations

import gzip
import struct

import pytest

from p2pnode.directory import Directory
from p2pnode.transport.addresses import peer_id_of
from protocols.types import Secret
from protocols.wire.envelope import signer
from tests.p2pnode.transport.attacks.arena import arena, key_of, memory_mib

PEERS = "/2pm/test/peers/1"
BOMBS = {
    "an array of four billion": b"\xdd\xff\xff\xff\xff",
    "a map of four billion": b"\xdf\xff\xff\xff\xff",
    "bytes of four gigabytes": b"\x92\xc6\xff\xff\xff\xff",
    "sixty thousand arrays within arrays": b"\x91" * 60_000,
    "nested maps": b"\x81\xa1a" * 20_000,
    "an array of sixty thousand nothings": b"\xdc\xea\x60" + b"\xc0" * 60_000,
    "ten megabytes in ten kilobytes": gzip.compress(bytes(10 << 20)),
    "an extension": b"\xc9\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_and_named(world, name: str) -> None:
    async with arena(world) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        Directory(at.victim.transport, signer(Secret(b"v" * 32))[1], 1)
        before = memory_mib()
        for number in range(3):
            stream = await attacker.new_stream(peer_id_of(at.victim.transport.peer), [PEERS])
            await stream.write(struct.pack("!I", len(BOMBS[name])) + BOMBS[name])
            await world.until(lambda wanted=number + 1: at.named("request-refused", key_of(attacker)) == wanted)
        assert memory_mib() - before < 32

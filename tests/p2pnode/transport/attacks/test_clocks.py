"""Clocks: strangers whose time is far off, and our own that jumps while the honest talk."""

from __future__ import annotations

import time

import pytest
from libp2p.pubsub.pb import rpc_pb2

from p2pnode.directory import Directory
from p2pnode.transport.addresses import with_peer
from protocols.types import Secret
from protocols.wire.envelope import signer
from protocols.wire.messages import AddressRecord
from tests.p2pnode.transport.attacks.arena import arena, gossip_stream, key_of, send_rpc, signed

DAY_S = 86_400
AGES = 2**63


@pytest.mark.parametrize("seconds", [10 * 365 * DAY_S, -10 * 365 * DAY_S])
async def test_our_clock_jumps_by_years_and_no_message_is_lost(world, monkeypatch, seconds: float) -> None:
    true = time.time
    async with arena(world) as at:
        await at.passes(3)
        with monkeypatch.context() as skewed:
            skewed.setattr(time, "time", lambda: true() + seconds)
            await at.passes(10)
            for node in (at.victim, at.friend):
                node.transport.gossip.router.mesh_heartbeat()
            await at.passes(3)
        await at.passes(3)


async def test_sequence_numbers_from_other_ages_are_messages_like_others(world) -> None:
    async with arena(world) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        for number in (AGES - 1, 0, AGES, 2**64 - 1, 1):
            await send_rpc(stream, rpc_pb2.RPC(publish=[signed(attacker, b"age %d" % number, number)]))
        wanted = {b"age %d" % number for number in (AGES - 1, 0, AGES, 2**64 - 1, 1)}
        await world.until(lambda: wanted <= set(at.heard))
        assert at.victim.transport.conduct.points(key_of(attacker)) == 0


async def test_a_record_from_the_future_speaks_for_its_signer_alone(world) -> None:
    """A careless book that takes the highest number of all would be closed to everybody else from now on."""
    async with arena(world) as at:
        where = with_peer("/ip4/8.8.8.8/tcp/1", signer(Secret(b"b" * 32))[0])
        here, now = at.victim.transport, int(time.time() * 1000)
        keys = {name: signer(Secret(name.encode() * 32)) for name in "ab"}
        book = Directory(here, signer(Secret(b"v" * 32))[1], now)
        future, honest = AddressRecord(2**64 - 1, ()), AddressRecord(now, (where,))
        book._learn(keys["a"][1](future).encoded, keys["a"][0])
        book._learn(keys["b"][1](honest).encoded, keys["b"][0])
        assert max(now, future.sequence) == future.sequence > honest.sequence  # what the careless one would compare
        assert book._book[keys["b"][0]].record == honest
        assert book._book[keys["b"][0]].routes == honest.addresses

"""Before and around the first message: garbage, floods of connections, slow handshakes, bans."""

from __future__ import annotations

import random
import struct

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2

from p2pnode.transport.addresses import peer_id_of, split_address
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.tcp import host_and_port
from tests.p2pnode.transport.attacks.arena import TOPIC, arena, raw_peer


async def socket_to(address: str) -> trio.SocketStream:
    return await trio.open_tcp_stream(*host_and_port(split_address(address)[0]))


async def test_garbage_instead_of_a_handshake(world) -> None:
    noise = random.Random(0)
    async with arena(world) as at:
        for size in (0, 1, 20, 1000, 70_000):
            async with await socket_to(at.victim.address) as stream:
                await stream.send_all(noise.randbytes(size))
        await world.until(lambda: at.reported("handshake-failed") == 5)


async def test_garbage_behind_the_handshake_is_banned_at_the_second_time(world) -> None:
    async with arena(world) as at:
        for _ in range(2):
            attacker = await raw_peer(at.victim.address, "garbage")
            at.attackers = {attacker.peer}
            await attacker.session.write(random.Random(1).randbytes(5000))
            assert await attacker.is_cut_off()
        await world.until(lambda: at.named("banned", attacker.peer) == 1)
        assert at.named("yamux-violation", attacker.peer) == 2
        with pytest.raises(BaseLibp2pError):
            await raw_peer(at.victim.address, "garbage")
        assert attacker.peer not in at.victim.transport.connected()


async def test_half_open_connections_do_not_keep_the_honest_out(world) -> None:
    limits = Limits(handshakes_in_progress=8)
    async with arena(world, limits) as at, world.node("late") as late:
        held = [await socket_to(at.victim.address) for _ in range(40)]
        for stream in held[::2]:
            await stream.send_all(b"\x13")  # the first byte of a handshake, and no more
        with trio.fail_after(10):
            assert await late.transport.dial(at.victim.address) == at.victim.transport.peer
        assert at.reported("handshake-failed") >= 30
        for stream in held:
            await stream.aclose()


async def test_connections_of_one_address_are_bounded(world) -> None:
    limits = Limits(connections_per_local_address=6)
    async with arena(world, limits) as at:
        held = [await socket_to(at.victim.address) for _ in range(20)]
        await world.until(lambda: at.reported("too-many-of-an-address") == 15)  # the friend has one of the six
        for stream in held:
            await stream.aclose()


async def test_fifty_sybils_do_not_eclipse_a_neighbour(world) -> None:
    """They fill the mesh and pass nothing on; whom the victim dialled itself stays in it."""
    async with arena(world) as at, world.node("chosen") as chosen:
        await chosen.transport.subscribe(TOPIC, at.victim.transport.gossip._followed[TOPIC][1])
        await at.victim.transport.dial(chosen.address)
        router = at.victim.transport.gossip.router
        await world.until(lambda: len(router.mesh[TOPIC]) == 2)
        sybils = [await raw_peer(at.victim.address, f"sybil {number}") for number in range(50)]
        for sybil in sybils:
            await graft(sybil)
        await world.until(lambda: len(router.mesh[TOPIC]) >= Limits().mesh_degree_high)
        for _ in range(5):
            router.mesh_heartbeat()
        assert len(router.mesh[TOPIC]) <= Limits().mesh_degree_high
        assert peer_id_of(chosen.transport.peer) in router.mesh[TOPIC]
        for number in range(10):
            await at.victim.transport.publish(TOPIC, b"dear" + bytes([number]))
        with trio.fail_after(5):
            received = {(await chosen.transport.receive()).payload for _ in range(10)}
        assert {payload[:4] for payload in received} <= {b"dear", b"goss"}


async def graft(sybil) -> None:
    stream = await sybil.open(str(PROTOCOL_ID_V11))
    rpc = rpc_pb2.RPC(
        subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=TOPIC)],
        control=rpc_pb2.ControlMessage(graft=[rpc_pb2.ControlGraft(topicID=TOPIC)]),
    ).SerializeToString()
    await sybil.data(stream, struct.pack("!B", len(rpc)) + rpc)

"""What strangers do to the host itself."""

from __future__ import annotations

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING_ID

from p2pnode.transport.addresses import peer_id_of, peer_key_of
from p2pnode.transport.limits import Limits


def host_and_port(address: str) -> tuple[str, int]:
    parts = address.split("/")
    return parts[2], int(parts[4])


async def test_half_open_connections_do_not_block_honest_ones(world) -> None:
    limits = Limits(handshakes_in_progress=8)
    async with world.node("victim", limits=limits) as victim, world.node("honest") as honest:
        flood = [await trio.open_tcp_stream(*host_and_port(victim.address)) for _ in range(30)]
        with trio.fail_after(5):
            await honest.transport.dial(victim.address)
        await world.until(lambda: victim.reports["handshake-failed", None] >= 22)
        for stream in flood:
            await stream.aclose()


async def test_a_half_open_connection_ends_in_time(world) -> None:
    async with world.node("victim", limits=Limits(handshake_seconds=0.2)) as victim:
        stream = await trio.open_tcp_stream(*host_and_port(victim.address))
        with trio.fail_after(5):
            while await stream.receive_some():
                pass
        await world.until(lambda: victim.reports["handshake-failed", None] == 1)


async def test_plaintext_is_refused(world) -> None:
    async with world.node("victim") as victim:
        stream = await trio.open_tcp_stream(*host_and_port(victim.address))
        for text in (b"/multistream/1.0.0\n", b"/plaintext/2.0.0\n"):
            await stream.send_all(bytes([len(text)]) + text)
        received = b""
        with trio.fail_after(5):
            while b"na\n" not in received:
                chunk = await stream.receive_some()
                assert chunk
                received += chunk
        await stream.aclose()


async def test_a_raw_handler_that_raises_kills_nothing(world) -> None:
    async def explode(stream: INetStream) -> None:
        await stream.read(1)
        raise RuntimeError("boom")

    async with world.node("victim") as victim:
        victim.transport._host.set_stream_handler(TProtocol("/raw/1"), explode)
        async with world.hostile(victim.address) as hostile:
            stream = await hostile.new_stream(peer_id_of(victim.transport.peer), [TProtocol("/raw/1")])
            await stream.write(b"x")
            await world.until(lambda: victim.reports["handler-raised", peer_key_of(hostile.get_id())] == 1)
            ping = await hostile.new_stream(peer_id_of(victim.transport.peer), [PING_ID])
            await ping.write(bytes(32))
            with trio.fail_after(5):
                assert await ping.read(32) == bytes(32)


async def test_slots_of_ended_connections_come_back(world) -> None:
    """Upstream's never do: after `connections` visitors nobody gets in any more."""
    async with world.node("victim", limits=Limits(connections=2)) as victim:
        for _ in range(6):
            async with world.hostile(victim.address) as visitor:
                await world.until(lambda: len(victim.transport.connected()) == 1)
                await visitor.disconnect(peer_id_of(victim.transport.peer))
            await world.until(lambda: not victim.transport.connected())

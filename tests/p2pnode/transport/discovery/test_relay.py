"""Relays over real hosts: two that cannot dial each other talk through a third; nobody else brings connections."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Status, StopMessage
from libp2p.relay.circuit_v2.protocol import PROTOCOL_ID, STOP_PROTOCOL_ID
from libp2p.relay.circuit_v2.utils import read_delimited_msg, write_delimited_msg

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of, peer_key_of, relay_in, split_address, with_peer
from p2pnode.transport.discovery import relay as module
from p2pnode.transport.discovery.relay import Relays
from protocols.types import PeerKey


async def echo(_asker: PeerKey, request: bytes) -> bytes:
    return request[::-1]


@asynccontextmanager
async def relayed(world):
    """A relay, and somebody behind it whose own address nobody knows."""
    async with world.node("relay") as relay, world.node("hidden") as hidden, trio.open_nursery() as nursery:
        nursery.start_soon(Relays(relay.transport, relay.transport.conduct.report, serve=True).run)
        behind = Relays(hidden.transport, hidden.transport.conduct.report, [relay.address], serve=False)
        await world.until(lambda: PROTOCOL_ID in relay.transport.host.get_mux().get_protocols())
        nursery.start_soon(behind.run)
        await world.until(lambda: len(hidden.transport.addresses) == 2)
        yield relay, hidden
        nursery.cancel_scope.cancel()


async def test_two_that_cannot_dial_each_other_talk_through_a_third(world) -> None:
    async with relayed(world) as (relay, hidden), world.node("caller") as caller:
        circuit = hidden.transport.addresses[1]
        assert relay_in(circuit) == relay.address
        hidden.transport.serve("echo/1", echo)
        caller.transport.learn(hidden.transport.peer, [circuit])
        with pytest.raises(Unreachable):
            await caller.transport.request(hidden.transport.peer, "echo/1", b"x", max_bytes=10)

        calling = Relays(caller.transport, caller.transport.conduct.report, serve=False)
        assert not calling.wanted
        assert await caller.transport.dial(circuit) == hidden.transport.peer
        answer = await caller.transport.request(hidden.transport.peer, "echo/1", b"hello" * 12_000, max_bytes=10**6)
        assert answer == b"olleh" * 12_000
        assert caller.transport.connected() == {relay.transport.peer, hidden.transport.peer}
        assert hidden.transport.connected() == {relay.transport.peer, caller.transport.peer}
        assert not any(node.reports for node in (relay, hidden, caller))


async def test_who_asks_a_relay_for_nobody_or_for_somebody_without_a_place_gets_nothing(world) -> None:
    async with relayed(world) as (relay, _), world.node("caller") as caller, world.node("other") as other:
        Relays(caller.transport, caller.transport.conduct.report, serve=False)
        await other.transport.dial(relay.address)
        for peer in (other.transport.peer, PeerKey(bytes(range(32)))):
            with pytest.raises(Unreachable):
                await caller.transport.dial(with_peer(f"{relay.address}/p2p-circuit", peer))
        assert caller.transport.connected() <= {relay.transport.peer}


async def test_only_our_own_relays_bring_us_connections(world) -> None:
    async with relayed(world) as (_, hidden), world.hostile(hidden.address) as attacker:
        forged = StopMessage(type=StopMessage.CONNECT)
        forged.peer.id = peer_id_of(PeerKey(bytes(32))).to_bytes()
        with suppress(BaseLibp2pError):  # it may be reset before it is written
            stream = await attacker.new_stream(peer_id_of(hidden.transport.peer), [STOP_PROTOCOL_ID])
            await write_delimited_msg(stream, forged)
        await world.until(lambda: hidden.reports["relay-refused", peer_key_of(attacker.get_id())] == 1)
        assert len(hidden.transport.connected()) == 2


async def test_nobody_is_carried_where_it_is_not_wanted(world) -> None:
    async with world.node("node") as node, world.node("hidden") as hidden, trio.open_nursery() as nursery:
        behind = Relays(hidden.transport, hidden.transport.conduct.report, [node.address], serve=False)
        nursery.start_soon(behind.run)
        await world.until(lambda: hidden.reports["relay-unreachable", None] == 1)
        assert len(hidden.transport.addresses) == 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer", [HopMessage(type=HopMessage.STATUS, status=Status.RESERVATION_REFUSED), b"\xff\xff\xff"]
)
async def test_a_relay_that_refuses_is_announced_no_more(world, monkeypatch, answer) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.1)
    async with relayed(world) as (relay, hidden):

        async def refuse(stream) -> None:
            await read_delimited_msg(stream, HopMessage)
            await (stream.write(answer) if isinstance(answer, bytes) else write_delimited_msg(stream, answer))
            await stream.close()

        relay.transport.host.set_stream_handler(PROTOCOL_ID, refuse)
        await world.until(lambda: len(hidden.transport.addresses) == 1)


async def test_relays_behind_relays_are_no_circles(world) -> None:
    async with world.node("caller", limits=None) as caller:
        Relays(caller.transport, caller.transport.conduct.report, serve=False)
        one, other = (PeerKey(bytes([n]) * 32) for n in (1, 2))
        for peer, relay in ((one, other), (other, one)):
            via = with_peer("/ip4/127.0.0.1/tcp/1", relay)
            caller.transport.learn(peer, [with_peer(f"{via}/p2p-circuit", peer)])
        with trio.fail_after(5), pytest.raises(Unreachable):
            await caller.transport.send(one, b"x")


def test_addresses_behind_relays_are_read_whole() -> None:
    relay, peer = PeerKey(bytes([1]) * 32), PeerKey(bytes([2]) * 32)
    where = f"{with_peer('/ip4/8.8.8.8/tcp/1', relay)}/p2p-circuit"
    assert tuple(map(str, (split_address(with_peer(where, peer))[0],))) == (where,)
    assert split_address(with_peer(where, peer))[1] == peer
    assert relay_in("/ip4/8.8.8.8/tcp/1") is None

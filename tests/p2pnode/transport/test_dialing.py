"""Dialling: few at a time, not again at once after a failure. (Reasons in words: test_host.py.)"""

from __future__ import annotations

import pytest
import trio

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import with_peer
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey

NOBODY = PeerKey(bytes(range(32)))


async def test_the_second_address_is_tried_when_the_first_fails(world) -> None:
    async with world.nodes(2) as (a, b):
        a.transport.learn(b.transport.peer, [with_peer("/ip4/127.0.0.1/tcp/1", b.transport.peer), b.address])
        await a.transport.send(b.transport.peer, b"hello")
        assert (await b.transport.receive()).payload == b"hello"


async def test_many_sends_to_one_peer_make_one_connection(world) -> None:
    async with world.nodes(2) as (a, b):
        a.transport.learn(b.transport.peer, [b.address])
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(a.transport.send, b.transport.peer, b"x")
        assert [(await b.transport.receive()).payload for _ in range(20)] == [b"x"] * 20
        assert sum(len(conns) for conns in a.transport._swarm.connections.values()) == 1


async def test_a_failed_peer_is_not_dialled_again_at_once(world) -> None:
    async with world.node("a", limits=Limits(redial_after_seconds=60)) as a:
        async with world.node("b") as b:
            peer, address = b.transport.peer, b.address
        a.transport.learn(peer, [address])
        with pytest.raises(Unreachable, match="Connection refused"):
            await a.transport.send(peer, b"x")
        async with world.node("b", listen=address.split("/p2p/")[0]) as b:
            with pytest.raises(Unreachable, match="Connection refused"):  # remembered
                await a.transport.send(peer, b"x")
            a.transport.learn(peer, [address])  # news of it: worth a new attempt
            await a.transport.send(peer, b"y")
            assert (await b.transport.receive()).payload == b"y"


async def test_the_address_book_is_bounded(world) -> None:
    async with world.node("a", limits=Limits(known_peers=3, addresses_per_peer=2)) as a:
        for number in range(5):
            peer = PeerKey(bytes([number]) * 32)
            a.transport.learn(peer, [with_peer(f"/ip4/10.0.0.{i}/tcp/1", peer) for i in range(9)])
        book = a.transport._dialer._book
        assert len(book) == 3
        assert {len(addresses) for addresses in book.values()} == {2}


async def test_no_more_dials_than_allowed_at_a_time(world) -> None:
    """Listeners that never shake hands hold their dials until the time is up."""
    limits = Limits(dials_in_parallel=2, dial_seconds=0.1, handshake_seconds=0.2)
    async with world.node("a", limits=limits) as a:
        open_sockets: list[trio.SocketStream] = []

        async def hold(stream: trio.SocketStream) -> None:
            open_sockets.append(stream)
            most.append(len(open_sockets))
            await stream.receive_some(1)
            while await stream.receive_some(65536):
                pass
            open_sockets.remove(stream)

        async def fail(peer: PeerKey) -> None:
            with pytest.raises(Unreachable):
                await a.transport.send(peer, b"x")

        most: list[int] = []
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, hold, listeners)
            async with trio.open_nursery() as dials:
                for number in range(6):
                    peer = PeerKey(bytes([number]) * 32)
                    a.transport.learn(peer, [with_peer(f"/ip4/127.0.0.1/tcp/{port}", peer)])
                    dials.start_soon(fail, peer)
            nursery.cancel_scope.cancel()
        assert len(most) == 6
        assert max(most) <= 3  # two, and one whose end the listener has not seen yet


async def test_where_nearby_addresses_lead_only_who_is_near_may_say(world) -> None:
    """Hearsay does not replace what is known; from whom we do not know, only the world's addresses are taken."""
    async with world.nodes(2) as (a, b):
        await b.transport.dial(a.address)
        told = [with_peer(f"/ip4/{host}/tcp/1", NOBODY) for host in ("127.0.0.1", "192.168.0.1", "8.8.8.8")]
        assert a.transport.dialable(told, b.transport.peer) == tuple(told)  # on this machine, like us
        assert a.transport.dialable(told, NOBODY) == (told[2],)
        a.transport.dialer.suggest(NOBODY, told[:1])
        a.transport.dialer.suggest(NOBODY, told[2:])
        assert a.transport.dialer.addresses_of(NOBODY) == (told[0],)

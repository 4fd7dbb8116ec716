"""A whole host: joining, prefixes, restarts, clear errors."""

from __future__ import annotations

import pytest
import trio

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of
from p2pnode.transport.limits import Limits
from protocols.errors import LocalError
from protocols.types import PeerKey


async def test_direct_messages_arrive_in_order_small_and_large(world) -> None:
    payloads = [bytes([i % 256]) * size for i, size in enumerate([0, 1, 9_000, 48_000, 300_000, 1024 * 1024] * 5)]
    async with world.nodes(2) as (a, b):
        assert await a.transport.dial(b.address) == b.transport.peer
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_all, a, b, payloads)
            received = [await b.transport.receive() for _ in payloads]
        assert [message.payload for message in received] == payloads
        assert {(message.sender, message.topic) for message in received} == {(a.transport.peer, None)}
        assert a.transport.bytes_sent() > sum(map(len, payloads))


async def send_all(a, b, payloads) -> None:
    for payload in payloads:
        await a.transport.send(b.transport.peer, payload)


async def test_the_dialled_side_answers_over_the_same_connection(world) -> None:
    async with world.nodes(2) as (a, b):
        await a.transport.dial(b.address)
        await b.transport.send(a.transport.peer, b"back")  # b was never told where a is
        assert (await a.transport.receive()).payload == b"back"
        assert a.transport.connected() == {b.transport.peer}
        assert b.transport.connected() == {a.transport.peer}


async def test_a_learnt_address_is_dialled_at_the_first_send(world) -> None:
    async with world.nodes(2) as (a, b):
        a.transport.learn(b.transport.peer, [b.address])
        assert a.transport.connected() == frozenset()
        await a.transport.send(b.transport.peer, b"hello")
        assert (await b.transport.receive()).payload == b"hello"


async def test_both_dial_at_once(world) -> None:
    async with world.nodes(2) as (a, b):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.transport.dial, b.address)
            nursery.start_soon(b.transport.dial, a.address)
        for one, other in ((a, b), (b, a)):
            for number in range(20):
                await one.transport.send(other.transport.peer, bytes([number]))
            assert [(await other.transport.receive()).payload[0] for _ in range(20)] == list(range(20))


async def test_a_peer_that_restarts_is_reached_again(world) -> None:
    async with world.node("a") as a:
        async with world.node("b") as b:
            await a.transport.dial(b.address)
            await a.transport.send(b.transport.peer, b"first")
            assert (await b.transport.receive()).payload == b"first"
            peer, address = b.transport.peer, b.address
        await world.until(lambda: not a.transport.connected())
        with pytest.raises(Unreachable, match="Connection refused"):
            await a.transport.send(peer, b"nobody there")
        async with world.node("b", listen=address.split("/p2p/")[0]) as b:
            a.transport.learn(peer, [b.address])
            await a.transport.send(peer, b"again")
            with trio.fail_after(5):
                assert (await b.transport.receive()).payload == b"again"


async def test_peers_under_other_parameters_do_not_meet_but_by_full_ids(world) -> None:
    async def info(_asker: PeerKey, request: bytes) -> bytes:
        return b"info for " + request

    async with world.node("a", prefix="one") as a, world.node("b", prefix="two") as b:
        await a.transport.dial(b.address)
        b.transport.serve("blob/1", info)
        b.transport.serve("/2pm/info/1", info)
        with pytest.raises(Unreachable, match="does not speak /2pm/one/direct/1"):
            await a.transport.send(b.transport.peer, b"hello")
        with pytest.raises(Unreachable, match="does not speak /2pm/one/blob/1"):
            await a.transport.request(b.transport.peer, "blob/1", b"", max_bytes=100)
        assert await a.transport.request(b.transport.peer, "/2pm/info/1", b"a", max_bytes=100) == b"info for a"


async def test_a_joining_node_learns_its_prefix(world) -> None:
    async def echo(_asker: PeerKey, request: bytes) -> bytes:
        return request

    async with world.node("a", prefix=None) as a, world.node("b") as b:
        a.transport.serve("echo/1", echo)
        await a.transport.dial(b.address)
        with pytest.raises(LocalError, match="use_prefix"):
            await a.transport.send(b.transport.peer, b"too early")
        a.transport.use_prefix("test")
        await a.transport.send(b.transport.peer, b"hello")
        assert (await b.transport.receive()).payload == b"hello"
        assert await b.transport.request(a.transport.peer, "echo/1", b"ping", max_bytes=4) == b"ping"
        with pytest.raises(LocalError, match="already"):
            a.transport.use_prefix("other")


async def test_a_port_in_use_is_said(world) -> None:
    async with world.node("a") as a:
        taken = a.address.split("/p2p/")[0]
        with pytest.raises(LocalError, match=f"cannot listen on {taken}: the port is in use; stop the program"):
            async with world.node("b", listen=taken):
                pass


@pytest.mark.parametrize("listen", ["nonsense", "/ip4/127.0.0.1", "/ip4/127.0.0.1/udp/1"])
async def test_a_wrong_listen_address_is_said(world, listen: str) -> None:
    with pytest.raises(LocalError, match=r"write it like /ip4/0.0.0.0/tcp/4001"):
        async with world.node("a", listen=listen):
            pass


async def test_dialling_says_why_it_failed(world) -> None:
    async with world.nodes(2) as (a, b):
        where = b.address.split("/p2p/")[0]
        stranger = peer_id_of(PeerKey(bytes(32)))
        with pytest.raises(Unreachable, match="an address looks like"):
            await a.transport.dial(where)
        with pytest.raises(Unreachable, match="peer id does not correspond"):
            await a.transport.dial(f"{where}/p2p/{stranger}")
        with pytest.raises(Unreachable, match="Connection refused"):
            await a.transport.dial(f"/ip4/127.0.0.1/tcp/1/p2p/{stranger}")
        with pytest.raises(Unreachable, match="our own"):
            await a.transport.dial(a.address)
        with pytest.raises(Unreachable, match="no address of it is known"):
            await a.transport.send(PeerKey(bytes(range(32))), b"hello")


async def test_an_address_of_another_peer_is_refused(world) -> None:
    async with world.nodes(2) as (a, b):
        liar = PeerKey(bytes(32))
        a.transport.learn(liar, [b.address, "nonsense"])
        assert a.reports["address-refused", liar] == 2


async def test_what_the_block_raises_comes_out_as_it_is(world) -> None:
    with pytest.raises(KeyError):
        async with world.node("a"):
            raise KeyError("mine")


async def test_connections_over_the_limit_are_refused_and_places_come_back(world) -> None:
    limits = Limits(connections=2)
    async with world.node("a", limits=limits) as a:
        for round_ in range(4):  # more connections than places, one after the other
            async with world.node(f"visitor {round_}") as visitor:
                await visitor.transport.dial(a.address)
                await world.until(lambda: len(a.transport.connected()) == 1)
            await world.until(lambda: not a.transport.connected())

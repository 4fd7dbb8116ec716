"""Sockets: counted, exclusive, and fair. (What is said of a port in use: test_host.py.)"""

from __future__ import annotations

import pytest
import trio
from libp2p.io.exceptions import ConnectionClosedError
from multiaddr import Multiaddr

from p2pnode.transport.overrides.tcp import KEEP_ALIVE, TCPStream, Traffic, host_and_port, listen
from protocols.errors import LocalError


async def pair() -> tuple[TCPStream, TCPStream, Traffic, Traffic]:
    [listener] = await listen("/ip4/127.0.0.1/tcp/0")
    async with listener:
        client = await trio.open_tcp_stream(*listener.socket.getsockname())
        server = await listener.accept()
    traffic = Traffic(), Traffic()
    return TCPStream(client, traffic[0]), TCPStream(server, traffic[1]), *traffic


async def test_bytes_arrive_and_are_counted():
    client, server, ours, theirs = await pair()
    payload = bytes(range(256)) * 40_000  # more than the kernel buffers

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.write, payload)
        received = bytearray()
        while len(received) < len(payload):
            received += await server.read()
    assert received == payload
    assert (ours.sent, theirs.received) == (len(payload), len(payload))
    await client.close()
    assert await server.read() == b""
    await server.close()


async def test_closing_wakes_the_reader():
    client, server, *_ = await pair()

    async def read() -> None:
        with pytest.raises(ConnectionClosedError):
            await client.read()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await client.close()
        await client.close()  # twice is fine
    with pytest.raises(ConnectionClosedError):
        await client.write(b"x")
    await server.close()


async def test_a_sender_without_pause_does_not_hold_the_scheduler():
    client, server, *_ = await pair()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        await client.write(bytes(50_000))
        nursery.start_soon(count)
        for _ in range(1000):  # always data there: no read has to wait
            await server.read(1)
        nursery.cancel_scope.cancel()
    assert turns >= 200
    await client.close()
    await server.close()


async def test_a_peer_that_vanishes_without_a_word_is_noticed():
    client, server, *_ = await pair()
    options = {name: client._socket.getsockopt(*name) for name in KEEP_ALIVE}
    assert options == KEEP_ALIVE
    await client.close()
    await server.close()


async def test_a_second_listener_on_a_port_is_refused():
    """Upstream listens with SO_REUSEPORT and would share it."""
    [listener] = await listen("/ip4/127.0.0.1/tcp/0")
    async with listener:
        port = listener.socket.getsockname()[1]
        with pytest.raises(LocalError, match="in use"):
            await listen(f"/ip4/127.0.0.1/tcp/{port}")


async def test_a_foreign_address_is_said():
    with pytest.raises(LocalError, match="not one of this machine's"):
        await listen("/ip4/192.0.2.1/tcp/0")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("/ip4/1.2.3.4/tcp/5", ("1.2.3.4", 5)), ("/ip6/::1/tcp/5", ("::1", 5)), ("/dns4/a.org/tcp/5", ("a.org", 5))],
)
def test_host_and_port(address: str, expected: tuple[str, int]):
    assert host_and_port(Multiaddr(address)) == expected

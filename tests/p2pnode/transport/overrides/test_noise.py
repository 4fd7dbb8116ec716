"""Our Noise session against stock py-libp2p's (wire format), and against a forger."""

from __future__ import annotations

import pytest
import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.security.noise.transport import Transport as StockNoise

from p2pnode.transport.overrides.noise import Noise, Session
from p2pnode.transport.overrides.tcp import TCPStream, Traffic, listen

KEYS = [create_new_key_pair(bytes([number]) * 32) for number in (1, 2)]


async def sessions(dialler: type[StockNoise], listener: type[StockNoise]):
    """(secured dialling side, secured listening side, the dialler's raw connection)"""
    [socket] = await listen("/ip4/127.0.0.1/tcp/0")
    async with socket:
        raw_a = RawConnection(TCPStream(await trio.open_tcp_stream(*socket.socket.getsockname()), Traffic()), True)
        raw_b = RawConnection(TCPStream(await socket.accept(), Traffic()), False)
    a, b = (
        kind(keys, create_noise_key_pair().private_key) for kind, keys in zip((dialler, listener), KEYS, strict=True)
    )
    result = {}

    async def secure_inbound() -> None:
        result["b"] = await b.secure_inbound(raw_b)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(secure_inbound)
        result["a"] = await a.secure_outbound(raw_a, ID.from_pubkey(KEYS[1].public_key))
    return result["a"], result["b"], raw_a


@pytest.mark.parametrize(("dialler", "listener"), [(Noise, Noise), (Noise, StockNoise), (StockNoise, Noise)])
async def test_both_ways_with_ourselves_and_with_stock(dialler: type[StockNoise], listener: type[StockNoise]):
    a, b, _ = await sessions(dialler, listener)
    assert a.get_remote_peer() == ID.from_pubkey(KEYS[1].public_key)
    assert b.get_remote_peer() == ID.from_pubkey(KEYS[0].public_key)
    payload = bytes(range(256)) * 1000  # four Noise messages
    for sender, receiver in ((a, b), (b, a)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.write, payload)
            received = bytearray()
            while len(received) < len(payload):
                received += await receiver.read(min(10_000, len(payload) - len(received)))  # stock reads just so many
        assert received == payload
    await a.close()
    await b.close()


async def test_a_message_that_was_changed_on_its_way_breaks_the_connection():
    a, b, raw = await sessions(Noise, Noise)
    wire = Recorder()
    a._raw = wire
    await a.write(bytes(200_000))
    with pytest.raises(ConnectionClosedError, match="did not authenticate"):
        b._decrypted(wire.written[:100_000] + b"?" + wire.written[100_001:])
    await raw.close()
    await b.close()


class Recorder:
    """Where a session writes to, so that its bytes can come in any pieces."""

    def __init__(self) -> None:
        self.written = b""

    async def write(self, data: bytes) -> None:
        self.written += data


async def test_messages_are_whole_whatever_pieces_they_come_in():
    a, b, raw = await sessions(Noise, Noise)
    wire = Recorder()
    a._raw = wire
    payload = bytes(range(256)) * 300  # two Noise messages
    await a.write(payload)
    assert b"".join(b._decrypted(wire.written[at : at + 1]) for at in range(len(wire.written))) == payload
    wire.written = b""
    await a.write(payload)
    await a.write(b"more")
    assert b._decrypted(wire.written[:-1]) + b._decrypted(wire.written[-1:]) == payload + b"more"
    await raw.close()
    await b.close()


@pytest.mark.parametrize("sizes", [(20,), (0,), (5,), (0, 0), (5, 20), (70, 3), (65_535, 2)])
async def test_a_forged_message_breaks_the_connection(sizes: tuple[int, ...]):
    a, b, raw = await sessions(Noise, Noise)
    assert isinstance(b, Session)
    await raw.write(b"".join(size.to_bytes(2, "big") + bytes(size) for size in sizes))
    with pytest.raises(ConnectionClosedError, match="did not authenticate"):
        await b.read()
    await a.close()
    await b.close()

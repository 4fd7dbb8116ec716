"""What peers see us at: asked of real hosts, of those alone that we dialled; junk is named by whoever asks."""

from __future__ import annotations

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.utils.varint import encode_uvarint
from multiaddr import Multiaddr
from trio.testing import MockClock

from p2pnode.transport.addresses import peer_key_of, with_peer
from p2pnode.transport.discovery import identify
from p2pnode.transport.discovery.identify import ASK_EVERY_S, observed_host, watch_address
from p2pnode.transport.discovery.observed import WITNESSES
from protocols.errors import MalformedError
from protocols.types import PeerKey


async def test_a_peer_says_where_it_sees_us(world) -> None:
    async with world.nodes(2) as (a, b), world.stock("theirs") as theirs:
        await a.transport.dial(b.address)
        await a.transport.dial(str(theirs.get_addrs()[0]))
        assert await observed_host(a.transport, b.transport.peer) == "127.0.0.1"
        assert await observed_host(a.transport, peer_key_of(theirs.get_id())) == "127.0.0.1"
        assert a.transport.seen_from(b.transport.peer) == "127.0.0.1"
        assert b.transport.seen_from(a.transport.peer) is None  # it came by itself: no witness


LIES = [
    b"\xff" * 30,
    Identify(observed_addr=b"junk").SerializeToString(),
    Identify(observed_addr=Multiaddr("/dns4/localhost/tcp/1").to_bytes()).SerializeToString(),
    Identify().SerializeToString(),
    bytes(20_000),
]


@pytest.mark.parametrize("body", LIES, ids=["no protobuf", "junk", "a name", "nothing", "too long"])
async def test_junk_is_refused(world, body: bytes) -> None:
    async with world.node("us") as us, world.hostile(us.address) as attacker:

        async def handler(stream) -> None:
            await stream.write(encode_uvarint(len(body)) + body)

        attacker.set_stream_handler(TProtocol(identify.PROTOCOL), handler)
        with pytest.raises(MalformedError):
            await observed_host(us.transport, peer_key_of(attacker.get_id()))


async def test_an_address_seen_by_many_is_announced(world) -> None:
    async with world.node("us") as us:
        port = us.address.split("/")[4]
        us.transport.seen_at("8.8.8.8")
        us.transport.seen_at("8.8.4.4")
        assert us.transport.addresses == (us.address, with_peer(f"/ip4/8.8.4.4/tcp/{port}", us.transport.peer))


class Crowd:
    """A transport with so many connected peers of networks of their own; some came by themselves."""

    def __init__(self, dialled: int, others: int) -> None:
        self._dialled = {PeerKey(bytes([n]) * 32): f"{20 + n}.1.1.1" for n in range(dialled)}
        self._others = {PeerKey(bytes([100 + n]) * 32) for n in range(others)}
        self.announced: list[str] = []

    def connected(self) -> frozenset[PeerKey]:
        return frozenset({*self._dialled, *self._others})

    def seen_from(self, peer: PeerKey) -> str | None:
        return self._dialled.get(peer)

    def seen_at(self, host: str) -> None:
        self.announced.append(host)


@pytest.mark.parametrize(("dialled", "announced"), [(WITNESSES - 1, []), (WITNESSES, ["9.9.9.9"])])
async def test_who_comes_to_us_is_no_witness(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, dialled: int, announced: list[str]
) -> None:
    asked = []

    async def answer(_transport: object, peer: PeerKey) -> str:
        asked.append(peer)
        return "9.9.9.9"

    monkeypatch.setattr(identify, "observed_host", answer)
    crowd = Crowd(dialled, 50)
    with trio.move_on_after(5 * ASK_EVERY_S):
        await watch_address(crowd)  # type: ignore[arg-type]  # a transport in all that it needs
    assert crowd.announced == announced
    assert len(asked) == dialled

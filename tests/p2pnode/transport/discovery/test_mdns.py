"""mDNS: two nodes on one network find each other by real multicast; what others shout is bounded."""

from __future__ import annotations

import hashlib
import os
import socket
from collections import defaultdict

import pytest
import trio

from p2pnode.transport.addresses import peer_id_of, split_address, with_peer
from p2pnode.transport.discovery import mdns
from p2pnode.transport.discovery.lookup import ADDRESSES_MAX
from p2pnode.transport.discovery.mdns import Browsing, addresses_in, announcement, run_mdns, service_type
from protocols.errors import LocalError
from protocols.types import PeerKey

PREFIX = "0123456789abcdef"


def peer(number: int) -> PeerKey:
    return PeerKey(hashlib.sha256(number.to_bytes(4, "big")).digest())


def text(*entries: bytes) -> bytes:
    return b"".join(bytes([len(entry)]) + entry for entry in entries)


def need_multicast() -> None:
    """Skips, and says so, where a datagram to 224.0.0.251 does not come back; fails on a CI machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.settimeout(2)
        try:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            receiver.bind(("", 0))
            member = socket.inet_aton("224.0.0.251") + socket.inet_aton("0.0.0.0")
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            sender.sendto(b"there?", ("224.0.0.251", receiver.getsockname()[1]))
            receiver.recv(16)
        except OSError as error:
            reason = f"no multicast on this machine ({error}): that nodes find each other by mDNS was NOT tried"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


async def test_two_on_one_network_find_each_other(world) -> None:
    need_multicast()
    async with (
        world.node("a", listen="/ip4/0.0.0.0/tcp/0") as a,
        world.node("b", listen="/ip4/0.0.0.0/tcp/0") as b,
        world.node("of another subnet", listen="/ip4/0.0.0.0/tcp/0") as other,
        trio.open_nursery() as nursery,
    ):
        heard = defaultdict(dict)
        for node, prefix in ((a, PREFIX), (b, PREFIX), (other, "fedcba9876543210")):
            key = node.transport.peer
            tell = heard[key].__setitem__
            nursery.start_soon(run_mdns, key, node.transport.addresses, prefix, tell)
        await world.until(lambda: heard[a.transport.peer] and heard[b.transport.peer], seconds=30)
        where = heard[a.transport.peer][b.transport.peer]
        assert set(where) <= set(b.transport.addresses)
        assert await a.transport.dial(where[0]) == b.transport.peer
        assert heard[other.transport.peer] == {}
        nursery.cancel_scope.cancel()


async def test_who_listens_for_itself_alone_is_told_so() -> None:
    with pytest.raises(LocalError, match="nobody else can reach"):
        await run_mdns(peer(1), (with_peer("/ip4/127.0.0.1/tcp/1", peer(1)),), PREFIX, lambda _peer, _where: None)


async def test_a_machine_without_multicast_is_told_so(monkeypatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(mdns, "Zeroconf", refuse)
    with pytest.raises(LocalError, match="Network is unreachable"):
        await run_mdns(peer(1), (with_peer("/ip4/10.0.0.1/tcp/1", peer(1)),), PREFIX, lambda _peer, _where: None)


def test_what_is_announced_is_read_again() -> None:
    addresses = [with_peer(f"/ip4/10.0.0.{n}/tcp/{n}", peer(1)) for n in range(1, 12)]
    info = announcement(peer(1), addresses, service_type(PREFIX))
    assert info.port == 1
    assert str(peer_id_of(peer(1))) in info.name
    assert addresses_in(info.text) == {peer(1): tuple(addresses[:ADDRESSES_MAX])}


def test_junk_and_far_too_much_is_passed_over() -> None:
    good = b"dnsaddr=" + with_peer("/ip4/10.0.0.1/tcp/1", peer(1)).encode()
    loopback = b"dnsaddr=" + with_peer("/ip4/127.0.0.1/tcp/8545", peer(1)).encode()
    name = b"dnsaddr=" + with_peer("/dns4/localhost/tcp/8545", peer(1)).encode()
    expected = {peer(1): (good.removeprefix(b"dnsaddr=").decode(),)}
    assert addresses_in(text(b"", b"junk", b"dnsaddr=junk", b"dnsaddr=\xff", loopback, name, good, good)) == expected
    assert addresses_in(text(good) + b"\xffcut off") == expected
    assert addresses_in(b"") == addresses_in(b"\x00" * 10_000) == {}
    flood = text(*(b"dnsaddr=" + with_peer(f"/ip4/10.0.0.1/tcp/{n}", peer(n)).encode() for n in range(1, 2000)))
    assert len(addresses_in(flood)) < 60


def test_ten_thousand_names_are_five_hundred(monkeypatch) -> None:
    asked = []

    class Info:
        text = b""

        def __init__(self, kind: str, name: str) -> None:
            asked.append(name)

        def load_from_cache(self, _network: object) -> None: ...

        def request(self, _network: object, _milliseconds: int) -> None: ...

    monkeypatch.setattr(mdns, "ServiceInfo", Info)
    browsing = Browsing(peer(1), service_type(PREFIX), lambda _peer, _where: None, None)
    for number in range(10_000):
        browsing.changed(None, browsing.kind, f"{number}.{browsing.kind}", mdns.ServiceStateChange.Added)
        browsing.changed(None, browsing.kind, f"{number}.{browsing.kind}", mdns.ServiceStateChange.Added)
    assert len(asked) == mdns.NAMES_MAX


def test_our_own_voice_is_no_news() -> None:
    heard = {}
    browsing = Browsing(peer(1), service_type(PREFIX), heard.__setitem__, None)
    for each in (peer(1), peer(2)):
        browsing.take(text(b"dnsaddr=" + with_peer("/ip4/10.0.0.1/tcp/1", each).encode()))
    assert set(heard) == {peer(2)}
    assert split_address(heard[peer(2)][0])[1] == peer(2)

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from p2pnode.errors import Unreachable
from protocols.errors import RemoteError
from protocols.types import PeerKey, Verdict
from simnet.network import INBOX_MESSAGES, REQUEST_TIMEOUT_S, VirtualNetwork, VirtualTransport

KEYS = [PeerKey(bytes([number]) * 32) for number in range(24)]


@pytest.fixture
async def network() -> AsyncIterator[VirtualNetwork]:
    network = VirtualNetwork(seed=7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run)
        yield network
        nursery.cancel_scope.cancel()


def accept(origin: PeerKey, payload: bytes) -> Verdict:
    return Verdict.ACCEPT


async def heard(transport: VirtualTransport, seconds: float = 5) -> list[bytes]:
    payloads = []
    with trio.move_on_after(seconds):
        while True:
            payloads.append((await transport.receive()).payload)
    return payloads


async def test_direct_messages_keep_their_order(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    one, other = network.attach(KEYS[0]), network.attach(KEYS[1])
    await one.send(KEYS[1], b"x" * 1_000_000)
    await one.send(KEYS[1], b"small")
    assert [len(payload) for payload in await heard(other)] == [1_000_000, 5]
    assert one.bytes_sent() == 1_000_005


async def test_gossip_reaches_every_subscriber_once(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    transports = [network.attach(key) for key in KEYS]
    for transport in transports:
        await transport.subscribe("topic", accept)
    await transports[0].publish("topic", b"news")
    await trio.sleep(5)
    assert await heard(transports[0]) == []
    for transport in transports[1:]:
        incoming = await transport.receive()
        assert (incoming.sender, incoming.topic, incoming.payload) == (KEYS[0], "topic", b"news")
        assert await heard(transport) == []


async def test_who_unsubscribed_hears_nothing_and_may_publish(
    autojump_clock: MockClock, network: VirtualNetwork
) -> None:
    one, other, third = (network.attach(key) for key in KEYS[:3])
    for transport in (one, other, third):
        await transport.subscribe("topic", accept)
    await third.unsubscribe("topic")
    await third.publish("topic", b"from outside")
    assert (await heard(one), await heard(other), await heard(third)) == ([b"from outside"], [b"from outside"], [])


async def test_gossip_goes_round_cut_links(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    transports = [network.attach(key) for key in KEYS[:8]]
    for transport in transports:
        await transport.subscribe("topic", accept)
    network.cut(KEYS[0], KEYS[1])
    await transports[0].publish("topic", b"news")
    assert await heard(transports[1]) == [b"news"]
    with pytest.raises(Unreachable, match="link is down"):
        await transports[0].send(KEYS[1], b"direct")


async def test_what_a_validator_refuses_is_neither_kept_nor_passed_on(
    autojump_clock: MockClock, network: VirtualNetwork
) -> None:
    sender, *others = [network.attach(key) for key in KEYS]
    for transport in others:
        await transport.subscribe("topic", lambda origin, payload: Verdict.REJECT)
    await sender.publish("topic", b"junk")
    assert [await heard(transport) for transport in others] == [[]] * len(others)
    assert sum(transport.bytes_sent() for transport in others) == 0


async def test_request_and_its_failures(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    one, other = network.attach(KEYS[0]), network.attach(KEYS[1])

    async def echo(asker: PeerKey, payload: bytes) -> bytes:
        if payload == b"bad":
            raise RemoteError("bad request", [asker])
        if payload == b"slow":
            await trio.sleep_forever()
        return asker + payload

    other.serve("echo/1", echo)
    assert await one.request(KEYS[1], "echo/1", b"hi", max_bytes=99) == KEYS[0] + b"hi"
    for protocol, payload, limit, words in [
        ("echo/1", b"bad", 99, "closed the stream"),
        ("echo/1", b"hi", 33, "allowed are 33"),
        ("other/1", b"hi", 99, "does not speak"),
        ("echo/1", b"slow", 99, f"within {REQUEST_TIMEOUT_S:.0f} s"),
    ]:
        with pytest.raises(Unreachable, match=words):
            await one.request(KEYS[1], protocol, payload, max_bytes=limit)
    network.detach(KEYS[1])
    with pytest.raises(Unreachable, match="not on the network"):
        await one.request(KEYS[1], "echo/1", b"hi", max_bytes=99)


async def test_who_left_hears_nothing_and_a_successor_starts_afresh(
    autojump_clock: MockClock, network: VirtualNetwork
) -> None:
    one, gone = network.attach(KEYS[0]), network.attach(KEYS[1])
    await one.send(KEYS[1], b"on its way")
    successor = network.attach(KEYS[1])
    await one.send(KEYS[1], b"later")
    assert await heard(gone) == []
    assert await heard(successor) == [b"later"]


async def test_losses_and_healing(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    one, other = network.attach(KEYS[0]), network.attach(KEYS[1])
    network.lose(1.0)
    with pytest.raises(Unreachable):
        await one.send(KEYS[1], b"lost")
    network.heal()
    await one.send(KEYS[1], b"found")
    assert await heard(other) == [b"found"]


async def test_a_full_inbox_stays_bounded(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    one, other = network.attach(KEYS[0]), network.attach(KEYS[1])
    for _ in range(INBOX_MESSAGES + 5):
        await one.send(KEYS[1], b".")
    await trio.sleep(5)
    assert len(await heard(other)) == INBOX_MESSAGES


async def test_dial_by_address(autojump_clock: MockClock, network: VirtualNetwork) -> None:
    one, other = network.attach(KEYS[0]), network.attach(KEYS[1])
    assert await one.dial(other.addresses[0]) == KEYS[1]
    assert one.connected() == {KEYS[1]}

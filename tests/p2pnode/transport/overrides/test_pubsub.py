"""Hostile gossip, message by message. (The kills: test_kills.py.)"""

from __future__ import annotations

import pytest
import trio
from libp2p.host.basic_host import BasicHost
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_uvarint

from p2pnode.transport.addresses import peer_id_of, peer_key_of
from p2pnode.transport.overrides.pubsub import SeenMessages
from protocols.types import Verdict

TOPIC = "/t"


def signed(host: BasicHost, payload: bytes, number: bytes = b"1", **changed: bytes) -> rpc_pb2.Message:
    """A message as an honest peer would sign it, with fields changed afterwards."""
    message = rpc_pb2.Message(data=payload, topicIDs=[TOPIC], from_id=host.get_id().to_bytes(), seqno=number)
    message.signature = host.get_private_key().sign(b"libp2p-pubsub:" + message.SerializeToString())
    for field, value in changed.items():
        setattr(message, field, value)
    return message


async def send(host: BasicHost, victim, body: bytes) -> None:
    stream = await host.new_stream(peer_id_of(victim.transport.peer), [PROTOCOL_ID_V11])
    await stream.write(encode_uvarint(len(body)) + body)


def rpc(*messages: rpc_pb2.Message) -> bytes:
    return rpc_pb2.RPC(publish=messages).SerializeToString()


async def listening(victim, judged: list[bytes] | None = None) -> None:
    def judge(_origin: object, payload: bytes) -> Verdict:
        if judged is not None:
            judged.append(payload)
        return Verdict.ACCEPT

    await victim.transport.subscribe(TOPIC, judge)


@pytest.mark.parametrize(
    "changed",
    [
        {"data": b"other"},
        {"seqno": b"2"},
        {"from_id": peer_id_of(bytes(32)).to_bytes()},  # type: ignore[arg-type]
        {"signature": b""},
        {"signature": bytes(64)},
        {"key": b"junk"},
        {"from_id": b""},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_a_forged_message_is_dropped_and_its_forwarder_named(world, changed: dict[str, bytes]) -> None:
    async with world.node("victim") as victim, world.hostile(victim.address) as hostile:
        judged: list[bytes] = []
        await listening(victim, judged)
        await send(hostile, victim, rpc(signed(hostile, b"x", **changed)))
        await world.until(lambda: victim.reports["gossip-bad-signature", peer_key_of(hostile.get_id())] == 1)
        assert not judged


async def test_a_message_is_judged_once_however_often_it_comes(world) -> None:
    async with world.node("victim") as victim, world.hostile(victim.address) as hostile:
        judged: list[bytes] = []
        await listening(victim, judged)
        await send(hostile, victim, rpc(*[signed(hostile, b"same")] * 5, signed(hostile, b"end", b"2")))
        received = [(await victim.transport.receive()).payload for _ in range(2)]
        assert received == judged == [b"same", b"end"]


async def test_an_oversized_message_and_an_oversized_rpc(world) -> None:
    async with world.node("victim") as victim, world.hostile(victim.address) as hostile:
        await listening(victim)
        culprit = peer_key_of(hostile.get_id())
        await send(hostile, victim, rpc(signed(hostile, bytes(65537))))
        await world.until(lambda: victim.reports["gossip-too-large", culprit] == 1)
        stream = await hostile.new_stream(peer_id_of(victim.transport.peer), [PROTOCOL_ID_V11])
        await stream.write(encode_uvarint(300_000))
        await world.until(lambda: victim.reports["gossip-frame-refused", culprit] == 1)


@pytest.mark.parametrize(
    "subscriptions",
    [[str(i) for i in range(257)], ["x" * 129]],
    ids=["too many", "too long"],
)
async def test_subscriptions_are_bounded(world, subscriptions: list[str]) -> None:
    async with world.node("victim") as victim, world.hostile(victim.address) as hostile:
        options = [rpc_pb2.RPC.SubOpts(subscribe=True, topicid=topic) for topic in subscriptions]
        await send(hostile, victim, rpc_pb2.RPC(subscriptions=options).SerializeToString())
        await world.until(lambda: victim.reports["gossip-malformed-rpc", peer_key_of(hostile.get_id())] == 1)


async def test_seen_messages_forget_by_time_and_by_number(autojump_clock) -> None:
    seen = SeenMessages(seconds=10, capacity=3)
    assert seen.add(b"a")
    assert not seen.add(b"a")
    await trio.sleep(11)
    assert seen.add(b"a")
    for key in (b"b", b"c", b"d"):
        assert seen.add(key)
    assert not seen.has(b"a")
    assert seen.has(b"d")

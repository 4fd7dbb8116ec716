"""By way of gossip: RPCs malformed in every field, spam, forged and repeated messages, abuse of control messages."""

from __future__ import annotations

import pytest
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_uvarint

from p2pnode.transport import frames
from p2pnode.transport.addresses import peer_id_of
from p2pnode.transport.limits import Limits
from tests.p2pnode.transport.attacks.arena import (
    BAD,
    DIRECT,
    TOPIC,
    arena,
    gossip_stream,
    key_of,
    raw_peer,
    send_rpc,
    signed,
)

HUGE = 2**63 - 1
CONTROL = rpc_pb2.ControlMessage


def sub(topic: str, subscribe: bool = True) -> rpc_pb2.RPC.SubOpts:
    return rpc_pb2.RPC.SubOpts(subscribe=subscribe, topicid=topic)


def message(**fields: object) -> rpc_pb2.RPC:
    usual = {"data": b"x", "topicIDs": [TOPIC], "from_id": b"junk", "seqno": b"1", "signature": b"junk", "key": b""}
    return rpc_pb2.RPC(publish=[rpc_pb2.Message(**{**usual, **fields})])


MALFORMED: dict[str, rpc_pb2.RPC | bytes] = {
    "no protobuf": b"\xff" * 50,
    "cut off": b"\x0a\xff\xff\xff\x0f",
    "a field of another type": b"\x08\x01\x12\x03abc",
    "a topic that is not UTF-8": b"\x0a\x06\x08\x01\x12\x02\xff\xfe",
    "groups within groups": b"\x0b" * 200,
    "a long topic": rpc_pb2.RPC(subscriptions=[sub("t" * 10_000)]),
    "many topics": rpc_pb2.RPC(subscriptions=[sub(str(number)) for number in range(300)]),
    "a junk origin": message(),
    "an empty origin": message(from_id=b""),
    "a long origin": message(from_id=b"o" * 10_000),
    "a long seqno": message(seqno=b"s" * 10_000),
    "a junk key": message(key=b"\x08\x01\x12\x00"),
    "no topic": message(topicIDs=[]),
    "many topics of one message": message(topicIDs=[TOPIC] * 50),
    "huge data": message(data=bytes(200_000)),
    "an endless back-off": rpc_pb2.RPC(control=CONTROL(prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=HUGE)])),
    "a prune that sends us elsewhere": rpc_pb2.RPC(
        control=CONTROL(
            prune=[
                rpc_pb2.ControlPrune(
                    topicID=TOPIC, backoff=1, peers=[rpc_pb2.PeerInfo(peerID=b"x" * 38, signedPeerRecord=b"junk")] * 50
                )
            ]
        )
    ),
    "IHAVE of everything": rpc_pb2.RPC(
        control=CONTROL(ihave=[rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[bytes([n]) * 40 for n in range(200)])])
    ),
    "IWANT of nothing": rpc_pb2.RPC(control=CONTROL(iwant=[rpc_pb2.ControlIWant(messageIDs=[b"?" * 40] * 500)])),
    "a junk peer record": rpc_pb2.RPC(senderRecord=b"junk" * 100),
}


async def test_rpcs_malformed_in_every_field(world) -> None:
    async with arena(world) as at:
        for number, (name, rpc) in enumerate(MALFORMED.items()):
            attacker = await raw_peer(at.victim.address, f"malformed {number}")
            at.attackers.add(attacker.peer)
            body = rpc if isinstance(rpc, bytes) else rpc.SerializeToString()
            await attacker.data(await attacker.open(str(PROTOCOL_ID_V11)), encode_uvarint(len(body)) + body)
            await at.passes(1)
            assert len(at.victim.transport.gossip.router.mesh[TOPIC]) == 1, name
        assert at.reported("gossip-malformed-rpc") >= 6
        assert at.reported("gossip-bad-signature") >= 5


async def until_cut_off(stream, rpcs) -> None:
    try:
        for rpc in rpcs:
            await send_rpc(stream, rpc)
    except Exception:  # noqa: BLE001  however stock libp2p says that the connection is gone
        return


def rejected(attacker, number: int) -> rpc_pb2.Message:
    return signed(attacker, BAD + bytes([number]), number)


def forged(attacker, number: int) -> rpc_pb2.Message:
    message = signed(attacker, bytes([number]), number)
    message.signature = bytes(64)
    return message


@pytest.mark.parametrize(("kind", "forge"), [("gossip-rejected", rejected), ("gossip-bad-signature", forged)])
async def test_spam_is_looked_at_forty_times_and_then_no_more(world, kind: str, forge) -> None:
    async with arena(world) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        spam = [rpc_pb2.RPC(publish=[forge(attacker, n) for n in range(s, s + 25)]) for s in range(0, 250, 25)]
        await until_cut_off(stream, spam)
        await at.passes()
        assert 40 <= at.named(kind, key_of(attacker)) <= 45
        assert not any(payload.startswith(BAD) for payload in at.heard)


@pytest.mark.parametrize("passed_on", [500, 200])
async def test_a_flood_of_true_messages_is_passed_on_as_far_as_its_origin_may_go(world, passed_on: int) -> None:
    """Each is signed and accepted: a node that is careless about who says them passes on all five hundred. The rate is
    so low that no clock matters: an origin has its burst, and nothing after it (the friend does not need so many).
    """
    limits = Limits(gossip_origin_burst=passed_on, gossip_origin_per_second=1e-6)
    async with arena(world, limits) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        await until_cut_off(stream, [rpc_pb2.RPC(publish=[signed(attacker, b"true", n)]) for n in range(500)])
        await world.until(lambda: at.heard.count(b"true") + at.reported("gossip-origin-flood") >= 500, seconds=60)
        assert at.heard.count(b"true") == passed_on
        assert at.reported("gossip-origin-flood") == 500 - passed_on


async def test_messages_that_are_ignored_cost_their_sender_nothing_and_us_little(world) -> None:
    limits = Limits(gossip_messages_burst=100, gossip_messages_per_second=60)
    async with arena(world, limits) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        await until_cut_off(stream, [rpc_pb2.RPC(publish=[signed(attacker, b"dull", n)]) for n in range(90)])
        await at.passes()
        assert at.victim.transport.conduct.points(key_of(attacker)) == 0
        await until_cut_off(stream, [rpc_pb2.RPC(publish=[signed(attacker, b"dull", 90)])] * 900)
        await world.until(lambda: at.named("gossip-flood", key_of(attacker)) > 300)
        assert at.victim.transport.conduct.points(key_of(attacker)) > 20


async def test_a_replayed_message_is_delivered_once(world) -> None:
    async with arena(world) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        rpc = rpc_pb2.RPC(publish=[signed(attacker, b"once", 1)])
        await until_cut_off(stream, [rpc] * 300)
        await world.until(lambda: b"once" in at.heard)
        await at.passes()
        assert at.heard.count(b"once") == 1


async def test_messages_of_other_topics_leave_no_trace(world) -> None:
    async with arena(world) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        rpcs = [rpc_pb2.RPC(publish=[signed(attacker, bytes(10_000), n, f"/other {n}")]) for n in range(100)]
        await until_cut_off(stream, rpcs)
        await at.passes()
        assert bytes(10_000) not in at.heard
        assert not [topic for topic in at.victim.transport.gossip.router.mesh if topic != TOPIC]
        assert len(at.victim.transport.gossip.pubsub.seen_messages._expiry) < 100


ABUSE: dict[str, rpc_pb2.ControlMessage] = {
    "IHAVE of what is never sent": CONTROL(
        ihave=[
            rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[bytes([n, m]) * 20 for m in range(50)]) for n in range(9)
        ]
    ),
    "IWANT of what was never there": CONTROL(iwant=[rpc_pb2.ControlIWant(messageIDs=[b"?" * 40] * 50)] * 9),
    "PRUNE for ever": CONTROL(prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=HUGE)] * 9),
    "GRAFT and PRUNE in turns": CONTROL(
        graft=[rpc_pb2.ControlGraft(topicID=TOPIC)] * 5, prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=1)] * 5
    ),
}


@pytest.mark.parametrize("kind", ABUSE)
async def test_abuse_of_control_messages_is_named_and_moves_nobody_else(world, kind: str) -> None:
    limits = Limits(gossip_controls_burst=50, gossip_controls_per_second=10)
    async with arena(world, limits) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        sent, router = at.victim.transport.bytes_sent(), at.victim.transport.gossip.router
        await until_cut_off(stream, [rpc_pb2.RPC(subscriptions=[sub(TOPIC)], control=ABUSE[kind])] * 600)
        await world.until(lambda: not at.victim.transport.conduct.listens_to(key_of(attacker)))
        assert at.named("gossip-control-flood", key_of(attacker)) > 100
        assert at.victim.transport.bytes_sent() - sent < 2_000_000
        assert peer_id_of(at.friend.transport.peer) in router.mesh[TOPIC]


async def test_a_frame_that_comes_byte_by_byte_ends(world, monkeypatch) -> None:
    """Slow-loris: an RPC and a direct message, each of which begins and is never whole."""
    monkeypatch.setattr(frames, "FRAME_SECONDS", 0.5)
    async with arena(world) as at:
        attacker = await raw_peer(at.victim.address, "loris")
        at.attackers = {attacker.peer}
        gossip, direct = await attacker.open(str(PROTOCOL_ID_V11)), await attacker.open(DIRECT)
        await attacker.data(gossip, encode_uvarint(1000))
        await attacker.data(direct, b"\x00\x00\x03\xe8")
        for _ in range(20):
            await attacker.data(gossip, b"x")
            await attacker.data(direct, b"x")
            await at.passes(1)
        await world.until(lambda: at.named("gossip-frame-refused", attacker.peer) == 1)
        await world.until(lambda: at.named("frame-refused", attacker.peer) == 1)


async def test_a_flood_of_control_messages_is_graylisted(world) -> None:
    limits = Limits(gossip_controls_burst=50, gossip_controls_per_second=10)
    async with arena(world, limits) as at, world.hostile(at.victim.address) as attacker:
        at.attackers = {key_of(attacker)}
        stream = await gossip_stream(attacker, at.victim.transport.peer)
        sent = at.victim.transport.bytes_sent()
        mids = list(at.victim.transport.gossip.pubsub.seen_messages._expiry)[-50:]
        control = CONTROL(
            iwant=[rpc_pb2.ControlIWant(messageIDs=mids)], graft=[rpc_pb2.ControlGraft(topicID=TOPIC)] * 9
        )
        await until_cut_off(stream, [rpc_pb2.RPC(control=control)] * 600)
        await world.until(lambda: not at.victim.transport.conduct.listens_to(key_of(attacker)))
        assert at.victim.transport.bytes_sent() - sent < 2_000_000

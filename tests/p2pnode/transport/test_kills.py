"""The five ways in which one stranger ends a stock py-libp2p host: our host survives, counts and attributes each.

`test_stock_dies` runs the very same attacks against stock py-libp2p, so that we know that they bite.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from google.protobuf.message import DecodeError
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import encode_uvarint

from p2pnode.transport.addresses import peer_id_of, peer_key_of
from protocols.types import PeerKey, Verdict

TOPIC = "/t"
HANDLER = "/boom/1"

Attack = Callable[[BasicHost, ID], Awaitable[None]]


async def send_rpc(attacker: BasicHost, victim: ID, body: bytes) -> None:
    stream = await attacker.new_stream(victim, [PROTOCOL_ID_V11])
    await stream.write(encode_uvarint(len(body)) + body)


async def malformed_rpc(attacker: BasicHost, victim: ID) -> None:
    await send_rpc(attacker, victim, b"\xff" * 7)


async def junk_key(attacker: BasicHost, victim: ID) -> None:
    message = rpc_pb2.Message(data=b"x", topicIDs=[TOPIC], from_id=b"junk", seqno=b"1", key=b"junk", signature=b"junk")
    await send_rpc(attacker, victim, rpc_pb2.RPC(publish=[message]).SerializeToString())


async def empty_key(attacker: BasicHost, victim: ID) -> None:
    no_key = bytes.fromhex("08011200")  # protobuf {type: Ed25519, data: b""}
    message = rpc_pb2.Message(data=b"x", topicIDs=[TOPIC], from_id=b"junk", seqno=b"1", key=no_key, signature=b"junk")
    await send_rpc(attacker, victim, rpc_pb2.RPC(publish=[message]).SerializeToString())


async def provoke_validator(attacker: BasicHost, victim: ID) -> None:
    """An honestly signed message for a validator that raises."""
    message = rpc_pb2.Message(data=b"x", topicIDs=[TOPIC], from_id=attacker.get_id().to_bytes(), seqno=b"1")
    message.signature = attacker.get_private_key().sign(b"libp2p-pubsub:" + message.SerializeToString())
    await send_rpc(attacker, victim, rpc_pb2.RPC(publish=[message]).SerializeToString())


async def provoke_handler(attacker: BasicHost, victim: ID) -> None:
    """A request for a handler that raises."""
    stream = await attacker.new_stream(victim, [TProtocol(HANDLER)])
    await stream.write(bytes(4))


KILLS = [
    (malformed_rpc, "gossip-malformed-rpc", DecodeError),
    (junk_key, "gossip-bad-signature", DecodeError),
    (empty_key, "gossip-bad-signature", ValueError),
    (provoke_validator, "gossip-validator-raised", RuntimeError),
    (provoke_handler, "handler-failed", RuntimeError),
]

NAMES = [kill[0].__name__ for kill in KILLS]


def raising_validator(_origin: object, _payload: object) -> Verdict:
    raise RuntimeError("the validator raises")


async def raising_handler(_asker: PeerKey, _request: bytes) -> bytes:
    raise RuntimeError("the handler raises")


@pytest.mark.parametrize(("attack", "kind"), [kill[:2] for kill in KILLS], ids=NAMES)
async def test_we_live_and_name_the_attacker(world, attack: Attack, kind: str) -> None:
    async with world.node("victim") as victim, world.node("honest") as honest:
        await victim.transport.subscribe(TOPIC, raising_validator)
        victim.transport.serve(HANDLER, raising_handler)
        async with world.hostile(victim.address) as attacker:
            await attack(attacker, peer_id_of(victim.transport.peer))
            culprit = peer_key_of(attacker.get_id())
            await world.until(lambda: victim.reports[kind, culprit] == 1)

        await honest.transport.dial(victim.address)
        await honest.transport.send(victim.transport.peer, b"still there?")
        with trio.fail_after(5):
            assert (await victim.transport.receive()).payload == b"still there?"
        assert {who for _, who in victim.reports} == {culprit}


@pytest.mark.parametrize(("attack", "fatal"), [(kill[0], kill[2]) for kill in KILLS], ids=NAMES)
async def test_stock_dies(world, attack: Attack, fatal: type[Exception]) -> None:
    async with world.stock("attacker") as attacker:
        with pytest.raises(ExceptionGroup) as death:
            await run_stock_victim(world, attacker, attack)
    assert death.group_contains(fatal)


async def run_stock_victim(world, attacker: BasicHost, attack: Attack) -> None:
    async with world.stock("victim") as victim:
        router = GossipSub([PROTOCOL_ID_V11], 6, 4, 12, heartbeat_interval=1)
        pubsub = Pubsub(victim, router, strict_signing=True)
        victim.set_stream_handler(TProtocol(HANDLER), lambda _stream: raising_handler(PeerKey(b""), b""))
        async with background_trio_service(router), background_trio_service(pubsub):
            await pubsub.wait_until_ready()
            await pubsub.subscribe(TOPIC)
            pubsub.set_topic_validator(TOPIC, raising_validator, is_async_validator=False)  # type: ignore[arg-type]
            attacker.get_peerstore().add_addrs(victim.get_id(), victim.get_addrs(), 60)
            await attacker.get_network().dial_peer(victim.get_id())
            await attack(attacker, victim.get_id())
            with trio.fail_after(8):
                await trio.sleep_forever()

"""Where attacks happen: a live node and an honest peer that exchange messages in every way while it lasts."""

from __future__ import annotations

import hashlib
import resource
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_uvarint

from p2pnode.transport.addresses import peer_id_of, peer_key_of, split_address
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.noise import Noise
from p2pnode.transport.overrides.swarm import Upgrader
from p2pnode.transport.overrides.tcp import TCP, Traffic
from protocols.types import PeerKey, Verdict

TOPIC: Final = "/t"
DIRECT: Final = "/2pm/test/direct/1"
BLOB: Final = "/2pm/test/blob/1"
BAD: Final = b"bad"
"""Messages that begin so are rejected; those that begin with "dull" are ignored."""
BIG: Final = 2 << 20
PAUSE_S: Final = 0.05
MEMORY_MIB: Final = 160
"""What an attack may cost this process, in which the attackers live, too: the inbox and all unread bytes, and a bit."""
_FRAME: Final = struct.Struct("!BBHII")
SYN, DATA, WINDOW = 1, 0, 1


def judge(_origin: PeerKey, payload: bytes) -> Verdict:
    if payload.startswith(BAD):
        return Verdict.REJECT
    return Verdict.IGNORE if payload.startswith(b"dull") else Verdict.ACCEPT


async def answer(_asker: PeerKey, request: bytes) -> bytes:
    return bytes(BIG) if request == b"big" else request


@dataclass
class Arena:
    """The victim, its friend, and what passed between them.

    Attributes:
        heard: every payload that reached the victim.
        attackers: who may be named.
    """

    victim: Any
    friend: Any
    heard: list[bytes] = field(default_factory=list)
    attackers: set[PeerKey] = field(default_factory=set)
    rounds: int = 0
    over: bool = False

    def reported(self, kind: str) -> int:
        return sum(times for (what, _), times in self.victim.reports.items() if what == kind)

    def named(self, kind: str, attacker: PeerKey) -> int:
        return self.victim.reports[kind, attacker]

    async def chat(self) -> None:
        """Direct messages, gossip and requests, until it is over; each request must be answered."""
        victim, friend = self.victim.transport, self.friend.transport
        while not self.over:
            number = self.rounds.to_bytes(4, "big")
            with trio.fail_after(10):
                await friend.send(victim.peer, b"direct" + number)
                await friend.publish(TOPIC, b"gossip" + number)
                answer = await friend.request(victim.peer, "blob/1", number, max_bytes=100)
                assert answer == number
            self.rounds += 1
            await trio.sleep(2 * PAUSE_S)  # slower than what an origin may publish

    async def listen(self) -> None:
        while True:
            self.heard.append((await self.victim.transport.receive()).payload)

    async def passes(self, rounds: int = 5) -> None:
        """The honest go on for so many more rounds."""
        until = self.rounds + rounds
        with trio.fail_after(20):
            while self.rounds < until:
                await trio.sleep(PAUSE_S)

    def complete(self) -> bool:
        wanted = {kind + number.to_bytes(4, "big") for number in range(self.rounds) for kind in (b"direct", b"gossip")}
        return wanted <= set(self.heard)


@asynccontextmanager
async def arena(world: Any, limits: Limits | None = None) -> AsyncIterator[Arena]:
    """Within it the honest chat; at its end they must have lost nothing, and only attackers may have been named."""
    async with world.node("victim", limits=limits) as victim, world.node("friend") as friend:
        at = Arena(victim, friend)
        victim.transport.serve("blob/1", answer)
        for node in (victim, friend):
            await node.transport.subscribe(TOPIC, judge)
        await friend.transport.dial(victim.address)
        await world.until(lambda: all(node.transport.gossip.router.mesh[TOPIC] for node in (victim, friend)))
        before = memory_mib()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(at.listen)
            nursery.start_soon(at.chat)
            await at.passes(2)
            yield at
            await at.passes()
            assert memory_mib() - before < MEMORY_MIB
            at.over = True
            await world.until(at.complete)
            nursery.cancel_scope.cancel()
        assert {who for _, who in victim.reports if who is not None} <= at.attackers


def memory_mib() -> int:
    """Of this process, resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


class RawPeer:
    """Somebody behind a real Noise handshake who writes whatever bytes it likes where yamux frames are expected."""

    def __init__(self, session: Any, peer: PeerKey) -> None:
        self.session, self.peer = session, peer
        self._next = 1

    async def frame(self, kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> None:
        await self.session.write(_FRAME.pack(0, kind, flags, stream, length) + body)

    async def open(self, protocol: str | None = None) -> int:
        """A new stream; negotiated without waiting for the answer."""
        stream, self._next = self._next, self._next + 2
        await self.frame(WINDOW, SYN, stream, 0)
        if protocol is not None:
            await self.data(stream, _line("/multistream/1.0.0") + _line(protocol))
        return stream

    async def data(self, stream: int, body: bytes) -> None:
        for start in range(0, len(body), 60_000):  # a frame fits into one Noise message
            part = body[start : start + 60_000]
            await self.frame(DATA, 0, stream, len(part), part)

    async def is_cut_off(self, seconds: float = 10) -> bool:
        """Reads until the other side closes; fails the test if it does not."""
        with trio.fail_after(seconds):
            try:
                while await self.session.read():
                    pass
            except Exception:  # noqa: BLE001  however the end of the connection shows
                return True
        return True


def _line(text: str) -> bytes:
    return encode_uvarint(len(text) + 1) + text.encode() + b"\n"


async def raw_peer(address: str, name: str) -> RawPeer:
    where, who = split_address(address)
    keys = create_new_key_pair(hashlib.sha256(name.encode()).digest())
    noise = Noise(keys, noise_privkey=create_noise_key_pair().private_key)
    upgrader = Upgrader(noise, Limits(), lambda _kind, _peer: None, lambda _peer: True)
    raw = await TCP(Traffic(), 5.0).dial(where)
    secure = await upgrader.upgrade_security(raw, True, peer_id_of(who))
    await upgrader.muxer_multistream.select_transport(secure)
    return RawPeer(secure, peer_key_of(ID.from_pubkey(keys.public_key)))


async def gossip_stream(attacker: Any, victim: PeerKey) -> Any:
    """A stock host's stream for RPCs."""
    return await attacker.new_stream(peer_id_of(victim), [PROTOCOL_ID_V11])


async def send_rpc(stream: Any, rpc: rpc_pb2.RPC | bytes) -> None:
    body = rpc if isinstance(rpc, bytes) else rpc.SerializeToString()
    await stream.write(encode_uvarint(len(body)) + body)


def signed(attacker: Any, data: bytes, seqno: int, topic: str = TOPIC) -> rpc_pb2.Message:
    """A message of the attacker's, signed as it must be."""
    message = rpc_pb2.Message(
        data=data, topicIDs=[topic], from_id=attacker.get_id().to_bytes(), seqno=seqno.to_bytes(8, "big")
    )
    message.signature = attacker.get_private_key().sign(b"libp2p-pubsub:" + message.SerializeToString())
    return message


def key_of(attacker: Any) -> PeerKey:
    return peer_key_of(attacker.get_id())

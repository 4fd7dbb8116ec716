"""Decoders of what comes by streams and sockets: frames, yamux, gossip RPCs, Noise messages, addresses, peer ids."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Final

import trio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.pubsub.pb import rpc_pb2
from libp2p.stream_muxer.exceptions import MuxedStreamEOF
from libp2p.stream_muxer.yamux.yamux import DEFAULT_WINDOW_SIZE

from p2pnode.transport.addresses import peer_id_of, peer_key_of, split_address, with_peer
from p2pnode.transport.budget import Budget
from p2pnode.transport.discovery.identify import host_in
from p2pnode.transport.discovery.kad import hints_of, parse
from p2pnode.transport.discovery.lookup import ADDRESSES_MAX, BUCKET, Hint
from p2pnode.transport.discovery.mdns import addresses_in
from p2pnode.transport.discovery.scope import Scope, groups_of, may_dial, scope_of
from p2pnode.transport.frames import Buffered, FrameError, FrameReader
from p2pnode.transport.gossip import Gossip
from p2pnode.transport.inbox import Inbox
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.noise import Direction, Session
from p2pnode.transport.overrides.pubsub import Pubsub
from p2pnode.transport.overrides.swarm import build_host
from p2pnode.transport.overrides.tcp import Traffic
from p2pnode.transport.overrides.yamux import Yamux
from protocols.errors import MalformedError
from protocols.types import PeerKey, Verdict
from tests.fuzz.seeds import TOPIC, Vectors

LIMITS: Final = Limits(unread_bytes=1 << 20, unread_bytes_per_peer=1 << 19, inbox_messages=64)
FRAME_MOST: Final = 1000
PEER: Final = PeerKey(bytes([9]) * 32)
STRANGER: Final = peer_id_of(PeerKey(bytes([9]) * 32))
ATTACKER: Final = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)


class Pieces:
    """A stream that gives `data` in pieces, the sizes of which its first byte decides."""

    def __init__(self, data: bytes) -> None:
        self._step, self._rest = 1 + (data[0] if data else 0), data[1:]

    async def read(self, n: int | None = None) -> bytes:
        if not self._rest:
            raise MuxedStreamEOF("the end")
        size = self._step if n is None else min(n, self._step)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Cut:
    """A connection that gives `data` in two pieces, the first as long as its first byte says; then it is closed."""

    def __init__(self, data: bytes) -> None:
        cut = 1 + data[0] if data else 0
        self._pieces = [piece for piece in (data[1:cut], data[max(1, cut) :]) if piece]

    async def read(self, n: int | None = None) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


async def _read_all(session: Session) -> list[bytes]:
    found = []
    while piece := await session.read():
        found.append(piece)
    return found


async def _frames(data: bytes, one: Callable[[FrameReader], Awaitable[bytes | None]]) -> list[bytes]:
    held: list[int] = [0]
    reader, found = FrameReader(Buffered(Pieces(data), held.append)), []
    try:
        while (frame := await one(reader)) is not None:
            found.append(frame)
    except FrameError:
        pass
    assert max(held) <= FRAME_MOST + 5 + 256, "a reader holds one frame and what came with it"
    return found


def frames(data: bytes) -> None:
    """What comes out is what a simple reading of the bytes gives, however they are cut."""
    found = trio.run(_frames, data, lambda reader: reader.frame(FRAME_MOST))
    rest, expected = data[1:], []
    while len(rest) >= 4 and (size := int.from_bytes(rest[:4], "big")) <= min(FRAME_MOST, len(rest) - 4):
        expected.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    assert found == expected


def varint_frames(data: bytes) -> None:
    found = trio.run(_frames, data, lambda reader: reader.varint_frame(FRAME_MOST))
    assert sum(map(len, found)) + len(found) <= max(0, len(data) - 1)


def yamux(data: bytes) -> None:
    """Frames from a stranger, in two pieces: only the documented errors, and no more kept than its budget."""
    evicted: list[Any] = []
    budget = Budget(LIMITS.unread_bytes, LIMITS.unread_bytes_per_peer, evicted.append)
    conn = SimpleNamespace(is_initiator=False, read=Cut(data).read)
    connection = Yamux(conn, STRANGER, LIMITS, budget=budget)  # type: ignore[arg-type]
    trio.run(connection._read_loop)
    assert len(connection._streams) <= LIMITS.inbound_streams_per_connection
    assert budget.bytes <= LIMITS.unread_bytes_per_peer
    assert all(len(stream._received) <= DEFAULT_WINDOW_SIZE for stream in connection._streams.values())
    assert connection._queued_bytes <= 2 * LIMITS.connection_queue_bytes + 64


class Victim:
    """A gossip router without a network, that follows one topic."""

    def __init__(self) -> None:
        self.delivered = 0
        host = build_host(bytes([3]) * 32, [], LIMITS, Traffic(), self.blame, lambda _: True)
        self.gossip = Gossip(host, Inbox(LIMITS), LIMITS, self.report, self.blame, lambda _: True)
        self.pubsub: Pubsub = self.gossip.pubsub
        self.blamed: list[str] = []
        trio.run(self.gossip.subscribe, "t", TOPIC, self.judge)

    def blame(self, kind: str, _who: object) -> None:
        self.blamed.append(kind)

    def report(self, kind: str, _who: object) -> None:
        self.blamed.append(kind)

    def judge(self, _origin: PeerKey, payload: bytes) -> Verdict:
        assert len(payload) <= LIMITS.gossip_message_bytes
        self.delivered += 1
        return Verdict.REJECT if payload.startswith(b"bad") else Verdict.ACCEPT

    async def reads(self, data: bytes) -> None:
        async def reset() -> None: ...

        muxed = Pieces(data)
        stream = SimpleNamespace(muxed_conn=SimpleNamespace(peer_id=STRANGER), muxed_stream=muxed, reset=reset)
        await self.pubsub.stream_handler(stream)  # type: ignore[arg-type]


def gossip_stream(data: bytes) -> None:
    """RPCs from one neighbour: the reader ends, raises nothing, and its tables stay small."""
    victim = Victim()
    trio.run(victim.reads, data)
    assert "handler-raised" not in victim.blamed
    topics = victim.pubsub.peer_topics
    assert len(topics) <= LIMITS.topics_per_peer + 1
    assert all(len(topic) <= LIMITS.topic_characters for topic in topics)
    assert set(victim.gossip.router.mesh) == {TOPIC}
    assert set(victim.gossip.router.back_off) <= {TOPIC}


def gossip_signed(data: bytes) -> None:
    """A message of whatever contents under a signature that holds."""
    message = rpc_pb2.Message(data=data, topicIDs=[TOPIC], seqno=bytes(8))
    message.from_id = peer_id_of(PeerKey(ATTACKER.public_key().public_bytes_raw())).to_bytes()
    message.signature = ATTACKER.sign(b"libp2p-pubsub:" + message.SerializeToString())
    body = rpc_pb2.RPC(publish=[message]).SerializeToString()
    victim = Victim()
    trio.run(victim.reads, b"\xff" + varint(len(body)) + body)
    assert victim.delivered == (len(data) <= LIMITS.gossip_message_bytes)


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


class Clear:
    """A cipher that hides nothing and believes every tag."""

    TAG_BYTES = 16

    def decrypt(self, _nonce: bytes, message: memoryview, _: None) -> bytes:
        if len(message) < self.TAG_BYTES:
            raise InvalidTag
        return bytes(message[: -self.TAG_BYTES])

    def decrypt_into(self, nonce: bytes, message: memoryview, _: None, room: memoryview) -> None:
        room[:] = self.decrypt(nonce, message, _)


def noise(data: bytes) -> None:
    """The framing of Noise messages (the cipher left out), however it is cut."""
    session = object.__new__(Session)
    session._raw, session._cipher = Cut(data), bytearray()  # type: ignore[assignment]
    session._plain, session._read = b"", 0
    session._opening = object.__new__(Direction)
    session._opening._aead, session._opening._count = Clear(), 0  # type: ignore[assignment]
    rest, expected = data[1:], list[bytes]()
    while len(rest) >= 2 and len(rest) >= 2 + struct.unpack(">H", rest[:2])[0]:
        size = 2 + struct.unpack(">H", rest[:2])[0]
        expected, rest = [*expected, rest[2:size]], rest[size:]
    try:
        plain = b"".join(trio.run(_read_all, session))
    except ConnectionClosedError:
        assert any(len(message) < Clear.TAG_BYTES for message in expected)
    else:
        assert plain == b"".join(message[: -Clear.TAG_BYTES] for message in expected)
        assert session._opening._count == len(expected)


def address(data: bytes) -> None:
    try:
        text = data.decode()
        where, peer = split_address(text)
    except (MalformedError, UnicodeDecodeError):
        return
    assert split_address(with_peer(where, peer)) == (where, peer)


def peer_id(data: bytes) -> None:
    try:
        peer = peer_key_of(data)
    except MalformedError:
        return
    assert peer_id_of(peer).to_bytes() == data


def kad(data: bytes) -> None:
    try:
        heard = hints_of(parse(data, PEER))
    except MalformedError:
        return
    assert len(heard) <= BUCKET
    said_to_be_there(heard)


def multicast(data: bytes) -> None:
    said_to_be_there(list(addresses_in(data).items()))


def said_to_be_there(heard: list[Hint]) -> None:
    for who, addresses in heard:
        assert len(addresses) <= ADDRESSES_MAX
        assert {split_address(each)[1] for each in addresses} <= {who}
        groups_of(addresses)
        assert not any(may_dial(each, Scope.WORLD) for each in addresses if "/127." in each)


def identified(data: bytes) -> None:
    try:
        host = host_in(data, PEER)
    except MalformedError:
        return
    scope_of(host)


TARGETS: Final[dict[str, tuple[Any, ...]]] = {
    "frames": (frames, (FrameReader.frame,), Vectors.frames),
    "varint-frames": (varint_frames, (FrameReader.varint_frame,), Vectors.frames),
    "yamux": (yamux, (Yamux._read_loop,), Vectors.yamux),
    "gossip": (gossip_stream, (Pubsub.stream_handler,), Vectors.rpcs),
    "gossip-signed": (gossip_signed, (Pubsub.push_msg,), Vectors.envelopes),
    "noise": (noise, (Session.read,), Vectors.frames),
    "address": (address, (split_address,), Vectors.addresses),
    "peer-id": (peer_id, (peer_key_of,), Vectors.peer_ids),
    "kad": (kad, (parse, hints_of), Vectors.kad),
    "mdns": (multicast, (addresses_in,), Vectors.texts),
    "identify": (identified, (host_in,), Vectors.identities),
}

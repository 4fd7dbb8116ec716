"""Pubsub whose readers survive whatever is sent to them, and that costs little.

Upstream
- dies of one malformed RPC, of a message with a junk or an empty key, and of a validator that raises;
- counts every message that a validator does not accept against its sender: there is no IGNORE;
- drops messages for a subscriber that is slow (32), and those above 1 MiB, silently;
- runs a slow validator again for every copy that arrives meanwhile;
- starts an OS thread per Pubsub, verifies and stores a peer record with every RPC, starts a task for every message.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import cast

import trio
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub as StockPubsub
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX

from p2pnode.transport.addresses import peer_key_of
from p2pnode.transport.frames import FrameError
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.router import Frame, Router, frame
from p2pnode.transport.overrides.swarm import Blame, Host
from p2pnode.transport.overrides.yamux import reader_of
from p2pnode.transport.rates import Rates
from protocols.errors import MalformedError
from protocols.types import PeerKey, Verdict

_PREFIX = PUBSUB_SIGNING_PREFIX.encode()

Judge = Callable[[str, PeerKey, bytes], Verdict]
"""(topic, origin, payload) -> verdict; may raise, which counts as IGNORE and is reported."""

Deliver = Callable[[str, PeerKey, bytes], None]


class SeenMessages:
    """Ids seen in the last `seconds`, at most `capacity`; upstream sweeps such a table from a thread."""

    def __init__(self, seconds: float, capacity: int) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._expiry: OrderedDict[bytes, float] = OrderedDict()

    def add(self, key: bytes) -> bool:
        """Whether it is new."""
        now = trio.current_time()
        while self._expiry and (next(iter(self._expiry.values())) <= now or len(self._expiry) >= self._capacity):
            self._expiry.popitem(last=False)
        if key in self._expiry:
            return False
        self._expiry[key] = now + self._seconds
        return True

    def has(self, key: bytes) -> bool:
        return key in self._expiry


class Pubsub(StockPubsub):
    """Reads, validates, delivers and forwards."""

    router: Router

    def __init__(
        self, host: Host, router: Router, limits: Limits, judge: Judge, deliver: Deliver, blame: Blame
    ) -> None:
        super().__init__(
            host,
            router,
            strict_signing=True,
            max_inbound_rpc_size=limits.gossip_rpc_bytes,
            max_subscriptions_per_rpc=limits.topics_per_peer,
            max_subscriptions_per_peer=limits.topics_per_peer,
        )
        self.seen_messages.stop()
        self.seen_messages = SeenMessages(limits.seen_seconds, limits.seen_messages)  # type: ignore[assignment]  # its duck
        self._limits = limits
        self._judge = judge
        self._deliver = deliver
        self._blame = blame
        self._rates = Rates(limits.gossip_messages_per_second, limits.gossip_messages_burst, limits.known_peers)
        self._origins = Rates(limits.gossip_origin_per_second, limits.gossip_origin_burst, limits.known_peers)

    async def stream_handler(self, stream: INetStream) -> None:
        """Reads one neighbour's RPCs until its stream ends; its bytes can end only that stream."""
        peer_id = stream.muxed_conn.peer_id
        reader = reader_of(stream)
        try:
            while (body := await reader.varint_frame(self._limits.gossip_rpc_bytes)) is not None:
                await self._handle(peer_id, rpc_pb2.RPC.FromString(body))
        except FrameError:
            self._blame("gossip-frame-refused", peer_id)
        except BaseLibp2pError:
            pass  # the neighbour closed the stream or went away
        except Exception:  # noqa: BLE001  whatever else an RPC raises in the router's depths is the sender's doing
            self._blame("gossip-malformed-rpc", peer_id)
        finally:
            with trio.move_on_after(self._limits.close_seconds, shield=True):
                await stream.reset()

    async def publish(self, topic_id: str | list[str], data: bytes) -> None:
        """Signs and sends one message; not delivered to ourselves."""
        assert self.sign_key is not None
        topics = [topic_id] if isinstance(topic_id, str) else topic_id
        message = rpc_pb2.Message(data=data, topicIDs=topics, from_id=self.my_id.to_bytes(), seqno=self._next_seqno())
        message.signature = self.sign_key.sign(_PREFIX + message.SerializeToString())
        self.seen_messages.add(self.get_message_id(message))
        await self.router.publish(self.my_id, message)

    def get_hello_packet(self) -> rpc_pb2.RPC:
        return rpc_pb2.RPC(
            subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=topic) for topic in self.topic_ids]
        )

    def _build_announce_rpc(self, topic_id: str, subscribe: bool) -> tuple[rpc_pb2.RPC, rpc_pb2.RPC.SubOpts]:
        announcement = rpc_pb2.RPC.SubOpts(subscribe=subscribe, topicid=topic_id)
        return rpc_pb2.RPC(subscriptions=[announcement]), announcement

    async def _handle_new_peer(self, peer_id: ID) -> None:
        """Opens our stream to a new neighbour and greets it with our subscriptions."""
        if peer_id in self.peers:
            return
        stream = await self.host.new_stream(peer_id, self.protocols)
        if peer_id in self.peers:
            await stream.reset()
            return
        self.router.add_peer(peer_id, stream.get_protocol() or TProtocol(""))
        self.peers[peer_id] = stream
        queue = self.peer_queues[peer_id] = RpcQueue(self._limits.gossip_rpcs_waiting_per_peer)
        queue.push(self.get_hello_packet())
        self.manager.run_task(self.handle_sending_messages, peer_id, stream, queue)
        if peer_id in self._peer_added_events:
            self._peer_added_events.pop(peer_id).set()
        await self._send_recent_messages_to_new_peer(peer_id)

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC | Frame) -> bool:
        try:
            packed = rpc_msg if isinstance(rpc_msg, Frame) else frame(rpc_msg)
            await cast("NetStream", stream).muxed_stream.write(packed)
        except BaseLibp2pError:
            self._handle_dead_peer(stream.muxed_conn.peer_id)
            return False
        return True

    async def _handle(self, peer_id: ID, rpc: rpc_pb2.RPC) -> None:
        if len(rpc.subscriptions) > self.max_subscriptions_per_rpc:
            raise MalformedError(f"{len(rpc.subscriptions)} subscriptions in one RPC")
        for subscription in rpc.subscriptions:
            if len(subscription.topicid) > self._limits.topic_characters:
                raise MalformedError(f"a topic of {len(subscription.topicid)} characters")
            self.handle_subscription(peer_id, subscription)
        for message in rpc.publish:
            await self.push_msg(peer_id, message)
        if rpc.HasField("control"):
            await self.router.handle_rpc(rpc, peer_id)

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """One message from a neighbour: check, judge, deliver, forward."""
        if len(msg.topicIDs) != 1 or msg.topicIDs[0] not in self.topic_ids:
            return  # not subscribed (any more)
        topic, mid = msg.topicIDs[0], self.get_message_id(msg)
        if not self.router.listens_to(msg_forwarder):
            return
        if not self._rates.allows((msg_forwarder, topic)):
            self._blame("gossip-flood", msg_forwarder)
            return
        if self.seen_messages.has(mid):
            self.router.note_holder(mid, msg_forwarder)
            return
        origin = self._signer(msg)
        if origin is None or len(msg.data) > self._limits.gossip_message_bytes:
            self._blame("gossip-bad-signature" if origin is None else "gossip-too-large", msg_forwarder)
            return
        self.seen_messages.add(mid)
        if not self._origins.allows((origin, topic)):
            self._blame("gossip-origin-flood", ID(msg.from_id))
            return
        verdict = self._verdict(topic, origin, msg)
        if verdict is Verdict.REJECT:
            self._blame("gossip-rejected", msg_forwarder)
        elif verdict is Verdict.ACCEPT:
            self._deliver(topic, origin, msg.data)
            await self.router.publish(msg_forwarder, msg)

    def _verdict(self, topic: str, origin: PeerKey, msg: rpc_pb2.Message) -> Verdict:
        try:
            return self._judge(topic, origin, msg.data)
        except Exception:  # noqa: BLE001  our validator's fault or a stranger's cunning: neither may end the reader
            self._blame("gossip-validator-raised", ID(msg.from_id))
            return Verdict.IGNORE

    def _signer(self, msg: rpc_pb2.Message) -> PeerKey | None:
        """The Ed25519 key that signed the message and is its origin, or None."""
        signed = rpc_pb2.Message(data=msg.data, topicIDs=msg.topicIDs, from_id=msg.from_id, seqno=msg.seqno)
        try:
            origin = peer_key_of(msg.from_id)
            if msg.key and not msg.key.endswith(origin):
                return None
            key = Ed25519PublicKey.from_public_bytes(origin)
            key.verify(msg.signature, _PREFIX + signed.SerializeToString())
        except (MalformedError, InvalidSignature, ValueError):
            return None
        return origin

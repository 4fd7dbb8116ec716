"""The gossipsub router: its mesh stays whole, and what it sends is serialised once.

Upstream
- dissolves its own meshes: "opportunistic grafting" adds neighbours at every heartbeat, what is above the limit is
  pruned and backs off for a minute, until everybody backs off from everybody (28 hosts, within 10 s);
- announces messages (IHAVE) to nobody who is backing off, nor what was sent just before a neighbour joined the mesh,
  so that what the mesh loses is lost;
- sends the control messages for one neighbour to the next ones too;
- dials whatever addresses a stranger's PRUNE names, and remembers whatever topics it names;
- drops messages silently above 10 a second and for a slow neighbour, and keeps copies for peers that never subscribe;
- signs a peer record into every RPC, and serialises an RPC anew for every receiver;
- announces a message (IHAVE) at three heartbeats in turn, also to whoever has sent or announced it: more RPCs than the
  messages themselves, of which nearly all say nothing new.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import cast

from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.mcache import default_msg_id_fn
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_uvarint

from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.swarm import Admits, Blame
from p2pnode.transport.rates import Rates

_MAX_WANTED = 128  # messages asked for or sent in answer to one IHAVE or IWANT


class Frame(bytes):
    """An RPC that is serialised already, once for all its receivers."""


def frame(rpc: rpc_pb2.RPC) -> Frame:
    """The RPC behind its varint length, as it goes on the wire."""
    body = rpc.SerializeToString()
    return Frame(encode_uvarint(len(body)) + body)


class Router(GossipSub):
    """Mesh, heartbeat, back-off and scores are upstream's, but for the above."""

    def __init__(self, limits: Limits, blame: Blame, listens: Admits) -> None:
        super().__init__(
            protocols=[PROTOCOL_ID_V11],  # v1.2 tells every neighbour of every message: dearer than small messages
            degree=limits.mesh_degree,
            degree_low=limits.mesh_degree_low,
            degree_high=limits.mesh_degree_high,
            heartbeat_interval=limits.heartbeat_seconds,
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,  # wants three IP addresses in every mesh
        )
        self.scorer = None  # conduct.py keeps the score, across topics, connections and restarts
        self._blame = blame
        self.listens_to = listens
        self._holders: dict[bytes, set[ID]] = {}  # by message that is kept: who has it, or was told of it
        self._controls = Rates(limits.gossip_controls_per_second, limits.gossip_controls_burst, limits.known_peers)

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        """Forwards a message that has been validated, or sends one of our own."""
        self.mcache.put(pubsub_msg)
        topic, origin = pubsub_msg.topicIDs[0], ID(pubsub_msg.from_id)
        receivers = set(self._get_peers_to_send([topic], msg_forwarder, origin))
        if msg_forwarder == origin and len(receivers) < self.degree:
            receivers |= self._some_followers(topic, receivers)
        packed = frame(rpc_pb2.RPC(publish=[pubsub_msg]))
        reached = {peer_id for peer_id in receivers if self._push(peer_id, packed)}
        self._holders[default_msg_id_fn(pubsub_msg)] = reached | {msg_forwarder}
        self.time_since_last_publish[topic] = int(time.time())  # upstream's fanout reads this clock

    def note_holder(self, mid: bytes, peer_id: ID) -> None:
        """This neighbour has a message: it need not be told of it."""
        if mid in self._holders:
            self._holders[mid].add(peer_id)

    def send_rpc(self, peer_id: ID, rpc: rpc_pb2.RPC, priority: bool = False) -> None:
        self._push(peer_id, frame(rpc), priority)

    async def emit_control_message(self, control_msg: rpc_pb2.ControlMessage, to_peer: ID) -> None:
        self._push(to_peer, frame(rpc_pb2.RPC(control=control_msg)), priority=True)

    async def handle_rpc(self, rpc: rpc_pb2.RPC, sender_peer_id: ID) -> None:
        """Control messages, of topics that we follow; without the peer record, which nobody here needs."""
        if not self.listens_to(sender_peer_id):
            return
        sent = rpc.control
        for _ in range(len(sent.ihave) + len(sent.iwant) + len(sent.graft) + len(sent.prune)):
            if not self._controls.allows(sender_peer_id):
                self._blame("gossip-control-flood", sender_peer_id)
                return
        known = rpc_pb2.ControlMessage(
            ihave=[ihave for ihave in rpc.control.ihave if ihave.topicID in self.mesh],
            iwant=rpc.control.iwant,
            graft=[graft for graft in rpc.control.graft if graft.topicID in self.mesh],
            prune=[prune for prune in rpc.control.prune if prune.topicID in self.mesh],
        )
        await super().handle_rpc(rpc_pb2.RPC(control=known), sender_peer_id)

    async def handle_graft(self, graft_msg: rpc_pb2.ControlGraft, sender_peer_id: ID) -> None:
        """A full mesh takes nobody in, unless we chose the neighbour ourselves (gossipsub v1.1, outbound quotas).

        So strangers that dial us, however many, cannot take the places of those whom we dialled.
        """
        topic = graft_msg.topicID
        members = self.mesh.get(topic, set())
        if len(members) >= self.degree_high and sender_peer_id not in members and not self._chosen(sender_peer_id):
            self._add_back_off(sender_peer_id, topic, False)
            await self.emit_prune(topic, sender_peer_id, False, False)
            return
        await super().handle_graft(graft_msg, sender_peer_id)

    async def handle_ihave(self, ihave_msg: rpc_pb2.ControlIHave, sender_peer_id: ID) -> None:
        pubsub = self.pubsub
        if pubsub is None or not self._check_ihave_rate_limit(sender_peer_id, ihave_msg.topicID):
            return
        for mid in ihave_msg.messageIDs[:_MAX_WANTED]:
            self.note_holder(mid, sender_peer_id)
        wanted = [mid for mid in ihave_msg.messageIDs[:_MAX_WANTED] if not pubsub.seen_messages.has(mid)]
        if wanted:
            await self.emit_iwant(wanted, sender_peer_id)

    async def handle_iwant(self, iwant_msg: rpc_pb2.ControlIWant, sender_peer_id: ID) -> None:
        if self._check_iwant_rate_limit(sender_peer_id):
            for mid in iwant_msg.messageIDs[:_MAX_WANTED]:
                self._send_cached(mid, sender_peer_id)

    async def send_recent_messages(self, peer_id: ID, topic: str) -> None:
        for mid in self.mcache.window(topic):
            self._send_cached(mid, peer_id)

    async def flush_pending_messages(self, peer_id: ID) -> None:
        """Nothing is pending: a new subscriber gets `send_recent_messages`."""

    def _notify_mesh_peer_added(self, peer_id: ID, topic: str) -> None:
        """Tells a new mesh neighbour what went to the mesh before: it is no longer among those told at heartbeats."""
        super()._notify_mesh_peer_added(peer_id, topic)
        recent = self._news_to(peer_id, self.mcache.window(topic))
        if recent:
            ihave = rpc_pb2.ControlIHave(topicID=topic, messageIDs=recent)
            self._push(peer_id, frame(rpc_pb2.RPC(control=rpc_pb2.ControlMessage(ihave=[ihave]))))

    async def _do_px(self, px_peers: list[rpc_pb2.PeerInfo]) -> None:
        """Peers are learnt from the chain and the node, not from a PRUNE."""

    def gossip_heartbeat(self) -> defaultdict[ID, dict[str, list[bytes]]]:
        """Who is told of which recent messages: some followers outside the mesh, each once of what it may lack."""
        self._holders = {mid: holders for mid, holders in self._holders.items() if mid in self.mcache.msgs}
        told: defaultdict[ID, dict[str, list[bytes]]] = defaultdict(dict)
        for topic in {*self.mesh, *self.fanout}:
            recent = self.mcache.window(topic)
            for peer_id in self._some_followers(topic, self.mesh.get(topic, set())) if recent else ():
                if news := self._news_to(peer_id, recent):
                    told[peer_id][topic] = news
        return told

    def _news_to(self, peer_id: ID, mids: Iterable[bytes]) -> list[bytes]:
        """Those of these messages that a neighbour is not known to have; it counts as told of them from now on."""
        news = [mid for mid in mids if peer_id not in self._holders.setdefault(mid, set())]
        for mid in news:
            self._holders[mid].add(peer_id)
        return news

    def _prune_idontwant_entries(self) -> None:
        """There are none: we speak v1.1."""

    async def _emit_control_msgs(
        self,
        peers_to_graft: Mapping[ID, list[str]],
        peers_to_prune: Mapping[ID, list[str]],
        peers_to_gossip: Mapping[ID, dict[str, list[bytes]]],
    ) -> None:
        for peer_id in {*peers_to_graft, *peers_to_prune, *peers_to_gossip}:
            pruned = peers_to_prune.get(peer_id, [])
            for topic in pruned:
                self._add_back_off(peer_id, topic, False)
            told = peers_to_gossip.get(peer_id, {})
            control = rpc_pb2.ControlMessage(
                graft=[rpc_pb2.ControlGraft(topicID=topic) for topic in peers_to_graft.get(peer_id, [])],
                prune=[rpc_pb2.ControlPrune(topicID=topic, backoff=self.prune_back_off) for topic in pruned],
                ihave=[rpc_pb2.ControlIHave(topicID=topic, messageIDs=mids) for topic, mids in told.items()],
            )
            await self.emit_control_message(control, peer_id)

    def mesh_heartbeat(self) -> tuple[defaultdict[ID, list[str]], defaultdict[ID, list[str]]]:
        """Neighbours to whom we no longer listen leave the mesh first; others take their places."""
        shunned = [
            (topic, peer_id) for topic in self.mesh for peer_id in self.mesh[topic] if not self.listens_to(peer_id)
        ]
        for topic, peer_id in shunned:
            self.mesh[topic].discard(peer_id)
        grafted, pruned = super().mesh_heartbeat()
        for topic, peer_id in shunned:
            pruned[peer_id].append(topic)
        return grafted, pruned

    def _get_in_topic_gossipsub_peers_from_minus(
        self, topic: str, num_to_select: int, minus: Iterable[ID], backoff_check: bool = False
    ) -> list[ID]:
        """Never one to whom we do not listen."""
        followers = self.pubsub.peer_topics.get(topic, set()) if self.pubsub is not None else set()
        shunned = {peer_id for peer_id in followers if not self.listens_to(peer_id)}
        return super()._get_in_topic_gossipsub_peers_from_minus(topic, num_to_select, {*minus, *shunned}, backoff_check)

    def _select_peers_for_pruning(self, topic: str, num_to_prune: int) -> list[ID]:
        """Random ones of those who chose us, and only then of those whom we chose."""
        members = random.sample(list(self.mesh[topic]), len(self.mesh[topic]))
        return sorted(members, key=self._chosen)[:num_to_prune]

    def _chosen(self, peer_id: ID) -> bool:
        """Whether we dialled this neighbour."""
        connections = self.pubsub.host.get_network().connections.get(peer_id, ()) if self.pubsub is not None else ()
        return any(connection.muxed_conn.is_initiator for connection in connections)

    def _perform_opportunistic_grafting(self, topic: str, peers_to_graft: defaultdict[ID, list[str]]) -> int:  # noqa: ARG002  upstream's
        return 0

    async def _maintain_mesh_quality(self, topic: str) -> None:
        """`mesh_heartbeat` keeps the mesh between its bounds; that is enough."""

    def _some_followers(self, topic: str, but: set[ID]) -> set[ID]:
        """As many random followers of a topic as a mesh has."""
        followers = self.pubsub.peer_topics.get(topic, set()) - but if self.pubsub is not None else set()
        return set(random.sample(list(followers), min(self.degree, len(followers))))

    def _send_cached(self, mid: bytes, peer_id: ID) -> None:
        message = self.mcache.get(mid)
        if message is not None:
            self._push(peer_id, frame(rpc_pb2.RPC(publish=[message])))

    def _push(self, peer_id: ID, packed: Frame, priority: bool = False) -> bool:
        """Whether it is on its way."""
        queue = self.pubsub.peer_queues.get(peer_id) if self.pubsub is not None else None
        if queue is None:
            return False
        queued: bool = queue.push(cast("rpc_pb2.RPC", packed), priority)
        if not queued:
            self._blame("gossip-dropped-slow-peer", peer_id)
        return queued

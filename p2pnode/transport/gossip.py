"""Gossip as the node sees it: topics with pure validators, into the one inbox."""

from __future__ import annotations

import trio

from p2pnode.ports import GossipValidator, Incoming
from p2pnode.transport.addresses import peer_id_of
from p2pnode.transport.direct import Report
from p2pnode.transport.inbox import Inbox
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.pubsub import Pubsub
from p2pnode.transport.overrides.router import Router
from p2pnode.transport.overrides.swarm import Admits, Blame, Host
from protocols.errors import LocalError
from protocols.types import PeerKey, Verdict


class Gossip:
    """Topics we follow, and publishing to any."""

    def __init__(self, host: Host, inbox: Inbox, limits: Limits, report: Report, blame: Blame, listens: Admits) -> None:
        self.router = Router(limits, blame, listens)
        self.pubsub = Pubsub(host, self.router, limits, self._judge, self._deliver, blame)
        self._inbox = inbox
        self._limits = limits
        self._report = report
        self._followed: dict[str, tuple[str, GossipValidator]] = {}

    async def subscribe(self, name: str, topic_id: str, validator: GossipValidator) -> None:
        """Follows `topic_id`; its messages are delivered under `name`."""
        self._followed[topic_id] = (name, validator)
        await self.pubsub.subscribe(topic_id)

    async def unsubscribe(self, topic_id: str) -> None:
        """Leaves the topic, if it was followed."""
        await self.pubsub.unsubscribe(topic_id)
        self._followed.pop(topic_id, None)

    async def publish(self, topic_id: str, payload: bytes) -> None:
        """To everybody who follows the topic but ourselves; raises `LocalError` above `gossip_message_bytes`."""
        if len(payload) > self._limits.gossip_message_bytes:
            raise LocalError(
                f"a gossip message of {len(payload)} bytes: {self._limits.gossip_message_bytes} are allowed"
            )
        await self.pubsub.publish(topic_id, payload)

    async def await_neighbour(self, peer: PeerKey, seconds: float) -> None:
        """Waits until gossip flows to a peer we have dialled, but no longer than `seconds`."""
        with trio.move_on_after(seconds):
            await self.pubsub.wait_for_peer(peer_id_of(peer), seconds + 1)

    def _judge(self, topic_id: str, origin: PeerKey, payload: bytes) -> Verdict:
        return self._followed[topic_id][1](origin, payload)

    def _deliver(self, topic_id: str, origin: PeerKey, payload: bytes) -> None:
        if not self._inbox.offer(Incoming(origin, payload, self._followed[topic_id][0])):
            self._report("gossip-dropped-inbox-full", None)

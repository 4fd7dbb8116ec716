"""The mesh of the router. (Messages through it: test_gossip.py.)"""

from __future__ import annotations

import trio
from libp2p.peer.id import ID
from libp2p.pubsub.mcache import default_msg_id_fn
from libp2p.pubsub.pb import rpc_pb2

from p2pnode.transport.addresses import peer_id_of
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.pubsub import SeenMessages
from p2pnode.transport.overrides.router import Frame, Router, frame
from p2pnode.transport.overrides.swarm import Blame
from protocols.types import Verdict

TOPIC = "/t"


async def test_the_mesh_does_not_dissolve(world) -> None:
    """Stock routers prune and back off from each other until some meshes are empty, here within seconds."""
    async with world.nodes(12) as nodes:
        for node in nodes:
            await node.transport.subscribe(TOPIC, lambda _origin, _payload: Verdict.ACCEPT)
        for number, node in enumerate(nodes):
            for other in nodes[number + 1 :]:
                await node.transport.dial(other.address)
        routers = [node.transport.gossip.router for node in nodes]
        for _ in range(12):  # as many heartbeats, without waiting for them
            for router in routers:
                await router._emit_control_msgs(*router.mesh_heartbeat(), router.gossip_heartbeat())
                await router._maintain_mesh_quality(TOPIC)
            await trio.testing.wait_all_tasks_blocked(0.02)
        assert min(len(router.mesh[TOPIC]) for router in routers) >= Limits().mesh_degree_low - 1


class Recorder(Router):
    """A router whose messages are kept instead of sent."""

    def __init__(self, limits: Limits | None = None, blame: Blame = lambda _kind, _peer: None) -> None:
        super().__init__(limits or Limits(), blame, lambda _peer: True)
        self.sent: dict[ID, rpc_pb2.ControlMessage] = {}

    async def emit_control_message(self, control_msg: rpc_pb2.ControlMessage, to_peer: ID) -> None:
        self.sent[to_peer] = control_msg


async def test_each_neighbour_gets_its_own_control_messages() -> None:
    """Upstream's lists grow from one neighbour to the next."""
    router = Recorder()
    a, b, c = ID(b"a"), ID(b"b"), ID(b"c")
    await router._emit_control_msgs({a: ["one"], b: ["two"]}, {c: ["three"]}, {b: {"four": [b"id"]}})
    assert [graft.topicID for graft in router.sent[a].graft] == ["one"]
    assert [graft.topicID for graft in router.sent[b].graft] == ["two"]
    assert [(ihave.topicID, list(ihave.messageIDs)) for ihave in router.sent[b].ihave] == [("four", [b"id"])]
    assert [prune.topicID for prune in router.sent[c].prune] == ["three"]
    assert router._check_back_off(c, "three")
    assert not router.sent[c].graft
    assert not router.sent[a].ihave


async def test_topics_that_we_do_not_follow_leave_no_trace() -> None:
    router = Recorder()
    stranger = ID(b"stranger")
    control = rpc_pb2.ControlMessage(
        graft=[rpc_pb2.ControlGraft(topicID=str(i)) for i in range(50)],
        prune=[rpc_pb2.ControlPrune(topicID=str(i), backoff=2**60) for i in range(50)],
        ihave=[rpc_pb2.ControlIHave(topicID=str(i), messageIDs=[b"x"]) for i in range(50)],
    )
    await router.handle_rpc(rpc_pb2.RPC(control=control), stranger)
    assert not router.back_off
    assert not router.graft_flood_tracking[stranger]
    assert not router.ihave_message_limits[stranger]
    assert not router.sent


async def test_nobody_is_told_twice_nor_what_it_has() -> None:
    """Upstream announces a message at three heartbeats in turn, also to those who sent or announced it."""

    class Neighbours:
        """What the router reads of its Pubsub."""

        def __init__(self, *peers: ID) -> None:
            self.peer_topics = {TOPIC: set(peers)}
            self.peer_queues: dict[ID, object] = {}
            self.seen_messages = SeenMessages(60, 10)

    sender, announcer, other = ID(b"sender"), ID(b"announcer"), ID(b"other")
    router = Recorder()
    router.pubsub = Neighbours(sender, announcer, other)
    router.mesh[TOPIC] = set()
    message = rpc_pb2.Message(data=b"x", topicIDs=[TOPIC], from_id=b"origin", seqno=b"1")
    mid = default_msg_id_fn(message)
    await router.publish(sender, message)
    await router.handle_ihave(rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[mid]), announcer)
    assert router.gossip_heartbeat() == {other: {TOPIC: [mid]}}
    router.mcache.shift()
    assert router.gossip_heartbeat() == {}
    for _ in range(len(router.mcache.history)):
        router.mcache.shift()
    router.gossip_heartbeat()
    assert not router._holders  # what is forgotten leaves no trace


def test_a_frame_is_a_varint_and_the_rpc() -> None:
    rpc = rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid="x" * 200)])
    packed = frame(rpc)
    assert isinstance(packed, Frame)
    assert packed[2:] == rpc.SerializeToString()
    assert rpc_pb2.RPC.FromString(packed[2:]) == rpc


async def test_who_is_not_listened_to_leaves_the_mesh_and_is_not_chosen_again(world) -> None:
    async with world.nodes(3) as nodes:
        for node in nodes[1:]:
            await node.transport.dial(nodes[0].address)
        for node in nodes:
            await node.transport.subscribe(TOPIC, lambda _origin, _payload: Verdict.ACCEPT)
        router = nodes[0].transport.gossip.router
        bad, good = (peer_id_of(node.transport.peer) for node in nodes[1:])
        await world.until(lambda: router.mesh[TOPIC] == {bad, good})
        router.listens_to = lambda peer_id: peer_id != bad
        _, pruned = router.mesh_heartbeat()
        assert pruned == {bad: [TOPIC]}
        assert router.mesh[TOPIC] == {good}
        router.mesh_heartbeat()
        assert router.mesh[TOPIC] == {good}


async def test_too_many_control_messages_are_passed_over_and_attributed() -> None:
    blamed: list[str] = []
    router = Recorder(
        Limits(gossip_controls_per_second=1, gossip_controls_burst=5), lambda kind, _: blamed.append(kind)
    )
    router.mesh[TOPIC] = set()
    control = rpc_pb2.ControlMessage(prune=[rpc_pb2.ControlPrune(topicID=TOPIC, backoff=1)])
    for _ in range(8):
        await router.handle_rpc(rpc_pb2.RPC(control=control), ID(b"stranger"))
    assert blamed == ["gossip-control-flood"] * 3

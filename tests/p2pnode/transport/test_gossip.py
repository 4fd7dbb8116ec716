"""Gossip between real hosts."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from libp2p.pubsub.pb import rpc_pb2

from p2pnode.transport.limits import Limits
from protocols.errors import LocalError
from protocols.types import PeerKey, Verdict

TOPIC = "/t"  # literal, as protocol ids are: the mesh is looked up by it


def accept(_origin: PeerKey, _payload: bytes) -> Verdict:
    return Verdict.ACCEPT


async def chain_up(nodes, validator=accept) -> None:
    """Each dials the one before it, so that messages must be forwarded."""
    for before, node in pairwise(nodes):
        await node.transport.dial(before.address)
    for node in nodes:
        await node.transport.subscribe(TOPIC, validator)


async def meshed(world, nodes) -> None:
    await world.until(lambda: all(node.transport.gossip.router.mesh[TOPIC] for node in nodes))


async def test_a_message_reaches_six_hosts_once_and_names_its_origin(world) -> None:
    async with world.nodes(6) as nodes:
        await chain_up(nodes)
        await meshed(world, nodes)
        await nodes[0].transport.publish(TOPIC, b"news")
        for node in nodes[1:]:
            with trio.fail_after(5):
                message = await node.transport.receive()
            assert (message.sender, message.payload, message.topic) == (nodes[0].transport.peer, b"news", TOPIC)
        with trio.move_on_after(0.5):
            message = await nodes[3].transport.receive()
            pytest.fail(f"delivered twice: {message}")


async def test_topics_of_other_parameters_do_not_meet(world) -> None:
    async with (
        world.node("a", prefix="one") as a,
        world.node("b", prefix="two") as b,
        world.node("c", prefix="one") as c,
    ):
        for node in (a, b, c):
            await node.transport.subscribe("news", accept)
        await b.transport.dial(a.address)
        await c.transport.dial(a.address)
        await world.until(lambda: len(a.transport.gossip.router.mesh["/2pm/one/news"]) == 1)
        await a.transport.publish("news", b"of one")
        await b.transport.publish("news", b"of two")
        with trio.fail_after(5):
            message = await c.transport.receive()
        assert (message.topic, message.payload) == ("news", b"of one")
        assert "/2pm/one/news" not in b.transport.gossip.router.mesh


async def test_publishing_without_subscribing(world) -> None:
    async with world.nodes(3) as nodes:
        await chain_up(nodes[:2])
        await nodes[2].transport.dial(nodes[0].address)
        await world.until(lambda: TOPIC in nodes[2].transport.gossip.pubsub.peer_topics)
        await nodes[2].transport.publish(TOPIC, b"from outside")
        for node in nodes[:2]:
            with trio.fail_after(5):
                assert (await node.transport.receive()).payload == b"from outside"


async def test_who_unsubscribes_hears_no_more_and_may_still_publish(world) -> None:
    async with world.nodes(2) as (a, b):
        await chain_up([a, b])
        await meshed(world, [a, b])
        await b.transport.unsubscribe(TOPIC)
        await b.transport.unsubscribe(TOPIC)  # a second time changes nothing
        await world.until(lambda: not a.transport.gossip.pubsub.peer_topics.get(TOPIC))
        await a.transport.publish(TOPIC, b"into the void")
        await b.transport.publish(TOPIC, b"from outside")
        with trio.fail_after(5):
            assert (await a.transport.receive()).payload == b"from outside"
        await b.transport.subscribe(TOPIC, accept)
        await a.transport.publish(TOPIC, b"again")
        with trio.fail_after(5):
            assert (await b.transport.receive()).payload == b"into the void"
            assert (await b.transport.receive()).payload == b"again"


async def test_a_late_subscriber_gets_recent_messages(world) -> None:
    async with world.nodes(2) as nodes:
        await chain_up(nodes[:1])
        await nodes[0].transport.publish(TOPIC, b"just before")
        await chain_up(nodes)
        with trio.fail_after(5):
            assert (await nodes[1].transport.receive()).payload == b"just before"


async def test_what_was_sent_just_before_a_neighbour_joined_the_mesh_reaches_it(world) -> None:
    """Subscribed, but not yet grafted: forwarded to nobody, and announced to nobody at the next heartbeats."""
    async with world.nodes(2) as nodes:
        await chain_up(nodes)
        await meshed(world, nodes)
        routers = [node.transport.gossip.router for node in nodes]
        peers = [next(iter(router.mesh[TOPIC])) for router in routers]
        routers[0].mesh[TOPIC].clear()
        routers[0]._some_followers = lambda _topic, _but: set()  # neither flooded nor told at heartbeats
        await nodes[0].transport.publish(TOPIC, b"in the gap")
        await routers[0].handle_graft(rpc_pb2.ControlGraft(topicID=TOPIC), peers[0])
        with trio.fail_after(5):
            assert (await nodes[1].transport.receive()).payload == b"in the gap"


@pytest.mark.parametrize(("verdict", "penalty"), [(Verdict.IGNORE, 0), (Verdict.REJECT, 1)])
async def test_ignore_costs_no_score_and_reject_does(world, verdict: Verdict, penalty: int) -> None:
    def judge(_origin: PeerKey, payload: bytes) -> Verdict:
        return Verdict.ACCEPT if payload == b"good" else verdict

    async with world.nodes(3) as nodes:
        await chain_up(nodes)
        await nodes[1].transport.subscribe(TOPIC, judge)
        await meshed(world, nodes)
        await nodes[0].transport.publish(TOPIC, b"bad")
        await nodes[0].transport.publish(TOPIC, b"good")
        for node in nodes[1:]:
            with trio.fail_after(5):
                assert (await node.transport.receive()).payload == b"good"  # the other one was not forwarded
        sender = nodes[0].transport.peer
        assert nodes[1].reports["gossip-rejected", sender] == penalty
        assert nodes[1].transport.conduct.points(sender) == pytest.approx(penalty, abs=0.2)


async def test_oversized_messages_are_our_error(world) -> None:
    async with world.node("a") as a:
        with pytest.raises(LocalError, match="65537 bytes: 65536 are allowed"):
            await a.transport.publish(TOPIC, bytes(65537))


async def test_the_largest_message_arrives(world) -> None:
    async with world.nodes(2) as nodes:
        await chain_up(nodes)
        await meshed(world, nodes)
        await nodes[0].transport.publish(TOPIC, bytes(65536))
        with trio.fail_after(5):
            assert len((await nodes[1].transport.receive()).payload) == 65536


async def test_drops_are_reported(world) -> None:
    async with world.nodes(2, Limits(inbox_messages=10, inbox_share=1)) as nodes:
        await chain_up(nodes)
        await meshed(world, nodes)
        for number in range(30):
            await nodes[0].transport.publish(TOPIC, bytes([number]))
        await world.until(lambda: nodes[1].reports["gossip-dropped-inbox-full", None] == 20)


async def test_a_dialled_burst_of_hosts_ends_in_one_mesh(world) -> None:
    async with world.nodes(10) as nodes:
        for node in nodes:
            await node.transport.subscribe(TOPIC, accept)
        async with trio.open_nursery() as nursery:
            for node in nodes[1:]:
                nursery.start_soon(node.transport.dial, nodes[0].address)
        await world.until(lambda: all(node.transport.gossip.router.mesh[TOPIC] for node in nodes))
        await nodes[7].transport.publish(TOPIC, b"to all")
        for node in nodes[:7] + nodes[8:]:
            with trio.fail_after(5):
                assert (await node.transport.receive()).payload == b"to all"

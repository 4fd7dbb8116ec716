"""The finder: off unless it is wanted, bounded, and what one half hears the node meets."""

from __future__ import annotations

import hashlib

import trio

from p2pnode.directory import Directory
from p2pnode.transport.addresses import with_peer
from p2pnode.transport.discovery.finder import WAITING_MAX, Finders
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey, Secret
from protocols.wire.envelope import signer


def finders(node, **wanted: bool) -> Finders:
    return Finders(node.transport, "0123456789abcdef", Limits(), node.transport.conduct.report, **wanted)


async def test_nothing_runs_that_is_not_wanted(world) -> None:
    async with world.node("a") as a:
        silent = finders(a)
        assert silent.tasks == {}
        await silent.seek(PeerKey(bytes(32)))
        assert set(finders(a, mdns=True, dht=True, observe=True, relay=True).tasks) == {
            *("mdns", "dht", "addresses", "relay")
        }


async def test_who_is_sought_is_heard_of(world) -> None:
    async with world.nodes(3) as nodes:
        hub, a, b = nodes
        books = [
            Directory(each.transport, signer(Secret(hashlib.sha256(f"node {n}".encode()).digest()))[1], 1)
            for n, each in enumerate(nodes)
        ]
        found = [finders(each, dht=True) for each in nodes]
        for book, each in zip(books[1:], nodes[1:], strict=True):
            await book.ask(await each.transport.dial(hub.address), [PeerKey(bytes(32))])
        await found[1].seek(b.transport.peer)
        heard = {}
        with trio.fail_after(5):
            while b.transport.peer not in heard:
                who, where = await found[1].found()
                heard[who] = where
        assert heard[b.transport.peer] == (b.address,)
        books[1].hint(b.transport.peer, heard[b.transport.peer])
        await books[1].mesh()
        assert b.transport.peer in a.transport.connected()
        assert books[1].missing([b.transport.peer]) == []


async def test_a_flood_of_news_fills_the_queue_and_no_more(world) -> None:
    async with world.node("a") as a:
        finder = finders(a)
        for number in range(10 * WAITING_MAX):
            peer = PeerKey(number.to_bytes(32, "big"))
            finder._heard(peer, (with_peer("/ip4/10.0.0.1/tcp/1", peer),))
        assert finder._in.statistics().current_buffer_used == WAITING_MAX
        assert (await finder.found())[0] == PeerKey(bytes(32))

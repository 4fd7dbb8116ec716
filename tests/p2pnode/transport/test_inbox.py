"""The bounded inbox."""

from __future__ import annotations

import trio
import trio.testing

from p2pnode.ports import Incoming
from p2pnode.transport.inbox import Inbox
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey


def message(size: int, sender: int = 0) -> Incoming:
    return Incoming(PeerKey(bytes([sender]) * 32), bytes(size), None)


async def test_in_order():
    inbox = Inbox(Limits())
    for size in range(5):
        await inbox.put(message(size))
    assert [len((await inbox.get()).payload) for _ in range(5)] == list(range(5))


async def test_bounded_in_messages_and_bytes():
    inbox = Inbox(Limits(inbox_messages=2, inbox_share=1))
    assert [inbox.offer(message(1)) for _ in range(3)] == [True, True, False]
    inbox = Inbox(Limits(inbox_bytes=100, inbox_share=1))
    assert [inbox.offer(message(99)) for _ in range(3)] == [True, True, False]
    await inbox.get()
    assert inbox.offer(message(1))


async def test_a_put_waits_for_room(autojump_clock):
    inbox = Inbox(Limits(inbox_messages=1, inbox_share=1))
    await inbox.put(message(1))
    with trio.move_on_after(1) as scope:
        await inbox.put(message(2))
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.put, message(3))
        assert [len((await inbox.get()).payload) for _ in range(2)] == [1, 3]


async def test_a_get_waits_for_a_message(autojump_clock):
    inbox = Inbox(Limits())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.put, message(7))
        assert len((await inbox.get()).payload) == 7


async def test_nobody_takes_more_than_its_share(autojump_clock):
    inbox = Inbox(Limits(inbox_messages=8, inbox_share=0.25))
    assert [inbox.offer(message(1, sender=7)) for _ in range(3)] == [True, True, False]
    assert inbox.offer(message(1, sender=8))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.put, message(9, sender=7))  # its own messages must be read first
        await trio.testing.wait_all_tasks_blocked()
        assert [len((await inbox.get()).payload) for _ in range(4)] == [1, 1, 1, 9]
    inbox = Inbox(Limits(inbox_bytes=100, inbox_share=0.25))
    assert [inbox.offer(message(25, sender)) for sender in (7, 7, 8)] == [True, False, True]

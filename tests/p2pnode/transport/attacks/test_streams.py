"""On open connections: floods of streams, bytes that are never used up, answers that are never read, length bombs."""

from __future__ import annotations

import struct

import pytest
import trio

from p2pnode.transport.limits import KIB, MIB, Limits
from tests.p2pnode.transport.attacks.arena import BLOB, DIRECT, arena, raw_peer

LENGTH = struct.Struct("!I")


def budget_of(at):
    return at.victim.transport._swarm.upgrader._budget


async def test_a_flood_of_streams_is_cut_off(world) -> None:
    async with arena(world) as at:
        attacker = await raw_peer(at.victim.address, "streams")
        at.attackers = {attacker.peer}
        with trio.move_on_after(10):
            try:
                for _ in range(5000):
                    await attacker.open()
            except Exception:  # noqa: BLE001  the connection is closed under our hands
                pass
        await world.until(lambda: at.named("banned", attacker.peer) == 1)
        assert await attacker.is_cut_off()
        assert at.named("too-many-streams", attacker.peer) >= 100


async def test_half_sent_frames_take_no_more_than_the_budget(world) -> None:
    limits = Limits(unread_bytes=2 * MIB, unread_bytes_per_peer=1 * MIB)
    async with arena(world, limits) as at:
        crowd = [await raw_peer(at.victim.address, f"loris {number}") for number in range(3)]
        at.attackers = {each.peer for each in crowd}
        most = 0
        for attacker in crowd:
            for _ in range(20):
                stream = await attacker.open(DIRECT)
                await attacker.data(stream, LENGTH.pack(900 * KIB))
                for _ in range(4):
                    await attacker.data(stream, bytes(60 * KIB))
                await trio.sleep(0)
                most = max(most, budget_of(at).bytes)
        await world.until(lambda: at.reported("unread-bytes-evicted") > 0)
        assert 512 * KIB < max(most, budget_of(at).bytes) <= 2 * MIB


async def test_answers_that_nobody_reads_do_not_fill_memory_nor_keep_others_waiting(world) -> None:
    limits = Limits(unread_bytes=9 * MIB, unread_bytes_per_peer=5 * MIB)
    async with arena(world, limits) as at:
        crowd = [await raw_peer(at.victim.address, f"deaf {number}") for number in range(4)]
        at.attackers = {each.peer for each in crowd}
        async with trio.open_nursery() as nursery:
            for attacker in crowd:
                nursery.start_soon(attacker.is_cut_off, 60)  # it reads, but gives its streams no new window
                for _ in range(8):
                    await attacker.data(await attacker.open(BLOB), LENGTH.pack(3) + b"big")
            await world.until(lambda: at.reported("unread-bytes-evicted") >= 10, seconds=10)
            await at.passes(3)
            assert 2 * MIB < budget_of(at).bytes <= 9 * MIB
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("protocol", [DIRECT, BLOB])
@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 5 * MIB])
async def test_a_length_bomb_ends_its_stream_and_is_named(world, protocol: str, length: int) -> None:
    async with arena(world) as at:
        attacker = await raw_peer(at.victim.address, "bomb")
        at.attackers = {attacker.peer}
        stream = await attacker.open(protocol)
        await attacker.data(stream, LENGTH.pack(length) + b"x")
        await world.until(lambda: at.named("frame-refused", attacker.peer) == 1)
        assert budget_of(at).bytes < 64 * KIB


async def test_more_than_the_window_is_a_violation(world) -> None:
    async with arena(world) as at:
        attacker = await raw_peer(at.victim.address, "window")
        at.attackers = {attacker.peer}
        stream = await attacker.open(DIRECT)
        with trio.move_on_after(5):
            try:
                await attacker.data(stream, LENGTH.pack(900 * KIB))
                while True:
                    await attacker.data(stream, bytes(60 * KIB))  # into a window that is widened for what is read
                    await attacker.frame(0, 0, stream, 300 * KIB, bytes(300 * KIB))
            except Exception:  # noqa: BLE001  the connection is closed under our hands
                pass
        await world.until(lambda: at.named("yamux-violation", attacker.peer) == 1)


async def test_who_sends_without_pause_fills_its_share_of_the_inbox_only(world) -> None:
    limits = Limits(inbox_messages=16, inbox_share=0.25)
    async with world.node("victim", limits=limits) as victim, world.node("friend") as friend:
        attacker = await raw_peer(victim.address, "talker")
        stream = await attacker.open(DIRECT)
        await attacker.data(stream, b"".join(LENGTH.pack(4) + bytes([n]) * 4 for n in range(100)))
        await friend.transport.dial(victim.address)
        await friend.transport.send(victim.transport.peer, b"from a friend")
        inbox = victim.transport._inbox
        await world.until(lambda: len(inbox._queue) == 5)
        with trio.fail_after(5):
            senders = [(await victim.transport.receive()).sender for _ in range(5)]
        assert friend.transport.peer in senders

"""The muxer over an in-memory pipe: its limits, its windows, and what a cancelled write leaves."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamEOF, MuxedStreamReset
from libp2p.stream_muxer.yamux.yamux import DEFAULT_WINDOW_SIZE

from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.yamux import Yamux

PEER = ID(b"peer")
DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8


class Pipe:
    """One end of an in-memory connection, as the muxer sees a secured one."""

    def __init__(self, stream: trio.StapledStream[Any, Any], is_initiator: bool) -> None:
        self._stream = stream
        self.is_initiator = is_initiator

    async def read(self, n: int | None = None) -> bytes:
        try:
            return bytes(await self._stream.receive_some(n))
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return b""

    async def write(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def close(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def two_muxers(limits: Limits | None = None) -> AsyncIterator[tuple[Yamux, Yamux]]:
    left, right = trio.testing.memory_stream_pair()
    ends = [Yamux(Pipe(s, i == 0), PEER, limits) for i, s in enumerate((left, right))]  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        for end in ends:
            nursery.start_soon(end.start)
        yield ends[0], ends[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def against_bytes(limits: Limits | None = None) -> AsyncIterator[tuple[Yamux, Any, list[str]]]:
    """A muxer, the raw other end of its connection, and what it reports."""
    left, right = trio.testing.memory_stream_pair()
    reports: list[str] = []
    muxer = Yamux(Pipe(left, False), PEER, limits, lambda kind, _peer: reports.append(kind))  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(muxer.start)
        yield muxer, right, reports
        nursery.cancel_scope.cancel()


def frame(kind: int, flags: int, stream_id: int, length: int = 0, body: bytes = b"") -> bytes:
    return struct.pack("!BBHII", 0, kind, flags, stream_id, length) + body


async def test_streams_do_not_mix():
    async with two_muxers() as (a, b):
        ours = [await a.open_stream() for _ in range(3)]
        for number, stream in enumerate(ours):
            await stream.write(bytes([number]) * 5)
            await stream.close()
        theirs = [await b.accept_stream() for _ in range(3)]
        assert [await stream.read() for stream in reversed(theirs)] == [b"\2" * 5, b"\1" * 5, b"\0" * 5]
        with pytest.raises(MuxedStreamEOF):
            await theirs[0].read()
        await theirs[0].write(b"back")
        assert await ours[0].read(2) + await ours[0].read() == b"back"


async def test_more_than_a_window_flows_when_it_is_read():
    payload = bytes(range(256)) * 8192  # 2 MiB
    async with two_muxers() as (a, b):
        stream = await a.open_stream()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.write, payload)
            other = await b.accept_stream()
            received = bytearray()
            while len(received) < len(payload):
                received += await other.read(10_000)
        assert received == payload


async def test_a_frame_of_many_windows_opens_the_window_once():
    size, opened = 5 * DEFAULT_WINDOW_SIZE + 7, []
    async with two_muxers() as (a, b), trio.open_nursery() as nursery:
        writing, reading = await a.open_stream(), await b.accept_stream()
        give = b.enqueue
        b.enqueue = lambda *frame: (opened.append(frame), give(*frame))  # type: ignore[assignment]
        nursery.start_soon(writing.write, bytes(size) + b"next")
        assert await reading.exactly(size) == bytes(size)
        assert await reading.exactly(4) == b"next"
        assert opened == [(WINDOW, 0, reading.stream_id, size)]
        assert (reading.waiting, b.budget.bytes, reading._credited) == (0, 0, 0)


async def test_the_window_is_opened_once_for_each_byte_however_it_is_read(autojump_clock):
    """A reader that gave up leaves what had come; whoever reads that must not open the window for it again."""
    async with two_muxers() as (a, b):
        writing, reading = await a.open_stream(), await b.accept_stream()
        await writing.write(bytes(DEFAULT_WINDOW_SIZE))
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(1):
            await reading.exactly(DEFAULT_WINDOW_SIZE + 9)
        assert len(await reading.read()) == DEFAULT_WINDOW_SIZE
        await trio.testing.wait_all_tasks_blocked()
        assert writing._send_window == DEFAULT_WINDOW_SIZE + 9
        await writing.write(bytes(DEFAULT_WINDOW_SIZE + 9))
        await trio.testing.wait_all_tasks_blocked()
        assert len(await reading.read()) == DEFAULT_WINDOW_SIZE + 9
        await trio.testing.wait_all_tasks_blocked()
        assert (reading._receive_window, writing._send_window) == (DEFAULT_WINDOW_SIZE, DEFAULT_WINDOW_SIZE)


async def test_what_ends_before_is_short_and_a_reset_is_said():
    async with two_muxers() as (a, b):
        writing, reading = await a.open_stream(), await b.accept_stream()
        await writing.write(b"abc")
        await writing.close()
        assert await reading.exactly(5) == b"abc"
        assert await reading.exactly(5) == b""
        writing, reading = await a.open_stream(), await b.accept_stream()
        await writing.write(b"abc")
        await writing.reset()
        assert await reading.exactly(3) == b"abc"
        with pytest.raises(MuxedStreamReset):
            await reading.exactly(1)


async def test_an_unread_stream_holds_its_writer_and_nobody_else(autojump_clock):
    async with two_muxers() as (a, b):
        stuck, free = await a.open_stream(), await a.open_stream()
        with trio.move_on_after(1) as scope:
            await stuck.write(bytes(10 * DEFAULT_WINDOW_SIZE))
        assert scope.cancelled_caught
        await free.write(b"free")
        unread, other = await b.accept_stream(), await b.accept_stream()
        assert await other.read() == b"free"
        assert len(unread._received) == DEFAULT_WINDOW_SIZE


async def test_a_cancelled_write_leaves_the_connection_whole():
    async with two_muxers(Limits(connection_queue_bytes=1000)) as (a, b):
        doomed, kept = await a.open_stream(), await a.open_stream()
        for _ in range(20):
            with trio.move_on_after(0):
                await doomed.write(bytes(3000))
        await doomed.reset()
        await kept.write(b"whole")
        await b.accept_stream()
        assert await (await b.accept_stream()).read() == b"whole"


async def test_a_reset_wakes_both_sides_and_keeps_what_had_arrived():
    async with two_muxers() as (a, b):
        ours = await a.open_stream()
        await ours.write(b"last words")
        await ours.reset()
        theirs = await b.accept_stream()
        await trio.testing.wait_all_tasks_blocked()
        assert await theirs.read() == b"last words"
        for stream in (ours, theirs):
            with pytest.raises(MuxedStreamReset):
                await stream.read()
            with pytest.raises(MuxedStreamReset):
                await stream.write(b"x")


async def test_closing_flushes_and_ends_every_stream():
    async with two_muxers() as (a, b):
        ours = await a.open_stream()
        theirs = await b.accept_stream()
        await ours.write(bytes(50_000))
        await a.close()
        assert len(await theirs.read()) == 50_000
        with pytest.raises(MuxedStreamReset):
            await theirs.read()
        with pytest.raises(MuxedConnUnavailable):
            await b.accept_stream()
        with pytest.raises(MuxedConnUnavailable):
            await a.open_stream()


@pytest.mark.parametrize(
    "attack",
    [
        frame(DATA, SYN, 1, DEFAULT_WINDOW_SIZE + 1),
        frame(DATA, SYN, 1, DEFAULT_WINDOW_SIZE, bytes(DEFAULT_WINDOW_SIZE)) + frame(DATA, 0, 1, 1, b"x"),
        frame(DATA, SYN | FIN, 1, 1, b"x") + frame(DATA, 0, 1, 1, b"x"),
        frame(WINDOW, SYN, 1, 2**32 - 1),
        frame(WINDOW, SYN, 2),
        frame(WINDOW, SYN, 0),
        frame(WINDOW, SYN, 1) + frame(WINDOW, SYN, 1),
        frame(9, 0, 1),
        b"\1" + bytes(11),
    ],
    ids=["window", "window twice", "after FIN", "huge window", "our id", "id 0", "id twice", "type", "version"],
)
async def test_a_violation_closes_the_connection_and_is_reported(attack: bytes):
    """Upstream logs most of these and goes on, and holds every byte that it was sent."""
    async with against_bytes() as (muxer, stranger, reports):
        await stranger.send_all(attack)
        with trio.fail_after(2):
            await muxer.event_closed.wait()
        assert reports == ["yamux-violation"]


async def test_too_many_streams_are_reset_and_reported():
    async with against_bytes(Limits(inbound_streams_per_connection=2)) as (muxer, stranger, reports):
        await stranger.send_all(b"".join(frame(WINDOW, SYN, stream_id) for stream_id in (1, 3, 5)))
        answers = bytearray()
        while len(answers) < 36:
            answers += await stranger.receive_some()
        assert answers == frame(WINDOW, ACK, 1) + frame(WINDOW, ACK, 3) + frame(WINDOW, RST, 5)
        assert reports == ["too-many-streams"]
        assert not muxer.is_closed


async def test_a_flood_of_pings_by_somebody_who_does_not_read():
    async with against_bytes(Limits(connection_queue_bytes=1000)) as (muxer, stranger, reports):
        muxer.secured_conn.write = lambda _data: trio.sleep_forever()  # type: ignore[method-assign]
        await stranger.send_all(frame(PING, SYN, 0, 7) * 1000)
        with trio.fail_after(2):
            await muxer.event_closed.wait()
        assert reports == ["yamux-violation"]


async def test_a_ping_is_answered_and_data_for_a_gone_stream_ignored():
    async with against_bytes() as (_muxer, stranger, reports):
        await stranger.send_all(frame(DATA, 0, 77, 3, b"old") + frame(PING, SYN, 0, 7))
        assert await stranger.receive_some() == frame(PING, ACK, 0, 7)
        assert not reports


async def test_frames_are_whole_whatever_pieces_they_come_in():
    async with against_bytes() as (muxer, stranger, reports):
        wire = frame(WINDOW, SYN, 1) + frame(DATA, 0, 1, 5, b"hello") + frame(DATA, 0, 1, 6, b" world")
        for at in range(len(wire) - 3):
            await stranger.send_all(wire[at : at + 1])
            await trio.testing.wait_all_tasks_blocked()
        stream = await muxer.accept_stream()
        assert await stream.read() == b"hello"
        await stranger.send_all(wire[-3:] + frame(PING, SYN, 0, 7))
        assert await stream.read() == b" world"
        assert not reports

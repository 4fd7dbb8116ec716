"""Yamux (hashicorp/yamux spec.md) that holds its limits.

Upstream buffers whatever a peer sends (its receive window is not enforced: 200 MB pushed are 200 MB held), polls every
10 ms for a closed window, and lets whichever task writes hold the connection, so a cancelled write tears a frame and
with it every stream. Here a frame that exceeds the window or the protocol closes the connection, waiting tasks are
parked and woken, and one task writes all frames, many at a time.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, cast

import trio
from libp2p.abc import IMuxedConn, IMuxedStream, INetStream, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamEOF, MuxedStreamReset
from libp2p.stream_muxer.yamux.yamux import (
    DEFAULT_WINDOW_SIZE,
    FLAG_ACK,
    FLAG_FIN,
    FLAG_RST,
    FLAG_SYN,
    GO_AWAY_NORMAL,
    HEADER_SIZE,
    TYPE_DATA,
    TYPE_GO_AWAY,
    TYPE_PING,
    TYPE_WINDOW_UPDATE,
)
from multiaddr import Multiaddr

from p2pnode.transport.budget import Budget
from p2pnode.transport.frames import Buffered, FrameReader
from p2pnode.transport.limits import Limits

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

_HEADER = struct.Struct("!BBHII")  # version, type, flags, stream id, length
_MAX_FRAME_BYTES = 65519 - HEADER_SIZE  # one frame, one Noise message
_MAX_WINDOW = 2**31


class ProtocolError(Exception):
    """The peer broke yamux; its connection is closed."""


class Stream(IMuxedStream):
    """One stream. Reads and writes of several tasks do not interleave within a call."""

    def __init__(self, stream_id: int, conn: Yamux) -> None:
        self.stream_id = stream_id
        self.muxed_conn: Yamux = conn
        self._received = bytearray()
        self._receive_window = DEFAULT_WINDOW_SIZE
        self._wanted = 0  # the reader is woken when so many bytes are there
        self._credited = 0  # the window was opened already for so many of the bytes that are read next
        self._consumed = 0
        self._send_window = DEFAULT_WINDOW_SIZE
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        self._turns = trio.lowlevel.ParkingLot()
        self._writing = False
        self._ended = False  # the peer sent FIN
        self._finished = False  # we sent FIN
        self._dead = False  # reset by either side, or the connection is gone
        self._unread = conn.budget.hold(conn.peer_id, self.abort)

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not read."""
        return len(self._received)

    @property
    def is_closed(self) -> bool:
        return self._dead or (self._ended and self._finished and not self._received)

    async def read(self, n: int | None = None) -> bytes:
        """At most `n` bytes, at least one.

        Raises:
            MuxedStreamEOF: the peer has finished and everything was read.
            MuxedStreamReset: the stream or its connection is gone.
        """
        if n == 0:
            return b""
        while not self._received:
            if self._dead:
                raise MuxedStreamReset("stream was reset")
            if self._ended:
                raise MuxedStreamEOF("stream has ended")
            await self._readers.park()
        if n is None or n >= len(self._received):
            data = bytes(self._received)
            self._received.clear()
        else:
            data = bytes(self._received[:n])
            del self._received[:n]
        self._account()
        self._used(len(data))
        return data

    def expect(self, count: int) -> None:
        """Opens the window at once for so many bytes that are going to be read: a frame that is longer than a window
        does not stop in its middle. At most `count` bytes and a window are held.
        """
        if count > self._credited:
            self._give_window(count - self._credited)
            self._credited = count

    async def exactly(self, count: int) -> bytes:
        """So many bytes; fewer only if the peer has finished before.

        See `expect`; the reader is woken once, when all are there.

        Raises:
            MuxedStreamReset: the stream or its connection is gone.
        """
        self.expect(count)
        self._wanted = count
        try:
            while len(self._received) < count and not self._ended:
                if self._dead:
                    raise MuxedStreamReset("stream was reset")
                await self._readers.park()
        finally:
            self._wanted = 0
        with memoryview(self._received) as view:
            data = bytes(view[:count])
        del self._received[:count]
        self._account()
        self._used(len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Hands all of `data` to the connection; waits for the peer's window and for room in the queue.

        A caller that is cancelled within must reset the stream: part of `data` may be on its way.
        """
        while self._writing:
            await self._turns.park()
        self._writing = True
        try:
            for start in range(0, len(data), _MAX_FRAME_BYTES):
                await self._write_chunk(memoryview(data)[start : start + _MAX_FRAME_BYTES])
        finally:
            self._writing = False
            self._turns.unpark()

    async def close(self) -> None:
        """Finishes our side; the peer's may still be read."""
        if not self._finished and not self._dead:
            self._finished = True
            self.muxed_conn.enqueue(TYPE_WINDOW_UPDATE, FLAG_FIN, self.stream_id)
            self._forget_if_done()

    async def reset(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Resets the stream, at once."""
        if not self._dead:
            if not (self._ended and self._finished):
                self.muxed_conn.enqueue(TYPE_WINDOW_UPDATE, FLAG_RST, self.stream_id)
            self._received.clear()
            self.die()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """So many bytes are kept to be written, within the block; they count against the peer's budget."""
        holding = self.muxed_conn.budget.hold(self.muxed_conn.peer_id, self.abort)
        holding.resize(size)
        try:
            yield
        finally:
            holding.resize(0)

    def set_deadline(self, ttl: int) -> None:
        raise NotImplementedError("use trio's cancel scopes")

    def get_remote_address(self) -> tuple[str, int] | None:
        return self.muxed_conn.get_remote_address()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # what the connection's reader calls

    def deliver(self, data: memoryview | bytes) -> None:
        if len(data) > self._receive_window:
            raise ProtocolError(f"{len(data)} bytes into a window of {self._receive_window}")
        if self._ended:
            raise ProtocolError("data after FIN")
        self._receive_window -= len(data)
        self._received += data
        if len(self._received) >= self._wanted:
            self._readers.unpark_all()
        self._account()  # at last: it may end this very stream

    def widen(self, increment: int) -> None:
        self._send_window += increment
        if self._send_window > _MAX_WINDOW:
            raise ProtocolError(f"a window of {self._send_window} bytes")
        self._writers.unpark_all()

    def end(self) -> None:
        self._ended = True
        self._readers.unpark_all()
        self._forget_if_done()

    def die(self) -> None:
        """Reset by the peer or with the connection; what has arrived before may still be read."""
        self._dead = True
        self._account()
        self._readers.unpark_all()
        self._writers.unpark_all()
        self.muxed_conn.forget(self.stream_id)

    async def _write_chunk(self, chunk: memoryview) -> None:
        while chunk:
            while not self._send_window and not self._dead:
                await self._writers.park()
            if self._dead or self._finished:
                raise MuxedStreamReset("stream is closed for writing")
            part = chunk[: self._send_window]
            chunk = chunk[len(part) :]
            self._send_window -= len(part)
            await self.muxed_conn.send_data(self.stream_id, part)

    def _used(self, count: int) -> None:
        credited = min(count, self._credited)
        self._credited -= credited
        self._give_window(count - credited)

    def _give_window(self, consumed: int) -> None:
        """Half a window at a time, so that small reads do not cost a frame each."""
        self._consumed += consumed
        if self._consumed >= DEFAULT_WINDOW_SIZE // 2 and not self._ended and not self._dead:
            self._receive_window += self._consumed
            self.muxed_conn.enqueue(TYPE_WINDOW_UPDATE, 0, self.stream_id, self._consumed)
            self._consumed = 0

    def _account(self) -> None:
        """A dead stream's bytes go with its handler, which is told by its next read."""
        self._unread.resize(0 if self._dead else len(self._received))

    def _forget_if_done(self) -> None:
        if self._ended and self._finished:
            self.muxed_conn.forget(self.stream_id)


class Yamux(IMuxedConn):
    """All streams of one connection. `on_close` is set by the swarm's connection that owns it."""

    on_close: Callable[[], Awaitable[None]] | None

    def __init__(
        self,
        conn: ISecureConn,
        peer_id: ID,
        limits: Limits | None = None,
        misbehaved: Callable[[str, ID], None] = lambda _kind, _peer: None,
        budget: Budget | None = None,
    ) -> None:
        self.secured_conn = conn
        self.peer_id = peer_id
        self.on_close = None
        self.event_started = trio.Event()
        self.event_closed = trio.Event()
        limits = self._limits = limits or Limits()
        self.budget = budget or Budget(limits.unread_bytes, limits.unread_bytes_per_peer, lambda _peer: None)
        self._misbehaved = misbehaved
        self._streams: dict[int, Stream] = {}
        self._next_id = 1 if conn.is_initiator else 2
        self._accepted: deque[Stream] = deque()
        self._acceptors = trio.lowlevel.ParkingLot()
        self._queue: list[bytes | memoryview] = []
        self._queued_bytes = 0
        self._writer = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self._closing = False

    @property
    def is_initiator(self) -> bool:
        return self.secured_conn.is_initiator

    @property
    def is_established(self) -> bool:
        return self.event_started.is_set() and not self._closing

    @property
    def is_closed(self) -> bool:
        return self.event_closed.is_set()

    def get_transport_addresses(self) -> list[Multiaddr]:
        return self.secured_conn.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        return self.secured_conn.get_connection_type()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self.secured_conn.get_remote_address()

    async def start(self) -> None:
        """Runs the connection until it closes; never raises on account of the peer."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_loop)
                self.event_started.set()
                await self._read_loop()
                nursery.cancel_scope.cancel()
        finally:
            with trio.move_on_after(self._limits.close_seconds + 1, shield=True):
                await self._tear_down()

    async def close(self) -> None:
        """Says goodbye, lets the queue drain for at most `close_seconds`, and closes the socket."""
        if not self._closing:
            self.enqueue(TYPE_GO_AWAY, 0, 0, GO_AWAY_NORMAL)
            with trio.move_on_after(self._limits.close_seconds):
                while self._queued_bytes and not self._closing:
                    await self._room.park()
        await self._tear_down()

    async def open_stream(self) -> Stream:
        if self._closing:
            raise MuxedConnUnavailable("connection is closed")
        stream = Stream(self._next_id, self)
        self._streams[self._next_id] = stream
        self._next_id += 2
        self.enqueue(TYPE_WINDOW_UPDATE, FLAG_SYN, stream.stream_id)
        return stream

    async def accept_stream(self) -> Stream:
        while not self._accepted:
            if self._closing:
                raise MuxedConnUnavailable("connection is closed")
            await self._acceptors.park()
        return self._accepted.popleft()

    # what streams call

    def enqueue(self, kind: int, flags: int, stream_id: int, length: int = 0, body: bytes | memoryview = b"") -> None:
        """Queues one frame without waiting; a peer that makes us answer faster than it reads loses the connection."""
        if self._closing:
            return
        self._queue.append(_HEADER.pack(0, kind, flags, stream_id, length))
        if body:
            self._queue.append(body)
        self._queued_bytes += HEADER_SIZE + len(body)
        self._writer.unpark()

    async def send_data(self, stream_id: int, body: memoryview) -> None:
        while self._queued_bytes > self._limits.connection_queue_bytes and not self._closing:
            await self._room.park()
        if self._closing:
            raise MuxedStreamReset("connection is closed")
        self.enqueue(TYPE_DATA, 0, stream_id, len(body), body)

    def forget(self, stream_id: int) -> None:
        self._streams.pop(stream_id, None)

    # the two loops

    async def _write_loop(self) -> None:
        try:
            while True:
                while not self._queue:
                    await self._writer.park()
                batch = b"".join(self._queue)
                self._queue.clear()
                await self.secured_conn.write(batch)
                self._queued_bytes -= len(batch)
                self._room.unpark_all()
        except BaseLibp2pError:
            await self.secured_conn.close()  # the read loop ends with it

    async def _read_loop(self) -> None:
        rest = bytearray()  # the beginning of a frame; it grows in place, whatever pieces a peer sends
        try:
            while data := await self.secured_conn.read():
                if rest:
                    rest += data
                    with memoryview(rest) as view:
                        used = self._consume(view)
                    del rest[:used]
                else:
                    view = memoryview(data)
                    rest += view[self._consume(view) :]
        except ProtocolError:
            self._misbehaved("yamux-violation", self.peer_id)
        except (BaseLibp2pError, OSError):
            return

    def _consume(self, buffer: memoryview) -> int:
        """Handles every complete frame; returns their bytes. Raises `ProtocolError`."""
        at, have = 0, len(buffer)
        while have - at >= HEADER_SIZE:
            version, kind, flags, stream_id, length = _HEADER.unpack_from(buffer, at)
            body = length if kind == TYPE_DATA else 0
            if version != 0 or kind > TYPE_GO_AWAY or body > DEFAULT_WINDOW_SIZE:
                raise ProtocolError(f"a frame of version {version}, type {kind}, length {length}")
            if have - at < HEADER_SIZE + body:
                break
            at += HEADER_SIZE
            if kind in (TYPE_DATA, TYPE_WINDOW_UPDATE):
                self._on_stream_frame(kind, flags, stream_id, length, buffer[at : at + body])
            elif kind == TYPE_PING and flags & FLAG_SYN:
                self._answer(TYPE_PING, FLAG_ACK, 0, length)
            elif kind == TYPE_GO_AWAY:
                raise MuxedConnUnavailable("the peer says goodbye")
            at += body
        return at

    def _on_stream_frame(self, kind: int, flags: int, stream_id: int, length: int, body: memoryview) -> None:
        if flags & FLAG_SYN:
            self._on_syn(stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            return  # of a stream that we have reset; the sender does not know yet
        if kind == TYPE_DATA:
            stream.deliver(body)
        elif length:
            stream.widen(length)
        if flags & FLAG_FIN:
            stream.end()
        if flags & FLAG_RST:
            stream.die()

    def _on_syn(self, stream_id: int) -> None:
        ours = self._next_id % 2
        if stream_id == 0 or stream_id % 2 == ours or stream_id in self._streams:
            raise ProtocolError(f"a new stream with id {stream_id}")
        if sum(1 for known in self._streams if known % 2 != ours) >= self._limits.inbound_streams_per_connection:
            self._misbehaved("too-many-streams", self.peer_id)
            self._answer(TYPE_WINDOW_UPDATE, FLAG_RST, stream_id)
            return
        stream = Stream(stream_id, self)
        self._streams[stream_id] = stream
        self._accepted.append(stream)
        self._acceptors.unpark()
        self._answer(TYPE_WINDOW_UPDATE, FLAG_ACK, stream_id)

    def _answer(self, kind: int, flags: int, stream_id: int, length: int = 0) -> None:
        if self._queued_bytes > 2 * self._limits.connection_queue_bytes:
            raise ProtocolError("asks for answers and does not read them")
        self.enqueue(kind, flags, stream_id, length)

    async def _tear_down(self) -> None:
        if self._closing:
            await self.event_closed.wait()
            return
        self._closing = True
        for stream in tuple(self._streams.values()):
            stream.die()
        self._queue.clear()
        self._room.unpark_all()
        self._acceptors.unpark_all()
        await self.secured_conn.close()
        self.event_closed.set()
        if self.on_close is not None:
            await self.on_close()


def reader_of(stream: INetStream) -> FrameReader:
    """Reads a stream's frames; what waits of them counts against the peer's budget."""
    muxed = cast("NetStream", stream).muxed_stream
    return FrameReader(muxed if isinstance(muxed, Stream) else Buffered(muxed))

"""Length-prefixed frames on a stream: 4 bytes big-endian (ours) or a varint (libp2p's), checked before reading on."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Protocol

import trio
from libp2p.stream_muxer.exceptions import MuxedStreamEOF

from p2pnode.transport.limits import Limits

_LENGTH = struct.Struct("!I")
_MAX_VARINT_BYTES = 5
FRAME_SECONDS = Limits().frame_seconds
"""A frame that has begun must end: half-sent ones would fill memory for as long as strangers like."""


class FrameError(Exception):
    """A frame is longer than its limit, not well formed, or was cut off."""


class ByteStream(Protocol):
    """What a muxed stream offers: at least one byte a read, `MuxedStreamEOF` at the end."""

    async def read(self, n: int | None = None) -> bytes: ...


class Source(Protocol):
    """Bytes that wait until as many have come as a frame needs."""

    @property
    def waiting(self) -> int:
        """How many have come and were not taken."""
        ...

    def expect(self, count: int) -> None:
        """So many bytes are going to be read: they may come at once."""
        ...

    async def exactly(self, count: int) -> bytes:
        """So many bytes; fewer only if the stream ends before."""
        ...


def pack(payload: bytes) -> bytes:
    """The payload behind its 4-byte length."""
    return _LENGTH.pack(len(payload)) + payload


class Buffered:
    """A `Source` over any stream; holds at most what was asked for and one read.

    Args:
        keep: told, whenever it changes, how many bytes are held here.
    """

    def __init__(self, stream: ByteStream, keep: Callable[[int], None] = lambda _size: None) -> None:
        self._stream = stream
        self._keep = keep
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        return len(self._buffer)

    def expect(self, count: int) -> None:
        """See `Source`; a stream that is not ours cannot be told."""

    async def exactly(self, count: int) -> bytes:
        """See `Source`."""
        with contextlib.suppress(MuxedStreamEOF):
            while len(self._buffer) < count:
                self._buffer += await self._stream.read()
                self._keep(len(self._buffer))
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._keep(len(self._buffer))
        return data


class FrameReader:
    """Hands out one frame at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def expect(self, length: int) -> None:
        """A frame of this length is about to be asked for."""
        self._source.expect(_LENGTH.size + length)

    async def frame(self, limit_bytes: int) -> bytes | None:
        """The next frame with a 4-byte length, or None if the stream ended before it began.

        Raises:
            FrameError: longer than `limit_bytes`, or the stream ended within.
        """
        prefix = await self._source.exactly(_LENGTH.size)
        if not prefix:
            return None
        if len(prefix) < _LENGTH.size:
            raise FrameError("the stream ended within a frame's length")
        return await self._body(_LENGTH.unpack(prefix)[0], limit_bytes)

    async def varint_frame(self, limit_bytes: int) -> bytes | None:
        """The same with a varint before it (protobuf's; libp2p specs call it uvarint)."""
        length = 0
        for index in range(_MAX_VARINT_BYTES):
            byte = await self._source.exactly(1)
            if not byte:
                if not index:
                    return None
                raise FrameError("the stream ended within a frame's length")
            length |= (byte[0] & 0x7F) << (7 * index)
            if byte[0] < 0x80:
                return await self._body(length, limit_bytes)
        raise FrameError(f"a length of more than {_MAX_VARINT_BYTES} bytes")

    async def _body(self, length: int, limit_bytes: int) -> bytes:
        if length > limit_bytes:
            raise FrameError(f"a frame of {length} bytes, {limit_bytes} are allowed")
        if self._source.waiting >= length:  # most are there as a whole, and need no timer
            return await self._source.exactly(length)
        with trio.move_on_after(FRAME_SECONDS):
            body = await self._source.exactly(length)
            if len(body) < length:
                raise FrameError(f"the stream ended {length - len(body)} bytes before its frame")
            return body
        raise FrameError(f"a frame of {length} bytes was not there after {FRAME_SECONDS:.0f} s")

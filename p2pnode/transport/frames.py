"""Length-prefixed frames on a stream: 4 bytes big-endian (ours) or a varint (libp2p's), checked before reading on."""

from __future__ import annotations

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


def pack(payload: bytes) -> bytes:
    """The payload behind its 4-byte length."""
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Reads whatever has arrived, hands out one frame at a time; holds at most one frame and one window.

    Args:
        keep: told, whenever it changes, how many bytes are held here.
    """

    def __init__(self, stream: ByteStream, keep: Callable[[int], None] = lambda _size: None) -> None:
        self._stream = stream
        self._keep = keep
        self._buffer = bytearray()

    async def frame(self, limit_bytes: int) -> bytes | None:
        """The next frame with a 4-byte length, or None if the stream ended before it began.

        Raises:
            FrameError: longer than `limit_bytes`, or the stream ended within.
        """
        if not await self._fill(_LENGTH.size):
            return None
        return await self._body(_LENGTH.size, _LENGTH.unpack_from(self._buffer)[0], limit_bytes)

    async def varint_frame(self, limit_bytes: int) -> bytes | None:
        """The same with a varint before it (protobuf's; libp2p specs call it uvarint)."""
        length = 0
        for index in range(_MAX_VARINT_BYTES):
            if not await self._fill(index + 1):
                return None
            length |= (self._buffer[index] & 0x7F) << (7 * index)
            if self._buffer[index] < 0x80:
                return await self._body(index + 1, length, limit_bytes)
        raise FrameError(f"a length of more than {_MAX_VARINT_BYTES} bytes")

    async def _body(self, prefix: int, length: int, limit_bytes: int) -> bytes:
        if length > limit_bytes:
            raise FrameError(f"a frame of {length} bytes, {limit_bytes} are allowed")
        if len(self._buffer) < prefix + length:  # most are there as a whole, and need no timer
            with trio.move_on_after(FRAME_SECONDS) as scope:
                await self._fill(prefix + length)
            if scope.cancelled_caught:
                raise FrameError(f"a frame of {length} bytes was not there after {FRAME_SECONDS:.0f} s")
        with memoryview(self._buffer) as view:
            body = bytes(view[prefix : prefix + length])
        del self._buffer[: prefix + length]
        self._keep(len(self._buffer))
        return body

    async def _fill(self, count: int) -> bool:
        """Waits until `count` bytes are there; False if the stream ends cleanly before the frame."""
        while len(self._buffer) < count:
            try:
                self._buffer += await self._stream.read()
                self._keep(len(self._buffer))
            except MuxedStreamEOF as error:
                if not self._buffer:
                    return False
                raise FrameError(f"the stream ended {count - len(self._buffer)} bytes before its frame") from error
        return True

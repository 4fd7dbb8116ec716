"""Length-prefixed frames, however the bytes are cut."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from libp2p.stream_muxer.exceptions import MuxedStreamEOF
from libp2p.utils.varint import encode_uvarint

from p2pnode.transport.frames import FRAME_SECONDS, Buffered, FrameError, FrameReader, pack


class Pieces:
    """A stream that hands out its bytes in given pieces, then ends."""

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    async def read(self, n: int | None = None) -> bytes:
        if not self._pieces:
            raise MuxedStreamEOF
        return self._pieces.pop(0)


def test_a_frame_is_a_length_and_its_bytes():
    assert pack(b"abc") == b"\0\0\0\3abc"


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 40), st.booleans())
def test_frames_come_out_as_they_went_in(payloads: list[bytes], size: int, varint: bool):
    async def read_all() -> list[bytes]:
        stream = b"".join(encode_uvarint(len(p)) + p if varint else pack(p) for p in payloads)
        reader = FrameReader(Buffered(Pieces(stream, size)))
        read = reader.varint_frame if varint else reader.frame
        out = []
        while (frame := await read(300)) is not None:
            out.append(frame)
        return out

    assert trio.run(read_all) == payloads


async def test_a_long_frame_is_refused_before_its_body_is_read():
    with pytest.raises(FrameError, match="11 bytes, 10 are allowed"):
        await FrameReader(Buffered(Pieces(pack(bytes(11))[:4], 4))).frame(10)
    with pytest.raises(FrameError, match="11 bytes, 10 are allowed"):
        await FrameReader(Buffered(Pieces(b"\x0b", 4))).varint_frame(10)


@pytest.mark.parametrize("stream", [b"\0", b"\0\0\0", b"\0\0\0\2a"])
async def test_a_frame_that_is_cut_off(stream: bytes):
    with pytest.raises(FrameError, match="the stream ended"):
        await FrameReader(Buffered(Pieces(stream, 1))).frame(10)


class Stalling(Pieces):
    """The same, but where its bytes end it says nothing more."""

    async def read(self, n: int | None = None) -> bytes:
        return await super().read(n) if self._pieces else await trio.sleep_forever()


async def test_a_frame_that_never_ends_is_given_up(autojump_clock: trio.testing.MockClock):
    with pytest.raises(FrameError, match="a frame of 9 bytes was not there after"):
        await FrameReader(Buffered(Stalling(pack(bytes(9))[:-1], 4))).frame(10)
    assert trio.current_time() < 2 * FRAME_SECONDS


async def test_an_endless_varint():
    with pytest.raises(FrameError, match="a length of more than 5 bytes"):
        await FrameReader(Buffered(Pieces(b"\xff" * 9, 1))).varint_frame(10)

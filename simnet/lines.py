"""Lines of text over pipes under trio: how launcher and workers speak to each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import trio
from trio.abc import ReceiveStream

MAX_LINE_BYTES: Final = 16 << 20


async def lines_of(stream: ReceiveStream) -> AsyncGenerator[str, None]:
    """The lines that arrive, until the other side ends or breaks off; a torn last line is dropped."""
    buffer = bytearray()
    while True:
        try:
            data = await stream.receive_some(1 << 16)
        except trio.BrokenResourceError:
            return
        if not data:
            return
        buffer += data
        *whole, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        if len(buffer) > MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES} bytes")
        for line in whole:
            yield line.decode()

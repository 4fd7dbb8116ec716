import pytest
import trio
from trio.testing import memory_stream_one_way_pair

from simnet import lines
from simnet.lines import lines_of


async def said(*pieces: bytes) -> list[str]:
    sender, receiver = memory_stream_one_way_pair()
    found: list[str] = []

    async def listen() -> None:
        found.extend([line async for line in lines_of(receiver)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        for piece in pieces:
            await sender.send_all(piece)
        await sender.aclose()
    return found


async def test_lines_come_whole_however_they_are_cut() -> None:
    assert await said(b"one\ntw", b"o\nthr", b"ee\n\n") == ["one", "two", "three", ""]


async def test_a_torn_last_line_is_dropped() -> None:
    assert await said(b"one\ntorn") == ["one"]


async def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    with pytest.raises(ExceptionGroup) as caught:
        await said(b"x" * 11)
    assert caught.group_contains(ValueError, match="more than 10 bytes")

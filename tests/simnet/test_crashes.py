"""What a disk keeps of a crash at each of its moments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from protocols.effects import Journal
from protocols.types import Digest, Height
from protocols.wire.codec import encode
from simnet.crashes import Crash, Moment, MortalDisk, journal_of

FIRST, SECOND, THIRD = (Journal(kind, Height(1), b"", b"payload") for kind in ("first", "second", "third"))
BLOB = Digest(b"b" * 32)


class Deaths:
    """Whoever is told."""

    def __init__(self, crash: Crash, lies: bool = False) -> None:
        self.kept: list[MortalDisk] = []
        self.disk = MortalDisk([crash], lambda _, kept: self.kept.append(kept), lies=lies)

    async def write(self, *records: Journal) -> bool:
        """Whether the node outlives it."""
        for record in records:
            self.disk.append(encode(record))
        with trio.move_on_after(1) as waited:
            await self.disk.commit()
        return not waited.cancelled_caught


@contextmanager
def crash_at(moment: Moment, **how: bool) -> Iterator[Deaths]:
    yield Deaths(Crash("node", "second", 1, moment, **how))  # type: ignore[arg-type]  # only flags are given


@pytest.mark.parametrize(
    ("moment", "left"), [("before", [FIRST]), ("torn", [FIRST, SECOND]), ("after", [FIRST, SECOND, THIRD])]
)
async def test_the_node_ends_at_the_flush_and_so_much_is_left(
    autojump_clock: trio.testing.MockClock, moment: Moment, left: list[Journal]
) -> None:
    with crash_at(moment) as at:
        assert await at.write(FIRST)
        assert not await at.write(SECOND, THIRD)
        (kept,) = at.kept
        assert journal_of(kept) == left
        at.disk.append(encode(THIRD))
        assert journal_of(kept) == left, "what the dead node still does changes nothing"


async def test_a_node_that_dies_leaving_has_sent_one_message(autojump_clock: trio.testing.MockClock) -> None:
    with crash_at("leaving") as at:
        assert await at.write(SECOND)
        assert at.kept == []
        at.disk.left()
        at.disk.left()
        assert [journal_of(kept) for kept in at.kept] == [[SECOND]]


@pytest.mark.parametrize("power_cut", [True, False])
async def test_a_power_cut_takes_the_blobs_that_were_not_made_durable(
    autojump_clock: trio.testing.MockClock, power_cut: bool
) -> None:
    other = Digest(b"o" * 32)
    with crash_at("after", power_cut=power_cut) as at:
        at.disk.put([(BLOB, b"mine")], durable=True)
        at.disk.put([(other, b"others have it")], durable=False)
        await at.write(SECOND)
        assert set(at.kept[0].digests()) == ({BLOB} if power_cut else {BLOB, other})


async def test_a_disk_that_lies_loses_what_it_said_was_durable(autojump_clock: trio.testing.MockClock) -> None:
    at = Deaths(Crash("node", "second", 1, "leaving"), lies=True)
    assert await at.write(FIRST)
    assert await at.write(SECOND)
    at.disk.left()
    assert journal_of(at.kept[0]) == [FIRST]

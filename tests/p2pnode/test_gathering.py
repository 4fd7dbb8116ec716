"""Several holders at once: honest, poor, silent, dying."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from p2pnode.errors import Unreachable
from p2pnode.gathering import AT_ONCE, HEDGE_S, Gathering
from protocols.errors import MalformedError
from protocols.types import Digest, PeerKey

DIGESTS = [Digest(bytes([number]) * 32) for number in range(40)]
HOLDERS = [PeerKey(bytes([100 + number]) * 32) for number in range(6)]
BATCH = 4
SECOND = 1.0
EVERYTHING = {digest: digest[:2] for digest in DIGESTS}


class Holders:
    """What each holder has, and how it behaves: dies after so many blobs, or never answers."""

    def __init__(self, has: Sequence[Mapping[Digest, bytes]], dies_after: Mapping[int, int] | None = None) -> None:
        self.has = dict(zip(HOLDERS, has, strict=False))
        self.dies_after = {HOLDERS[number]: count for number, count in (dies_after or {}).items()}
        self.silent: set[PeerKey] = set()
        self.asked: list[tuple[PeerKey, Digest]] = []
        self.busy = self.busiest = 0

    async def ask(self, holder: PeerKey, digests: Sequence[Digest]) -> AsyncIterator[tuple[Digest, bytes]]:
        self.asked += [(holder, digest) for digest in digests]
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            for digest in digests:
                await (trio.sleep_forever() if holder in self.silent else trio.sleep(SECOND))
                if self.dies_after.get(holder, 99) == 0:
                    raise Unreachable("it died")
                self.dies_after[holder] = self.dies_after.get(holder, 99) - 1
                if digest in self.has[holder]:
                    yield digest, self.has[holder][digest]
        finally:
            self.busy -= 1

    def gathering(self, count: int) -> Gathering:
        return Gathering(DIGESTS[:count], list(self.has), BATCH, self.ask)


def expected(count: int) -> tuple[bytes, ...]:
    return tuple(EVERYTHING[digest] for digest in DIGESTS[:count])


async def test_two_holders_share_the_work_and_nothing_is_asked_twice(autojump_clock: MockClock) -> None:
    holders = Holders([EVERYTHING] * 3)
    assert await holders.gathering(40).run() == expected(40)
    assert trio.current_time() - 0 <= 21 * SECOND
    assert (len(holders.asked), holders.busiest) == (40, AT_ONCE)
    assert {who for who, _ in holders.asked} == set(HOLDERS[:2])


async def test_a_small_fetch_asks_one(autojump_clock: MockClock) -> None:
    holders = Holders([EVERYTHING] * 3)
    assert await holders.gathering(2).run() == expected(2)
    assert {who for who, _ in holders.asked} == {HOLDERS[0]}


async def test_what_came_before_a_holder_died_is_not_asked_for_again(autojump_clock: MockClock) -> None:
    holders = Holders([EVERYTHING] * 3, dies_after={0: 6, 1: 1})
    assert await holders.gathering(40).run() == expected(40)
    assert len(holders.asked) <= 40 + 2 * BATCH - 1


async def test_who_has_only_some_gives_these(autojump_clock: MockClock) -> None:
    even = {digest: blob for digest, blob in EVERYTHING.items() if digest[0] % 2 == 0}
    odd = {digest: blob for digest, blob in EVERYTHING.items() if digest[0] % 2}
    assert await Holders([even, {}, odd]).gathering(12).run() == expected(12)
    assert await Holders([even, {}, even]).gathering(12).run() is None
    assert await Holders([]).gathering(3).run() is None


async def test_nobody_can_stall_it_for_long(autojump_clock: MockClock) -> None:
    holders = Holders([EVERYTHING] * 4)
    holders.silent = {HOLDERS[0]}
    assert await holders.gathering(3).run() == expected(3)
    assert trio.current_time() <= HEDGE_S + 4 * SECOND


async def test_nonsense_ends_with_its_holder(autojump_clock: MockClock) -> None:
    async def nonsense(holder: PeerKey, digests: Sequence[Digest]) -> AsyncIterator[tuple[Digest, bytes]]:
        if holder == HOLDERS[0]:
            raise MalformedError("nonsense", {holder})
        for digest in digests:
            yield digest, EVERYTHING[digest]

    assert await Gathering(DIGESTS[:3], HOLDERS[:2], BATCH, nonsense).run() == expected(3)
    assert await Gathering(DIGESTS[:3], HOLDERS[:1], BATCH, nonsense).run() is None


@given(
    st.lists(st.sets(st.integers(0, 9)), max_size=6), st.dictionaries(st.integers(0, 5), st.integers(0, 5), max_size=3)
)
def test_it_has_all_that_living_holders_have_together(has: list[set[int]], dies_after: dict[int, int]) -> None:
    holders = Holders([{DIGESTS[n]: EVERYTHING[DIGESTS[n]] for n in some} for some in has], dies_after)
    gathering = holders.gathering(10)
    result = trio.run(gathering.run, clock=MockClock(autojump_threshold=0))
    surely = set().union(*(some for number, some in enumerate(has) if number not in dies_after))
    assert result == (expected(10) if len(gathering._found) == 10 else None)
    assert len(gathering._found) >= len(surely)

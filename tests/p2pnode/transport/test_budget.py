"""Who loses what when strangers keep too much waiting."""

from __future__ import annotations

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from libp2p.peer.id import ID

from p2pnode.transport.budget import Budget, Holding, Turns

GOOD, BAD, WORSE = ID(b"good"), ID(b"bad"), ID(b"worse")


class Streams:
    """A budget, and streams that end when it says so."""

    def __init__(self, total: int = 100, share: int = 60) -> None:
        self.blamed: list[ID] = []
        self.ended: list[str] = []
        self.budget = Budget(total, share, self.blamed.append)

    def open(self, peer: ID, name: str) -> Holding:
        return self.budget.hold(peer, lambda: self.ended.append(name))


def test_what_fits_stays() -> None:
    at = Streams()
    at.open(GOOD, "a").resize(60)
    at.open(BAD, "b").resize(40)
    assert (at.ended, at.budget.bytes, at.budget.by_peer) == ([], 100, {GOOD: 60, BAD: 40})


def test_a_peer_over_its_share_loses_what_has_waited_longest() -> None:
    at = Streams()
    for number in range(4):
        at.open(BAD, f"bad {number}").resize(25)
    assert (at.ended, at.blamed, at.budget.bytes) == (["bad 0", "bad 1"], [BAD, BAD], 50)


def test_over_the_whole_the_greediest_loses_whoever_came_last() -> None:
    at = Streams()
    at.open(GOOD, "good").resize(20)
    at.open(BAD, "bad").resize(30)
    at.open(WORSE, "worse").resize(45)
    at.open(GOOD, "good too").resize(10)
    assert (at.ended, at.blamed) == (["worse"], [WORSE])


def test_what_was_read_makes_room_and_leaves_nothing_behind() -> None:
    at = Streams()
    holding = at.open(BAD, "bad")
    for _ in range(50):
        holding.resize(60)
        holding.resize(0)
    assert (at.ended, at.budget.bytes, at.budget.by_peer, at.budget._holdings) == ([], 0, {}, {})


@given(st.lists(st.tuples(st.sampled_from([GOOD, BAD, WORSE]), st.integers(0, 3), st.integers(0, 120))))
def test_it_is_never_exceeded_and_counts_right(steps: list[tuple[ID, int, int]]) -> None:
    at = Streams()
    holdings = {(peer, n): at.open(peer, f"{peer} {n}") for peer in (GOOD, BAD, WORSE) for n in range(4)}
    for peer, number, size in steps:
        holdings[peer, number].resize(size)
        assert at.budget.bytes == sum(each.size for each in holdings.values()) <= 100
        for who in (GOOD, BAD, WORSE):
            assert (
                at.budget.by_peer[who] == sum(each.size for (whose, _), each in holdings.items() if whose == who) <= 60
            )


async def test_a_peer_has_so_many_turns_and_no_other_waits_for_it(autojump_clock) -> None:
    turns, running = Turns(each=2), []

    async def work(peer: ID, name: str) -> None:
        async with turns.turn(peer):
            running.append(name)
            await trio.sleep(10)

    async with trio.open_nursery() as nursery:
        for peer, name in ((BAD, "b1"), (BAD, "b2"), (BAD, "b3"), (GOOD, "g1")):
            nursery.start_soon(work, peer, name)
            await trio.testing.wait_all_tasks_blocked()
        assert running == ["b1", "b2", "g1"]
        await trio.sleep(11)
        assert running[3:] == ["b3"]
    assert not turns._busy

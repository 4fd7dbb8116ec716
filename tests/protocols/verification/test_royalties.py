"""Shares for contributions: never more than there are, more for more, and the same for everybody who computes them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.types import Address
from protocols.verification.royalties import ROUND_PART, Grant, grant_of
from protocols.verification.scores import RoundWork

ACCOUNTS = [Address(bytes([number]) * 20) for number in range(5)]
SUPPLY = 10**24


def work(height: int, *data: int) -> RoundWork:
    return RoundWork(height, tuple(ACCOUNTS[each] for each in data), ())


def test_each_round_gives_a_thousandth_of_what_is_left_in_equal_parts() -> None:
    found = grant_of(3, SUPPLY, [work(0, 1, 2), work(1, 2, 2), work(2)])
    first = SUPPLY // ROUND_PART // 2
    second = (SUPPLY - 2 * first) // ROUND_PART // 2
    assert found == Grant(3, ((ACCOUNTS[1], first), (ACCOUNTS[2], first + 2 * second)))
    assert found.total == 2 * first + 2 * second


@given(st.integers(0, SUPPLY), st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=8))
def test_no_more_is_given_than_is_left_however_many_contribute(left: int, rounds: list[list[int]]) -> None:
    given_, again = [grant_of(0, left, [work(i, *data) for i, data in enumerate(rounds)]) for _ in range(2)]
    assert given_ == again
    assert given_.total <= left
    assert all(shares > 0 for _, shares in given_.shares)
    assert [account for account, _ in given_.shares] == sorted({account for account, _ in given_.shares})


def test_nothing_is_given_where_nobody_contributed_or_nothing_is_left() -> None:
    assert grant_of(0, SUPPLY, [work(0), work(1)]).shares == ()
    assert grant_of(0, ROUND_PART - 1, [work(0, 1)]).shares == ()

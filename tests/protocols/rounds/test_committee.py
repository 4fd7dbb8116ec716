from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.rounds.committee import draw_committee
from protocols.types import PeerKey

PEERS = [PeerKey(number.to_bytes(32, "big")) for number in range(20)]


@given(st.binary(min_size=32, max_size=32), st.permutations(PEERS), st.integers(1, 16))
def test_different_candidates_whatever_their_order(beacon: bytes, order: list[PeerKey], size: int) -> None:
    committee = draw_committee(beacon, [*order, order[0]], size)
    assert len(set(committee)) == size
    assert committee == draw_committee(beacon, PEERS, size)
    assert committee == draw_committee(beacon, PEERS, 16)[:size]


def test_everybody_is_drawn_about_as_often_and_at_every_place() -> None:
    draws = [draw_committee(bytes([number, 7]) * 16, PEERS, 7) for number in range(256)]
    seats = Counter(peer for committee in draws for peer in committee)
    assert all(count == pytest.approx(256 * 7 / 20, abs=45) for count in seats.values())
    assert len({committee[0] for committee in draws}) == 20


def test_too_few_candidates_say_how_many_are_needed() -> None:
    with pytest.raises(LocalError, match=r"committee of 7 needs as many .* 6 are registered"):
        draw_committee(bytes(32), PEERS[:6], 7)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.params import CELL_MAX
from protocols.rounds.cells import REPLICAS, STRIPE, draw_aggregators, draw_cells, indices, stripes
from protocols.types import PeerKey

beacons = st.binary(min_size=32, max_size=32)


def some_peers(count: int) -> list[PeerKey]:
    return [PeerKey(number.to_bytes(32, "big")) for number in range(count)]


@given(beacons, st.integers(2, CELL_MAX), st.integers(0, 200))
def test_everybody_is_in_exactly_one_cell_of_the_right_size(beacon: bytes, cell_min: int, extra: int) -> None:
    peers = some_peers(cell_min + extra)
    cells = draw_cells(beacon, peers, cell_min)
    seated = [peer for cell in cells for peer in cell]
    assert len(seated) == len(set(seated))
    assert set(seated) <= set(peers)
    assert all(cell_min <= len(cell) <= min(2 * cell_min - 1, CELL_MAX) for cell in cells)
    assert max(map(len, cells)) - min(map(len, cells)) <= 1
    assert all(list(cell) == sorted(cell) for cell in cells)
    if len(peers) <= len(cells) * CELL_MAX:
        assert set(seated) == set(peers)
    assert len(cells) == len(peers) // cell_min


@given(beacons, st.permutations(some_peers(11)))
def test_the_draw_depends_on_nothing_but_the_beacon_and_who_is_there(beacon: bytes, order: list[PeerKey]) -> None:
    assert draw_cells(beacon, order, 5) == draw_cells(beacon, [*some_peers(11), order[0]], 5)


def test_another_beacon_deals_other_cells() -> None:
    assert len({draw_cells(bytes([beacon]) * 32, some_peers(20), 5) for beacon in range(20)}) == 20


def test_of_too_many_peers_some_sit_an_epoch_out() -> None:
    """31 peers and cells of at least 16: one cell of 16, and who is left out is another each time."""
    cells = [draw_cells(bytes([beacon]) * 32, some_peers(31), 16) for beacon in range(4)]
    assert [len(members) for drawn in cells for members in drawn] == [16] * 4
    assert len(set(cells)) == 4


def test_too_few_peers_for_one_cell_say_how_many_are_needed() -> None:
    with pytest.raises(LocalError, match=r"needs 5 data providers .* 4 are registered"):
        draw_cells(bytes(32), some_peers(4), 5)


def test_two_aggregators_of_the_cell_and_other_ones_each_round() -> None:
    members = some_peers(10)
    drawn = [draw_aggregators(bytes(32), height, 0, 0, members) for height in range(40)]
    assert all(len(set(pair)) == REPLICAS == 2 and set(pair) <= set(members) for pair in drawn)
    assert {peer for pair in drawn for peer in pair} == set(members)
    assert draw_aggregators(bytes(32), 7, 0, 0, members[::-1]) == drawn[7]
    assert draw_aggregators(bytes(32), 7, 1, 0, members) != drawn[7] != draw_aggregators(b"\1" * 32, 7, 0, 0, members)


def test_a_small_update_is_one_stripe_and_the_stripes_of_a_big_one_are_spread() -> None:
    assert list(stripes(1)) == list(stripes(STRIPE)) == [0]
    big = 20 * STRIPE + 1
    assert [index for stripe in stripes(big) for index in indices(stripe, big)] == list(range(big))
    members = some_peers(8)
    drawn = [draw_aggregators(bytes(32), 7, 0, stripe, members) for stripe in stripes(big)]
    assert {peer for pair in drawn for peer in pair} == set(members)


def test_a_member_that_leaves_changes_nothing_for_the_others() -> None:
    """Rendezvous hashing: without one of the two, the other stays."""
    members = some_peers(10)
    first, second = draw_aggregators(bytes(32), 3, 0, 0, members)
    without = draw_aggregators(bytes(32), 3, 0, 0, [peer for peer in members if peer != first])
    assert without[0] == second

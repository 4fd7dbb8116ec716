from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import MalformedError
from protocols.params import CELL_MAX
from protocols.updates.totals import add_cells, decode_total, total_of
from protocols.wire.messages import MAX_CELLS

cells = st.lists(
    st.tuples(st.lists(st.integers(-(2**19), 2**19), min_size=3, max_size=3), st.integers(1, CELL_MAX)),
    min_size=1,
    max_size=6,
)


@given(cells)
def test_a_total_comes_back_and_does_not_depend_on_the_cells_order(opened: list[tuple[list[int], int]]) -> None:
    arrays = [(np.array(lanes), count) for lanes, count in opened]
    data = add_cells(arrays)
    assert data == add_cells(arrays[::-1])
    total = decode_total(data, 3)
    assert (total.lanes == np.sum([lanes for lanes, _ in arrays], axis=0)).all()
    assert total.contributors == sum(count for _, count in arrays)


def test_the_bytes_are_what_the_protocol_says() -> None:
    assert add_cells([(np.array([1, -2]), 3), (np.array([4, 0]), 5)]) == bytes.fromhex("00000008 05000000 feffffff")


def test_as_many_cells_as_there_may_be_fit() -> None:
    """16 values of 16 bits in each of 512 cells: 2^28 at most."""
    lanes = np.full(2, -CELL_MAX * 2**15)
    total = decode_total(add_cells([(lanes, CELL_MAX)] * MAX_CELLS), 2)
    assert (total.lanes == MAX_CELLS * lanes).all()
    assert total.contributors == MAX_CELLS * CELL_MAX


@pytest.mark.parametrize("data", [b"", bytes(11), bytes(13), b"\0\0\0\1" + bytes(7), bytes(12)])
def test_another_length_or_no_contributors_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="a total of 2 lanes has 12 bytes and contributors"):
        decode_total(data, 2)


def test_a_total_is_named_by_its_bytes() -> None:
    total, digest = total_of(np.array([5, -7]), 3)
    assert total == add_cells([(np.array([2, -3]), 1), (np.array([3, -4]), 2)])
    assert digest == hashlib.sha256(total).digest()

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.encryption.layout import Layout, Section, blocks, lane_bits, lanes_per_coefficient, uniform
from protocols.errors import LocalError
from protocols.params import CELL_MAX, VALUE_BITS

sections = st.builds(Section, st.integers(1, 200_000), st.integers(2, 16))
layouts = st.builds(Layout, st.lists(sections, min_size=1, max_size=4).map(tuple))


@pytest.mark.parametrize("value_bits", range(2, VALUE_BITS + 1))
def test_lanes_hold_sums_of_a_whole_cell_and_fit_below_the_primes(value_bits: int) -> None:
    assert CELL_MAX * 2 ** (value_bits - 1) <= 2 ** (lane_bits(value_bits) - 1)
    assert 11 + lane_bits(value_bits) * lanes_per_coefficient(value_bits) <= 91


def test_the_widths_that_people_choose() -> None:
    assert [lanes_per_coefficient(bits) for bits in (16, 12, 8, 6, 4)] == [4, 5, 6, 8, 10]
    assert [uniform(1_000_000, bits).ciphertexts for bits in (16, 8)] == [62, 41]
    assert [uniform(lanes).ciphertexts for lanes in (1, 16_384, 16_385)] == [1, 1, 2]


@given(layouts, st.data())
def test_any_split_into_indices_covers_each_lane_once(layout: Layout, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, layout.ciphertexts + 1))
    covered = []
    for indices in layout.blocks(size):
        assert len(indices) <= size
        assert layout.lanes_of(indices) == slice(
            next(layout.pieces(indices)).lanes.start, [*layout.pieces(indices)][-1].lanes.stop
        )
        covered += list(layout.pieces(indices))
    assert [index for piece in covered for index in piece.indices] == list(layout.indices)
    starts, stops = [piece.lanes.start for piece in covered], [piece.lanes.stop for piece in covered]
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == layout.lanes


@given(layouts)
def test_a_section_starts_at_a_ciphertext_of_its_own(layout: Layout) -> None:
    pieces = list(layout.pieces(layout.indices))
    assert [piece.value_bits for piece in pieces] == [section.value_bits for section in layout.sections]
    assert [len(piece.indices) for piece in pieces] == [section.ciphertexts for section in layout.sections]


def test_what_is_not_there_is_refused() -> None:
    layout = uniform(20_000)
    for wrong in (range(3), range(2, 3), range(0), range(-1, 1), range(0, 2, 2)):
        with pytest.raises(LocalError, match="of 2 ciphertexts has no"):
            list(layout.pieces(wrong))
    for value_bits in (1, 17):
        with pytest.raises(LocalError, match="2 to 16 bits"):
            Section(5, value_bits)
    with pytest.raises(LocalError, match="at least one lane"):
        Section(0)
    assert [list(block) for block in blocks(range(3, 8), 2)] == [[3, 4], [5, 6], [7]]

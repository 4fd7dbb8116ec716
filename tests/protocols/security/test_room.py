"""The bounds against the codec itself: what fits comes back, and one more does not."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.encryption import layout, message, sharing
from protocols.encryption.expand import SMALL_BOUND
from protocols.encryption.ring import data_ring
from protocols.params import CELL_MAX, VALUE_BITS
from protocols.security import room


@pytest.mark.parametrize("value_bits", [2, 8, VALUE_BITS])
def test_lanes_hold_sixteen_extremes_and_would_not_hold_a_seventeenth(value_bits: int) -> None:
    assert room.lane_bits_spare(CELL_MAX, value_bits) == 0 > room.lane_bits_spare(CELL_MAX + 1, value_bits)
    capacity = layout.uniform(1, value_bits).sections[0].capacity
    for extreme in (-(2 ** (value_bits - 1)), 2 ** (value_bits - 1) - 1):
        lanes = np.full(capacity, extreme, dtype=np.int64)
        once = message.encode(data_ring(), lanes, value_bits)
        total = np.zeros_like(once)
        for _ in range(CELL_MAX):
            total = data_ring().add(total, once)
        assert (message.decode(data_ring(), total, value_bits)[0] == CELL_MAX * lanes).all()
    lowest = -(2 ** (value_bits - 1))
    assert (CELL_MAX + 1) * lowest < -(2 ** (layout.lane_bits(value_bits) - 1))


def test_noise_fits_up_to_the_bound_that_leaves_no_bit() -> None:
    most = ((1 << message.NOISE_ROOM - 1) - 1) // SMALL_BOUND
    assert most >= CELL_MAX
    assert room.noise_bits_spare(most) >= 0 > room.noise_bits_spare(most + 1)


def test_the_modulus_and_the_field_have_room() -> None:
    assert pytest.approx(92, abs=1e-4) == room.LOG2_Q
    assert 0 < room.modulus_bits_spare() <= 1
    largest = sharing.FIELD // (2 * SMALL_BOUND)
    assert room.field_bits_spare(CELL_MAX) > 6
    assert room.field_bits_spare(largest) >= 0 > room.field_bits_spare(largest + 1)


def test_the_deviation_is_that_of_the_keys() -> None:
    assert pytest.approx(3.2404, abs=1e-4) == room.SIGMA


def test_a_wrong_key_hardly_proves_itself() -> None:
    assert room.false_key_bits(CELL_MAX) == pytest.approx(4096 * np.log2(2048 / 673))


def test_no_combination_misses_what_is_wrong_more_often_than_claimed() -> None:
    """In a field of 17, by trying all weights: what is wrong with a share in two by two places, left' W right = 0."""
    field = 17
    vectors = np.stack(np.meshgrid(range(field), range(field)), axis=-1).reshape(-1, 2)
    for wrong in ([[1, 0], [0, 0]], [[0, 0], [3, 5]], [[1, 2], [2, 4]], [[1, 0], [0, 1]], [[7, 1], [3, 2]]):
        passes = (vectors @ np.array(wrong) @ vectors.T % field == 0).mean()
        assert 1 / field**2 < passes <= 2 / field
    assert room.degree_check_bits() == pytest.approx(135, abs=1e-3)
    assert room.degree_check_bits(2) == pytest.approx(30, abs=1e-3)  # too few where a dealer may try again and again

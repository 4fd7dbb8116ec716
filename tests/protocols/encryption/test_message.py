from __future__ import annotations

import numpy as np
import pytest

from protocols.encryption import message
from protocols.encryption.layout import lanes_per_coefficient
from protocols.encryption.ring import PRIMES, data_ring
from protocols.errors import LocalError

RING = data_ring()


def coefficient(value: int) -> np.ndarray:
    """One ciphertext whose first coefficient is this integer modulo p q."""
    residues = np.zeros((1, 2, 4096), dtype=np.uint64)
    residues[0, :, 0] = [value % prime for prime in PRIMES]
    return residues


@pytest.mark.parametrize("value_bits", range(2, 17))
def test_lanes_come_back_whatever_noise_the_room_holds(value_bits: int) -> None:
    rng = np.random.default_rng(2)
    lanes = rng.integers(-(2 ** (value_bits - 1)), 2 ** (value_bits - 1), 20_000)
    encoded = message.encode(RING, lanes, value_bits)
    noise = rng.integers(-1024, 1024, (len(encoded), 4096))
    got, worst = message.decode(RING, RING.add(encoded, RING.reduce(noise)), value_bits)
    assert (got[:20_000] == lanes).all()
    assert not got[20_000:].any()
    assert worst == np.abs(noise).max()


def test_a_lane_sits_where_the_format_says() -> None:
    for lane in range(4):
        lanes = np.zeros(16_384, dtype=np.int64)
        lanes[lane * 4096 + 9] = -5
        encoded = message.encode(RING, lanes)
        assert encoded[0, :, 9].tolist() == [-5 * 2 ** (11 + 20 * lane) % prime for prime in PRIMES]
        assert not np.delete(encoded, 9, axis=2).any()


@pytest.mark.parametrize("value_bits", range(2, 17))
def test_sums_of_sixteen_extremes_do_not_touch_their_neighbours(value_bits: int) -> None:
    for extreme in (-(2 ** (value_bits - 1)), 2 ** (value_bits - 1) - 1):
        lanes = np.full(lanes_per_coefficient(value_bits) * 4096, extreme, dtype=np.int64)
        total = message.encode(RING, lanes, value_bits)
        for _ in range(15):
            total = RING.add(total, message.encode(RING, lanes, value_bits))
        got, noise = message.decode(RING, total, value_bits)
        assert (got == 16 * extreme).all()
        assert noise == 0


def test_narrow_lanes_sit_where_the_format_says() -> None:
    for lane in range(6):
        lanes = np.zeros(6 * 4096, dtype=np.int64)
        lanes[lane * 4096 + 9] = -128
        encoded = message.encode(RING, lanes, 8)
        assert encoded[0, :, 9].tolist() == [-128 * 2 ** (11 + 12 * lane) % prime for prime in PRIMES]
    with pytest.raises(LocalError, match="8 bits"):
        message.encode(RING, np.array([128]), 8)


def test_a_coefficient_outside_the_message_counts_as_noise() -> None:
    assert message.decode(RING, coefficient(2**91))[1] == 2**11
    assert message.decode(RING, coefficient(-(2**91)))[1] == 2**11
    assert message.decode(RING, coefficient(-(2**90)))[1] == 0


@pytest.mark.parametrize("lane", [-(2**15) - 1, 2**15, 2**62, -(2**63)])
def test_a_lane_outside_its_bits_is_refused(lane: int) -> None:
    with pytest.raises(LocalError, match="16 bits"):
        message.encode(RING, np.array([0, lane]))


@pytest.mark.parametrize("lanes", [np.zeros(3), np.zeros((2, 2), dtype=np.int64), np.zeros(0, dtype=np.int64)])
def test_lanes_must_be_an_integer_vector(lanes: np.ndarray) -> None:
    with pytest.raises(LocalError, match="int64 vector"):
        message.encode(RING, lanes)

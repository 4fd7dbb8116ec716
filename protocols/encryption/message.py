"""How lanes sit in the coefficients of a message: four lanes of 20 bits above 11 bits of room for noise.

Lane number i of an update is lane l, coefficient j of ciphertext c, where i = (4 c + l) 4096 + j. The coefficient is
noise + sum over l of lane_l 2^(11 + 20 l): at most 91 bits with its sign, below the 92 bits of the two primes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.ring import DEGREE, PRIMES, Ring, multiply, ratio
from protocols.encryption.scheme import Lanes, Residues
from protocols.errors import LocalError
from protocols.params import LANE_BITS, VALUE_BITS

LANES: Final = 4
NOISE_ROOM: Final = 11
CAPACITY: Final = LANES * DEGREE

_P, _Q = PRIMES
_HALF = 23  # the recombination works on base 2^23 digits: their products and sums fit in 64 bits
_TOP = NOISE_ROOM + LANE_BITS * LANES
_OFFSET: Final = (1 << (NOISE_ROOM - 1)) + sum(1 << (NOISE_ROOM + LANE_BITS * (k + 1) - 1) for k in range(LANES))
"""Added to a coefficient, it makes the noise and every lane an unsigned digit."""


def ciphertexts(lanes: int) -> int:
    """How many ciphertexts an update of so many lanes takes."""
    return -(-lanes // CAPACITY)


def encode(ring: Ring, lanes: Lanes) -> Residues:
    """Lanes int64[count] as message coefficients uint64[ciphertexts, primes, degree], the last filled with zeros.

    Raises:
        LocalError: not a non-empty int64 vector, or a lane is outside its 16 bits.
    """
    if lanes.dtype != np.int64 or lanes.ndim != 1 or not lanes.size:
        raise LocalError(f"lanes must be a non-empty int64 vector, not {lanes.dtype} of shape {lanes.shape}")
    limit = 1 << (VALUE_BITS - 1)
    if lanes.min() < -limit or lanes.max() >= limit:
        raise LocalError(
            f"a lane is outside its {VALUE_BITS} bits ({lanes.min()} to {lanes.max()}); clip the update first"
        )
    full = np.zeros((ciphertexts(lanes.size), LANES, DEGREE), dtype=np.int64)
    full.ravel()[: lanes.size] = lanes
    low = (full[:, 0] << NOISE_ROOM) + (full[:, 1] << (NOISE_ROOM + LANE_BITS))
    high = full[:, 2] + (full[:, 3] << LANE_BITS)
    shift = np.array([[pow(2, NOISE_ROOM + 2 * LANE_BITS, prime)] for prime in PRIMES], dtype=np.uint64)
    lifted = multiply(ring.reduce(high), shift, ratio(shift, ring.primes), ring.primes)
    return ring.add(ring.reduce(low), lifted)


def decode(ring: Ring, coefficients: Residues) -> tuple[Lanes, int]:
    """Coefficients uint64[ciphertexts, primes, degree] as their lanes int64[ciphertexts * capacity], and the largest
    magnitude of the noise: 2^11, more than any noise, if a coefficient is outside the message's 91 bits.
    """
    offset = np.array([[_OFFSET % prime] for prime in PRIMES], dtype=np.uint64)
    low, high = _recombine(ring.add(coefficients, offset))
    if (high >> np.uint64(_TOP - 2 * _HALF)).any():
        return np.zeros(coefficients.shape[0] * CAPACITY, dtype=np.int64), 1 << NOISE_ROOM
    lanes = np.empty((coefficients.shape[0], LANES, DEGREE), dtype=np.uint64)
    for lane in range(LANES):
        lanes[:, lane] = _digit(low, high, NOISE_ROOM + LANE_BITS * lane, LANE_BITS)
    signed = lanes.view(np.int64) - (1 << (LANE_BITS - 1))
    noise = _digit(low, high, 0, NOISE_ROOM).view(np.int64) - (1 << (NOISE_ROOM - 1))
    return signed.ravel(), int(np.abs(noise).max())


def _recombine(residues: Residues) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Chinese remaindering (Garner): the 92-bit number below p q as its low and high 46 bits."""
    p, q = np.uint64(_P), np.array(_Q, dtype=np.uint64)
    first, second = residues[:, 0], residues[:, 1]
    gap = second + q - first  # first < p < q
    gap = np.minimum(gap, gap - q)
    inverse = np.array(pow(_P, -1, _Q), dtype=np.uint64)
    lift = multiply(gap, inverse, ratio(inverse, q), q)
    digit, shift = np.uint64((1 << _HALF) - 1), np.uint64(_HALF)
    lift_low, lift_high, p_low, p_high = lift & digit, lift >> shift, p & digit, p >> shift
    d0 = lift_low * p_low + (first & digit)
    d1 = lift_low * p_high + lift_high * p_low + (first >> shift) + (d0 >> shift)
    d2 = lift_high * p_high + (d1 >> shift)
    return (d0 & digit) | (d1 & digit) << shift, d2


def _digit(low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64], start: int, bits: int) -> npt.NDArray[np.uint64]:
    """Bits start .. start + bits - 1 of high 2^46 + low."""
    word, mask = 2 * _HALF, np.uint64((1 << bits) - 1)
    if start >= word:
        return high >> np.uint64(start - word) & mask
    return (low >> np.uint64(start) | high << np.uint64(word - start)) & mask

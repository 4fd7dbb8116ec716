"""How lanes sit in the coefficients of a message: as many as fit in 80 bits, above 11 bits of room for noise.

Lane number i of a section of w-bit lanes, n = floor(80 / w) a coefficient, is lane l, coefficient j of its ciphertext
c, where i = (n c + l) 4096 + j. The coefficient is noise + sum over l of lane_l 2^(11 + w l): at most 91 bits with its
sign, below the 92 bits of the two primes. Values of 16 bits take w = 20 and n = 4.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.layout import lane_bits, lanes_per_coefficient
from protocols.encryption.ring import DEGREE, PRIMES, Ring, multiply, ratio
from protocols.encryption.scheme import Lanes, Residues
from protocols.errors import LocalError
from protocols.params import VALUE_BITS

NOISE_ROOM: Final = 11

_P, _Q = PRIMES
_HALF = 23  # the recombination works on base 2^23 digits: their products and sums fit in 64 bits


def encode(ring: Ring, lanes: Lanes, value_bits: int = VALUE_BITS) -> Residues:
    """Lanes int64[count] as message coefficients uint64[ciphertexts, primes, degree], the last filled with zeros.

    Raises:
        LocalError: not a non-empty int64 vector, or a lane is outside its bits.
    """
    _check(lanes, value_bits)
    width, count = lane_bits(value_bits), lanes_per_coefficient(value_bits)
    full = np.zeros((-(-lanes.size // (count * DEGREE)), count, DEGREE), dtype=np.int64)
    full.ravel()[: lanes.size] = lanes
    below = count // 2  # so that both halves stay below 2^53
    low, high = (_weigh(half, width) for half in (full[:, :below], full[:, below:]))
    shift = np.array([[pow(2, NOISE_ROOM + width * below, prime)] for prime in PRIMES], dtype=np.uint64)
    lifted = multiply(ring.reduce(high), shift, ratio(shift, ring.primes), ring.primes)
    return ring.add(ring.reduce(low << NOISE_ROOM), lifted)


def _weigh(lanes: Lanes, width: int) -> Lanes:
    """Sum over l of lanes[:, l] 2^(width l)."""
    total = lanes[:, 0].copy()
    for lane in range(1, lanes.shape[1]):
        total += lanes[:, lane] << (width * lane)
    return total


def _check(lanes: Lanes, value_bits: int) -> None:
    if lanes.dtype != np.int64 or lanes.ndim != 1 or not lanes.size:
        raise LocalError(f"lanes must be a non-empty int64 vector, not {lanes.dtype} of shape {lanes.shape}")
    limit = 1 << (value_bits - 1)
    if lanes.min() < -limit or lanes.max() >= limit:
        raise LocalError(
            f"a lane is outside its {value_bits} bits ({lanes.min()} to {lanes.max()}); clip the update first"
        )


def decode(ring: Ring, coefficients: Residues, value_bits: int = VALUE_BITS) -> tuple[Lanes, int]:
    """Coefficients uint64[ciphertexts, primes, degree] as their lanes int64[ciphertexts * capacity], and the largest
    magnitude of the noise: 2^11, more than any noise, if a coefficient is outside the message's bits.
    """
    width, count = lane_bits(value_bits), lanes_per_coefficient(value_bits)
    offset = np.array([[_offset(width, count) % prime] for prime in PRIMES], dtype=np.uint64)
    low, high = _recombine(ring.add(coefficients, offset))
    if (high >> np.uint64(NOISE_ROOM + width * count - 2 * _HALF)).any():
        return np.zeros(len(coefficients) * count * DEGREE, dtype=np.int64), 1 << NOISE_ROOM
    lanes = np.empty((len(coefficients), count, DEGREE), dtype=np.uint64)
    for lane in range(count):
        lanes[:, lane] = _digit(low, high, NOISE_ROOM + width * lane, width)
    signed = lanes.view(np.int64) - (1 << (width - 1))
    noise = _digit(low, high, 0, NOISE_ROOM).view(np.int64) - (1 << (NOISE_ROOM - 1))
    return signed.ravel(), int(np.abs(noise).max())


def _offset(width: int, count: int) -> int:
    """Added to a coefficient, it makes the noise and every lane an unsigned digit."""
    return (1 << (NOISE_ROOM - 1)) + sum(1 << (NOISE_ROOM + width * (lane + 1) - 1) for lane in range(count))


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

"""Room in a coefficient and in a share: what must fit, and by how many bits it does."""

from __future__ import annotations

from math import log2
from typing import Final

from protocols.encryption.degree import COMBINATIONS
from protocols.encryption.expand import SMALL_BOUND
from protocols.encryption.layout import LANE_ROOM, lane_bits
from protocols.encryption.message import NOISE_ROOM
from protocols.encryption.ring import DEGREE, PRIMES
from protocols.encryption.sharing import FIELD
from protocols.params import VALUE_BITS

LOG2_Q: Final = sum(log2(prime) for prime in PRIMES)
"""Of the primes that carry data: only residues modulo these leave a contributor."""

SIGMA: Final = (SMALL_BOUND / 2) ** 0.5
"""Standard deviation of keys and errors: centred binomial of SMALL_BOUND coins a side."""


def lane_bits_spare(contributors: int, value_bits: int = VALUE_BITS) -> int:
    """Bits of a lane beyond what the sum of so many values fills; below zero, sums would run into the next lane."""
    return lane_bits(value_bits) - value_bits - (contributors - 1).bit_length()


def noise_bits_spare(contributors: int) -> float:
    """Bits of the noise room beyond what the errors of so many contributors reach at most."""
    return log2((1 << (NOISE_ROOM - 1)) - 1) - log2(SMALL_BOUND * contributors)


def modulus_bits_spare() -> float:
    """Bits of the modulus beyond a message's lanes and noise, sign included."""
    return LOG2_Q - (NOISE_ROOM + LANE_ROOM)


def field_bits_spare(contributors: int) -> float:
    """Bits of the shares' field beyond a summed key's coefficients, sign included."""
    return log2(FIELD) - log2(2 * SMALL_BOUND * contributors + 1)


def false_key_bits(contributors: int) -> float:
    """How unlikely it is that a wrong summed key proves itself: uniform noise within its bound in every coefficient."""
    return DEGREE * (NOISE_ROOM - log2(2 * SMALL_BOUND * contributors + 1))


def degree_check_bits(combinations: int = COMBINATIONS) -> float:
    """log2 of the tries that a dealer needs until shares of too high a degree pass the check that it challenges itself.

    A combination is bilinear in its two random factors, so it misses such shares at most twice in FIELD times
    (Schwartz, JACM 1980; Zippel, EUROSAM 1979); see `protocols.encryption.degree`.
    """
    return combinations * log2(FIELD / 2)

"""Which lanes of an update sit in which ciphertext, and how many bits they have there.

A lane of b value bits takes b + 4 bits of a coefficient, so that sums of 16 are exact; 80 bits of each coefficient
carry lanes. Tensors of equal value bits that follow one another form a section; each starts at a ciphertext of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from protocols.encryption.ring import DEGREE
from protocols.errors import LocalError
from protocols.params import CELL_MAX, VALUE_BITS

LANE_ROOM: Final = 80
"""Bits of a coefficient that carry lanes: 92 of the two primes, less 11 of room for noise and one of sign."""
SUM_BITS: Final = (CELL_MAX - 1).bit_length()
VALUE_BITS_MIN: Final = 2
BLOCK: Final = 16
"""Ciphertexts that a job holds at a time: 1 MiB of residues, and a few of temporaries."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lanes of one width, in ciphertexts of their own.

    Attributes:
        lanes: how many.
        value_bits: bits of one contribution's value in a lane, sign included; 2 to 16.
    """

    lanes: int
    value_bits: int = VALUE_BITS

    def __post_init__(self) -> None:
        check_value_bits(self.value_bits)
        if self.lanes < 1:
            raise LocalError(f"a section has at least one lane, not {self.lanes}")

    @property
    def capacity(self) -> int:
        """Lanes in one ciphertext."""
        return lanes_per_coefficient(self.value_bits) * DEGREE

    @property
    def ciphertexts(self) -> int:
        """How many the section takes."""
        return -(-self.lanes // self.capacity)


@dataclass(frozen=True, slots=True)
class Piece:
    """Successive ciphertexts of one section: their indices in the update, and the lanes that they hold."""

    indices: range
    lanes: slice
    value_bits: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The sections of an update, one after the other."""

    sections: tuple[Section, ...]

    @property
    def lanes(self) -> int:
        """Lanes of the whole update."""
        return sum(section.lanes for section in self.sections)

    @property
    def ciphertexts(self) -> int:
        """Ciphertexts of the whole update."""
        return sum(section.ciphertexts for section in self.sections)

    @property
    def indices(self) -> range:
        """The indices of all ciphertexts."""
        return range(self.ciphertexts)

    def blocks(self, size: int = BLOCK) -> Iterator[range]:
        """All indices in order, at most `size` at a time: what a job should hold at once."""
        return blocks(self.indices, size)

    def pieces(self, indices: range) -> Iterator[Piece]:
        """The given indices (step 1, all of them of this update), section by section.

        Raises:
            LocalError: some are not ciphertexts of this update.
        """
        if indices.step != 1 or not 0 <= indices.start < indices.stop <= self.ciphertexts:
            raise LocalError(f"an update of {self.ciphertexts} ciphertexts has no {indices}")
        index = lane = 0
        for section in self.sections:
            first, last = max(index, indices.start), min(index + section.ciphertexts, indices.stop)
            if first < last:
                start, stop = ((at - index) * section.capacity for at in (first, last))
                lanes = slice(lane + start, lane + min(stop, section.lanes))
                yield Piece(range(first, last), lanes, section.value_bits)
            index, lane = index + section.ciphertexts, lane + section.lanes

    def lanes_of(self, indices: range) -> slice:
        """The lanes that these ciphertexts hold; see `pieces`."""
        pieces = list(self.pieces(indices))
        return slice(pieces[0].lanes.start, pieces[-1].lanes.stop)


def blocks(indices: range, size: int = BLOCK) -> Iterator[range]:
    """The given indices in order, at most `size` at a time."""
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def uniform(lanes: int, value_bits: int = VALUE_BITS) -> Layout:
    """The layout of so many lanes of one width."""
    return Layout((Section(lanes, value_bits),))


def lane_bits(value_bits: int) -> int:
    """Bits that a lane takes in a coefficient: those of a value, and those that a sum of 16 adds."""
    return value_bits + SUM_BITS


def lanes_per_coefficient(value_bits: int) -> int:
    """4 for 16-bit values, 6 for 8-bit ones."""
    return LANE_ROOM // lane_bits(value_bits)


def check_value_bits(value_bits: int) -> None:
    """Raises LocalError unless lanes can have values of so many bits."""
    if not VALUE_BITS_MIN <= value_bits <= VALUE_BITS:
        raise LocalError(f"a lane's values have {VALUE_BITS_MIN} to {VALUE_BITS} bits, not {value_bits}")

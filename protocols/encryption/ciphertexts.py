"""What both schemes do alike with ciphertexts: add them, and put them into their wire form and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from protocols.encryption.layout import Layout
from protocols.encryption.packing import pack_bits, packed_bytes, unpack_bits
from protocols.encryption.ring import DEGREE, PRIME_BITS, PRIMES, Ring, data_ring
from protocols.encryption.scheme import Residues
from protocols.errors import LocalError, MalformedError
from protocols.params import CELL_MAX
from protocols.types import Digest

_ROW_BYTES = [packed_bytes(bits, DEGREE) for bits in PRIME_BITS]


class Ciphertexts:
    """Ciphertexts as residues uint64[ciphertexts, 2, 4096] below their primes; 47,104 bytes each on the wire."""

    prime_bits: tuple[int, ...] = PRIME_BITS

    def __init__(self, ring: Ring | None = None) -> None:
        self.ring = ring or data_ring()

    def add(self, ciphertexts: Sequence[Residues]) -> Residues:
        """Sum modulo each prime; exact and independent of order.

        Raises:
            LocalError: nothing to add, or different shapes.
        """
        if len({one.shape for one in ciphertexts}) != 1:
            raise LocalError("only updates of one size can be added, and at least one")
        return reduce(self.ring.add, ciphertexts)

    def add_to(self, total: Residues, more: Residues) -> None:
        """Adds to a total in its place.

        Raises:
            LocalError: different shapes.
        """
        if total.shape != more.shape:
            raise LocalError("only updates of one size can be added")
        np.copyto(total, self.ring.add(total, more))

    def roots(self, residues: Residues, first: int = 0) -> tuple[Digest, ...]:
        """The digests of successive ciphertexts, the first of which has this index in its update."""
        return self.ring.roots(residues, first)

    def pack(self, residues: Residues) -> tuple[bytes, ...]:
        """Each ciphertext's rows of residues, bit-packed one prime after the other."""
        return tuple(
            b"".join(pack_bits(row, bits) for row, bits in zip(one, PRIME_BITS, strict=True)) for one in residues
        )

    def unpack(self, packed: Sequence[bytes]) -> Residues:
        """Inverse of `pack`.

        Raises:
            MalformedError: a wrong length, or a residue that is not below its prime.
        """
        for one in packed:
            if len(one) != sum(_ROW_BYTES):
                raise MalformedError(f"a ciphertext has {sum(_ROW_BYTES)} bytes, not {len(one)}")
        residues, start = np.empty((len(packed), len(PRIMES), DEGREE), dtype=np.uint64), 0
        for row, (prime, bits, size) in enumerate(zip(PRIMES, PRIME_BITS, _ROW_BYTES, strict=True)):
            # A row ends with a byte, so rows of one prime are unpacked as if they were one.
            rows = b"".join([memoryview(one)[start : start + size] for one in packed])
            residues[:, row] = unpack_bits(rows, bits, DEGREE * len(packed)).reshape(-1, DEGREE)
            if packed and residues[:, row].max() >= prime:
                raise MalformedError(f"a residue is not below its prime {prime}")
            start += size
        return residues


def check_total(total: Residues, contributors: int, layout: Layout, indices: range) -> None:
    """Raises LocalError unless a sum has the shape of these ciphertexts, and as many contributors as lanes can hold."""
    wanted = (len(indices), len(PRIMES), DEGREE)
    if total.dtype != np.uint64 or total.shape != wanted or indices.stop > layout.ciphertexts:
        raise LocalError(
            f"a sum of ciphertexts {indices.start} to {indices.stop - 1} of {layout.ciphertexts} is uint64 of shape "
            f"{wanted}, not {total.dtype} of {total.shape}"
        )
    if not 1 <= contributors <= CELL_MAX:
        raise LocalError(f"lanes hold sums of 1 to {CELL_MAX} contributors, not {contributors}")

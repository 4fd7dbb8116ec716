"""The interface between the round and its encryption. `one_time_key` is the real one; `plaintext` is for comparison.

Shapes: a *ciphertext* index c holds `capacity` lanes; an update of L lanes takes ceil(L / capacity) of them. Residues
are uint64[ciphertexts, primes, degree] in NTT form, every residue < its prime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from protocols.types import Secret

Residues = npt.NDArray[np.uint64]
Lanes = npt.NDArray[np.int64]
Share = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class PublicContext:
    """What the public polynomials a_c are drawn from: (epoch beacon, round, cell); c is appended for each index."""

    beacon: bytes
    height: int
    cell: int


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened sum.

    Attributes:
        lanes: int64[lanes], the exact lane sums.
        wrong: indices of members whose released share does not lie on the key's polynomial (found, not believed).
    """

    lanes: Lanes
    wrong: tuple[int, ...]
    key: bytes = b""
    """Canonical bytes of the summed key (int16 LE coefficients): with it anybody can open this very sum again."""


class Scheme(Protocol):
    """Encrypts whole updates under one-time keys, adds them, opens only their sum."""

    name: str
    needs_keys: bool
    """False only for the plaintext comparison: then nothing is dealt or released."""
    capacity: int
    """Lanes in one ciphertext."""
    prime_bits: tuple[int, ...]

    def encrypt(self, lanes: Lanes, seed: Secret, context: PublicContext) -> Residues:
        """Encrypts int64[lanes]; key and errors are expanded from the 32-byte seed, which serves one update, ever.

        Raises:
            LocalError: a lane is outside its 16 bits.
        """
        ...

    def deal(self, seed: Secret, threshold: int, members: int) -> list[Share]:
        """Shamir shares of the seed's key, uint32[degree] for each member 1..members, wholly from the seed."""
        ...

    def add(self, ciphertexts: Sequence[Residues]) -> Residues:
        """Sum modulo each prime; exact and independent of order."""
        ...

    def open(
        self,
        total: Residues,
        context: PublicContext,
        released: Mapping[int, Share],
        threshold: int,
        contributors: int,
        lanes: int,
    ) -> Opened:
        """Interpolates the summed key from released shares {member index 1..n: summed share}, checks it, decodes.

        Raises:
            RemoteError: fewer than `threshold` shares fit, or the key fails though they fit (a contributor's fault).
        """
        ...

    def reopen(self, total: Residues, context: PublicContext, key: bytes, contributors: int, lanes: int) -> Lanes:
        """The exact lane sums again, int64[lanes], with the summed key that `open` found (`Opened.key`).

        Raises:
            RemoteError: not a key's bytes, or it does not prove itself on this sum.
        """
        ...

    def pack(self, residues: Residues) -> tuple[bytes, ...]:
        """Wire form, one byte string a ciphertext (residues bit-packed)."""
        ...

    def unpack(self, packed: Sequence[bytes]) -> Residues:
        """Inverse of `pack`.

        Raises:
            MalformedError: a wrong length, a residue >= its prime, or padding bits that are not zero.
        """
        ...

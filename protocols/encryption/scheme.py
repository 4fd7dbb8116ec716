"""The interface between the round and its encryption. `one_time_key` is the real one; `plaintext` is for comparison.

Shapes: an update's `Layout` says which lanes sit in which *ciphertext index*. Residues are uint64[ciphertexts, primes,
degree] in NTT form, every residue < its prime. What takes `indices` works on these ciphertexts alone, all of them by
default, and its residues are those of the indices only: so memory need not grow with the update (`Layout.blocks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from protocols.encryption.layout import Layout
from protocols.encryption.ring import Residues as Residues
from protocols.types import Digest, Secret

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


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A summed key that proved itself on an update's first ciphertext.

    Attributes:
        key: as `Opened.key`.
        wrong: as `Opened.wrong`.
    """

    key: bytes
    wrong: tuple[int, ...]


class Scheme(Protocol):
    """Encrypts whole updates under one-time keys, adds them, opens only their sum."""

    name: str
    needs_keys: bool
    """False only for the plaintext comparison: then nothing is dealt or released."""
    prime_bits: tuple[int, ...]

    def encrypt(
        self,
        lanes: Lanes,
        seed: Secret,
        context: PublicContext,
        layout: Layout | None = None,
        indices: range | None = None,
    ) -> Residues:
        """Encrypts an update, int64[lanes], or some of its ciphertexts; without a layout all lanes have 16 bits.

        Key and errors are expanded from the 32-byte seed, which serves one update, ever.

        Raises:
            LocalError: a lane is outside its bits.
        """
        ...

    def deal(self, seed: Secret, threshold: int, members: int) -> list[Share]:
        """Shamir shares of the seed's key, uint32[degree] for each member 1..members, wholly from the seed."""
        ...

    def add(self, ciphertexts: Sequence[Residues]) -> Residues:
        """Sum modulo each prime; exact and independent of order."""
        ...

    def add_to(self, total: Residues, more: Residues) -> None:
        """Adds to a total in its place."""
        ...

    def find_key(
        self,
        first: Residues,
        context: PublicContext,
        released: Mapping[int, Share],
        threshold: int,
        contributors: int,
        layout: Layout,
    ) -> FoundKey:
        """Interpolates the summed key from released shares {member index 1..n: summed share} and proves it on the sum's
        ciphertext 0 (uint64[1, primes, degree]); `reopen` proves it on each of the others.

        Raises:
            RemoteError: fewer than `threshold` shares fit, or the key fails though they fit (a contributor's fault).
        """
        ...

    def open(
        self,
        total: Residues,
        context: PublicContext,
        released: Mapping[int, Share],
        threshold: int,
        contributors: int,
        layout: Layout,
    ) -> Opened:
        """`find_key` and `reopen` for a sum that is wholly at hand.

        Raises:
            RemoteError: fewer than `threshold` shares fit, or the key fails though they fit (a contributor's fault).
        """
        ...

    def reopen(
        self,
        total: Residues,
        context: PublicContext,
        key: bytes,
        contributors: int,
        layout: Layout,
        indices: range | None = None,
    ) -> Lanes:
        """The exact lane sums of these ciphertexts, int64[lanes], with the summed key (`FoundKey.key`, `Opened.key`).

        Raises:
            RemoteError: not a key's bytes, or it does not prove itself on this sum.
        """
        ...

    def roots(self, residues: Residues, first: int = 0) -> tuple[Digest, ...]:
        """The digests of successive ciphertexts (protocols/updates/chunks.py), the first of which has this index."""
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

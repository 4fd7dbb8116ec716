"""Adding ciphertexts: pure functions that aggregators, openers and validators all run, so that they must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.encryption.scheme import Residues, Scheme
from protocols.types import Digest
from protocols.updates.chunks import verify_chunks

CHUNK_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """Ciphertexts whose bytes are canonical and are what their digests promise. Only these are ever added."""

    residues: Residues


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """A sum of successive ciphertexts: uint64[ciphertexts, primes, degree], its digests, and its wire form."""

    residues: Residues
    roots: tuple[Digest, ...]
    packed: tuple[bytes, ...]


def verify_ciphertexts(scheme: Scheme, packed: Sequence[bytes], roots: Sequence[Digest], first: int = 0) -> Verified:
    """The job behind every fetch of successive ciphertexts, the first of which has this index in its update.

    Raises:
        MalformedError: a chunk is not canonical or not the one that its digest names.
    """
    return Verified(verify_chunks(packed, roots, scheme, first))


def seal_sum(scheme: Scheme, residues: Residues, first: int = 0) -> Summed:
    """The job behind every sum: its digests and its wire form, the first ciphertext having this index."""
    return Summed(residues, scheme.roots(residues, first), scheme.pack(residues))


def add(scheme: Scheme, contributions: Sequence[Verified]) -> Summed:
    """The sum modulo each prime: exact and independent of order."""
    return seal_sum(scheme, scheme.add([contribution.residues for contribution in contributions]))

"""Adding ciphertexts: pure functions that aggregators, openers and validators all run, so that they must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.encryption.scheme import Residues, Scheme
from protocols.types import Digest
from protocols.updates.chunks import chunk_roots, verify_chunks

CHUNK_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """Ciphertexts whose bytes are canonical and are what their digests promise. Only these are ever added."""

    residues: Residues


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """A cell's sum: uint64[ciphertexts, primes, degree], its digests, and its wire form."""

    residues: Residues
    roots: tuple[Digest, ...]
    packed: tuple[bytes, ...]


def verify_ciphertexts(scheme: Scheme, packed: Sequence[bytes], roots: Sequence[Digest]) -> Verified:
    """The job behind every fetch.

    Raises:
        MalformedError: a chunk is not canonical or not the one that its digest names.
    """
    return Verified(verify_chunks(packed, roots, scheme))


def add(scheme: Scheme, contributions: Sequence[Verified]) -> Summed:
    """The sum modulo each prime: exact and independent of order."""
    residues = scheme.add([contribution.residues for contribution in contributions])
    return Summed(residues, chunk_roots(residues), scheme.pack(residues))

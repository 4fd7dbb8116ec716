"""Digests of ciphertexts. A chunk is one ciphertext index: 2 primes of 64 leaves; its digest is the root over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocols import merkle
from protocols.encryption.scheme import Residues, Scheme
from protocols.errors import MalformedError
from protocols.types import Digest, short


def chunk_root(residues: npt.NDArray[np.uint64], index: int) -> Digest:
    """The digest of one chunk, uint64[primes, degree], at its index in the update."""
    return merkle.root(merkle.leaves(index, residues))


def chunk_roots(residues: Residues, first: int = 0) -> tuple[Digest, ...]:
    """The digests of successive chunks, uint64[ciphertexts, primes, degree], the first of which has this index."""
    return tuple(chunk_root(chunk, index) for index, chunk in enumerate(residues, first))


def update_root(roots: Sequence[Digest]) -> Digest:
    """The digest of a whole update: the root over its chunks' digests, which are the leaves themselves.

    Raises:
        LocalError: there are none.
    """
    return merkle.root(roots)


def verify_chunk(packed: bytes, index: int, expected: Digest, scheme: Scheme) -> npt.NDArray[np.uint64]:
    """A fetched chunk, uint64[primes, degree], once it is what its digest promises.

    Raises:
        MalformedError: its bytes are not canonical, or their digest is another.
    """
    chunk: npt.NDArray[np.uint64] = scheme.unpack([packed])[0]
    actual = chunk_root(chunk, index)
    if actual != expected:
        raise MalformedError(
            f"chunk {index} has digest {short(actual)}, not {short(expected)}; fetch it from another peer"
        )
    return chunk


def verify_chunks(packed: Sequence[bytes], expected: Sequence[Digest], scheme: Scheme) -> Residues:
    """All fetched chunks of an update, uint64[ciphertexts, primes, degree]; see `verify_chunk`.

    Raises:
        MalformedError: another number of chunks than digests, or a chunk that is not what its digest promises.
    """
    if len(packed) != len(expected):
        raise MalformedError(f"{len(packed)} chunks for {len(expected)} digests")
    numbered = enumerate(zip(packed, expected, strict=True))
    return np.stack([verify_chunk(chunk, index, digest, scheme) for index, (chunk, digest) in numbered])

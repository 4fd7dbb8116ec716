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
    return merkle.roots(residues, first)


def update_root(roots: Sequence[Digest]) -> Digest:
    """The digest of a whole update: the root over its chunks' digests, which are the leaves themselves.

    Raises:
        LocalError: there are none.
    """
    return merkle.root(roots)


def verify_chunk(packed: bytes, index: int, expected: Digest, scheme: Scheme) -> npt.NDArray[np.uint64]:
    """A fetched chunk, uint64[primes, degree], once it is what its digest promises; see `verify_chunks`."""
    chunk: npt.NDArray[np.uint64] = verify_chunks([packed], [expected], scheme, index)[0]
    return chunk


def verify_chunks(packed: Sequence[bytes], expected: Sequence[Digest], scheme: Scheme, first: int = 0) -> Residues:
    """Successive chunks, uint64[ciphertexts, primes, degree], the first of which has this index in its update.

    Raises:
        MalformedError: another number of chunks than digests, bytes that are not canonical, or a chunk whose digest is
            another.
    """
    if len(packed) != len(expected):
        raise MalformedError(f"{len(packed)} chunks for {len(expected)} digests")
    residues = scheme.unpack(packed)
    for index, (actual, promised) in enumerate(zip(scheme.roots(residues, first), expected, strict=True), first):
        if actual != promised:
            raise MalformedError(
                f"chunk {index} has digest {short(actual)}, not {short(promised)}; fetch it from another peer"
            )
    return residues

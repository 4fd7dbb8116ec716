"""SHA-256 Merkle trees over residues. A node is SHA-256(0x01 || left || right); an odd node is promoted as it is.

The number of leaves is never taken from a proof: both sides know it from the update's schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalError
from protocols.types import Digest

LEAF_RESIDUES: Final = 64
"""Residues of one prime that one leaf holds."""

_HEAD_FIELDS: Final = [("tag", "u1"), ("chunk", ">u4"), ("prime", "u1"), ("index", ">u4")]
_LEAF_HEAD: Final = np.dtype(_HEAD_FIELDS)
_LEAF: Final = np.dtype([*_HEAD_FIELDS, ("residues", ">u8", LEAF_RESIDUES)])


def leaf_bytes(chunk: int, prime: int, index: int, residues: npt.NDArray[np.uint64]) -> bytes:
    """What a leaf hashes: 0x00 || chunk u32 || prime u8 || index u32 || 64 residues u64, all big-endian; 522 bytes."""
    head = np.array([(0, chunk, prime, index)], dtype=_LEAF_HEAD)
    return head.tobytes() + residues.astype(">u8").tobytes()


def leaf(chunk: int, prime: int, index: int, residues: npt.NDArray[np.uint64]) -> Digest:
    """The digest of one leaf: residues 64 index .. 64 index + 63 of the prime's row."""
    return Digest(hashlib.sha256(leaf_bytes(chunk, prime, index, residues)).digest())


def leaves(chunk: int, residues: npt.NDArray[np.uint64]) -> list[Digest]:
    """The digests of all leaves of one chunk uint64[primes, degree], prime after prime."""
    primes = len(residues)
    table = np.empty((primes, residues.shape[1] // LEAF_RESIDUES), dtype=_LEAF)
    table["tag"], table["chunk"] = 0, chunk
    table["prime"], table["index"] = np.arange(primes)[:, None], np.arange(table.shape[1])
    table["residues"] = residues.reshape(*table.shape, LEAF_RESIDUES)
    data, size, hashed = table.data.cast("B"), _LEAF.itemsize, hashlib.sha256
    return cast("list[Digest]", [hashed(data[start : start + size]).digest() for start in range(0, len(data), size)])


def node(left: Digest, right: Digest) -> Digest:
    """The digest of an inner node."""
    return Digest(hashlib.sha256(b"\x01" + left + right).digest())


def _parents(level: Sequence[Digest]) -> list[Digest]:
    paired, hashed, joined = len(level) // 2, hashlib.sha256, b"".join(level)
    parents = [hashed(b"\x01" + joined[start : start + 64]).digest() for start in range(0, 64 * paired, 64)]
    return cast("list[Digest]", parents) + list(level[2 * paired :])


def root(level: Sequence[Digest]) -> Digest:
    """The root over leaves in order.

    Raises:
        LocalError: there are none.
    """
    if not level:
        raise LocalError("a Merkle tree needs at least one leaf")
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def roots(residues: npt.NDArray[np.uint64], first: int) -> tuple[Digest, ...]:
    """The roots of successive chunks, uint64[chunks, primes, degree], of which the first has this index."""
    return tuple(root(leaves(index, chunk)) for index, chunk in enumerate(residues, first))


def path(level: Sequence[Digest], position: int) -> tuple[Digest, ...]:
    """The siblings from a leaf up to the root; a promoted node has none on its level.

    Raises:
        LocalError: there is no such leaf.
    """
    if not 0 <= position < len(level):
        raise LocalError(f"no leaf {position} in a Merkle tree of {len(level)}")
    siblings: list[Digest] = []
    while len(level) > 1:
        siblings += level[position ^ 1 : (position ^ 1) + 1]
        level, position = _parents(level), position // 2
    return tuple(siblings)


def verify(expected: Digest, reached: Digest, position: int, count: int, siblings: Sequence[Digest]) -> bool:
    """Whether the leaf at this position of `count` leads to the expected root by exactly these siblings."""
    if not 0 <= position < count:
        return False
    remaining = list(siblings)
    while count > 1:
        if position ^ 1 < count:
            if not remaining:
                return False
            sibling = remaining.pop(0)
            left, right = (sibling, reached) if position % 2 else (reached, sibling)
            reached = node(left, right)
        count, position = (count + 1) // 2, position // 2
    return not remaining and reached == expected

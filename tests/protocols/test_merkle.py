from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import merkle
from protocols.errors import LocalError
from protocols.types import Digest


def nodes(count: int) -> list[Digest]:
    return [Digest(hashlib.sha256(bytes([number])).digest()) for number in range(count)]


def parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_a_leaf_hashes_its_place_and_its_residues_big_endian() -> None:
    residues = np.arange(64, dtype=np.uint64) + np.uint64(2**45)
    expected = b"\x00" + (3).to_bytes(4, "big") + b"\x01" + (5).to_bytes(4, "big")
    expected += b"".join(int(residue).to_bytes(8, "big") for residue in residues)
    assert merkle.leaf_bytes(3, 1, 5, residues) == expected
    assert merkle.leaf(3, 1, 5, residues) == hashlib.sha256(expected).digest()


def test_a_chunk_has_its_leaves_prime_after_prime() -> None:
    chunk = np.random.default_rng(9).integers(0, 2**46, (2, 4096), dtype=np.uint64)
    leaves = merkle.leaves(11, chunk)
    assert len(leaves) == 128
    for prime, index in ((0, 0), (0, 63), (1, 0), (1, 40)):
        assert leaves[64 * prime + index] == merkle.leaf(11, prime, index, chunk[prime, 64 * index : 64 * index + 64])


def test_small_trees_are_as_the_protocol_draws_them() -> None:
    a, b, c, d, e = nodes(5)
    assert merkle.root([a]) == a
    assert merkle.root([a, b]) == parent(a, b)
    assert merkle.root([a, b, c]) == parent(parent(a, b), c)
    assert merkle.root([a, b, c, d, e]) == parent(parent(parent(a, b), parent(c, d)), e)
    with pytest.raises(LocalError, match="at least one"):
        merkle.root([])


@given(st.integers(1, 70), st.data())
def test_every_path_leads_to_the_root_and_from_no_other_place(count: int, data: st.DataObject) -> None:
    leaves = nodes(count)
    position = data.draw(st.integers(0, count - 1))
    root, path = merkle.root(leaves), merkle.path(leaves, position)
    assert merkle.verify(root, leaves[position], position, count, path)
    other = data.draw(st.integers(0, count - 1).filter(lambda number: number != position)) if count > 1 else 1
    assert not merkle.verify(root, leaves[position], other, count, path)
    assert not merkle.verify(root, Digest(bytes(32)), position, count, path)
    assert not merkle.verify(root, leaves[position], position, count, (*path, leaves[0]))
    assert not path or not merkle.verify(root, leaves[position], position, count, path[:-1])


def test_places_outside_the_tree_are_refused() -> None:
    leaves = nodes(3)
    for position in (-1, 3):
        assert not merkle.verify(merkle.root(leaves), leaves[0], position, 3, merkle.path(leaves, 0))
        with pytest.raises(LocalError, match="no leaf"):
            merkle.path(leaves, position)

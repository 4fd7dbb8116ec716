from __future__ import annotations

import numpy as np
import pytest

from protocols import merkle
from protocols.encryption.scheme import PublicContext
from protocols.encryption.schemes import scheme
from protocols.errors import LocalError, MalformedError
from protocols.types import Digest, Secret
from protocols.updates.chunks import chunk_root, chunk_roots, update_root, verify_chunk

SCHEME = scheme("one-time-key")
RESIDUES = SCHEME.encrypt(np.arange(-16_000, 24_000), Secret(bytes(32)), PublicContext(bytes(32), 0, 0))
PACKED = SCHEME.pack(RESIDUES)


def test_an_update_is_the_tree_over_its_chunks() -> None:
    roots = chunk_roots(RESIDUES)
    assert len(roots) == 3
    assert roots[2] == merkle.root(merkle.leaves(2, RESIDUES[2]))
    assert update_root(roots) == merkle.root(roots)
    with pytest.raises(LocalError):
        update_root([])


def test_a_fetched_chunk_is_taken_only_if_it_is_the_promised_one() -> None:
    for index, root in enumerate(chunk_roots(RESIDUES)):
        assert (verify_chunk(PACKED[index], index, root, SCHEME) == RESIDUES[index]).all()
    with pytest.raises(MalformedError, match="chunk 1 has digest"):
        verify_chunk(PACKED[1], 1, chunk_root(RESIDUES[0], 0), SCHEME)
    with pytest.raises(MalformedError, match="chunk 0 has digest"):
        verify_chunk(PACKED[1], 0, chunk_root(RESIDUES[1], 1), SCHEME)  # the right bytes at another index


@pytest.mark.parametrize("position", [0, 20_000, 23_552, -1])
def test_one_flipped_bit_is_seen(position: int) -> None:
    damaged = bytearray(PACKED[0])
    damaged[position] ^= 1
    with pytest.raises(MalformedError):
        verify_chunk(bytes(damaged), 0, chunk_root(RESIDUES[0], 0), SCHEME)


@pytest.mark.parametrize("packed", [b"", PACKED[0][:-1], PACKED[0] + b"\0", b"\xff" * len(PACKED[0])])
def test_bytes_that_are_no_chunk_are_malformed(packed: bytes) -> None:
    with pytest.raises(MalformedError, match=r"47104 bytes|below its prime"):
        verify_chunk(packed, 0, Digest(bytes(32)), SCHEME)

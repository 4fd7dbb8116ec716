from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import merkle
from protocols.encryption import compiled_merkle
from protocols.encryption.compiled import compiled_ring

FAST = compiled_ring()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3), st.integers(0, 2**32 - 4))
def test_compiled_digests_are_the_trees_of_the_protocol(seed: int, batch: int, first: int) -> None:
    chunks = np.random.default_rng(seed).integers(0, 2**64, (batch, 2, 4096), dtype=np.uint64)
    assert FAST.roots(chunks, first) == merkle.roots(chunks, first)
    assert FAST.roots(chunks[::-1], first) == merkle.roots(chunks[::-1], first), "strides do not matter"


@pytest.mark.parametrize(("primes", "leaves"), [(1, 1), (1, 2), (1, 17), (3, 1), (3, 11), (2, 100)])
def test_compiled_trees_of_any_number_of_leaves(primes: int, leaves: int) -> None:
    chunks = np.random.default_rng(leaves).integers(0, 2**46, (2, primes, 64 * leaves), dtype=np.uint64)
    assert FAST.roots(chunks, 7) == merkle.roots(chunks, 7)


def test_constants_are_those_of_the_standard() -> None:
    assert [hex(word) for word in compiled_merkle._CONSTANTS[[0, 1, 63]]] == ["0x428a2f98", "0x71374491", "0xc67178f2"]
    assert [hex(word) for word in compiled_merkle._INITIAL[[0, 7]]] == ["0x6a09e667", "0x5be0cd19"]

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption.compiled import compiled_ring
from protocols.encryption.layout import uniform
from protocols.encryption.one_time_key import OneTimeKeyScheme
from protocols.encryption.ring import PRIMES, Residues, data_ring
from protocols.encryption.scheme import PublicContext
from protocols.types import Secret

FAST, SLOW = compiled_ring(), data_ring()


def residues(seed: int, kind: str, batch: int) -> Residues:
    """Any residues, or only such as are near 0 and the prime, where a wrong quotient or carry would show."""
    rng = np.random.default_rng(seed)
    if kind == "any":
        rows = [rng.integers(0, prime, (batch, 4096), dtype=np.uint64) for prime in PRIMES]
    else:
        edges = [np.array([0, 1, 2, prime // 2, prime - 2, prime - 1], dtype=np.uint64) for prime in PRIMES]
        rows = [rng.choice(edge, (batch, 4096)) for edge in edges]
    return np.stack(rows, axis=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["any", "edges"]), st.integers(1, 3))
def test_compiled_kernels_give_the_same_bits_as_numpy(seed: int, kind: str, batch: int) -> None:
    a, b = residues(seed, kind, batch), residues(seed + 1, kind, batch)
    before = a.copy()
    assert (FAST.forward(a) == SLOW.forward(a)).all()
    assert (FAST.inverse(a) == SLOW.inverse(a)).all()
    assert (FAST.product(a, b) == SLOW.product(a, b)).all()
    assert (FAST.product(a, b[0]) == SLOW.product(a, b[0])).all()
    assert (FAST.forward(a[0]) == SLOW.forward(a[0])).all()
    assert (a == before).all()


@pytest.mark.parametrize("row", range(len(PRIMES)))
def test_products_at_the_edges_of_the_quotient(row: int) -> None:
    """a b just above and just below a multiple of the prime is where a guessed quotient would be wrong."""
    prime = PRIMES[row]
    b = np.ones((2, 4096), dtype=np.uint64)
    b[row] = np.arange(prime - 4096, prime, dtype=np.uint64)
    a = b.copy()
    a[row] = [pow(int(value), -1, prime) for value in b[row]]
    assert (FAST.product(a, b)[row] == 1).all()
    a[row] = prime - a[row]
    assert (FAST.product(a, b)[row] == prime - 1).all()


def test_ciphertexts_and_sums_do_not_depend_on_the_kernels() -> None:
    lanes, seed, context = np.arange(-9000, 9000), Secret(bytes([3]) * 32), PublicContext(bytes(32), 1, 2)
    slow, fast = OneTimeKeyScheme(), OneTimeKeyScheme(FAST)
    c0 = slow.encrypt(lanes, seed, context)
    assert (fast.encrypt(lanes, seed, context) == c0).all()
    released = dict(enumerate(slow.deal(seed, 2, 3), start=1))
    opened = fast.open(c0, context, released, 2, 1, uniform(lanes.size))
    assert (opened.lanes == lanes).all()
    assert opened.key == slow.open(c0, context, released, 2, 1, uniform(lanes.size)).key


def test_small_updates_do_not_load_numba() -> None:
    code = (
        "import sys; from protocols.encryption.schemes import COMPILED_FROM, scheme; scheme('one-time-key', "
        "COMPILED_FROM - 1); assert 'numba' not in sys.modules; scheme('one-time-key', COMPILED_FROM); "
        "assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

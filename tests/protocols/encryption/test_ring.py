from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption.ring import PRIMES, SEAL_PRIMES, Ring, add, multiply, ratio, subtract

SMALL = Ring(SEAL_PRIMES, 8)


def edges(prime: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(0, prime - 1), st.sampled_from([0, 1, 2, prime // 2, prime - 2, prime - 1]))


@pytest.mark.parametrize("prime", SEAL_PRIMES)
def test_arithmetic_is_that_of_exact_integers(prime: int) -> None:
    @settings(max_examples=300)
    @given(edges(prime), edges(prime))
    def check(a: int, b: int) -> None:
        q, x, y = (np.array([value], dtype=np.uint64) for value in (prime, a, b))
        assert int(add(x, y, q)[0]) == (a + b) % prime
        assert int(subtract(x, y, q)[0]) == (a - b) % prime
        assert int(multiply(x, y, ratio(y, q), q)[0]) == a * b % prime

    check()


@pytest.mark.parametrize("prime", SEAL_PRIMES)
def test_products_at_the_edges_of_the_quotient(prime: int) -> None:
    """a b just above and just below a multiple of the prime is where a guessed quotient would be wrong."""
    b = np.arange(prime - 20_000, prime, dtype=np.uint64)
    inverse = np.array([pow(int(value), -1, prime) for value in b], dtype=np.uint64)
    q = np.array([prime], dtype=np.uint64)
    assert (multiply(inverse, b, ratio(b, q), q) == 1).all()
    assert (multiply(q - inverse, b, ratio(b, q), q) == prime - 1).all()


def schoolbook(a: list[int], b: list[int], prime: int) -> list[int]:
    product = [0] * len(a)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            sign = 1 if i + j < len(a) else -1
            product[(i + j) % len(a)] += sign * x * y
    return [value % prime for value in product]


@given(st.lists(st.integers(-(2**45), 2**45), min_size=16, max_size=16))
def test_products_are_negacyclic_polynomial_products(values: list[int]) -> None:
    a, b = np.array(values[:8]), np.array(values[8:])
    spread = SMALL.product(SMALL.forward(SMALL.reduce(a)), SMALL.forward(SMALL.reduce(b)))
    for row, prime in zip(SMALL.inverse(spread), SEAL_PRIMES, strict=True):
        assert row.tolist() == schoolbook(values[:8], values[8:], prime)


def test_the_inverse_undoes_the_transform_for_a_batch() -> None:
    ring, rng = Ring(), np.random.default_rng(1)
    batch = np.stack([rng.integers(0, prime, (3, 4096), dtype=np.uint64) for prime in PRIMES], axis=1)
    spread = ring.forward(batch)
    assert (spread[1] == ring.forward(batch[1])).all()
    assert (spread != batch).any()
    assert (ring.inverse(spread) == batch).all()


def test_slots_are_values_at_odd_powers_of_the_root_in_bit_reversed_order() -> None:
    """The definition, in exact integers: slot s holds the polynomial's value at psi^(2 rev(s) + 1)."""
    coefficients = np.array([3, -1, 4, -1, 5, -9, 2, -6])
    spread = SMALL.forward(SMALL.reduce(coefficients))
    for row, prime in zip(spread, SEAL_PRIMES, strict=True):
        psi = min(g for g in (pow(h, (prime - 1) // 16, prime) for h in range(2, 500)) if pow(g, 8, prime) == prime - 1)
        for slot, value in enumerate(row.tolist()):
            point = pow(psi, 2 * int(f"{slot:03b}"[::-1], 2) + 1, prime)
            assert value == sum(int(c) * pow(point, k, prime) for k, c in enumerate(coefficients)) % prime


@given(
    st.lists(st.one_of(st.integers(-(2**53), 2**53), st.sampled_from([0, -1, *SEAL_PRIMES])), min_size=8, max_size=8)
)
def test_signed_integers_are_reduced_exactly(values: list[int]) -> None:
    residues = SMALL.reduce(np.array(values))
    assert residues.tolist() == [[value % prime for value in values] for prime in SEAL_PRIMES]

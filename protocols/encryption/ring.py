"""The ring of the ciphertexts: Z_q[X] / (X^4096 + 1) over SEAL's primes, one residue row for each prime.

All arithmetic is exact. Products of two residues do not fit in 64 bits; the quotient is therefore guessed in float64
from below, and the remainder comes from wrapping uint64 arithmetic (V. Shoup, NTL, "MulModPrecon" with doubles).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from protocols import merkle
from protocols.types import Digest

Residues = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

DEGREE: Final = 4096
SEAL_PRIMES: Final = (70368743587841, 70368743669761, 114689)
"""What SEAL 4.1 chooses for n = 4096 and prime sizes [46, 46, 17]; every prime is 1 modulo 2n."""
PRIMES: Final = SEAL_PRIMES[:2]
"""The primes that carry data. SEAL keeps the third for key switching, which sums do not need."""
PRIME_BITS: Final = tuple(prime.bit_length() for prime in PRIMES)

_FROM_BELOW: Final = 1 - 2.0**-50
"""Three float64 roundings err by less than 2^-51: scaled by this, a quotient guess is never too large."""


def add(a: Residues, b: Residues, primes: Residues) -> Residues:
    """Sum a + b modulo the primes, element by element; a, b < prime."""
    total = a + b
    reduced: Residues = np.minimum(total, total - primes)  # below the prime, the difference wraps to something huge
    return reduced


def subtract(a: Residues, b: Residues, primes: Residues) -> Residues:
    """Difference a - b modulo the primes, element by element; a, b < prime."""
    difference = a - b
    reduced: Residues = np.minimum(difference, difference + primes)
    return reduced


def ratio(b: Residues, primes: Residues) -> Floats:
    """Quotient b / prime, a little too small: what `multiply` needs to know of its second factor."""
    quotients: Floats = b.astype(np.float64) / primes.astype(np.float64) * _FROM_BELOW
    return quotients


def multiply(a: Residues, b: Residues, b_ratio: Floats, primes: Residues) -> Residues:
    """Product a * b modulo the primes, element by element; a, b < prime < 2^48, b_ratio = ratio(b, primes).

    The quotient guess is at most one below the true quotient, so the remainder is below twice the prime.
    """
    quotient = (a.view(np.int64).astype(np.float64) * b_ratio).astype(np.int64).view(np.uint64)
    remainder = a * b - quotient * primes
    return np.minimum(remainder, remainder - primes)


def _primitive_root(prime: int, order: int) -> int:
    """The smallest primitive root of unity of an order that is a power of two; SEAL takes the smallest too."""
    generator = next(g for g in range(2, prime) if pow(g, (prime - 1) // 2, prime) == prime - 1)
    root = pow(generator, (prime - 1) // order, prime)
    return min(pow(root, k, prime) for k in range(1, order, 2))


def _powers(base: int, prime: int, degree: int) -> Residues:
    """base^0 .. base^(degree-1) in bit-reversed order, uint64[degree]."""
    powers = [1]
    for _ in range(degree - 1):
        powers.append(powers[-1] * base % prime)
    bits = degree.bit_length() - 1
    return np.array([powers[int(f"{i:0{bits}b}"[::-1], 2)] for i in range(degree)], dtype=np.uint64)


class Ring:
    """Negacyclic number-theoretic transform in SEAL's order, over several primes at once.

    Polynomials are uint64[..., primes, degree]; leading axes are a batch. Cooley-Tukey forward and Gentleman-Sande
    inverse with merged twists (Longa and Naehrig, https://eprint.iacr.org/2016/504, algorithms 1 and 2).
    """

    def __init__(self, primes: tuple[int, ...] = PRIMES, degree: int = DEGREE) -> None:
        self.degree = degree
        self.primes: Residues = np.array(primes, dtype=np.uint64)[:, None]
        roots = [_primitive_root(prime, 2 * degree) for prime in primes]
        inverses = [pow(root, -1, prime) for root, prime in zip(roots, primes, strict=True)]
        self._twist = np.stack([_powers(r, q, degree) for r, q in zip(roots, primes, strict=True)])
        self._untwist = np.stack([_powers(r, q, degree) for r, q in zip(inverses, primes, strict=True)])
        self._shrink: Residues = np.array([pow(degree, -1, q) for q in primes], dtype=np.uint64)[:, None]
        self._twist_ratio = ratio(self._twist, self.primes)
        self._untwist_ratio = ratio(self._untwist, self.primes)

    def reduce(self, coefficients: npt.NDArray[np.int64]) -> Residues:
        """Signed integers int64[..., degree] below 2^53 as residues uint64[..., primes, degree].

        The quotient is rounded to the nearest integer, so the rest is about half a prime at most, of either sign.
        """
        signed = coefficients[..., None, :]
        quotient = np.rint(signed.astype(np.float64) / self.primes.astype(np.float64)).astype(np.int64)
        rest = (signed - quotient * self.primes.view(np.int64)).view(np.uint64)  # negative ones wrap to something huge
        residues: Residues = np.minimum(rest, rest + self.primes)
        return residues

    def roots(self, residues: Residues, first: int) -> tuple[Digest, ...]:
        """`merkle.roots`: what is compiled for the ring's products is compiled for its digests too."""
        return merkle.roots(residues, first)

    def forward(self, residues: Residues) -> Residues:
        """Coefficients to NTT form, shape kept."""
        primes, x, blocks = self.primes[:, :, None], residues, 1
        while blocks < self.degree:
            x = x.reshape(*residues.shape[:-1], blocks, 2, -1)
            chosen = np.s_[:, blocks : 2 * blocks, None]
            low = x[..., 0, :]
            high = multiply(x[..., 1, :], self._twist[chosen], self._twist_ratio[chosen], primes)
            x = np.stack([add(low, high, primes), subtract(low, high, primes)], axis=-2)
            blocks *= 2
        return x.reshape(residues.shape)

    def inverse(self, residues: Residues) -> Residues:
        """NTT form to coefficients, shape kept."""
        primes, x, blocks = self.primes[:, :, None], residues, self.degree // 2
        while blocks >= 1:
            x = x.reshape(*residues.shape[:-1], blocks, 2, -1)
            chosen = np.s_[:, blocks : 2 * blocks, None]
            low, high = x[..., 0, :], x[..., 1, :]
            difference = subtract(low, high, primes)
            high = multiply(difference, self._untwist[chosen], self._untwist_ratio[chosen], primes)
            x = np.stack([add(low, x[..., 1, :], primes), high], axis=-2)
            blocks //= 2
        return multiply(x.reshape(residues.shape), self._shrink, ratio(self._shrink, self.primes), self.primes)

    def product(self, a: Residues, b: Residues) -> Residues:
        """Product a * b of polynomials in NTT form, broadcasting the batch axes."""
        return multiply(a, b, ratio(b, self.primes), self.primes)

    def add(self, a: Residues, b: Residues) -> Residues:
        """Sum a + b, in either form."""
        return add(a, b, self.primes)

    def subtract(self, a: Residues, b: Residues) -> Residues:
        """Difference a - b, in either form."""
        return subtract(a, b, self.primes)


@lru_cache(maxsize=1)
def data_ring() -> Ring:
    """The ring over the two data primes, built once a process (it takes some milliseconds)."""
    return Ring()

"""The ring's transforms, products and digests compiled by numba: bit by bit what `Ring` gives, faster by far.

Importing this module costs about a second and 90 MB of memory, so only what moves large models does
(docs/decisions/0009-compiled-kernels.md). The GIL is let go while a kernel runs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.compiled_merkle import DIGEST_WORDS, merkle_roots
from protocols.encryption.kernels import compiled, inlined
from protocols.encryption.ring import DEGREE, PRIMES, Residues, Ring, ratio
from protocols.types import Digest

_SIDE: Final = 64
"""A polynomial is a square of 64 x 64: six stages of the transform run down its columns, six along its rows."""
_STAGES: Final = 6


class CompiledRing(Ring):
    """`Ring` over the data primes with compiled transforms, products and digests."""

    def __init__(self) -> None:
        super().__init__(PRIMES, DEGREE)
        self._moduli = self.primes.ravel()
        self._along, self._along_ratio = _turned(self._twist), _turned(self._twist_ratio)
        self._back, self._back_ratio = _turned(self._untwist), _turned(self._untwist_ratio)

    def roots(self, residues: Residues, first: int) -> tuple[Digest, ...]:
        """As `Ring.roots`."""
        digests = np.empty((len(residues), DIGEST_WORDS), dtype=">u4")
        digests[:] = merkle_roots(np.ascontiguousarray(residues), first)
        return tuple(Digest(root.tobytes()) for root in digests)

    def forward(self, residues: Residues) -> Residues:
        """Coefficients to NTT form, shape kept."""
        batch = _copied(residues)
        _forward(batch, self._moduli, self._twist, self._twist_ratio, self._along, self._along_ratio)
        return batch.reshape(residues.shape)

    def inverse(self, residues: Residues) -> Residues:
        """NTT form to coefficients, shape kept."""
        batch = _copied(residues)
        _inverse(batch, self._moduli, self._untwist, self._untwist_ratio, self._back, self._back_ratio)
        return self.product(batch, np.broadcast_to(self._shrink, batch.shape[1:])).reshape(residues.shape)

    def product(self, a: Residues, b: Residues) -> Residues:
        """Product a * b of polynomials in NTT form, with b one polynomial, or as many as a."""
        batch, factors = _copied(a), _copied(b)
        _product(batch, factors, ratio(factors, self.primes), self._moduli)
        return batch.reshape(a.shape)


@lru_cache(maxsize=1)
def compiled_ring() -> CompiledRing:
    """The compiled ring over the two data primes, ready to run: one a process."""
    ring, one = CompiledRing(), np.ones((1, len(PRIMES), DEGREE), dtype=np.uint64)
    ring.roots(ring.product(ring.inverse(ring.forward(one)), one[0]), 0)  # compiles all kernels
    return ring


def _copied(residues: Residues) -> Residues:
    """A contiguous copy as uint64[batch, primes, degree]."""
    return np.array(residues, order="C").reshape(-1, *residues.shape[-2:])


def _turned(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The factors of the six fine stages, [primes, 63, 64]: of each stage's blocks in a row of the square, by rows."""
    stages = []
    for blocks in (1 << stage for stage in range(_STAGES)):
        first = blocks * _SIDE
        stages.append(table[:, first : 2 * first].reshape(len(table), _SIDE, blocks).transpose(0, 2, 1))
    return np.ascontiguousarray(np.concatenate(stages, axis=1))


@inlined
def _times(a, b, ratio, prime):  # type: ignore[no-untyped-def]  # numba infers the types
    """`ring.multiply` of two residues."""
    quotient = np.uint64(np.int64(np.float64(np.int64(a)) * ratio))
    remainder = a * b - quotient * prime
    return min(remainder, remainder - prime)


@inlined
def _butterfly(low, high, factor, ratio, prime):  # type: ignore[no-untyped-def]
    """Cooley and Tukey's: low + factor high, low - factor high."""
    lifted = _times(high, factor, ratio, prime)
    total, difference = low + lifted, low - lifted
    return min(total, total - prime), min(difference, difference + prime)


@inlined
def _butterfly_back(low, high, factor, ratio, prime):  # type: ignore[no-untyped-def]
    """Gentleman and Sande's: low + high, factor (low - high)."""
    total, difference = low + high, low - high
    difference = min(difference, difference + prime)
    return min(total, total - prime), _times(difference, factor, ratio, prime)


@inlined
def _transpose(square, turned):  # type: ignore[no-untyped-def]
    for i in range(_SIDE):
        for j in range(_SIDE):
            turned[j, i] = square[i, j]


@compiled
def _forward(batch, primes, twist, twist_ratio, along, along_ratio):  # type: ignore[no-untyped-def]
    """In place, uint64[batch, primes, degree]: six stages between rows of the square, then six within them."""
    turned = np.empty((_SIDE, _SIDE), np.uint64)
    for polynomial in range(len(batch)):
        for p in range(len(primes)):
            prime, square = primes[p], batch[polynomial, p].reshape(_SIDE, _SIDE)
            for stage in range(_STAGES):
                blocks, half = 1 << stage, _SIDE >> (stage + 1)
                for block in range(blocks):
                    factor, ratio = twist[p, blocks + block], twist_ratio[p, blocks + block]
                    for row in range(2 * block * half, (2 * block + 1) * half):
                        low, high = square[row], square[row + half]
                        for i in range(_SIDE):
                            low[i], high[i] = _butterfly(low[i], high[i], factor, ratio, prime)
            _transpose(square, turned)
            for stage in range(_STAGES):
                blocks, half = 1 << stage, _SIDE >> (stage + 1)
                for block in range(blocks):
                    factors, ratios = along[p, blocks - 1 + block], along_ratio[p, blocks - 1 + block]
                    for row in range(2 * block * half, (2 * block + 1) * half):
                        low, high = turned[row], turned[row + half]
                        for i in range(_SIDE):
                            low[i], high[i] = _butterfly(low[i], high[i], factors[i], ratios[i], prime)
            _transpose(turned, square)


@compiled
def _inverse(batch, primes, untwist, untwist_ratio, back, back_ratio):  # type: ignore[no-untyped-def]
    """The stages of `_forward` backwards, in place; the result is 4,096 times too large."""
    turned = np.empty((_SIDE, _SIDE), np.uint64)
    for polynomial in range(len(batch)):
        for p in range(len(primes)):
            prime, square = primes[p], batch[polynomial, p].reshape(_SIDE, _SIDE)
            _transpose(square, turned)
            for stage in range(_STAGES - 1, -1, -1):
                blocks, half = 1 << stage, _SIDE >> (stage + 1)
                for block in range(blocks):
                    factors, ratios = back[p, blocks - 1 + block], back_ratio[p, blocks - 1 + block]
                    for row in range(2 * block * half, (2 * block + 1) * half):
                        low, high = turned[row], turned[row + half]
                        for i in range(_SIDE):
                            low[i], high[i] = _butterfly_back(low[i], high[i], factors[i], ratios[i], prime)
            _transpose(turned, square)
            for stage in range(_STAGES - 1, -1, -1):
                blocks, half = 1 << stage, _SIDE >> (stage + 1)
                for block in range(blocks):
                    factor, ratio = untwist[p, blocks + block], untwist_ratio[p, blocks + block]
                    for row in range(2 * block * half, (2 * block + 1) * half):
                        low, high = square[row], square[row + half]
                        for i in range(_SIDE):
                            low[i], high[i] = _butterfly_back(low[i], high[i], factor, ratio, prime)


@compiled
def _product(batch, factors, ratios, primes):  # type: ignore[no-untyped-def]
    """In place, uint64[batch, primes, degree] by as many factors, or by one."""
    for polynomial in range(len(batch)):
        for p in range(len(primes)):
            row, chosen = batch[polynomial, p], polynomial % len(factors)
            factor, ratio = factors[chosen, p], ratios[chosen, p]
            for i in range(len(row)):
                row[i] = _times(row[i], factor[i], ratio[i], primes[p])

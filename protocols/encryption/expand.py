"""Everything random that one-time keys need, expanded from short strings by SHAKE-256, each use in its own domain.

Rejection sampling throughout: every value is exactly uniform or exactly centred binomial.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.ring import DEGREE, PRIMES
from protocols.encryption.scheme import PublicContext, Residues
from protocols.encryption.sharing import FIELD
from protocols.errors import LocalError
from protocols.types import Secret

Small = npt.NDArray[np.int64]

SMALL_BOUND: Final = 21
"""Coins on each side of a centred binomial coefficient: magnitude at most 21, standard deviation sqrt(21/2) = 3.24."""
SEED_BYTES: Final = 32
POLYNOMIALS_CACHED: Final = 256
"""Public polynomials kept in memory, 64 KiB each; the peers of one process need the same ones."""

_KEY, _ERROR, _SHARING, _PUBLIC = (
    f"2pm/one-time-key/v1/{use}".encode() for use in ("key", "error", "sharing", "public")
)


def framed(*parts: bytes) -> bytes:
    """The parts in a row, each led by its length (u32 big-endian), so that no two lists give the same bytes."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _context(context: PublicContext, index: int) -> tuple[bytes, bytes]:
    return context.beacon, struct.pack(">QII", context.height, context.cell, index)


def _revealed(seed: Secret) -> bytes:
    value = seed.reveal()
    if len(value) != SEED_BYTES:
        raise LocalError(
            f"a one-time seed has {SEED_BYTES} bytes, not {len(value)}; draw it from the system's randomness"
        )
    return value


def _uniform(label: bytes, count: int, words: str, mask: int, limit: int) -> npt.NDArray[np.uint64]:
    """The first `count` masked words of SHAKE-256(label) that are below the limit, uint64[count]; rejects the others.

    `words` is numpy's name of the word, little-endian ("<u4", "<u8").
    """
    stream, kind, drawn = hashlib.shake_256(label), np.dtype(words), count + 8
    while True:
        masked: npt.NDArray[np.unsignedinteger] = np.frombuffer(stream.digest(kind.itemsize * drawn), kind)
        masked = masked & kind.type(mask)
        if masked[:count].max(initial=0) < limit:  # nearly always
            return masked[:count].astype(np.uint64)
        accepted = masked[masked < limit]
        if accepted.size >= count:
            return accepted[:count].astype(np.uint64)
        drawn *= 2


def _small(label: bytes) -> Small:
    """Centred binomial int64[degree] from SHAKE-256(label).

    Of each 6-byte little-endian word: the number of ones in bits 0 to 20 minus that in bits 21 to 41.
    """
    drawn = hashlib.shake_256(label).digest(6 * DEGREE) + bytes(2)
    words = np.ndarray((DEGREE,), "<u8", drawn, strides=(6,))  # each word with the two bytes that follow it
    side = np.uint64((1 << SMALL_BOUND) - 1)
    heads = np.bitwise_count(words & side).view(np.int8)
    tails = np.bitwise_count(words >> np.uint64(SMALL_BOUND) & side).view(np.int8)
    small: Small = (heads - tails).astype(np.int64)
    return small


def key(seed: Secret) -> Small:
    """The one-time key k, int64[degree] with |k| <= 21.

    Raises:
        LocalError: the seed is not 32 bytes.
    """
    return _small(framed(_KEY, _revealed(seed)))


def error(seed: Secret, context: PublicContext, index: int) -> Small:
    """The error e of one ciphertext index, int64[degree] with |e| <= 21.

    It depends on the context too: under one seed in two contexts equal errors would cancel and leave the key bare.
    """
    return _small(framed(_ERROR, _revealed(seed), *_context(context, index)))


def sharing(seed: Secret, threshold: int) -> npt.NDArray[np.int64]:
    """The t - 1 random coefficients of the sharing polynomials, int64[threshold - 1, degree] below 65537."""
    drawn = field_elements((threshold - 1) * DEGREE, _SHARING, _revealed(seed), struct.pack(">I", threshold))
    return drawn.reshape(threshold - 1, DEGREE)


def field_elements(count: int, *parts: bytes) -> npt.NDArray[np.int64]:
    """Uniform elements of the sharing field, int64[count] below 65537, that follow from the parts.

    A 32-bit word below 2^32 - 1 = 65535 * 65537 is uniform modulo 65537; that one word is rejected.
    """
    words = _uniform(framed(*parts), count, "<u4", 2**32 - 1, 2**32 - 1)
    return (words % np.uint64(FIELD)).astype(np.int64)


@lru_cache(maxsize=POLYNOMIALS_CACHED)
def public_polynomial(context: PublicContext, index: int) -> Residues:
    """a_c of one ciphertext index, in NTT form, uint64[primes, degree]; read-only, since it is shared."""
    labels = [framed(_PUBLIC, *_context(context, index), struct.pack(">B", row)) for row in range(len(PRIMES))]
    drawn = [
        _uniform(label, DEGREE, "<u8", (1 << prime.bit_length()) - 1, prime)
        for label, prime in zip(labels, PRIMES, strict=True)
    ]
    polynomial = np.stack(drawn)
    polynomial.flags.writeable = False
    return polynomial

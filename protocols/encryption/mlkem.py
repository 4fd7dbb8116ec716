"""ML-KEM-768 encapsulation from given randomness (FIPS 203, algorithms 14 and 17).

Keys are made, and secrets decapsulated, by the library `cryptography`. It offers encapsulation too, but draws the
randomness itself, and what a machine does must follow from its arguments. What is computed here is checked each time:
decapsulation encrypts again and compares all bytes, so that any deviation gives no secret at all.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

PUBLIC_BYTES: Final = 1184
CIPHERTEXT_BYTES: Final = 1088
_Q: Final = 3329
_K: Final = 3
_KEYS_CACHED: Final = 64


def _powers() -> Ints:
    """gamma_i = 17^(2 BitRev7(i) + 1), one for each quadratic factor of X^256 + 1 (section 4.3)."""
    return np.array([pow(17, 2 * int(f"{i:07b}"[::-1], 2) + 1, _Q) for i in range(128)])


_GAMMA: Final = _powers()
_FORWARD: Final = np.array([[pow(int(gamma), j, _Q) for j in range(128)] for gamma in _GAMMA], np.float64)
_INVERSE: Final = np.array([[pow(int(gamma), -j, _Q) * 3303 % _Q for gamma in _GAMMA] for j in range(128)], np.float64)


def encapsulate(public: bytes, randomness: bytes) -> tuple[bytes, bytes]:
    """A shared secret (32 bytes) and the ciphertext (1,088) that gives it to the holder of the key.

    Args:
        public: 1,184 bytes that the library accepts as a public key.
        randomness: 32 secret bytes that serve this encapsulation only.
    """
    matrix, t, digest = _expand(public)
    secret_and_coins = hashlib.sha3_512(randomness + digest).digest()
    secret, coins = secret_and_coins[:32], secret_and_coins[32:]
    noise = _noise(coins)
    y = _ntt(noise[:_K])
    products = _inverse_ntt(_multiply(np.concatenate([matrix, t[None]]), y[None]).sum(axis=1) % _Q)
    u = (products[:_K] + noise[_K : 2 * _K]) % _Q
    message = np.unpackbits(np.frombuffer(randomness, np.uint8), bitorder="little").astype(np.int64)
    v = (products[_K] + noise[2 * _K] + message * 1665) % _Q
    return secret, _compress(u, 10) + _compress(v[None], 4)


@lru_cache(maxsize=_KEYS_CACHED)
def _expand(public: bytes) -> tuple[Ints, Ints, bytes]:
    """The transposed matrix and t, both in NTT form int64[..., 256], and the key's digest."""
    bits = np.unpackbits(np.frombuffer(public[:-32], np.uint8), bitorder="little").reshape(_K, 256, 12)
    t = bits.astype(np.int64) @ (1 << np.arange(12))
    matrix = np.stack([[_sample(public[-32:] + bytes([row, column])) for column in range(_K)] for row in range(_K)])
    return matrix, t, hashlib.sha3_256(public).digest()


def _sample(seed: bytes) -> Ints:
    """Uniform int64[256] in NTT form by rejection (algorithm 7)."""
    length = 840
    while True:
        triples = np.frombuffer(hashlib.shake_128(seed).digest(length), np.uint8).reshape(-1, 3).astype(np.int64)
        low, middle, high = triples.T
        drawn = np.stack([low + 256 * (middle % 16), middle // 16 + 16 * high], axis=1).ravel()
        accepted = drawn[drawn < _Q]
        if accepted.size >= 256:
            return accepted[:256]
        length *= 2


def _noise(coins: bytes) -> Ints:
    """y, e1 and e2: centred binomial int64[7, 256] with eta = 2 (algorithm 8)."""
    stream = b"".join(hashlib.shake_256(coins + bytes([number])).digest(128) for number in range(2 * _K + 1))
    bits = np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little").reshape(-1, 256, 4).astype(np.int64)
    return bits[..., 0] + bits[..., 1] - bits[..., 2] - bits[..., 3]


def _ntt(polynomials: Ints) -> Ints:
    """int64[..., 256] by their values modulo X^2 - gamma_i; exact in float64."""
    return _transform(_FORWARD, polynomials)


def _inverse_ntt(values: Ints) -> Ints:
    return _transform(_INVERSE, values)


def _transform(matrix: npt.NDArray[np.float64], polynomials: Ints) -> Ints:
    halves = polynomials.reshape(*polynomials.shape[:-1], 128, 2).astype(np.float64)
    return ((matrix @ halves) % _Q).astype(np.int64).reshape(polynomials.shape)


def _multiply(a: Ints, b: Ints) -> Ints:
    """Products in NTT form (algorithm 11), broadcasting."""
    a0, a1, b0, b1 = a[..., ::2], a[..., 1::2], b[..., ::2], b[..., 1::2]
    constant = a0 * b0 + a1 * b1 % _Q * _GAMMA
    return np.stack([constant, a0 * b1 + a1 * b0], axis=-1).reshape(*constant.shape[:-1], 256) % _Q


def _compress(values: Ints, bits: int) -> bytes:
    """Rounded to `bits` bits each, and packed, lowest bit first (algorithm 5)."""
    rounded = ((values << bits) + _Q // 2) // _Q & (1 << bits) - 1
    ones = (rounded[..., None] >> np.arange(bits) & 1).astype(np.uint8)
    return np.packbits(ones.ravel(), bitorder="little").tobytes()

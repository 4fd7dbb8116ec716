"""Pyfhel (Microsoft SEAL) as the judge of our ring: its primes, and its own decryption of a sum under a summed key.

The only file that loads Pyfhel, and nothing in a running node needs it. Polynomials pass to and from SEAL in its binary
format, without compression: a 16-byte header, the object's fields, and an array with a header of its own.
"""

from __future__ import annotations

import struct
import warnings
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.ring import DEGREE, PRIMES, SEAL_PRIMES, Ring
from protocols.encryption.scheme import Residues
from protocols.errors import LocalError

_HEADER: Final = struct.Struct("<HBBBBHQ")  # magic, header size, major and minor version, compression, reserved, size
_MAGIC, _HEADER_BYTES, _MAJOR, _MINOR = 0xA15E, 16, 4, 1
_CIPHERTEXT_FIELDS: Final = 32 + 1 + 5 * 8  # parameters id, NTT flag; size, degree, primes, scale, correction factor
_PLAINTEXT_FIELDS: Final = 32 + 8 + 8  # parameters id, coefficients, scale
_SIZES: Final = [prime.bit_length() for prime in SEAL_PRIMES]


@lru_cache(maxsize=1)
def _context() -> Any:
    """A Pyfhel object with our parameters and some key, which gives us the fields of the objects that we write."""
    from Pyfhel import Pyfhel

    pyfhel = Pyfhel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that the primes do not allow rescaling, which sums never do
        status = pyfhel.contextGen(scheme="ckks", n=DEGREE, qi_sizes=_SIZES, scale=2.0**76, sec=128)
    if not str(status).startswith("success"):
        raise LocalError(f"Pyfhel refuses our parameters: {status}")
    pyfhel.keyGen()
    return pyfhel


def primes() -> tuple[int, ...]:
    """The primes that SEAL chooses for our degree and sizes."""
    return tuple(int(prime) for prime in _context().qi)


def decrypt_residues(c0: Residues, a: Residues, summed_key: npt.NDArray[np.int64]) -> Residues:
    """SEAL's decryption of the ciphertext (c0, -a) under a key, all uint64[primes, degree] in NTT form.

    Args:
        c0: one index of a sum.
        a: its public polynomial.
        summed_key: int64[degree], small coefficients.
    """
    pyfhel = _context()
    key_fields = pyfhel.to_bytes_secret_key(compr_mode="none")[_HEADER_BYTES:][:_PLAINTEXT_FIELDS]
    full = Ring(SEAL_PRIMES)
    pyfhel.from_bytes_secret_key(_blob(key_fields, full.forward(full.reduce(summed_key))))
    ours = Ring(PRIMES)
    plaintext = pyfhel.decryptPtxt(_ciphertext(np.stack([c0, ours.subtract(np.zeros_like(a), a)])))
    words = plaintext.to_bytes(compr_mode="none")[2 * _HEADER_BYTES + _PLAINTEXT_FIELDS + 8 :]
    return np.frombuffer(words, np.uint64).reshape(len(PRIMES), DEGREE)


def _ciphertext(polynomials: Residues) -> Any:
    from Pyfhel import PyCtxt

    pyfhel = _context()
    some = pyfhel.encrypt(np.zeros(1)).to_bytes(compr_mode="none")
    blob = _blob(some[_HEADER_BYTES:][:_CIPHERTEXT_FIELDS], polynomials)
    return PyCtxt(pyfhel=pyfhel, bytestring=blob, scheme="ckks")


def _blob(fields: bytes, words: Residues) -> bytes:
    array = struct.pack("<Q", words.size) + np.ascontiguousarray(words).tobytes()
    body = fields + _headed(array)
    return _headed(body)


def _headed(body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, _HEADER_BYTES, _MAJOR, _MINOR, 0, 0, _HEADER_BYTES + len(body)) + body

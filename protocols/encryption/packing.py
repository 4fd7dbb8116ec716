"""Unsigned integers of b bits each, one after the other, most significant bit first, zero bits up to a whole byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.encryption.ring import DEGREE
from protocols.encryption.scheme import Share
from protocols.encryption.sharing import FIELD, check_share
from protocols.errors import LocalError, MalformedError

Words = npt.NDArray[np.uint64]

SHARE_BITS: Final = 17
SHARE_BYTES: Final = DEGREE * SHARE_BITS // 8


def packed_bytes(bits: int, count: int) -> int:
    """Bytes that `count` integers of `bits` bits take."""
    return -(-bits * count // 8)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where bits of a group's value number `value` lie in its 64-bit word `word`: moved left, or right if below 0."""

    value: int
    word: int
    left: int


@lru_cache(maxsize=64)
def _group(bits: int) -> tuple[int, int, tuple[_Part, ...]]:
    """The shortest run of values that ends with a byte: how many values, how many 64-bit words, and their parts."""
    values = 8 // math.gcd(bits, 8)
    words = -(-values * bits // 64)
    parts = [
        _Part(value, word, 64 * (word + 1) - bits * (value + 1))
        for value in range(values)
        for word in range(bits * value // 64, (bits * (value + 1) - 1) // 64 + 1)
    ]
    return values, words, tuple(parts)


def _moved(words: Words, left: int) -> Words:
    return words << np.uint64(left) if left >= 0 else words >> np.uint64(-left)


def pack_bits(values: npt.NDArray[np.unsignedinteger], bits: int) -> bytes:
    """Packs a vector of unsigned integers below 2^bits, 1 <= bits <= 64.

    Raises:
        LocalError: a value needs more bits.
    """
    if bits < 64 and values.size and int(values.max()) >> bits:
        raise LocalError(f"cannot pack {int(values.max())} into {bits} bits")
    size, words, parts = _group(bits)
    padded = np.zeros((-(-values.size // size), size), dtype=np.uint64)
    padded.ravel()[: values.size] = values
    columns, packed = np.ascontiguousarray(padded.T), np.zeros((words, len(padded)), dtype=np.uint64)
    for part in parts:
        packed[part.word] |= _moved(columns[part.value], part.left)
    octets = packed.T.astype(">u8", order="C").view(np.uint8).reshape(len(padded), 8 * words)
    return octets[:, : size * bits // 8].tobytes()[: packed_bytes(bits, values.size)]


def unpack_bits(data: bytes, bits: int, count: int) -> Words:
    """Inverse of `pack_bits`: uint64[count].

    Raises:
        MalformedError: the length is not exactly that of `count` integers, or the padding is not zero.
    """
    if len(data) != packed_bytes(bits, count):
        raise MalformedError(f"{count} integers of {bits} bits take {packed_bytes(bits, count)} bytes, not {len(data)}")
    if data and data[-1] & (1 << (8 * len(data) - bits * count)) - 1:
        raise MalformedError("padding bits must be zero")
    size, words, parts = _group(bits)
    groups, width = -(-count // size), size * bits // 8
    octets = np.zeros((groups, 8 * words), dtype=np.uint8)
    octets[:, :width] = np.frombuffer(data.ljust(groups * width, b"\0"), np.uint8).reshape(groups, width)
    packed = octets.view(">u8").T.astype(np.uint64, order="C")
    columns = np.zeros((size, groups), dtype=np.uint64)
    for part in parts:
        columns[part.value] |= _moved(packed[part.word], -part.left)
    columns &= np.uint64((1 << bits) - 1)
    return np.ascontiguousarray(columns.T).ravel()[:count]


def pack_share(share: Share) -> bytes:
    """A Shamir share in its 8,704 bytes.

    Raises:
        MalformedError: not uint32[degree] below 65537.
    """
    check_share(share)
    return pack_bits(share, SHARE_BITS)


def unpack_share(data: bytes) -> Share:
    """Inverse of `pack_share`.

    Raises:
        MalformedError: wrong length, or a value that is not below 65537.
    """
    share: Share = unpack_bits(data, SHARE_BITS, DEGREE).astype(np.uint32)
    if share.max() >= FIELD:
        raise MalformedError(f"a share's values are below {FIELD}, not {share.max()}")
    return share

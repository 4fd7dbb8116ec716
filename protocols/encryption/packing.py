"""Unsigned integers of b bits each, one after the other, most significant bit first, zero bits up to a whole byte."""

from __future__ import annotations

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


def pack_bits(values: npt.NDArray[np.unsignedinteger], bits: int) -> bytes:
    """Packs a vector of unsigned integers below 2^bits, 1 <= bits <= 64.

    Raises:
        LocalError: a value needs more bits.
    """
    words = values.astype(">u8").reshape(-1, 1)
    if bits < 64 and words.size and int(words.max()) >> bits:
        raise LocalError(f"cannot pack {int(words.max())} into {bits} bits")
    return np.packbits(np.unpackbits(words.view(np.uint8), axis=1)[:, 64 - bits :]).tobytes()


def unpack_bits(data: bytes, bits: int, count: int) -> Words:
    """Inverse of `pack_bits`: uint64[count].

    Raises:
        MalformedError: the length is not exactly that of `count` integers, or the padding is not zero.
    """
    if len(data) != packed_bytes(bits, count):
        raise MalformedError(f"{count} integers of {bits} bits take {packed_bytes(bits, count)} bytes, not {len(data)}")
    stream = np.unpackbits(np.frombuffer(data, np.uint8))
    if stream[bits * count :].any():
        raise MalformedError("padding bits must be zero")
    wide = np.zeros((count, 64), dtype=np.uint8)
    wide[:, 64 - bits :] = stream[: bits * count].reshape(count, bits)
    return np.packbits(wide, axis=1).view(">u8").ravel().astype(np.uint64)


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

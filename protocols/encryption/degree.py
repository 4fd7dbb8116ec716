"""Proof that dealt shares lie on polynomials of degree t - 1, which each member checks alone, with its own share.

A challenge that follows from all sealed shares (Fiat-Shamir) names nine random linear combinations of the 4,096 values
of a share. The dealer deals nine random masks along with the key, and publishes the polynomials on which the
combinations of the shares, each plus its mask, must lie. The masks hide everything else about the shares.

A combination's weights are a product, weight[64 i + j] = left[i] right[j], so that drawing them costs little. Where the
honest members' shares do not lie on such polynomials, one combination passes with probability at most 2 / 65537
(Schwartz-Zippel, once for each factor), nine with 2^-135: no dealer finds such a dealing by trying. Short of that the
check is the low-degree test of verifiable secret sharing (Chor, Goldwasser, Micali, Awerbuch, FOCS 1985; batched).
Weights come from SHA-256, four to a block, so that a contract can draw those of one combination for itself
(contracts/src/DealingCourt.sol).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from protocols.encryption import expand
from protocols.encryption.packing import SHARE_BITS, pack_bits, packed_bytes, unpack_bits
from protocols.encryption.ring import DEGREE
from protocols.encryption.scheme import Share
from protocols.encryption.sharing import FIELD, Values, deal, weights_from_first
from protocols.errors import MalformedError
from protocols.types import Secret

Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.uint32]

COMBINATIONS: Final = 9
MASKS_BYTES: Final = packed_bytes(SHARE_BITS, COMBINATIONS)
_SIDE: Final = 64
assert _SIDE * _SIDE == DEGREE

_MASKS, _CHALLENGE = b"2pm/dealing/v1/masks", b"2pm/dealing/v2/challenge"
_BLOCKS: Final = 2 * _SIDE * COMBINATIONS // 4


@dataclass(frozen=True, slots=True)
class Challenge:
    """The combinations' weights: `left` float64[64, combinations], `right` float64[64, combinations], below 65537."""

    left: Floats = field(repr=False)
    right: Floats = field(repr=False)


def draw_masks(seed: Secret, threshold: int, members: int) -> list[Masks]:
    """Shares of random masks for members 1..members, uint32[combinations] each, from the dealing's 32-byte seed."""
    parts = _MASKS, seed.reveal(), struct.pack(">I", threshold)
    drawn = expand.field_elements(threshold * COMBINATIONS, *parts).reshape(threshold, COMBINATIONS)
    return deal(drawn[0], drawn[1:], members)


def challenge_seed(context: bytes, dealing: bytes, sealed: Sequence[bytes]) -> bytes:
    """32 bytes that follow from a dealing's context, public key, and the digests of all its sealed shares."""
    return hashlib.sha256(expand.framed(_CHALLENGE, context, dealing, b"".join(sealed))).digest()


def draw_challenge(context: bytes, dealing: bytes, sealed: Sequence[bytes]) -> Challenge:
    """What follows from the seed: of each combination first left, then right, 64 bits modulo 65537 each.

    That is uniform but for 2^-48, which changes no bound here.
    """
    seed = challenge_seed(context, dealing, sealed)
    drawn = b"".join(hashlib.sha256(seed + struct.pack(">I", block)).digest() for block in range(_BLOCKS))
    elements = (np.frombuffer(drawn, ">u8") % np.uint64(FIELD)).astype(np.float64)
    left, right = np.moveaxis(elements.reshape(COMBINATIONS, 2, _SIDE), 0, 2)
    return Challenge(np.ascontiguousarray(left), np.ascontiguousarray(right))


def combine(challenge: Challenge, shares: Sequence[Share], masks: Sequence[Masks]) -> Values:
    """Each member's nine masked combinations, int64[members, combinations] below 65537.

    Exact in float64: sums of 64 products of two values up to 2^16.
    """
    squares = np.stack(shares).astype(np.float64).reshape(-1, _SIDE, _SIDE)
    inner = (squares @ challenge.right) % FIELD
    outer = (inner * challenge.left).sum(axis=1) + np.stack(masks)
    return np.asarray(outer % FIELD, dtype=np.int64)


def prove_degree(challenge: Challenge, shares: Sequence[Share], masks: Sequence[Masks], threshold: int) -> bytes:
    """The polynomials: the combinations of members 1..t, which determine all others, packed at 17 bits a value."""
    return pack_bits(combine(challenge, shares[:threshold], masks[:threshold]).astype(np.uint64).ravel(), SHARE_BITS)


def read_proof(proof: bytes, threshold: int) -> Values:
    """The polynomials' values at 1..t, int64[threshold, combinations].

    Raises:
        MalformedError: another length, or values that are not below 65537.
    """
    values = unpack_bits(proof, SHARE_BITS, threshold * COMBINATIONS).astype(np.int64)
    if values.max() >= FIELD:
        raise MalformedError(f"a degree proof's values are below {FIELD}, not {values.max()}")
    return values.reshape(threshold, COMBINATIONS)


def check_degree(challenge: Challenge, proof: bytes, threshold: int, member: int, share: Share, masks: Masks) -> None:
    """Raises MalformedError unless this member's share and masks lie on the published polynomials."""
    values = read_proof(proof, threshold)
    expected = weights_from_first(threshold, member) @ values % FIELD
    if (combine(challenge, [share], [masks])[0] != expected).any():
        raise MalformedError("a share does not lie on its dealing's polynomials")

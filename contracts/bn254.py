"""Aggregated signatures over alt_bn128, as contracts/src/libraries/Bn254.sol checks them (BLS; G1 holds signatures).

A key is a number s below the group's order, known by s g1 and s g2; a signature of a digest is s H(digest). Points are
as EIP-196 and EIP-197 encode them: 64 bytes in G1, 128 in G2, imaginary parts first. The arithmetic is py_ecc's: plain
Python, some 10 ms a product, and not in constant time. A key therefore belongs where nobody else can measure.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.optimized_bn128.optimized_curve import (
    G1,
    G2,
    Z1,
    Z2,
    add,
    b,
    b2,
    curve_order,
    field_modulus,
    is_on_curve,
    multiply,
)
from py_ecc.optimized_bn128.optimized_curve import normalize as affine

from contracts.abi import interface
from contracts.bindings import Contract, Transaction, View

VOTE_DOMAIN: Final = keccak(text="2PM/BN254/v1/vote")
POSSESSION_DOMAIN: Final = keccak(text="2PM/BN254/v1/possession")
_FAIR: Final = 5 * field_modulus
_TRIES: Final = 64

Words = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key's two halves.

    Attributes:
        key: in G1, 64 bytes.
        twin: in G2, 128 bytes.
    """

    key: bytes
    twin: bytes


class SecretKey:
    """A validator's key for aggregated votes. Shows nothing, cannot be pickled.

    Attributes:
        public: its two halves.

    Raises:
        ValueError: the number is not between 1 and the group's order less 1.
    """

    __slots__ = ("_number", "public")

    def __init__(self, number: int) -> None:
        if not 0 < number < curve_order:
            raise ValueError("a BN254 key is a number from 1 to the group's order less 1")
        self._number = number
        self.public = PublicKey(_encode(multiply(G1, number)), _encode(multiply(G2, number)))

    @classmethod
    def draw(cls) -> SecretKey:
        """A new one, from the system's randomness."""
        return cls(secrets.randbelow(curve_order - 1) + 1)

    def sign(self, digest: bytes) -> bytes:
        """The signature of a statement's EIP-712 digest, 64 bytes; always the same."""
        return _encode(multiply(_curve_point(VOTE_DOMAIN, digest), self._number))

    def possession(self, chain_id: int, contract: bytes, account: bytes) -> bytes:
        """Proves to the contract that `account` knows this key, 64 bytes."""
        kinds = ["uint256", "address", "address", "uint256", "uint256"]
        message = keccak(encode(kinds, (chain_id, contract, account, *_words(self.public.key))))
        return _encode(multiply(_curve_point(POSSESSION_DOMAIN, message), self._number))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(public={self.public.key.hex()[:8]}, <secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is secret and cannot be serialised")


def aggregate(signatures: Iterable[bytes], twins: Iterable[bytes]) -> bytes:
    """The proof of a quorum, 192 bytes, from the signers' signatures and their keys' halves in G2.

    Raises:
        ValueError: something is no point of its curve.
    """
    signature, twin = Z1, Z2
    for one in signatures:
        signature = add(signature, _point(one))
    for one in twins:
        twin = add(twin, _twin(one))
    return _encode(signature) + _encode(twin)


def hash_to_curve(domain: bytes, message: bytes) -> bytes:
    """The point that follows from a domain and a message of 32 bytes each, as the contract finds it; 64 bytes."""
    return _encode(_curve_point(domain, message))


class Bn254Quorum(Contract):
    """See contracts/src/interfaces/IBn254Quorum.sol."""

    @staticmethod
    def deployment() -> Transaction:
        return Transaction(b"", interface("Bn254Quorum").deployment())

    def register(self, public: PublicKey, possession: bytes) -> Transaction:
        return self._send("register", _words(public.key), _words(public.twin), _words(possession))

    def gather(self, table: Sequence[int]) -> Transaction:
        return self._send("gather", list(table))

    def key_of(self, account: bytes) -> View[bytes]:
        """64 bytes; zeros if the account has none."""
        return self._ask(lambda point: _bytes(point), "keyOf", account)

    def is_gathered(self, table: Sequence[int]) -> View[bool]:
        return self._ask(lambda gathered: bool(gathered), "isGathered", list(table))


def _curve_point(domain: bytes, message: bytes) -> Any:
    for counter in range(_TRIES):
        drawn = int.from_bytes(keccak(domain + message + counter.to_bytes(32, "big")), "big")
        x = drawn % field_modulus
        square = (x * x * x + 3) % field_modulus
        y = pow(square, (field_modulus + 1) // 4, field_modulus)
        if drawn < _FAIR and y * y % field_modulus == square:
            return FQ(x), FQ(y if y % 2 == 0 else field_modulus - y), FQ(1)
    raise ValueError(f"no point of the curve follows from {message.hex()}")


def _encode(point: Any) -> bytes:
    """Of either group; the neutral element is zeros."""
    in_g1 = isinstance(point[0], FQ)
    if point[2] == type(point[2]).zero():
        return bytes(64 if in_g1 else 128)
    x, y = affine(point)
    numbers = (x.n, y.n) if in_g1 else (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0])
    return _bytes(tuple(int(number) for number in numbers))


def _point(data: bytes) -> Any:
    x, y = _checked(data, 2)
    point = Z1 if x == y == 0 else (FQ(x), FQ(y), FQ(1))
    if not is_on_curve(point, b):
        raise ValueError("a signature is no point of the curve")
    return point


def _twin(data: bytes) -> Any:
    xi, xr, yi, yr = _checked(data, 4)
    point = (FQ2([xr, xi]), FQ2([yr, yi]), FQ2.one())
    if not is_on_curve(point, b2):
        raise ValueError("a key's half in G2 is no point of the curve")
    return point


def _checked(data: bytes, count: int) -> Words:
    numbers = _words(data)
    if len(data) != 32 * count or max(numbers) >= field_modulus:
        raise ValueError(f"a point has {count} coordinates of the field, 32 bytes each")
    return numbers


def _words(data: bytes) -> Words:
    return tuple(int.from_bytes(data[start : start + 32], "big") for start in range(0, len(data), 32))


def _bytes(numbers: Words) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)

"""What an operator signs with its secp256k1 key, by EIP-712, because it can be slashed for it.

The same as contracts/src/Statements.sol; tests/vectors/statements.json holds both to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Final

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_typing import Hash32
from eth_utils.crypto import keccak

from protocols.types import Address, Digest
from protocols.verification.proofs import Stated, SumStatement

DOMAIN_TYPE: Final = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
STATEMENT_TYPE: Final = keccak(
    text="Statement(uint8 kind,uint256 subnetId,uint64 epoch,uint64 height,uint64 place,bytes32 value)"
)
NAME: Final = keccak(text="2PM")
VERSION: Final = keccak(text="1")


class Kind(IntEnum):
    """What is stated; contracts/src/Statements.sol says what value and place mean for each."""

    MANIFEST = 1
    VOTE = 2
    RELEASE = 3
    ATTESTATION = 4
    AGGREGATE = 5
    STEP = 6
    DEALING = 7


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. An operator may make one for each kind, subnet, height and place."""

    kind: Kind
    subnet_id: int
    epoch: int
    height: int
    place: int
    value: bytes


def digest(statement: Statement, chain_id: int, registry: Address) -> Hash32:
    """The 32 bytes that are signed; `registry` is the subnet registry, by which all contracts judge."""
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"], (DOMAIN_TYPE, NAME, VERSION, chain_id, registry)
        )
    )
    types = ["bytes32", "uint8", "uint256", "uint64", "uint64", "uint64", "bytes32"]
    content = keccak(encode(types, (STATEMENT_TYPE, *astuple(statement))))
    return Hash32(keccak(b"\x19\x01" + domain + content))


def sign(account: LocalAccount, statement: Statement, chain_id: int, registry: Address) -> bytes:
    """The operator's signature as the contracts read it (EIP-2098): r and s, 64 bytes, the parity in s's highest bit.

    Deterministic (RFC 6979): the same statement has the same signature, before and after a crash.
    """
    signed = account.unsafe_sign_hash(digest(statement, chain_id, registry))
    return signed.r.to_bytes(32, "big") + (signed.s | (signed.v - 27) << 255).to_bytes(32, "big")


def signer(signature: bytes, statement: Statement, chain_id: int, registry: Address) -> Address:
    """Who signed; raises `ValueError` if it is no signature."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    vrs = (27 + (s >> 255), r, s & (1 << 255) - 1)
    try:
        recovered: str = Account._recover_hash(digest(statement, chain_id, registry), vrs=vrs)
    except BadSignature as error:
        raise ValueError(f"that is no signature under a statement: {error}") from error
    return Address(bytes.fromhex(recovered[2:]))


def sum_value(chunks: int, roots: Sequence[Digest], summed: int, sum_root: Digest) -> bytes:
    """The value of an aggregate: of the sum of the updates with these roots, of `chunks` chunks each, the `summed` ones
    that the aggregator added, ascending, have this root over their roots.
    """
    return keccak(encode(["uint32", "bytes32[]", "uint32", "bytes32"], (chunks, list(roots), summed, sum_root)))


class OperatorStatements:
    """One operator's own signatures, and the reading of everybody's; implements `protocols.verification.proofs`."""

    def __init__(self, account: LocalAccount, chain_id: int, registry: Address) -> None:
        self._account, self._chain_id, self._registry = account, chain_id, registry

    def sign_sum(self, stated: SumStatement) -> bytes:
        """The operator's signature, 64 bytes."""
        return sign(self._account, sum_stated(stated), self._chain_id, self._registry)

    def signer_of_sum(self, stated: SumStatement, signature: bytes) -> Address | None:
        """Whose signature it is; None: nobody's."""
        return self.signer_of(self.of_sum(stated), signature)

    def of_sum(self, stated: SumStatement) -> Stated:
        """The same as the chain knows it."""
        kind, *rest = astuple(sum_stated(stated))
        return Stated(int(kind), *rest)

    def signer_of(self, stated: Stated, signature: bytes) -> Address | None:
        """Whose signature of any statement it is; None: nobody's."""
        try:
            return signer(signature, statement_of(stated), self._chain_id, self._registry)
        except ValueError:
            return None


def statement_of(stated: Stated) -> Statement:
    """What is signed; raises `ValueError` if nobody makes such statements."""
    return Statement(Kind(stated.kind), stated.subnet, stated.epoch, stated.height, stated.place, stated.value)


def sum_stated(stated: SumStatement) -> Statement:
    """An aggregate as a statement."""
    value = sum_value(stated.chunks, stated.roots, stated.summed, stated.sum_root)
    return Statement(Kind.AGGREGATE, stated.subnet, stated.epoch, stated.height, stated.cell, value)


def step_value(task: bytes, before: bytes, result: bytes) -> bytes:
    """The value of a step: of this task (the hash of a checkpoint's key, the number of
    steps and the root over their states), from this state it leads to that one.
    """
    return keccak(encode(["bytes32", "bytes32", "bytes32"], (task, before, result)))


def dealing_value(threshold: int, challenge: bytes, shares: Sequence[Digest], degree: bytes) -> bytes:
    """The value of a dealing: these are the digests of the sealed shares, and their combinations under the challenge
    (`protocols.encryption.degree.challenge_seed`) lie on these polynomials.
    """
    return keccak(encode(["uint8", "bytes32", "bytes32[]", "bytes"], (threshold, challenge, list(shares), degree)))

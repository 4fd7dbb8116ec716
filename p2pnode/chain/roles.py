"""The bond between an operator's account and its peer: what the peer's key signs, and who may do what."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from eth_account.signers.local import LocalAccount

from p2pnode.ports import OperatorRecord
from protocols.types import Address, PeerKey, Secret

BINDING_DOMAIN: Final = b"2pm/operator-binding/1\x00"


def binding_message(chain_id: int, operators: Address, subnet_id: int, operator: Address, peer: PeerKey) -> bytes:
    """What a peer's Ed25519 key signs to say that it belongs to an operator.

    The domain, chain id u64, operator registry 20 bytes, subnet id u64, operator 20 bytes, peer 32 bytes (integers
    big-endian): a signature is good for one account in one subnet of one chain.
    """
    numbers = chain_id.to_bytes(8, "big"), subnet_id.to_bytes(8, "big")
    return BINDING_DOMAIN + numbers[0] + operators + numbers[1] + operator + peer


def verify_binding(record: OperatorRecord, chain_id: int, operators: Address, subnet_id: int) -> bool:
    """Whether the record's peer agreed to belong to its operator. The chain does not check it: every reader must."""
    message = binding_message(chain_id, operators, subnet_id, record.address, record.peer)
    try:
        Ed25519PublicKey.from_public_bytes(record.peer).verify(record.peer_proof, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def active(record: OperatorRecord, block_number: int) -> bool:
    """Whether the operator is active at a block."""
    return record.joined_block <= block_number and (record.left_block == 0 or record.left_block > block_number)


def account_of(key: Secret) -> LocalAccount:
    """The account of a 32-byte secp256k1 key; raises `ValueError` if it is none."""
    account: LocalAccount = Account.from_key(key.reveal())
    return account

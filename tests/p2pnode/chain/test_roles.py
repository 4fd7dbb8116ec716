from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pnode.chain.roles import active, binding_message, verify_binding
from p2pnode.ports import OperatorRecord
from protocols.types import Address, PeerKey, Role

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
PEER = PeerKey(KEY.public_key().public_bytes_raw())
OPERATOR, REGISTRY = Address(b"\x02" * 20), Address(b"\x03" * 20)
PROOF = KEY.sign(binding_message(7, REGISTRY, 5, OPERATOR, PEER))
RECORD = OperatorRecord(OPERATOR, PEER, PROOF, Role.DATA, 1, joined_block=10, left_block=20)


def test_the_message_is_laid_out_as_documented():
    message = binding_message(7, REGISTRY, 5, OPERATOR, PEER)
    expected = b"2pm/operator-binding/1\x00" + (7).to_bytes(8, "big") + b"\x03" * 20 + (5).to_bytes(8, "big")
    assert message == expected + b"\x02" * 20 + PEER


def test_a_proof_holds_for_its_own_context_only():
    assert verify_binding(RECORD, 7, REGISTRY, 5)
    assert not verify_binding(RECORD, 8, REGISTRY, 5)
    assert not verify_binding(RECORD, 7, OPERATOR, 5)
    assert not verify_binding(RECORD, 7, REGISTRY, 6)


@pytest.mark.parametrize(
    "change",
    [
        {"address": REGISTRY},
        {"peer": PeerKey(b"\x09" * 32)},
        {"peer": PeerKey(b"short")},
        {"peer_proof": bytes(64)},
        {"peer_proof": b""},
    ],
)
def test_a_changed_record_fails_and_never_raises(change):
    assert not verify_binding(replace(RECORD, **change), 7, REGISTRY, 5)


@pytest.mark.parametrize(("block", "expected"), [(9, False), (10, True), (19, True), (20, False)])
def test_active_from_joining_until_leaving(block, expected):
    assert active(RECORD, block) is expected


def test_who_never_left_stays_active():
    assert active(replace(RECORD, left_block=0), 10**9)

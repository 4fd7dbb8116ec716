"""Our encapsulation beside the library's decapsulation, which encrypts again and compares every byte."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption.mlkem import CIPHERTEXT_BYTES, PUBLIC_BYTES, encapsulate

SEED = st.binary(min_size=64, max_size=64)
RANDOMNESS = st.binary(min_size=32, max_size=32)


@given(SEED, RANDOMNESS)
@settings(max_examples=100)
def test_the_library_decapsulates_what_we_encapsulate(seed: bytes, randomness: bytes) -> None:
    private = MLKEM768PrivateKey.from_seed_bytes(seed)
    public = private.public_key().public_bytes_raw()
    secret, ciphertext = encapsulate(public, randomness)
    assert (len(public), len(ciphertext), len(secret)) == (PUBLIC_BYTES, CIPHERTEXT_BYTES, 32)
    assert private.decapsulate(ciphertext) == secret
    assert secret == hashlib.sha3_512(randomness + hashlib.sha3_256(public).digest()).digest()[:32]


@pytest.mark.parametrize("position", [0, 500, 959, 960, 1087])
def test_a_single_wrong_bit_gives_another_secret(position: int) -> None:
    """So a mistake of ours could not go unnoticed."""
    private = MLKEM768PrivateKey.from_seed_bytes(bytes(64))
    secret, ciphertext = encapsulate(private.public_key().public_bytes_raw(), bytes(32))
    wrong = bytearray(ciphertext)
    wrong[position] ^= 1
    assert private.decapsulate(bytes(wrong)) != secret


def test_it_follows_from_its_arguments() -> None:
    public = MLKEM768PrivateKey.from_seed_bytes(bytes(64)).public_key().public_bytes_raw()
    assert encapsulate(public, bytes(32)) == encapsulate(public, bytes(32))
    assert encapsulate(public, bytes(32))[0] != encapsulate(public, bytes([1]) * 32)[0]

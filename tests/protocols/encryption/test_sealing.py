from __future__ import annotations

import pickle

import pytest

from protocols.encryption.sealing import OVERHEAD_BYTES, EpochKeyPair, is_usable, seal, unseal
from protocols.errors import LocalError, MalformedError
from protocols.types import Secret

MEMBER = EpochKeyPair.generate(Secret(bytes([1]) * 32))
OTHER = EpochKeyPair.generate(Secret(bytes([2]) * 32))
DEALING = Secret(bytes([3]) * 32)
SHARE = bytes(range(256)) * 34
SEALED = seal(DEALING, MEMBER.public, SHARE, b"chain 1, round 7, dealer A, member 2")


def test_only_the_member_opens_and_only_in_its_context() -> None:
    assert unseal(MEMBER, SEALED, b"chain 1, round 7, dealer A, member 2") == SHARE
    assert len(SEALED) == len(SHARE) + OVERHEAD_BYTES
    with pytest.raises(MalformedError, match="another member or another context"):
        unseal(OTHER, SEALED, b"chain 1, round 7, dealer A, member 2")
    for elsewhere in (b"", b"chain 1, round 8, dealer A, member 2", b"chain 1, round 7, dealer B, member 2"):
        with pytest.raises(MalformedError, match="another member or another context"):
            unseal(MEMBER, SEALED, elsewhere)


@pytest.mark.parametrize("position", [0, 31, 32, 63, 64, 5000, -1])
def test_every_damaged_byte_is_seen(position: int) -> None:
    damaged = bytearray(SEALED)
    damaged[position] ^= 1
    with pytest.raises(MalformedError):
        unseal(MEMBER, bytes(damaged), b"chain 1, round 7, dealer A, member 2")


@pytest.mark.parametrize("sealed", [b"", SEALED[: OVERHEAD_BYTES - 1], bytes(32) + SEALED[32:], SEALED[:-1]])
def test_truncated_or_degenerate_bytes_are_malformed(sealed: bytes) -> None:
    with pytest.raises(MalformedError):
        unseal(MEMBER, sealed, b"chain 1, round 7, dealer A, member 2")


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), bytes(33), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_a_key_that_anybody_could_compute(public: bytes) -> None:
    with pytest.raises(MalformedError, match="X25519"):
        seal(DEALING, public, SHARE, b"")
    assert not is_usable(public)
    assert is_usable(MEMBER.public)


def test_one_dealing_shows_one_ephemeral_key_and_distinct_boxes() -> None:
    other = seal(DEALING, OTHER.public, SHARE, b"chain 1, round 7, dealer A, member 3")
    assert other[:32] == SEALED[:32]
    assert other[32:64] != SEALED[32:64]
    assert other[64:96] != SEALED[64:96]


def test_an_erased_key_opens_nothing() -> None:
    key = EpochKeyPair.generate(Secret(bytes([1]) * 32))
    key.erase()
    with pytest.raises(LocalError, match="erased"):
        unseal(key, SEALED, b"chain 1, round 7, dealer A, member 2")
    assert key.public == MEMBER.public
    key.erase()


def test_keys_do_not_show_themselves() -> None:
    private = bytes(MEMBER._private).hex()
    assert private[:8] not in repr(MEMBER)
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(MEMBER)
    with pytest.raises(LocalError, match="32 bytes"):
        EpochKeyPair.generate(Secret(b"short"))

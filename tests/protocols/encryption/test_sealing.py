from __future__ import annotations

import pickle

import pytest

from protocols.encryption import sealing
from protocols.encryption.sealing import (
    OVERHEAD_BYTES,
    DealingKey,
    EpochKeyPair,
    check_proof,
    exchange_key,
    find_opening,
    fits,
    is_usable,
    seal,
    unseal,
)
from protocols.errors import LocalError, MalformedError
from protocols.types import Secret

MEMBER = EpochKeyPair.generate(Secret(bytes([1]) * 32))
OTHER = EpochKeyPair.generate(Secret(bytes([2]) * 32))
DEALING = DealingKey(Secret(bytes([3]) * 32))
THIEF = DealingKey(Secret(bytes([4]) * 32))
SHARE = bytes(range(256)) * 34
HERE = b"chain 1, round 7, dealer A, member 2"
SEALED = seal(DEALING, MEMBER.public, SHARE, HERE)
OPENING = find_opening(MEMBER, DEALING.public, SEALED, HERE)
BASE = bytes([0x58, *[0x66] * 31])


def opened(pair: EpochKeyPair, sealed: bytes, context: bytes, dealing: bytes = DEALING.public) -> bytes:
    return unseal(find_opening(pair, dealing, sealed, context), sealed, context)


def test_only_the_member_opens_and_only_in_its_context() -> None:
    assert opened(MEMBER, SEALED, HERE) == SHARE
    assert len(SEALED) == len(SHARE) + OVERHEAD_BYTES
    with pytest.raises(MalformedError, match="another member or another context"):
        opened(OTHER, SEALED, HERE)
    with pytest.raises(MalformedError, match="another member or another context"):
        opened(MEMBER, SEALED, HERE, THIEF.public)
    for elsewhere in (b"", b"chain 1, round 8, dealer A, member 2", b"chain 1, round 7, dealer B, member 2"):
        with pytest.raises(MalformedError, match="another member or another context"):
            opened(MEMBER, SEALED, elsewhere)


@pytest.mark.parametrize("position", [0, 1087, 1088, 1119, 1120, 5000, -1])
def test_every_damaged_byte_is_seen(position: int) -> None:
    damaged = bytearray(SEALED)
    damaged[position] ^= 1
    with pytest.raises(MalformedError):
        opened(MEMBER, bytes(damaged), HERE)


@pytest.mark.parametrize(
    "sealed", [b"", SEALED[:1087], SEALED[: OVERHEAD_BYTES - 1], bytes(1088) + SEALED[1088:], SEALED[:-1]]
)
def test_truncated_or_degenerate_bytes_are_malformed(sealed: bytes) -> None:
    with pytest.raises(MalformedError):
        opened(MEMBER, sealed, HERE)


LATTICE, CURVE = MEMBER.public[:-32], MEMBER.public[-32:]


@pytest.mark.parametrize("curve", [b"", bytes(31), bytes(32), bytes(33), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_a_key_that_anybody_could_compute(curve: bytes) -> None:
    with pytest.raises(MalformedError, match="X25519"):
        seal(DEALING, LATTICE + curve, SHARE, b"")
    assert not is_usable(LATTICE + curve)
    assert is_usable(MEMBER.public)


@pytest.mark.parametrize("lattice", [b"", LATTICE[1:], b"\xff" * 1184], ids=["none", "short", "not reduced"])
def test_nor_to_what_is_no_ml_kem_key(lattice: bytes) -> None:
    assert not is_usable(lattice + CURVE)


def test_both_secrets_are_needed() -> None:
    """Who breaks one of the two exchanges, and knows all that travelled, has not the opening."""
    ephemeral, encapsulation = exchange_key(DEALING.public), SEALED[:1088]
    secrets = MEMBER.shared_secrets(encapsulation, ephemeral)
    assert sealing._opening(secrets, ephemeral, encapsulation, MEMBER.public, HERE) == OPENING
    for known in (slice(0, 32), slice(32, 64)):
        guessed = bytearray(64)
        guessed[known] = secrets[known]
        assert sealing._opening(bytes(guessed), ephemeral, encapsulation, MEMBER.public, HERE) != OPENING


def test_boxes_of_one_dealing_are_unlike() -> None:
    other = seal(DEALING, OTHER.public, SHARE, HERE)
    assert all(other[start : start + 32] != SEALED[start : start + 32] for start in (0, 1056, 1088, 1120))


# ----------------------------------------------------------------------------------------- the proof of knowledge


def test_the_proof_holds_for_its_key_and_context_alone() -> None:
    proof = DEALING.prove(HERE)
    check_proof(DEALING.public, proof, HERE)
    for public, context in ((THIEF.public, HERE), (DEALING.public, b"elsewhere"), (b"short", HERE)):
        with pytest.raises(MalformedError, match="without a proof"):
            check_proof(public, proof, context)
    with pytest.raises(MalformedError, match="without a proof"):
        check_proof(DEALING.public, proof[:32] + bytes(32), HERE)


def test_proof_and_sealing_are_made_by_the_same_key() -> None:
    """Both sides of the exchange agree through the Edwards point's Montgomery form."""
    secrets, encapsulation = DEALING.encapsulate(MEMBER.public, HERE)
    assert DEALING.exchange == exchange_key(DEALING.public)
    assert secrets == MEMBER.shared_secrets(encapsulation, DEALING.exchange)


def test_a_points_negative_is_the_same_key() -> None:
    negated = DEALING.public[:31] + bytes([DEALING.public[31] ^ 0x80])
    assert exchange_key(negated) == exchange_key(DEALING.public)
    with pytest.raises(MalformedError, match="without a proof"):
        check_proof(negated, DEALING.prove(HERE), HERE)


@pytest.mark.parametrize("public", [b"", bytes(31), (1).to_bytes(32, "little"), (2**255 - 18).to_bytes(32, "little")])
def test_degenerate_points_are_no_dealings_keys(public: bytes) -> None:
    with pytest.raises(MalformedError, match="usable"):
        exchange_key(public)


def test_the_conversion_takes_base_point_to_base_point() -> None:
    assert exchange_key(BASE) == (9).to_bytes(32, "little")


# ---------------------------------------------------------------------------------------------------- the opening


def test_the_opening_shows_this_share_to_everybody_and_no_other() -> None:
    assert fits(OPENING, SEALED, HERE)
    assert unseal(OPENING, SEALED, HERE) == SHARE
    elsewhere = seal(DEALING, MEMBER.public, SHARE, b"the same two keys in another round")
    assert not fits(OPENING, elsewhere, b"the same two keys in another round")
    assert not fits(OPENING, seal(DEALING, OTHER.public, SHARE, HERE), HERE)


def test_no_second_opening_fits() -> None:
    assert not any(fits(OPENING[:i] + bytes([OPENING[i] ^ 1]) + OPENING[i + 1 :], SEALED, HERE) for i in range(32))


def test_junk_under_the_right_key_is_found_out_by_everybody() -> None:
    """The dealer's fault, and provable: what it sealed is no ciphertext, though the opening fits."""
    junk = SEALED[:1120] + bytes(len(SHARE) + 16)
    assert find_opening(MEMBER, DEALING.public, junk, HERE) == OPENING
    with pytest.raises(MalformedError, match="damaged"):
        unseal(OPENING, junk, HERE)


# ------------------------------------------------------------------------------------------------------- secrecy


def test_an_erased_key_opens_nothing() -> None:
    key = EpochKeyPair.generate(Secret(bytes([1]) * 32))
    assert not key.erased
    key.erase()
    assert key.erased
    with pytest.raises(LocalError, match="erased"):
        opened(key, SEALED, HERE)
    assert key.public == MEMBER.public
    key.erase()


def test_keys_do_not_show_themselves() -> None:
    assert "secret" in repr(MEMBER)
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(MEMBER)
    with pytest.raises(LocalError, match="32 bytes"):
        EpochKeyPair.generate(Secret(b"short"))
    with pytest.raises(LocalError, match="32 bytes"):
        DealingKey(Secret(b"short"))

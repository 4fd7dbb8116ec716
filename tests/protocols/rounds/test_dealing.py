from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from protocols.encryption.plaintext import PlaintextScheme
from protocols.errors import MalformedError
from protocols.rounds import dealing
from protocols.rounds.dealing import (
    Dealt,
    WrongShareError,
    check_dealing,
    deal_key,
    marks,
    open_share,
    read_share,
    sealed_digest,
)
from protocols.types import NO_DIGEST, Digest, Secret
from protocols.updates.chunks import update_root
from protocols.wire.messages import Dealing, Manifest
from tests.protocols.playbook import CELLS, EPOCH_KEYS, PUBLIC_KEYS, ROUND, SCHEME, VIEW, a_view, submit

DEALER, OTHER = CELLS[0][:2]
MADE = submit(DEALER)
SEALED = MADE.encrypted.dealt.sealed
MANIFEST = MADE.signed.message
assert isinstance(MANIFEST, Manifest)


def test_every_member_opens_its_own_share_of_the_dealt_key() -> None:
    seed = Secret(bytes([7]) * 32)
    other = deal_key(SCHEME, VIEW, ROUND, 0, DEALER.key, NO_DIGEST, seed, PUBLIC_KEYS)
    sealed = other.sealed
    manifest = mine(shares=tuple(map(sealed_digest, sealed)), dealing=other.dealing)
    dealt = SCHEME.deal(seed, VIEW.params.threshold, 4)
    assert len({*sealed}) == 4
    with pytest.raises(MalformedError):  # sealed for another root of ciphertexts than this manifest's
        open_share(VIEW, manifest, DEALER.key, 1, EPOCH_KEYS[1], sealed[0])
    for member, pair in EPOCH_KEYS.items():
        opened = open_share(VIEW, MANIFEST, DEALER.key, member, pair, SEALED[member - 1])
        assert opened.shape == dealt[member - 1].shape
        assert opened.dtype == dealt[member - 1].dtype


def test_a_member_without_a_key_gets_nothing_and_others_get_theirs() -> None:
    few = {member: PUBLIC_KEYS[member] for member in (1, 3, 4)}
    sealed = deal_key(SCHEME, VIEW, ROUND, 0, DEALER.key, NO_DIGEST, Secret(bytes(32)), few).sealed
    assert [bool(each) for each in sealed] == [True, False, True, True]
    assert sealed_digest(sealed[1]) == NO_DIGEST


def test_the_plaintext_comparison_deals_nothing() -> None:
    assert deal_key(PlaintextScheme(), VIEW, ROUND, 0, DEALER.key, NO_DIGEST, Secret(bytes(32)), PUBLIC_KEYS) == Dealt()


def mine(**changes: Any) -> Manifest:
    return dataclasses.replace(MANIFEST, **changes)


@pytest.mark.parametrize(
    ("manifest", "dealer", "member", "sealed"),
    [
        (MANIFEST, OTHER, 1, SEALED[0]),
        (mine(chunk_roots=(Digest(b"r" * 32),)), DEALER, 1, SEALED[0]),
        (mine(cell=1), DEALER, 1, SEALED[0]),
        (mine(slot=VIEW.slot(ROUND + 1)), DEALER, 1, SEALED[0]),
        (MANIFEST, DEALER, 2, SEALED[0]),
        (mine(shares=(NO_DIGEST, MANIFEST.shares[0], *MANIFEST.shares[2:])), DEALER, 2, SEALED[0]),
        (MANIFEST, DEALER, 1, b""),
        (mine(shares=(NO_DIGEST,) * 4), DEALER, 1, b""),
        (mine(shares=()), DEALER, 1, SEALED[0]),
        (MANIFEST, DEALER, 0, SEALED[0]),
        (MANIFEST, DEALER, 1, SEALED[0][:-1]),
    ],
    ids=["dealer", "ciphertexts", "cell", "round", "member", "slot", "none", "unnamed", "short", "zero", "cut"],
)
def test_moved_or_copied_it_does_not_open(manifest: Manifest, dealer: Any, member: int, sealed: bytes) -> None:
    pair = EPOCH_KEYS[member or 1]
    with pytest.raises(MalformedError):
        open_share(VIEW, manifest, dealer.key, member, pair, sealed)


def test_nor_under_another_epochs_committee() -> None:
    later = a_view(epoch=1)
    with pytest.raises(MalformedError):
        open_share(later, MANIFEST, DEALER.key, 1, EPOCH_KEYS[1], SEALED[0])


# ----------------------------------------------------------------------------------- what everybody can see of it


def test_a_sound_dealing_is_one() -> None:
    assert check_dealing(VIEW, MANIFEST, DEALER.key) is MANIFEST.dealing


def other_dealing(**changes: Any) -> Dealing:
    assert MANIFEST.dealing is not None
    return dataclasses.replace(MANIFEST.dealing, **changes)


@pytest.mark.parametrize(
    ("manifest", "dealer"),
    [
        (mine(dealing=None), DEALER),
        (mine(shares=MANIFEST.shares[:3]), DEALER),
        (MANIFEST, OTHER),
        (mine(cell=1), DEALER),
        (mine(slot=VIEW.slot(ROUND + 1)), DEALER),
        (mine(chunk_roots=(Digest(b"r" * 32),)), DEALER),
        (mine(dealing=other_dealing(proof=bytes(64))), DEALER),
        (mine(dealing=other_dealing(public=bytes(32))), DEALER),
        (mine(dealing=other_dealing(degree=b"\xff" * 58)), DEALER),
        (mine(dealing=other_dealing(degree=b"short")), DEALER),
    ],
    ids=["none", "few", "dealer", "cell", "round", "ciphertexts", "proof", "key", "values", "length"],
)
def test_an_unsound_dealing_is_its_signers_fault(manifest: Manifest, dealer: Any) -> None:
    with pytest.raises(MalformedError) as raised:
        check_dealing(VIEW, manifest, dealer.key)
    assert raised.value.culprits == {dealer.key}


def test_its_marks_are_its_key_its_ciphertexts_and_its_shares() -> None:
    assert MANIFEST.dealing is not None
    assert marks(MANIFEST)[2:] == MANIFEST.shares
    assert marks(MANIFEST)[1] == update_root(MANIFEST.chunk_roots)
    public = MANIFEST.dealing.public
    negated = public[:31] + bytes([public[31] ^ 0x80])
    assert marks(mine(dealing=other_dealing(public=negated))) == marks(MANIFEST)
    assert len(marks(mine(shares=(NO_DIGEST, *MANIFEST.shares[1:])))) == 2 + 3


# --------------------------------------------------------------------------------------------- a share that is wrong


def wrongly_dealt(change: Callable[[bytes], bytes]) -> tuple[Manifest, tuple[bytes, ...]]:
    """A sound dealing, but for what is sealed to member 2."""
    with pytest.MonkeyPatch.context() as patch:
        sealed_to = itertools.count(1)
        honest = dealing.seal

        def seal(key: Any, recipient: bytes, plaintext: bytes, context: bytes) -> bytes:
            return honest(key, recipient, change(plaintext) if next(sealed_to) == 2 else plaintext, context)

        patch.setattr(dealing, "seal", seal)
        root = update_root(MANIFEST.chunk_roots)
        dealt = deal_key(SCHEME, VIEW, ROUND, 0, DEALER.key, root, Secret(bytes([9]) * 32), PUBLIC_KEYS)
    return mine(shares=tuple(map(sealed_digest, dealt.sealed)), dealing=dealt.dealing), dealt.sealed


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: bytes([plain[0] ^ 0x40]) + plain[1:],
        lambda plain: plain[:-3] + bytes([plain[-3] ^ 1]) + plain[-2:],
        lambda plain: b"\xff" * len(plain),
        lambda plain: plain[:-1],
        lambda _: b"",
    ],
    ids=["share", "mask", "values", "length", "empty"],
)
def test_a_wrong_share_is_the_dealers_and_its_opening_shows_it(change: Callable[[bytes], bytes]) -> None:
    manifest, sealed = wrongly_dealt(change)
    check_dealing(VIEW, manifest, DEALER.key)
    with pytest.raises(WrongShareError) as raised:
        open_share(VIEW, manifest, DEALER.key, 2, EPOCH_KEYS[2], sealed[1])
    assert raised.value.culprits == {DEALER.key}
    with pytest.raises(MalformedError):
        read_share(VIEW, manifest, DEALER.key, 2, sealed[1], raised.value.opening)
    for member in (1, 3, 4):
        open_share(VIEW, manifest, DEALER.key, member, EPOCH_KEYS[member], sealed[member - 1])

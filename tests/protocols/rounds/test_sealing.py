from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocols.encryption.plaintext import PlaintextScheme
from protocols.errors import MalformedError
from protocols.rounds.sealing import open_share, seal_shares, sealed_digest
from protocols.types import NO_DIGEST, Digest, Secret
from protocols.wire.messages import Manifest
from tests.protocols.playbook import CELLS, EPOCH_KEYS, PUBLIC_KEYS, ROUND, SCHEME, VIEW, a_view, submit

DEALER, OTHER = CELLS[0][:2]
MADE = submit(DEALER)
SEALED = MADE.encrypted.sealed
MANIFEST = MADE.signed.message
assert isinstance(MANIFEST, Manifest)


def test_every_member_opens_its_own_share_of_the_dealt_key() -> None:
    seed = Secret(bytes([7]) * 32)
    sealed = seal_shares(SCHEME, VIEW, ROUND, 0, DEALER.key, NO_DIGEST, seed, PUBLIC_KEYS)
    manifest = dataclasses.replace(MANIFEST, shares=tuple(map(sealed_digest, sealed)))
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
    sealed = seal_shares(SCHEME, VIEW, ROUND, 0, DEALER.key, NO_DIGEST, Secret(bytes(32)), few)
    assert [bool(each) for each in sealed] == [True, False, True, True]
    assert sealed_digest(sealed[1]) == NO_DIGEST


def test_the_plaintext_comparison_deals_nothing() -> None:
    assert seal_shares(PlaintextScheme(), VIEW, ROUND, 0, DEALER.key, NO_DIGEST, Secret(bytes(32)), PUBLIC_KEYS) == ()


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

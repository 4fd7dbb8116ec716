from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocols.errors import MalformedError, RemoteError
from protocols.rounds.manifests import DoubledError, Manifests, StaleError, open_manifest
from protocols.types import NO_DIGEST, Digest, Height
from protocols.wire.messages import Manifest, Submission, Vote
from tests.protocols.playbook import CELLS, COMMITTEE, ROUND, VIEW, Peer, a_view, submit

DEALER = CELLS[0][0]
MADE = submit(DEALER).signed
MANIFEST = MADE.message
assert isinstance(MANIFEST, Manifest)


def signed(by: Peer = DEALER, **changes: Any) -> bytes:
    return by.sign(dataclasses.replace(MANIFEST, **changes)).encoded


def test_a_manifest_is_known_by_its_digest_once_accepted() -> None:
    known = Manifests(VIEW, ROUND, NO_DIGEST, 1)
    assert known.named(MADE.digest) is None
    assert known.accept(Submission(VIEW.slot(ROUND), MADE.encoded, b""), DEALER.key) == MADE
    assert known.accept(MADE.encoded, DEALER.key) == MADE, "the same again is the same"
    assert known.named(MADE.digest) == MANIFEST
    assert known.encoded(MADE.digest) == MADE.encoded


@pytest.mark.parametrize(
    ("encoded", "complaint"),
    [
        (DEALER.sign(Vote(VIEW.slot(ROUND), 0, 1, NO_DIGEST, None)).encoded, "not a manifest of this round"),
        (signed(slot=VIEW.slot(ROUND + 1)), "not a manifest of this round"),
        (signed(slot=a_view(epoch=1).slot(ROUND)), "not a manifest of this round"),
        (signed(by=CELLS[1][0]), "its signer is not in cell 0"),
        (signed(by=COMMITTEE[0]), "its signer is not in cell 0"),
        (signed(cell=1), "its signer is not in cell 1"),
        (signed(chunk_roots=(NO_DIGEST, NO_DIGEST)), "2 ciphertexts where an update takes 1"),
        (MADE.encoded[:-1], "not msgpack"),
        (MADE.encoded[:-1] + bytes([MADE.encoded[-1] ^ 1]), "the signature does not hold"),
    ],
)
def test_nobody_works_on_what_is_no_manifest_of_the_slot(encoded: bytes, complaint: str) -> None:
    with pytest.raises(RemoteError, match=complaint):
        open_manifest(encoded, VIEW, ROUND, 1)


def test_an_update_from_another_head_is_late_and_no_fault() -> None:
    known = Manifests(VIEW, ROUND, Digest(b"h" * 32), 1)
    for _ in range(2):
        with pytest.raises(StaleError):
            known.accept(MADE.encoded, DEALER.key)
    assert known.named(MADE.digest) is None


@pytest.mark.parametrize("parent", [b"h", b"x"])
def test_beside_one_from_another_head_a_second_one_from_whatever_head_is_evidence(parent: bytes) -> None:
    known = Manifests(VIEW, ROUND, Digest(b"h" * 32), 1)
    with pytest.raises(StaleError):
        known.accept(MADE.encoded, DEALER.key)
    with pytest.raises(DoubledError, match="two manifests for one slot") as caught:
        known.accept(signed(parent=Digest(parent * 32)), DEALER.key)
    assert caught.value.evidence.culprit == DEALER.key


def test_a_second_manifest_for_one_slot_is_refused_with_its_signer_and_the_first_stays() -> None:
    known = Manifests(VIEW, ROUND, NO_DIGEST, 1)
    known.accept(MADE.encoded, DEALER.key)
    with pytest.raises(MalformedError, match="two manifests for one slot") as caught:
        known.accept(submit(DEALER, seed=2).signed.encoded, DEALER.key)
    assert caught.value.culprits == {DEALER.key}
    assert known.accept(MADE.encoded, DEALER.key) == MADE


def test_nobody_submits_for_another() -> None:
    with pytest.raises(MalformedError, match="another peer's manifest") as caught:
        Manifests(VIEW, ROUND, NO_DIGEST, 1).accept(MADE.encoded, CELLS[0][1].key)
    assert caught.value.culprits == {CELLS[0][1].key}


def test_every_round_has_its_own() -> None:
    known = Manifests(VIEW, Height(ROUND + 1), NO_DIGEST, 1)
    known.accept(submit(DEALER, Height(ROUND + 1), seed=2).signed.encoded, DEALER.key)
    with pytest.raises(MalformedError, match="not a manifest of this round"):
        known.accept(MADE.encoded, DEALER.key)
